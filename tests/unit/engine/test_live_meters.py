"""Counters into amounts: energy is counted once, whatever a counter does; data into a book that never looks ahead."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headrace.energy import Series
from headrace.engine.live.book import FeedBook, arrival
from headrace.engine.live.meters import amounts_of, split_evenly

STEPS = st.lists(st.tuples(st.integers(0, 10_000), st.booleans()), min_size=1, max_size=30)


@given(STEPS)
def test_what_is_booked_is_what_the_counter_moved_once_it_answers_again(steps):
    total, booked, estimated, usual, settled = 1_000, {"import_wh": 1_000}, {}, {}, 0
    for moved, is_silent in [*steps, (0, False)]:
        total += moved
        found = amounts_of(["import_wh"], {} if is_silent else {"import_wh": total}, booked, estimated, usual)
        booked, estimated, usual = found.booked, found.estimated, found.moved
        settled += found.moved["import_wh"]
        assert found.moved["import_wh"] >= 0
    assert settled == total - 1_000 + estimated.get("import_wh", 0)


def test_a_counter_that_began_again_is_read_from_nothing():
    found = amounts_of(["it_wh"], {"it_wh": 40}, {"it_wh": 5_000}, {}, {})
    assert found.moved == {"it_wh": 40}
    assert found.reasons == ("counter.began_again.it_wh",)


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 10**9)), st.integers(1, 40))
def test_intervals_read_as_one_share_every_unit(amounts, parts):
    shares = split_evenly(amounts, parts)
    assert len(shares) == parts
    assert {name: sum(share[name] for share in shares) for name in amounts} == amounts


def series(values: list[float], known_s: list[int]) -> Series:
    return Series(
        name="real_time",
        unit="usd_per_mwh",
        step_s=300,
        start_s=0,
        values=np.array(values, float),
        known_s=np.array(known_s, np.int64),
        source="test",
    )


@given(st.lists(st.one_of(st.just(float("nan")), st.floats(-100.0, 100.0)), min_size=3, max_size=40), st.data())
def test_a_book_told_bit_by_bit_holds_what_a_book_told_at_once_does(values, data):
    whole = series(values, [300 * (i + 1) for i in range(len(values))])
    book, end_s = FeedBook(), 300 * len(values)
    looks = sorted(data.draw(st.lists(st.integers(300, end_s), max_size=8)))
    for now_s in [*looks, end_s]:
        came = arrival("real_time", whole, since=book.series("real_time"), now_s=now_s, at_us=now_s * 1_000_000)
        if came is not None:
            assert max(came.known_s) <= now_s
            book.absorb(came)
    held = book.series("real_time")
    np.testing.assert_array_equal(held.values, whole.values)
    np.testing.assert_array_equal(held.known_s, whole.known_s)
