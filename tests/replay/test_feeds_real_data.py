"""Recorded markets as the catalogue reads them: known days and gaps, both clock changes (figures: each SOURCES.md)."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from headrace.adapters.feeds.catalogue import catalogue
from headrace.adapters.feeds.inventory import Holding, inventory
from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.feeds.sample import SAMPLE_ROLES, SAMPLE_TIME_ZONE, SAMPLE_WINDOW
from headrace.core import BadInput, Interval
from headrace.energy import Series
from headrace.energy.forecast import forecast

DATA = Path(os.environ.get("HEADRACE_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
TEXAS, NEW_YORK, PARIS = ZoneInfo("America/Chicago"), ZoneInfo("America/New_York"), ZoneInfo("Europe/Paris")

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no data folder at {DATA}; set HEADRACE_DATA")
pytestmark = needs_data


def local(zone: ZoneInfo, first: tuple[int, int, int], last: tuple[int, int, int] | None = None) -> Interval:
    """Local days, `last` included."""
    start = datetime(*first, tzinfo=zone)
    end = datetime(*(last or first), tzinfo=zone) + timedelta(days=1)
    return Interval(start=start.astimezone(UTC), end=end.astimezone(UTC))


def read(name: str, window: Interval) -> Series:
    return RecordedFeed(DATA, {name: name}, "America/Chicago").series(name, window)


def span(name: str) -> Interval:
    return RecordedFeed(DATA, {name: name}, "America/Chicago").span(name)


@pytest.fixture(scope="module")
def held() -> dict[str, Holding]:
    return {holding.name: holding for holding in inventory(DATA)}


def test_the_winter_storm_holds_the_cap_for_four_days() -> None:
    for day in (15, 16, 17, 18):
        prices = read("ercot.real_time.hb_west", local(TEXAS, (2021, 2, day))).values
        assert len(prices) == 96
        assert (prices > 1000).all()
    assert np.max(read("ercot.real_time.hb_west", local(TEXAS, (2021, 2, 13), (2021, 2, 19))).values) > 8900


@pytest.mark.parametrize(("day", "hours"), [((2024, 3, 10), 23), ((2024, 11, 3), 25), ((2024, 5, 8), 24)])
def test_local_days_in_texas_have_their_hours(day: tuple[int, int, int], hours: int) -> None:
    window = local(TEXAS, day)
    real_time, day_ahead = read("ercot.real_time.lz_west", window), read("ercot.day_ahead.lz_west", window)
    assert (len(real_time), len(day_ahead)) == (4 * hours, hours)
    assert not np.isnan(real_time.values).any()
    assert np.count_nonzero(np.isnan(day_ahead.values)) == (1 if hours == 25 else 0)
    published = datetime(*day, 13, 30, tzinfo=TEXAS) - timedelta(days=1)
    assert set(day_ahead.known_s.tolist()) == {int(published.timestamp())}


@pytest.mark.parametrize(
    ("name", "zone", "at", "day", "hours"),
    [
        ("nyiso.day_ahead.west", NEW_YORK, (11, 0), (2018, 3, 11), 23),
        ("nyiso.day_ahead.north", NEW_YORK, (11, 0), (2018, 11, 4), 25),
        ("france.day_ahead", PARIS, (12, 45), (2022, 3, 27), 23),
        ("germany.day_ahead", PARIS, (12, 45), (2022, 10, 30), 25),
        ("caiso.day_ahead.np15", ZoneInfo("America/Los_Angeles"), (13, 0), (2022, 3, 13), 23),
    ],
)
def test_auctions_are_known_at_their_local_hour_the_day_before(
    name: str, zone: ZoneInfo, at: tuple[int, int], day: tuple[int, int, int], hours: int
) -> None:
    series = read(name, local(zone, day))
    assert len(series) == hours
    published = datetime(*day, *at, tzinfo=zone) - timedelta(days=1)
    assert set(series.known_s.tolist()) == {int(published.timestamp())}


def test_a_real_time_price_is_known_when_its_interval_has_ended() -> None:
    series = read("ercot.real_time.hb_south", local(TEXAS, (2024, 5, 8)))
    starts_s = series.start_s + 900 * np.arange(len(series))
    assert (series.known_s == starts_s + 900).all()


def test_new_york_counts_its_missing_prints(held: dict[str, Holding]) -> None:
    for zone in ("west", "north"):
        assert (held[f"nyiso.real_time.{zone}"].intervals, held[f"nyiso.real_time.{zone}"].missing) == (210_240, 3006)
        series = read(f"nyiso.real_time.{zone}", span(f"nyiso.real_time.{zone}"))
        assert sum(gap.steps(300) for gap in series.gaps(span(f"nyiso.real_time.{zone}"))) == 3006
        assert held[f"nyiso.day_ahead.{zone}"].missing == 2
    both = [read(f"nyiso.real_time.{zone}", span("nyiso.real_time.west")).values for zone in ("west", "north")]
    assert np.nanmin(both[0]) == pytest.approx(-1692.25)
    assert np.nanmax(both[0]) == pytest.approx(3906.41)


def test_europe_lacks_two_days_and_three_autumn_hours(held: dict[str, Holding]) -> None:
    assert (held["france.day_ahead"].missing, held["germany.day_ahead"].missing) == (51, 51)
    series = read("france.day_ahead", span("france.day_ahead"))
    gaps = series.gaps(span("france.day_ahead"))
    assert [gap.steps(3600) for gap in gaps] == [1, 24, 1, 1, 24]
    assert gaps[1] == local(PARIS, (2022, 9, 3))
    assert gaps[4] == local(PARIS, (2023, 11, 30))
    assert read("france.day_ahead", local(PARIS, (2022, 4, 4))).values[7:9].tolist() == [2712.99, 2987.78]


@pytest.mark.parametrize(
    ("name", "year", "mean", "median"),
    [
        ("ercot.real_time.hb_west", 2021, 145.7, 23.3),
        ("ercot.real_time.hb_west", 2022, 57.5, 42.4),
        ("ercot.real_time.hb_west", 2023, 49.4, 21.6),
        ("ercot.real_time.hb_west", 2024, 27.4, 19.9),
        ("ercot.day_ahead.hb_south", 2021, 145.01, 27.31),
        ("ercot.day_ahead.lz_north", 2021, 147.25, 28.77),
    ],
)
def test_a_local_year_has_the_published_mean_and_median(name: str, year: int, mean: float, median: float) -> None:
    values = read(name, local(TEXAS, (year, 1, 1), (year, 12, 31))).values
    assert not np.isnan(values).any()
    assert np.mean(values) == pytest.approx(mean, abs=0.06)
    assert np.median(values) == pytest.approx(median, abs=0.06)


def test_every_series_but_the_fetched_ones_is_held_and_readable(held: dict[str, Holding]) -> None:
    recorded = {name for name, fields in catalogue().items() if not fields.files[0].startswith("fetched/")}
    assert set(held) == recorded
    assert not [holding.problem for holding in held.values() if holding.problem]
    expected = {"bitcoin.price_hourly": 7, "carbon.france": 1, "ercot.system_generation": 5, "sample.temperature": 8}
    expected |= dict.fromkeys(("nyiso.real_time.west", "nyiso.real_time.north"), 3006)
    expected |= dict.fromkeys(("nyiso.day_ahead.west", "nyiso.day_ahead.north"), 2)
    expected |= dict.fromkeys(("france.day_ahead", "germany.day_ahead"), 51)
    expected |= {name: 168 for name in held if name.startswith("ercot.reserve.")}  # 10 to 17 March 2024
    expected["fuel.henry_hub"] = 1442 - 989  # business days only
    for point in ("hb_north", "hb_west", "hb_houston", "hb_south", "lz_west"):
        expected[f"ercot.day_ahead.{point}"] = 8760 + 1  # all of 2023, and one autumn hour of 2024
    for point in ("hb_pan", "lz_north"):
        expected[f"ercot.day_ahead.{point}"] = 8760 + 2
    assert {name: holding.missing for name, holding in held.items() if holding.missing} == expected


def test_a_year_without_day_ahead_prices_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match=r"ercot_dam_spp_hourly_2023.parquet: no such file .* 2021, 2022, 2024"):
        read("ercot.day_ahead.lz_west", local(TEXAS, (2023, 1, 1), (2023, 12, 31)))
    average = read("ercot.day_ahead.hb_hubavg", local(TEXAS, (2023, 1, 1), (2023, 12, 31)))
    assert not np.isnan(average.values).any()


def test_utc_series_serve_a_local_year_to_within_their_last_hours() -> None:
    year = local(TEXAS, (2024, 1, 1), (2024, 12, 31))
    for name, missing in (("weather.dallas", 1), ("carbon.ercot", 6), ("bitcoin.price", 1)):
        series = read(name, year)
        assert np.flatnonzero(np.isnan(series.values)).tolist() == list(range(len(series) - missing, len(series)))
    price = read("bitcoin.price", year)
    assert price.latest(year.end_s) is not None  # the last close known at the end is that of 31 December


def test_hashprice_from_price_difficulty_subsidy_and_fees_equals_the_record() -> None:
    year = Interval(start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2025, 1, 1, tzinfo=UTC))
    price, difficulty, reward = (
        read(f"bitcoin.{what}", year).values for what in ("price", "difficulty", "block_reward")
    )
    per_phs_day = reward * price * 86_400 * 1e15 / (difficulty * 2**32)
    recorded = pl.read_parquet(DATA / "bitcoin" / "btc_network_daily.parquet").filter(
        pl.col("date_utc").dt.year() == 2024
    )
    np.testing.assert_allclose(per_phs_day, recorded.get_column("hashprice_usd_per_phs_day").to_numpy(), rtol=1e-8)


def test_wind_farm_output_is_a_share_of_its_size() -> None:
    values = read("renewables.azure_sky.wind", span("renewables.azure_sky.wind")).values
    assert values.min() >= 0.0
    assert 0.97 < values.max() < 1.0


def test_demand_keeps_its_mean_and_its_place_in_the_week() -> None:
    window = local(TEXAS, (2024, 3, 4), (2024, 3, 17))  # two whole weeks across the spring change
    assert len(read("llm.m_large", window)) == 2016 - 6
    fortnight = local(TEXAS, (2024, 6, 3), (2024, 6, 16))
    assert np.mean(read("llm.m_large", fortnight).values) == pytest.approx(195.844, abs=0.01)
    sample = RecordedFeed(None, SAMPLE_ROLES, SAMPLE_TIME_ZONE).series("inference_demand", fortnight)
    np.testing.assert_allclose(sample.values, read("llm.m_large", fortnight).values, atol=0.051)


def test_the_sample_equals_the_folder_where_both_exist() -> None:
    sample = RecordedFeed(None, SAMPLE_ROLES, SAMPLE_TIME_ZONE)
    for role, name in (("real_time", "ercot.real_time.hb_south"), ("day_ahead", "ercot.day_ahead.hb_south")):
        np.testing.assert_array_equal(sample.series(role, SAMPLE_WINDOW).values, read(name, SAMPLE_WINDOW).values)


@pytest.mark.inv("F1")
@pytest.mark.parametrize("day", [(2024, 3, 10), (2024, 11, 3), (2024, 5, 8)])
def test_forecasts_through_a_clock_change_are_whole_and_blind_to_the_future(day: tuple[int, int, int]) -> None:
    window = local(TEXAS, day)
    wide = Interval(start=window.start - timedelta(days=8), end=window.end + timedelta(days=2))
    live, base = read("ercot.real_time.hb_west", wide), read("ercot.day_ahead.hb_west", wide)
    for now_s in range(window.start_s, window.end_s, 3900):
        at = now_s + 900 * np.arange(144)
        seen = forecast(at, now_s, base=base, live=live, fade_s=3600.0, lag_days_min=0)
        assert np.isfinite(seen).all()
        cut = Series(
            name=live.name,
            unit=live.unit,
            step_s=live.step_s,
            start_s=live.start_s,
            values=np.where(live.known_s <= now_s, live.values, 9e3),
            known_s=live.known_s,
            source="planted",
        )
        planted = forecast(at, now_s, base=base, live=cut, fade_s=3600.0, lag_days_min=0)
        assert seen.tobytes() == planted.tobytes()
