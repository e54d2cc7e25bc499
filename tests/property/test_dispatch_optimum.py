"""How the optimum moves when the problem does.

No deadline: the first example may wait for the compiler.
"""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch_cases import random_problem
from headrace.dispatch.plan import Plan
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve

SEEDS = st.integers(0, 100_000)
STEPS_MAX = 80


def _wider_battery(problem: Problem, **changes: float) -> Problem:
    return msgspec.structs.replace(problem, battery=msgspec.structs.replace(problem.battery, **changes))


RELAXATIONS = {
    "import limit": lambda p: msgspec.structs.replace(p, import_max_mw=p.import_max_mw + 5.0),
    "export limit": lambda p: msgspec.structs.replace(p, export_max_mw=p.export_max_mw + 5.0),
    "use": lambda p: msgspec.structs.replace(p, use_max_mw=p.use_max_mw + 3.0),
    "generation": lambda p: msgspec.structs.replace(p, source_max_mw=p.source_max_mw + 3.0),
    "must-run": lambda p: msgspec.structs.replace(p, source_min_mw=p.source_min_mw * 0.5),
    "charge power": lambda p: _wider_battery(p, charge_max_mw=p.battery.charge_max_mw + 4.0),
    "discharge power": lambda p: _wider_battery(p, discharge_max_mw=p.battery.discharge_max_mw + 4.0),
    "storage roof": lambda p: _wider_battery(p, stored_max_mwh=p.battery.stored_max_mwh + 10.0),
    "storage floor": lambda p: _wider_battery(p, stored_min_mwh=p.battery.stored_min_mwh - 1.0),
}
"""Ways to give the site more freedom."""


@pytest.mark.inv("D3")
@pytest.mark.parametrize("limit", RELAXATIONS)
@settings(deadline=None)
@given(seed=SEEDS)
def test_relaxing_a_limit_never_lowers_the_optimum(limit, seed):
    problem = random_problem(seed, STEPS_MAX)
    plan = solve(problem)
    needs_battery = limit.split()[0] in {"charge", "discharge", "storage"}
    if not isinstance(plan, Plan) or (needs_battery and problem.battery is None):
        return
    relaxed = solve(RELAXATIONS[limit](problem))
    assert isinstance(relaxed, Plan)
    assert relaxed.objective_ccy >= plan.objective_ccy - 1e-9 * max(1.0, abs(plan.objective_ccy))


@settings(deadline=None)
@given(seed=SEEDS, factor=st.sampled_from([0.001, 0.5, 7.0, 1000.0]))
def test_money_in_another_unit_gives_the_same_plan(seed, factor):
    problem = random_problem(seed, STEPS_MAX)
    plan = solve(problem)
    if not isinstance(plan, Plan):
        return
    battery = problem.battery
    if battery is not None:
        battery = msgspec.structs.replace(battery, wear_ccy_per_mwh=battery.wear_ccy_per_mwh * factor)
    scaled = solve(
        msgspec.structs.replace(
            problem,
            import_cost_ccy_per_mwh=problem.import_cost_ccy_per_mwh * factor,
            export_value_ccy_per_mwh=problem.export_value_ccy_per_mwh * factor,
            use_value_ccy_per_mwh=problem.use_value_ccy_per_mwh * factor,
            source_cost_ccy_per_mwh=problem.source_cost_ccy_per_mwh * factor,
            end_value_ccy_per_mwh=problem.end_value_ccy_per_mwh * factor,
            battery=battery,
        )
    )
    scale = max(1.0, abs(plan.objective_ccy))
    assert abs(scaled.objective_ccy - factor * plan.objective_ccy) <= 1e-9 * factor * scale


@settings(deadline=None)
@given(seed=SEEDS)
def test_a_step_cut_in_two_is_worth_the_same(seed):
    problem = random_problem(seed, STEPS_MAX)
    plan = solve(problem)
    if not isinstance(plan, Plan):
        return
    halves = {
        name: np.repeat(getattr(problem, name), 2, axis=-1)
        for name in problem.__struct_fields__
        if isinstance(getattr(problem, name), np.ndarray)
    }
    halves["step_h"] = halves["step_h"] / 2
    finer = solve(msgspec.structs.replace(problem, **halves))
    assert abs(finer.objective_ccy - plan.objective_ccy) <= 1e-9 * max(1.0, abs(plan.objective_ccy))


@settings(deadline=None)
@given(seed=SEEDS)
def test_the_same_problem_twice_gives_the_same_bytes(seed):
    problem = random_problem(seed, STEPS_MAX)
    first, second = solve(problem), solve(problem)
    if isinstance(first, Plan):
        assert all(
            np.asarray(getattr(first, name)).tobytes() == np.asarray(getattr(second, name)).tobytes()
            for name in first.__struct_fields__
        )
    else:
        assert first == second
