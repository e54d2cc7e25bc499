"""Real days in the operators' own formats: what was recorded, written as a reply, is read back to the same numbers."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from command_line import ROLLING, run, site_with
from headrace.adapters.feeds.catalogue import catalogue
from headrace.adapters.feeds.live.feed import LiveFeed
from headrace.adapters.feeds.live.sources import source_of
from headrace.adapters.feeds.live.wall import midnight_s
from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.app.fetching import fetch, plan
from headrace.core import Interval, epoch_s
from headrace.energy import Series
from live_replies import Operator

DATA = Path(os.environ.get("HEADRACE_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
NOW = datetime(2026, 1, 10, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no data folder at {DATA}; set HEADRACE_DATA")


def record(name: str, window: Interval) -> Series:
    return RecordedFeed(DATA, {name: name}, "UTC").series(name, window)


def local(name: str, first: date, last: date) -> Interval:
    zone = source_of(name)[0].zone
    return Interval.from_epoch(midnight_s(first, zone), midnight_s(last, zone))


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("ercot.real_time.hb_south", date(2024, 3, 8), date(2024, 3, 12)),
        ("ercot.real_time.hb_west", date(2024, 5, 8), date(2024, 5, 10)),
        ("ercot.real_time.hb_south", date(2024, 11, 2), date(2024, 11, 5)),
        ("ercot.day_ahead.hb_south", date(2024, 11, 2), date(2024, 11, 5)),
        ("nyiso.real_time.west", date(2018, 3, 10), date(2018, 3, 13)),
        ("nyiso.real_time.north", date(2018, 11, 1), date(2018, 11, 4)),
        ("nyiso.day_ahead.west", date(2018, 1, 4), date(2018, 1, 9)),
        ("caiso.day_ahead.np15", date(2022, 9, 5), date(2022, 9, 8)),
        ("caiso.day_ahead.np15", date(2022, 11, 5), date(2022, 11, 8)),
    ],
)
def test_a_real_day_survives_the_operators_format(name: str, first: date, last: date) -> None:
    window = local(name, first, last)
    recorded = record(name, window)
    starts_s = recorded.start_s + np.arange(len(recorded)) * recorded.step_s
    live = LiveFeed({name: name}, Operator(name, starts_s, recorded.values), lambda: NOW).series(name, window)
    np.testing.assert_array_equal(live.values, recorded.values)
    np.testing.assert_array_equal(live.known_s, recorded.known_s)
    assert (live.start_s, live.step_s, live.unit) == (recorded.start_s, recorded.step_s, recorded.unit)


def test_a_real_european_week_survives_with_each_hour_on_its_quarters() -> None:
    name = "entsoe.day_ahead.fr"
    window = local(name, date(2022, 4, 1), date(2022, 4, 8))
    hourly = record("france.day_ahead", window)
    quarters_s = np.arange(window.start_s, window.end_s, 900, dtype=np.int64)
    live = LiveFeed({name: name}, Operator(name, quarters_s, hourly.onto(quarters_s)), lambda: NOW).series(name, window)
    np.testing.assert_array_equal(live.values, np.repeat(hourly.values, 4))
    np.testing.assert_array_equal(live.known_s[::4], hourly.known_s)
    assert catalogue()[name].unit == hourly.unit


def test_a_fetched_folder_replays_to_the_money_of_the_recorded_one(capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"real_time": "ercot.real_time.hb_south", "day_ahead": "ercot.day_ahead.hb_south"}
    for name in names.values():
        source, series = source_of(name)
        window = local(name, date(2024, 10, 1), date(2024, 11, 10))
        recorded = record(name, window)
        starts_s = recorded.start_s + np.arange(len(recorded)) * recorded.step_s
        planned = plan(source, series, window, tmp_path / "data", epoch_s(NOW), again=False)
        operator = Operator(name, starts_s, recorded.values)
        fetch(planned, tmp_path / "data", operator, epoch_s(NOW), lambda _: None)
    site = site_with(tmp_path, **{role: f'"{name}"' for role, name in names.items()})
    said = [
        run(capsys, monkeypatch, "replay", site, *ROLLING, "--data", folder, "--out", tmp_path / out, "--json")
        for folder, out in ((tmp_path / "data", "fetched"), (DATA, "recorded"))
    ]
    assert [each.code for each in said] == [0, 0], said[0].err
    assert said[0].json["policies"] == said[1].json["policies"]
