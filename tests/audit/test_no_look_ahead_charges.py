"""The same for a site with dated charges: what load and temperature do after an instant moves no cycle before it.

Loads, temperatures and prices are real: 9 and 10 August 2023, of which the second was a coincident peak.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.sitefile import parse_site
from headrace.app.replaying import prepare
from headrace.core import Interval
from headrace.engine.truth import truth_of
from look_ahead import otherwise, planted, records_of
from replays import SITES

DATA = Path(os.environ.get("HEADRACE_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
pytestmark = pytest.mark.skipif(not (DATA / "energy").is_dir(), reason=f"no recorded data at {DATA}")

STEP = 288 + 12 * 14
CHARGES = """
[[charge]]
kind = "four-peaks"
name = "transmission"
start = 2023-01-01
end = 2024-01-01
source = "assumed"
peak_usd_per_mw_year = 64000.0
interval_min = 60
load = "system_load"
temperature = "system_temperature"

[[charge]]
kind = "losses"
name = "losses"
start = 2023-01-01
end = 2024-01-01
source = "assumed"
loss_ratio = 0.02

[[charge]]
kind = "monthly-peak"
name = "demand"
start = 2023-01-01
end = 2024-01-01
source = "assumed"
peak_usd_per_mw_month = 2000.0
interval_min = 30

[battery]
"""


@pytest.fixture(scope="module")
def base():
    text = (SITES / "texas_100mw.toml").read_text(encoding="utf-8").replace("[battery]\n", CHARGES, 1)
    lines = [line for line in text.splitlines() if not line.startswith(("day_ahead", "hub_"))]
    lines += ['system_load = "ercot.system_generation"', 'system_temperature = "weather.dallas"']
    loaded = parse_site("\n".join(lines), Path("charges.toml"))
    window = Interval(start=datetime(2023, 8, 9, 5, tzinfo=UTC), end=datetime(2023, 8, 11, 5, tzinfo=UTC))
    return window, prepare(loaded, RecordedFeed(DATA, loaded.feeds, loaded.site.time_zone), window)


@pytest.mark.inv("F2")
@pytest.mark.parametrize("policy", ["always-on", "desk", "rolling"])
def test_no_later_load_temperature_or_price_moves_a_cycle_before(base, policy):
    window, was = base
    at_s = window.start_s + STEP * 300
    assert {"system_load", "system_temperature"} <= set(was.inputs.further)
    other = planted(was, at_s)
    before, after = records_of(was, policy), records_of(other, policy)
    assert before[:STEP] == after[:STEP]
    assert before != after


@pytest.mark.inv("F2")
def test_what_a_planner_saw_of_peaks_rests_on_what_was_known(base):
    window, was = base
    at_s = window.start_s + STEP * 300
    further = {role: otherwise(series, at_s) for role, series in was.inputs.further.items()}
    inputs = msgspec.structs.replace(was.inputs, further=further)
    seen, other = (truth_of(was.model, each, window).charges.peak_seen_ccy_per_mwh for each in (was.inputs, inputs))
    np.testing.assert_array_equal(seen[: STEP + 1], other[: STEP + 1])
    assert not np.array_equal(seen, other)
