"""The fast path against the reference linear programme, on 500 random problems (prices to -250 and +5,000)."""

import numpy as np
import pytest

from dispatch_cases import random_problem
from headrace.dispatch.kernel.path import BLOCK_STEPS
from headrace.dispatch.lp.reference import Status, solve_reference
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.solve import solve

BATCHES = [range(first, first + 50) for first in range(0, 500, 50)]
OBJECTIVE_RATIO = 1e-9
BUS_MW = 1e-6
STORED_MWH = 1e-6
DUAL_RATIO = 1e-6


@pytest.fixture(scope="module", params=BATCHES, ids=lambda batch: f"seeds {batch.start}..{batch.stop - 1}")
def cases(request):
    """(seed, problem, fast answer, reference) of one batch."""
    problems = [(seed, random_problem(seed)) for seed in request.param]
    return [(seed, problem, solve(problem), solve_reference(problem)) for seed, problem in problems]


@pytest.fixture
def plans(cases):
    """The cases that have a plan."""
    return [case for case in cases if isinstance(case[2], Plan)]


@pytest.mark.inv("D4")
def test_the_fast_path_finds_the_optimum_of_the_reference(plans):
    for seed, _, plan, reference in plans:
        error = abs(plan.objective_ccy - reference.objective_ccy) / max(1.0, abs(reference.objective_ccy))
        assert error <= OBJECTIVE_RATIO, f"seed {seed}: {plan.objective_ccy} against {reference.objective_ccy}"


@pytest.mark.inv("D4")
def test_a_problem_is_infeasible_exactly_when_the_reference_says_so(cases):
    for seed, _, answer, reference in cases:
        assert reference.status is not Status.OTHER
        assert isinstance(answer, Infeasible) == (reference.status is Status.INFEASIBLE), f"seed {seed}"


@pytest.mark.inv("D5")
def test_the_reference_dual_lies_between_bid_and_ask(plans):
    for seed, _, plan, reference in plans:
        dual = reference.dual_ccy_per_mwh
        slack = DUAL_RATIO * np.maximum(1.0, np.abs(dual))
        assert (plan.bid_ccy_per_mwh <= plan.ask_ccy_per_mwh).all(), f"seed {seed}"
        assert (dual >= plan.bid_ccy_per_mwh - slack).all(), f"seed {seed}"
        assert (dual <= plan.ask_ccy_per_mwh + slack).all(), f"seed {seed}"


@pytest.mark.inv("E1")
@pytest.mark.inv("D1")
def test_what_comes_in_at_the_bus_goes_out_and_firm_load_is_always_served(plans):
    for seed, problem, plan, _ in plans:
        given = plan.import_mw + plan.source_mw.sum(axis=0) + plan.discharge_mw
        taken = plan.export_mw + plan.use_mw.sum(axis=0) + plan.charge_mw
        assert np.abs(given - taken - problem.firm_mw).max() <= BUS_MW, f"seed {seed}"


@pytest.mark.inv("E2")
def test_stored_energy_follows_the_battery_and_stays_within_its_limits(plans):
    for seed, problem, plan, _ in plans:
        battery = problem.battery
        if battery is None:
            assert not plan.stored_mwh.any(), f"seed {seed}"
            continue
        into = battery.charge_efficiency_ratio * plan.charge_mw - plan.discharge_mw / battery.discharge_efficiency_ratio
        assert np.abs(np.diff(plan.stored_mwh) - problem.step_h * into).max() <= STORED_MWH, f"seed {seed}"
        assert plan.stored_mwh.min() >= battery.stored_min_mwh - STORED_MWH, f"seed {seed}"
        assert plan.stored_mwh.max() <= battery.stored_max_mwh + STORED_MWH, f"seed {seed}"
        assert plan.stored_mwh[0] == problem.stored_mwh


@pytest.mark.inv("E1")
def test_every_power_stays_within_its_bounds(plans):
    for seed, problem, plan, _ in plans:
        battery = problem.battery
        for power, low, high in (
            (plan.import_mw, 0.0, problem.import_max_mw),
            (plan.export_mw, 0.0, problem.export_max_mw),
            (plan.use_mw, 0.0, problem.use_max_mw),
            (plan.source_mw, problem.source_min_mw, problem.source_max_mw),
            (plan.charge_mw, 0.0, battery.charge_max_mw if battery else 0.0),
            (plan.discharge_mw, 0.0, battery.discharge_max_mw if battery else 0.0),
        ):
            assert (power >= low - BUS_MW).all(), f"seed {seed}"
            assert (power <= high + BUS_MW).all(), f"seed {seed}"


@pytest.mark.inv("D4")
@pytest.mark.parametrize("seed", [0, 3, 4, 13, 15, 17, 32, 39])
def test_horizons_of_several_blocks_join_without_a_seam(seed):
    problem = random_problem(seed, 1600)
    assert problem.steps > BLOCK_STEPS
    plan, reference = solve(problem), solve_reference(problem)
    assert isinstance(plan, Plan)
    assert plan.objective_ccy == pytest.approx(reference.objective_ccy, rel=OBJECTIVE_RATIO)
    slack = DUAL_RATIO * np.maximum(1.0, np.abs(reference.dual_ccy_per_mwh))
    assert (reference.dual_ccy_per_mwh >= plan.bid_ccy_per_mwh - slack).all()
    assert (reference.dual_ccy_per_mwh <= plan.ask_ccy_per_mwh + slack).all()


def test_the_cases_cover_what_they_claim():
    problems = [random_problem(seed) for seed in range(500)]
    assert sum(p.battery is None for p in problems) > 30
    assert sum(p.import_cost_ccy_per_mwh.min() < -100.0 for p in problems) > 80
    assert sum(bool(p.source_min_mw.any()) for p in problems) > 50
    assert sum(bool((p.export_max_mw == 0.0).all()) for p in problems) > 50
    burns = 0
    for problem in problems[:200]:
        plan = solve(problem)
        burns += isinstance(plan, Plan) and bool(((plan.charge_mw > 0.1) & (plan.discharge_mw > 0.1)).any())
    assert burns > 10, "few problems charge and discharge at once"
