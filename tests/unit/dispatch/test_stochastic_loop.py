"""The compiled year of policy `stochastic` against the policy of the five-minute cycle, step by step."""

import msgspec
import numpy as np
import pytest

from closed_loop_cases import spiky_prices
from headrace.dispatch.closed_loop import LoopSite, run_rolling, run_stochastic
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.policies import Memory, Sight, Stochastic
from headrace.dispatch.uses import SiteModel, model_of
from headrace.energy import Series
from replays import demo_site

STEP_S = 900
DAYS = 17


def plain_model() -> SiteModel:
    """The demo's leases, battery and connection, without cooling overhead, mining, inference or heat."""
    site = demo_site().site
    coolings = tuple(msgspec.structs.replace(c, pue_ratio=(1.0,) * len(c.pue_ratio)) for c in site.coolings)
    return model_of(
        msgspec.structs.replace(
            site, control_step_s=STEP_S, coolings=coolings, miners=(), inference=(), heat=(), generators=(), ppas=()
        )
    )


def loop_site(model: SiteModel, steps: int) -> LoopSite:
    """The same site as arrays."""
    site = model.site
    worth = np.repeat(model.value_ccy_per_mwh, steps, axis=1)
    return LoopSite(
        step_h=STEP_S / 3600.0,
        import_max_mw=site.connection.import_max_mw,
        export_max_mw=site.connection.export_max_mw,
        import_adder_ccy_per_mwh=site.tariff.import_adder_ccy_per_mwh,
        export_deduction_ccy_per_mwh=site.tariff.export_deduction_ccy_per_mwh,
        pue_ratio=np.ones(steps),
        firm_it_mw=float(model.firm_it_mw.sum()),
        use_names=model.use_names,
        use_it_max_mw=model.it_max_mw[:, 0],
        use_known_ccy_per_mwh=worth,
        use_earned_ccy_per_mwh=worth,
        battery=site.battery,
    )


@pytest.mark.parametrize("late_steps", [0, 1, 2])
def test_the_compiled_loop_decides_as_the_policy_does(late_steps):
    prices = msgspec.structs.replace(
        spiky_prices(DAYS, 5, late_steps=late_steps), past_deviation_ccy_per_mwh=np.empty(0)
    )
    steps = len(prices.settled_ccy_per_mwh)
    times_s = np.arange(steps) * STEP_S
    model = plain_model()
    loop = run_stochastic(loop_site(model, steps), prices)
    first_known = np.searchsorted(prices.day_ahead_known_steps, np.arange(steps), side="right")

    def series(values, known_s):
        return Series(name="price", unit="", step_s=STEP_S, start_s=0, values=values, known_s=known_s, source="test")

    inputs = Inputs(
        real_time=series(prices.settled_ccy_per_mwh, times_s + late_steps * STEP_S),
        day_ahead=series(prices.day_ahead_ccy_per_mwh, first_known * STEP_S),
        temperature=None, bitcoin_price=None, difficulty=None, block_reward=None, carbon=None, profiles={},
    )  # fmt: skip
    policy = Stochastic()
    begin = 15 * 96  # after the first fit, and the first publication that it serves
    acts = 0
    for t in range(begin, steps):
        sight = Sight(
            now_s=t * STEP_S, end_s=steps * STEP_S, inputs=inputs, stored_mwh=float(loop.stored_mwh[t]), peak_mw=0.0,
            month=1, hour_local=0, day_end_s=0, month_end_s=steps * STEP_S, memory=Memory(),
        )  # fmt: skip
        proposal = policy.propose(model, sight)
        assert proposal.charge_mw == pytest.approx(loop.charge_mw[t], abs=1e-6), f"step {t}"
        assert proposal.discharge_mw == pytest.approx(loop.discharge_mw[t], abs=1e-6), f"step {t}"
        acts += proposal.charge_mw + proposal.discharge_mw > 1e-3
    assert acts > 20


def test_without_a_fit_the_loop_is_rolling():
    prices = msgspec.structs.replace(spiky_prices(10, 6, late_steps=1), past_deviation_ccy_per_mwh=np.empty(0))
    site = loop_site(plain_model(), len(prices.settled_ccy_per_mwh))
    ours, theirs = run_stochastic(site, prices), run_rolling(site, prices)
    np.testing.assert_array_equal(ours.stored_mwh, theirs.stored_mwh)
    np.testing.assert_array_equal(ours.use_mw, theirs.use_mw)
