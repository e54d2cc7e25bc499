"""Fetching into a data folder: kept in parts, never asked twice, changed only as a whole, and ready to replay."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from headrace.adapters.feeds.inventory import inventory
from headrace.adapters.feeds.live.sources import SOURCES
from headrace.adapters.feeds.live.transport import Unreachable
from headrace.adapters.feeds.live.wall import midnight_s
from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.app.fetching import fetch, plan
from headrace.core import BadInput, Interval, epoch_s
from live_replies import Operator

NOW_S = epoch_s(datetime(2025, 6, 1, tzinfo=UTC))
SERIES = ["ercot.real_time.hb_south", "ercot.day_ahead.lz_houston", "nyiso.real_time.nyc", "nyiso.day_ahead.west"]
SERIES += ["caiso.real_time.sp15", "caiso.day_ahead.np15", "entsoe.day_ahead.de_lu"]


def operator(name, first=date(2024, 10, 20), days=40):
    """An operator with prices that never repeat, but for whole hours in Europe."""
    source, series = next((s, s.series[name]) for s in SOURCES.values() if name in s.series)
    begins_s, ends_s = (midnight_s(first + timedelta(days=n), source.zone) for n in (0, days))
    starts_s = np.arange(begins_s, ends_s, series.declaration.step_s, dtype=np.int64)
    values = np.arange(len(starts_s)) * 0.01 - 3.0
    return Operator(name, starts_s, values if source.name != "entsoe" else np.repeat(values[::4], 4))


def local(op, first, last):
    return Interval.from_epoch(midnight_s(first, op.source.zone), midnight_s(last, op.source.zone))


def get(op, window, folder, *, again=False, now_s=NOW_S):
    planned = plan(op.source, op.offered, window, folder, now_s, again=again)
    return fetch(planned, folder, op, now_s, lambda _: None)


def read(op, window, folder):
    return RecordedFeed(folder, {"it": op.offered.name}, "America/Chicago").series("it", window)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


@pytest.mark.parametrize("name", SERIES)
def test_what_is_fetched_is_read_like_any_recorded_series(name, tmp_path):
    op = operator(name)
    window = local(op, date(2024, 10, 25), date(2024, 11, 12))  # over the autumn day of either continent
    found = get(op, window, tmp_path)
    assert (found.missing, found.revised, found.files) == (0, 0, (f"fetched/{name}_2024.parquet",))
    series = read(op, window, tmp_path)
    starts_s = range(window.start_s, window.end_s, series.step_s)
    assert series.values.tolist() == [op.prices[s] for s in starts_s]
    frame = pl.read_parquet(tmp_path / found.files[0])
    assert frame.columns == ["interval_start", op.offered.declaration.columns[0], "known_at"]
    assert (frame["known_at"].dt.epoch("s").to_numpy() == series.known_s).all()
    assert [held.name for held in inventory(tmp_path) if held.files == found.files] == [name]


def test_fetching_again_asks_nothing_and_changes_nothing(tmp_path):
    op = operator("ercot.real_time.hb_south")
    window = local(op, date(2024, 10, 25), date(2024, 11, 12))
    get(op, window, tmp_path)
    before, asked = contents(tmp_path), len(op.asked)
    assert asked == 2
    assert get(op, window, tmp_path).missing == 0
    assert len(op.asked) == asked
    assert contents(tmp_path) == before


def test_a_longer_period_asks_only_for_what_is_new(tmp_path):
    op = operator("nyiso.real_time.west")
    get(op, local(op, date(2024, 10, 25), date(2024, 10, 28)), tmp_path)
    get(op, local(op, date(2024, 10, 25), date(2024, 11, 3)), tmp_path)
    assert [url.rpartition("/")[2][:8] for url in op.asked] == ["20241001", "20241001", "20241101"]
    once = tmp_path / "once"
    get(operator("nyiso.real_time.west"), local(op, date(2024, 10, 25), date(2024, 11, 3)), once)
    assert (
        contents(once)["fetched/nyiso.real_time.west_2024.parquet"]
        == contents(tmp_path)["fetched/nyiso.real_time.west_2024.parquet"]
    )


class Breaking(Operator):
    """An operator that stops answering after some replies."""

    answers = 1

    def fetch(self, request):
        if len(self.asked) == self.answers:
            raise Unreachable(request.shown(), "no answer")
        return super().fetch(request)


def test_a_broken_fetch_keeps_what_it_has_and_goes_on_there(tmp_path):
    op = operator("ercot.real_time.hb_south")
    op.__class__ = Breaking
    window = local(op, date(2024, 10, 25), date(2024, 11, 12))
    with pytest.raises(Unreachable, match="what is fetched is kept"):
        get(op, window, tmp_path)
    assert len(pl.read_parquet(tmp_path / "fetched/ercot.real_time.hb_south_2024.parquet")) == 10 * 96 + 4
    op.__class__ = Operator
    assert get(op, window, tmp_path).missing == 0
    assert ["From=2024-10-25" in url for url in op.asked] == [True, False]


def test_a_gap_is_told_read_as_missing_and_asked_again(tmp_path):
    op = operator("caiso.day_ahead.sp15")
    window = local(op, date(2024, 11, 1), date(2024, 11, 5))
    lost_s = window.start_s + 7 * 3600
    price = op.prices.pop(lost_s)
    assert get(op, window, tmp_path).missing == 1
    assert np.isnan(read(op, window, tmp_path).at(lost_s))
    op.prices[lost_s] = price
    assert get(op, window, tmp_path).missing == 0
    assert read(op, window, tmp_path).at(lost_s) == price


def test_a_revised_price_replaces_the_old_one_and_is_told(tmp_path):
    op = operator("ercot.real_time.hb_south")
    window = local(op, date(2024, 11, 1), date(2024, 11, 5))
    get(op, window, tmp_path)
    was, op.prices[window.start_s] = op.prices[window.start_s], 5000.0
    assert get(op, window, tmp_path).revised == 0, "what is on record is not asked again"
    assert get(op, window, tmp_path, again=True).revised == 1
    assert read(op, window, tmp_path).values[0] == 5000.0
    told = (tmp_path / "fetched/ercot.real_time.hb_south_revisions.csv").read_text().splitlines()
    assert told == [
        "interval_start,was,is,seen_at",
        f"2024-11-01T05:00:00Z,{was!r},5000.0,2025-06-01T00:00:00+00:00",
    ]


def test_a_period_over_new_year_lies_in_two_files_and_reads_as_one(tmp_path):
    op = operator("caiso.day_ahead.sp15", date(2024, 12, 20), 30)
    window = local(op, date(2024, 12, 28), date(2025, 1, 5))
    assert len(get(op, window, tmp_path).files) == 2
    assert read(op, window, tmp_path).values.tolist() == [
        op.prices[s] for s in range(window.start_s, window.end_s, 3600)
    ]


def test_what_is_not_published_yet_is_left_for_later(tmp_path):
    op = operator("ercot.day_ahead.lz_houston", date(2024, 11, 1), 20)
    noon_s = epoch_s(datetime(2024, 11, 6, 18, tzinfo=UTC))
    window = local(op, date(2024, 11, 4), date(2024, 11, 12))
    for now_s, end in ((noon_s, date(2024, 11, 7)), (noon_s + 7200, date(2024, 11, 8))):
        planned = plan(op.source, op.offered, window, tmp_path, now_s, again=False)
        assert planned.window.end_s == midnight_s(end, op.source.zone)


def test_a_year_on_record_from_elsewhere_is_not_fetched_beside_it(tmp_path):
    (tmp_path / "energy").mkdir()
    (tmp_path / "energy" / "ercot_rt_spp_15min_2024.parquet").touch()
    op = operator("ercot.real_time.hb_south")
    with pytest.raises(BadInput, match=r"already on record in energy/ercot_rt_spp_15min_2024\.parquet"):
        get(op, local(op, date(2024, 11, 1), date(2024, 11, 5)), tmp_path)


def test_a_period_that_an_operator_never_had_is_refused_with_what_it_has(tmp_path):
    op = operator("ercot.real_time.hb_south")
    with pytest.raises(BadInput, match=r"outside what .* has, 2023-12-11T06:00:00Z to 2025-06-01"):
        get(op, local(op, date(2022, 11, 1), date(2022, 11, 5)), tmp_path)


def test_an_operator_with_nothing_at_all_leaves_no_file(tmp_path):
    op = operator("entsoe.day_ahead.fr", date(2024, 1, 1), 3)
    with pytest.raises(BadInput, match="has no value there"):
        get(op, local(op, date(2024, 11, 1), date(2024, 11, 5)), tmp_path)
    assert not contents(tmp_path)


@pytest.mark.parametrize("name", sorted(name for source in SOURCES.values() for name in source.series))
def test_every_series_offered_is_in_the_catalogue_where_a_fetch_puts_it(name):
    source, series = next((s, s.series[name]) for s in SOURCES.values() if name in s.series)
    declaration = series.declaration
    assert f"fetched/{name}_{{year}}.parquet" in declaration.files
    assert declaration.scale == 1.0
    assert len(declaration.columns) == 1
    assert declaration.divide_by is None
    requests = source.requests(series, Interval.from_epoch(NOW_S - 86_400 * 40, NOW_S), NOW_S)
    assert requests[0].interval.start_s <= NOW_S - 86_400 * 40
    assert requests[-1].interval.end_s >= NOW_S
    for before, after in pairwise(requests):
        assert before.interval.end_s >= after.interval.start_s > before.interval.start_s
