"""The lean first step of a rolling window agrees with the whole solve."""

import numpy as np
import pytest

from dispatch_cases import random_problem
from headrace.dispatch.arrays import NO_CAP, kernel_args
from headrace.dispatch.kernel import build_stages, bus_interval, fill_blocks, first_step, pack_blocks, powers
from headrace.dispatch.plan import Plan
from headrace.dispatch.solve import solve


def _first_step(problem):
    """Charge, discharge, bid, ask, fills of a problem's first step, as a compiled loop would get them."""
    args = kernel_args(problem)
    battery, start_mwh, end_value = args[11:]
    steps, blocks = problem.steps, len(problem.use_names) + len(problem.source_names) + 2
    price, width = np.empty((steps, blocks)), np.empty((steps, blocks))
    need, base = np.empty(steps), np.empty(steps)
    pack_blocks(*args[:11], NO_CAP, 0.0, price, width, need, base)
    order = np.tile(np.arange(blocks), (steps, 1))
    slope, piece = np.empty((steps, blocks + 4)), np.empty((steps, blocks + 4))
    count, frame = np.empty(steps, np.int64), np.empty((steps, 5))
    build_stages(0, steps, args[0], price, width, need, base, battery, order, slope, piece, count, frame)
    scratch = np.empty(64 * (steps + 1)), np.empty(64 * (steps + 1))
    curves = np.empty(steps, np.int64), np.empty(steps, np.int64), np.empty((steps, 3))
    end = np.array([end_value]), np.array([battery[6] - battery[5]])
    after, low, high = first_step(
        steps, slope, piece, count, frame, battery[5], battery[6], start_mwh, *end, *scratch, *curves
    )
    if np.isnan(after):
        return None
    charge, discharge = powers(start_mwh - after, args[0][0], frame[0, 4], battery)
    fill = np.empty(blocks)
    fill_blocks(width, order, 0, need[0], discharge - charge, fill)
    bid, ask = bus_interval(price, width, order, 0, need[0], charge, discharge, low, high, battery)
    return charge, discharge, bid, ask, fill


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_the_first_step_of_a_window_is_that_of_the_whole_plan(first):
    for seed in range(first, first + 50):
        problem = random_problem(seed, 60)
        plan, got = solve(problem), _first_step(problem)
        if not isinstance(plan, Plan):
            assert got is None, f"seed {seed}"
            continue
        charge, discharge, bid, ask, fill = got
        assert charge == pytest.approx(plan.charge_mw[0], abs=1e-9), f"seed {seed}"
        assert discharge == pytest.approx(plan.discharge_mw[0], abs=1e-9), f"seed {seed}"
        assert fill[: len(problem.use_names)] == pytest.approx(plan.use_mw[:, 0], abs=1e-9), f"seed {seed}"
        assert bid == pytest.approx(plan.bid_ccy_per_mwh[0], abs=1e-9), f"seed {seed}"
        assert ask == pytest.approx(plan.ask_ccy_per_mwh[0], abs=1e-9), f"seed {seed}"
