"""Real days that break careless code: scarcity, deep negative prices, missing prints, both clock changes."""

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from headrace.adapters.sitefile import load_site
from headrace.core import Interval
from replays import SITES, run

DATA = Path(os.environ.get("HEADRACE_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
pytestmark = pytest.mark.skipif(not (DATA / "energy").is_dir(), reason=f"no recorded data at {DATA}")

POLICIES = ("always-on", "desk", "rolling", "bound")


def replay_days(site: str, start: datetime, end: datetime, labels=POLICIES):
    return run(load_site(SITES / f"{site}.toml"), Interval(start=start, end=end), labels, data=DATA)


@pytest.mark.inv("D1")
def test_the_2021_storm_cuts_everything_but_firm_leases():
    result = replay_days("texas_100mw", datetime(2021, 2, 15, 6, tzinfo=UTC), datetime(2021, 2, 16, 6, tzinfo=UTC))
    rolling = result.run("rolling")
    assert rolling.intervals["price"].min() > 1000.0
    mining = [c for c in rolling.intervals.columns if c.startswith("use:S") and c.endswith("_mw")]
    assert sum(rolling.intervals[c].sum() for c in mining) < 0.02 * len(rolling.intervals)
    for each in result.runs:
        assert each.intervals["shed_mw"].max() == 0.0
        assert each.settlements["ai_firm"].n_unique() == 1
    order = [result.run(label).margin_ccy for label in ("always-on", "desk", "rolling", "bound")]
    assert order[0] < order[1]
    assert order[2] <= order[3] + 1.0


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (datetime(2024, 3, 10, 6, tzinfo=UTC), datetime(2024, 3, 11, 5, tzinfo=UTC), 23),
        (datetime(2024, 11, 3, 5, tzinfo=UTC), datetime(2024, 11, 4, 6, tzinfo=UTC), 25),
    ],
)
def test_a_local_day_of_23_or_25_hours_is_settled_hour_by_hour(start, end, hours):
    result = replay_days("texas_100mw", start, end)
    for each in result.runs:
        assert len(each.intervals) == 12 * hours
        assert len(each.settlements) == 4 * hours
        assert each.settlements["duration_s"].unique().to_list() == [900]
    desk = result.run("desk").intervals
    assert np.isfinite(desk["stored_mwh"].to_numpy()).all()


def test_missing_prints_are_settled_at_the_declared_substitute_and_listed():
    # 2 May 2018: 276 of the day's 288 five-minute prints are missing in New York's record.
    window = (datetime(2018, 5, 2, 4, tzinfo=UTC), datetime(2018, 5, 3, 4, tzinfo=UTC))
    result = replay_days("edge_500kw", *window, ("always-on", "rolling"))
    holes = sum(gap.intervals for gap in result.gaps if gap.role == "real_time")
    assert holes > 250
    for each in result.runs:
        assert int(each.intervals["is_estimated"].sum()) == holes
        assert int(each.settlements["is_estimated"].sum()) == holes
        assert each.intervals["price"].null_count() == 0


def test_a_day_below_zero_runs_every_miner_and_fills_the_battery():
    # 24 March 2024: nine hours below -15 USD/MWh in the West load zone.
    result = replay_days("texas_100mw", datetime(2024, 3, 24, 5, tzinfo=UTC), datetime(2024, 3, 25, 5, tzinfo=UTC))
    rolling = result.run("rolling").intervals
    low = rolling.filter(rolling["price_seen"] < -15.0)
    assert len(low) > 60
    for column in (c for c in rolling.columns if c.startswith("use:S")):
        held_back_mw = low[column.replace("use:", "want:")] - low[column] - low["yielded_mw"]
        assert held_back_mw.max() < 1e-4, column
    assert low["stored_mwh"].max() > 0.99 * result.site.battery.stored_max_mwh
    assert result.run("bound").margin_ccy >= result.run("rolling").margin_ccy - 1.0
