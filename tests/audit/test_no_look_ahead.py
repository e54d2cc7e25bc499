"""Change everything that could not be known at noon, in every series at once: no cycle before noon may differ.

Whole cycles are compared, not only decisions: proposal, meters and statement, from the run's own state on.
"""

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.sitefile import load_site
from headrace.app.replaying import Variant, _campus, _policy, prepare, with_price_history
from headrace.engine.journal import JournalHeader
from headrace.engine.replay import run_policy
from headrace.engine.truth import truth_of
from replays import days_of, demo_site, world

NOON_STEP = 288 + 144
HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("HEADRACE_DATA", HERE.parents[1] / ".." / "shared" / "data"))


def _records(variant: Variant, policy: str) -> list[bytes]:
    header = JournalHeader(
        kind="backtest", site="", policy=policy, period="", config_digest="", input_digest="", versions={}
    )
    records = run_policy(
        variant.model,
        variant.inputs,
        variant.truth,
        _policy(policy, variant),
        lambda stored_mwh, jobs: _campus(variant, stored_mwh, jobs),
        journal=None,
        header=header,
        resume=False,
        tick=lambda _done, _total: None,
    )
    return [msgspec.json.encode(record) for record in records]


def _otherwise(series, noon_s: int):
    """The same series with every value about noon and later, and not known by noon, as different as it may be."""
    if series is None:
        return None
    starts_s = series.start_s + np.arange(len(series)) * series.step_s
    open_ = (starts_s >= noon_s) & (series.known_s > noon_s)
    assert open_.any() or series.step_s == 86_400
    return msgspec.structs.replace(series, values=np.where(open_, series.values * 1.7 + 0.01, series.values))


def _planted(base: Variant, noon_s: int) -> Variant:
    """The same site in a world that is another from noon on, in every series."""
    inputs = msgspec.structs.replace(
        base.inputs,
        **{
            name: _otherwise(getattr(base.inputs, name), noon_s)
            for name in base.inputs.__struct_fields__
            if name not in {"profiles", "further"}
        },
        profiles={role: _otherwise(series, noon_s) for role, series in base.inputs.profiles.items()},
        further={role: _otherwise(series, noon_s) for role, series in base.inputs.further.items()},
    )
    return msgspec.structs.replace(base, inputs=inputs, truth=truth_of(base.model, inputs, base.truth.window))


@pytest.mark.inv("F2")
@pytest.mark.parametrize("policy", ["always-on", "desk", "rolling", "stochastic"])
def test_nothing_that_comes_after_noon_moves_a_cycle_before_noon(policy):
    loaded = demo_site()
    window = days_of(loaded, 20, 3)
    base = world(loaded, window)
    if policy == "stochastic":  # it fits on more days than the others look back
        feed = RecordedFeed(None, loaded.feeds, loaded.site.time_zone)
        base = msgspec.structs.replace(base, inputs=with_price_history(base.inputs, feed, window))
    other = _planted(base, window.start_s + NOON_STEP * 300)
    was, now = _records(base, policy), _records(other, policy)
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
    other = _planted(base, loaded.window.start_s + NOON_STEP * 300)
    was, now = _records(base, policy), _records(other, policy)
    assert was[:NOON_STEP] == now[:NOON_STEP]
    assert was != now
