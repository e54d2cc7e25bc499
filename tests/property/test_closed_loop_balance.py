"""What holds in every closed loop, whatever the prices."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closed_loop_cases import daily_site, spiky_prices
from headrace.app.bench.value import POLICIES, moved_decisions
from headrace.dispatch.closed_loop import run_always_on, run_rolling

SEEDS = st.integers(0, 2**32 - 1)
RUNS = {"always-on": lambda site, prices, until: run_always_on(site, prices), **POLICIES}


@pytest.mark.inv("E1")
@pytest.mark.inv("E2")
@pytest.mark.parametrize("policy", RUNS)
@given(seed=SEEDS, late_steps=st.integers(0, 3))
@settings(max_examples=15, deadline=None)
def test_energy_is_conserved_at_the_bus_and_in_the_store(policy, seed, late_steps):
    site, prices = daily_site(3, seed), spiky_prices(3, seed + 1, late_steps=late_steps)
    run = RUNS[policy](site, prices, None)
    taken = site.firm_it_mw * site.pue_ratio + run.use_mw.sum(0) + run.charge_mw + run.export_mw
    np.testing.assert_allclose(run.import_mw + run.discharge_mw, taken, atol=1e-6)
    battery = site.battery
    moved = battery.charge_efficiency_ratio * run.charge_mw - run.discharge_mw / battery.discharge_efficiency_ratio
    np.testing.assert_allclose(np.diff(run.stored_mwh), site.step_h * moved, atol=1e-6)
    assert run.stored_mwh.min() >= battery.stored_min_mwh
    assert run.stored_mwh.max() <= battery.stored_max_mwh


@pytest.mark.parametrize("policy", RUNS)
@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_no_power_leaves_its_limits(policy, seed):
    site, prices = daily_site(3, seed), spiky_prices(3, seed + 1, late_steps=1)
    run = RUNS[policy](site, prices, None)
    assert run.import_mw.max() <= site.import_max_mw + 1e-6
    assert run.export_mw.max() <= site.export_max_mw + 1e-6
    assert (run.use_mw <= site.use_it_max_mw[:, None] * site.pue_ratio + 1e-6).all()
    for power_mw in (run.import_mw, run.export_mw, run.use_mw, run.charge_mw, run.discharge_mw):
        assert power_mw.min() >= 0.0


@pytest.mark.inv("F2")
@pytest.mark.parametrize("policy", POLICIES)
@given(seed=SEEDS, late_steps=st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_a_planted_future_moves_no_decision(policy, seed, late_steps):
    site, prices = daily_site(8, seed), spiky_prices(8, seed + 1, late_steps=late_steps)
    assert moved_decisions(site, prices, POLICIES[policy]) == 0


@pytest.mark.inv("F2")
def test_a_policy_that_peeks_one_step_ahead_is_caught():
    def peeks(site, prices, until):
        return run_rolling(site, msgspec.structs.replace(prices, late_steps=-1), until=until)

    assert moved_decisions(daily_site(8, 0), spiky_prices(8, 1, late_steps=0), peeks) > 0
