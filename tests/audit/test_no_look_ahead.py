"""Change everything that could not be known at noon, in every series at once: no cycle before noon may differ.

Whole cycles are compared, not only decisions: proposal, meters and statement, from the run's own state on.
"""

import os
from pathlib import Path

import msgspec
import pytest

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.sitefile import load_site
from headrace.app.replaying import prepare, with_price_history
from look_ahead import planted, records_of
from replays import days_of, demo_site, world

NOON_STEP = 288 + 144
HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("HEADRACE_DATA", HERE.parents[1] / ".." / "shared" / "data"))


@pytest.mark.inv("F2")
@pytest.mark.parametrize("policy", ["always-on", "desk", "rolling", "stochastic"])
def test_nothing_that_comes_after_noon_moves_a_cycle_before_noon(policy):
    loaded = demo_site()
    window = days_of(loaded, 20, 3)
    base = world(loaded, window)
    if policy == "stochastic":  # it fits on more days than the others look back
        feed = RecordedFeed(None, loaded.feeds, loaded.site.time_zone)
        base = msgspec.structs.replace(base, inputs=with_price_history(base.inputs, feed, window))
    other = planted(base, window.start_s + NOON_STEP * 300)
    was, now = records_of(base, policy), records_of(other, policy)
    assert was[:NOON_STEP] == now[:NOON_STEP]
    assert was != now


@pytest.mark.inv("F2")
@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="no folder of recorded data")
@pytest.mark.parametrize("policy", ["always-on", "desk", "rolling"])
def test_nor_at_a_site_that_declares_everything(policy):
    """Prices of the hub and of reserve, and calls, are planted too."""
    loaded = load_site(HERE / "combined.toml")
    assert loaded.window is not None
    feed = RecordedFeed(DATA, loaded.feeds, loaded.site.time_zone)
    base = prepare(loaded, feed, loaded.window)
    base = msgspec.structs.replace(base, inputs=with_price_history(base.inputs, feed, loaded.window))
    assert {"hub_real_time", "rrs", "ecrs", "simulated calls RRS"} <= set(base.inputs.further)
    other = planted(base, loaded.window.start_s + NOON_STEP * 300)
    was, now = records_of(base, policy), records_of(other, policy)
    assert was[:NOON_STEP] == now[:NOON_STEP]
    assert was != now
