"""Money of a live site: a price that comes late settles again, and the books follow the journal whatever happens."""

import asyncio

import msgspec
import numpy as np
import pytest

from headrace.adapters.store.books import read_balances, read_entries
from headrace.adapters.store.live_books import LiveBooks, Settled
from headrace.app.live.booking import Booking
from headrace.core import BadInput
from headrace.dispatch.policies import AlwaysOn
from headrace.engine.live.records import Arrived, Closed, Resettled
from headrace.engine.live.reproduce import reproduced
from headrace.treasury import Account, EntryKind, entry_of
from headrace.treasury.correct import correction_of
from live_cases import Campus

HOUR_S = 3600
LATE_S = 1500


def late_price(campus: Campus):
    """The demo's price, known twenty-five minutes after its interval has begun."""
    price = campus.series["real_time"]
    known_s = price.start_s + np.arange(len(price), dtype=np.int64) * price.step_s + LATE_S
    return campus.series | {"real_time": msgspec.structs.replace(price, known_s=np.maximum(known_s, price.known_s))}


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    campus = Campus(tmp_path_factory.mktemp("money") / "live.jsonl", policy=AlwaysOn)
    campus.run(3 * HOUR_S, series=late_price(campus))
    return campus


def settled(records):
    """Versions of every interval's statement, in order."""
    found = {}
    for each in records:
        statement = each.cycle.statement if isinstance(each, Closed) else getattr(each, "statement", None)
        if statement is not None:
            found.setdefault(statement.interval_start_s, []).append(statement)
    return found


def test_an_interval_whose_price_came_late_is_settled_again_at_it(late):
    versions = settled(late.records())
    again = {start_s: each for start_s, each in versions.items() if len(each) > 1}
    assert len(again) > 5
    price = late.series["real_time"]
    for start_s, (first, second) in again.items():
        assert first.is_estimated
        assert not second.is_estimated
        micro = round(price.at(start_s) * 1e6)
        assert second.energy_bought == pytest.approx(-second.import_wh * micro / 1e6, abs=1.0)
        assert (first.import_wh, first.peak, first.duration_s) == (second.import_wh, second.peak, second.duration_s)
    waiting = [start_s for start_s, each in versions.items() if len(each) == 1 and each[0].is_estimated]
    assert max(again) < min(waiting, default=max(again) + 1)


def test_it_is_the_statement_that_would_have_been_had_the_price_been_there(late, tmp_path):
    prompt = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    prompt.run(3 * HOUR_S)
    on_time = settled(prompt.records())
    for start_s, each in settled(late.records()).items():
        if len(each) > 1 and not on_time[start_s][0].is_estimated:
            assert each[1].energy_bought * on_time[start_s][0].import_wh == pytest.approx(
                on_time[start_s][0].energy_bought * each[1].import_wh, rel=1e-6
            )


def test_settling_again_is_reproduced_to_the_byte(late):
    records = late.records()
    assert any(isinstance(each, Resettled) for each in records)
    encode = msgspec.json.Encoder().encode
    assert [encode(r) for r in reproduced(late.state(), records, AlwaysOn)] == [encode(r) for r in records]


def test_a_restart_between_the_estimate_and_the_price_still_settles_again(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    campus.run(2000.0, series=late_price(campus))
    waiting = [s for s, each in settled(campus.records()).items() if len(each) == 1 and each[0].is_estimated]
    campus.run(HOUR_S, series=late_price(campus))
    assert waiting
    assert all(len(settled(campus.records())[start_s]) == 2 for start_s in waiting)


def balances(target):
    return {(row.account, row.asset): row.balance for row in read_balances(target)}


def test_the_books_hold_what_the_latest_versions_say_however_often_they_are_interrupted(late, tmp_path):
    records, currency = late.records(), late.model.site.currency
    target = tmp_path / "books.sqlite"
    Booking(LiveBooks(target, currency), records).book()
    whole = list(read_entries(target))
    latest = [each[-1] for each in settled(records).values()]
    for line, account in (("energy_bought", Account.ENERGY_BOUGHT), ("mining", Account.MINING)):
        booked = sum(row.credit - row.debit for row in read_balances(target) if row.account is account)
        assert booked == sum(getattr(each, line) for each in latest)
    broken, generator = tmp_path / "broken.sqlite", np.random.default_rng(4)
    for _ in range(12):  # an engine that is killed and starts again with a longer journal
        Booking(LiveBooks(broken, currency), records[: int(generator.integers(len(records)))]).book()
    Booking(LiveBooks(broken, currency), records).book()
    Booking(LiveBooks(broken, currency), records).book()
    assert balances(broken) == balances(target)
    assert len(list(read_entries(broken))) == len(whole)


def test_books_of_another_journal_are_refused(late, tmp_path):
    first, second = next(each for each in settled(late.records()).values() if len(each) == 2)
    books = LiveBooks(tmp_path / "books.sqlite", late.model.site.currency)
    with pytest.raises(BadInput, match="version 2 comes next"):
        books.book([Settled(version=2, statement=second, before=first)])


def test_a_line_that_a_counterparty_has_settled_is_not_corrected_by_us(late):
    first, second = next(
        each
        for each in settled(late.records()).values()
        if len(each) == 2 and each[0].energy_bought != each[1].energy_bought
    )
    currency = late.model.site.currency
    moved = {p.account for p in correction_of(first, second, currency, 2).postings}
    assert Account.ENERGY_BOUGHT in moved
    kept = correction_of(first, second, currency, 2, billed={"energy_bought", "energy_sold", "ppa"})
    assert Account.ENERGY_BOUGHT not in {p.account for p in kept.postings}
    assert correction_of(first, first, currency, 2).postings == ()
    assert correction_of(first, second, currency, 2).kind is EntryKind.SETTLEMENT
    assert entry_of(second, currency, 2).interval_start_s == first.interval_start_s


def test_books_that_refuse_are_an_alarm_and_tried_again(late, tmp_path):
    (tmp_path / "books.sqlite").mkdir()
    booking = Booking(LiveBooks(tmp_path / "books.sqlite", late.model.site.currency), late.records())
    told = []

    class Engine:
        def alarm(self, code, text, *, is_up):
            told.append((code, is_up))
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(booking.run(Engine()))
    assert told == [("books.unwritten", True)]
    (tmp_path / "books.sqlite").rmdir()
    booking.book()
    assert read_balances(tmp_path / "books.sqlite")


def test_nothing_is_settled_again_where_prices_are_prompt(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    campus.run(HOUR_S)
    records = campus.records()
    assert any(isinstance(each, Arrived) for each in records)
    assert {len(each) for each in settled(records).values() if not each[0].is_estimated} <= {1}


def test_books_named_by_a_database_url_hold_the_same(late, tmp_path):
    records, currency = late.records(), late.model.site.currency
    url = f"sqlite:///{tmp_path}/by_url.sqlite"
    Booking(LiveBooks(url, currency), records).book()
    Booking(LiveBooks(tmp_path / "books.sqlite", currency), records).book()
    assert balances(url) == balances(tmp_path / "books.sqlite")
