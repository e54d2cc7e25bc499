"""Bid and ask are the slopes of the optimal value in energy injected at the bus."""

import msgspec
import numpy as np
import pytest

from dispatch_cases import random_problem
from headrace.dispatch.arrays import NO_CAP, kernel_args
from headrace.dispatch.kernel.peaks import dual_bound
from headrace.dispatch.kernel.whole import solve_problem
from headrace.dispatch.lp.reference import Status, solve_reference
from headrace.dispatch.plan import Plan
from headrace.dispatch.solve import solve

NUDGE_MWH = 1e-4
SLOPE_CCY_PER_MWH = 1e-3


def _nudged_value(problem, t, energy_mwh):
    """Optimal value with `energy_mwh` more injected at the bus in step t."""
    firm_mw = problem.firm_mw.copy()
    firm_mw[t] -= energy_mwh / problem.step_h[t]
    result = solve_reference(msgspec.structs.replace(problem, firm_mw=firm_mw))
    return result.objective_ccy if result.status is Status.OPTIMAL else float("-inf")


@pytest.mark.inv("D5")
@pytest.mark.parametrize("seed", range(40))
def test_bid_and_ask_are_the_slopes_of_the_optimal_value(seed):
    problem = random_problem(seed, 30)
    plan = solve(problem)
    if not isinstance(plan, Plan):
        return
    rng = np.random.default_rng(seed)
    for t in rng.choice(problem.steps, min(5, problem.steps), replace=False):
        more = (_nudged_value(problem, t, NUDGE_MWH) - plan.objective_ccy) / NUDGE_MWH
        less = (plan.objective_ccy - _nudged_value(problem, t, -NUDGE_MWH)) / NUDGE_MWH
        assert more == pytest.approx(plan.bid_ccy_per_mwh[t], rel=1e-6, abs=SLOPE_CCY_PER_MWH), f"step {t}"
        assert less == pytest.approx(plan.ask_ccy_per_mwh[t], rel=1e-6, abs=SLOPE_CCY_PER_MWH), f"step {t}"


@pytest.mark.inv("D5")
@pytest.mark.parametrize("steps_max", [100, 3000])
def test_all_bids_hold_together_and_so_do_all_asks(steps_max):
    proven = 0
    for seed in range(60):
        problem = random_problem(seed, steps_max)
        args = kernel_args(problem)
        value, objective_ccy, rows, _ = solve_problem(*args, NO_CAP, 0.0)
        for power_dual, water_dual in ((rows[-4], rows[-2]), (rows[-3], rows[-1])):
            if np.isnan(value) or not (np.isfinite(power_dual).all() and np.isfinite(water_dual).all()):
                continue
            proven += 1
            peak = np.zeros(problem.steps, np.int64), np.zeros(1), np.zeros(1)
            nothing = *peak, 0.0, np.full(1, np.inf), np.full(1, np.inf)
            bound_ccy = dual_bound(*args, *nothing, power_dual.copy(), water_dual.copy())
            assert bound_ccy == pytest.approx(objective_ccy, rel=1e-9, abs=1e-6), f"seed {seed}"
    assert proven > 40
