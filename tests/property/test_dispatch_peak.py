"""The peak search against the reference with a peak column."""

import msgspec
import numpy as np
import pytest

from dispatch_cases import random_problem
from headrace.dispatch.lp.reference import Status, solve_reference
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.solve import solve

BATCHES = [range(first, first + 30) for first in range(0, 150, 30)]


@pytest.fixture(scope="module", params=BATCHES, ids=lambda batch: f"seeds {batch.start}..{batch.stop - 1}")
def cases(request):
    """(seed, problem, fast answer, reference) of one batch; one to three periods."""
    problems = [(seed, random_problem(seed, 120, peak=True)) for seed in request.param]
    return [(seed, problem, solve(problem), solve_reference(problem)) for seed, problem in problems]


@pytest.mark.inv("D4")
def test_the_peak_search_finds_the_optimum_of_the_reference(cases):
    for seed, _, plan, reference in cases:
        assert isinstance(plan, Infeasible) == (reference.status is Status.INFEASIBLE), f"seed {seed}"
        if isinstance(plan, Plan):
            error = abs(plan.objective_ccy - reference.objective_ccy) / max(1.0, abs(reference.objective_ccy))
            assert error <= 1e-9, f"seed {seed}"


def test_no_plan_is_better_than_the_stated_gap_allows(cases):
    for seed, _, plan, reference in cases:
        if isinstance(plan, Plan):
            scale = max(1.0, abs(reference.objective_ccy))
            assert plan.objective_ccy + plan.peak_gap_ccy >= reference.objective_ccy - 1e-9 * scale, f"seed {seed}"
            assert plan.peak_gap_ccy <= 1e-8 * scale, f"seed {seed}"


def test_the_peak_is_the_highest_import_or_what_the_period_already_had(cases):
    for seed, problem, plan, _ in cases:
        if isinstance(plan, Plan):
            for m, so_far_mw in enumerate(problem.peak.so_far_mw):
                import_mw = plan.import_mw[problem.peak.period == m]
                assert plan.peak_mw[m] == max(so_far_mw, import_mw.max(initial=0.0)), f"seed {seed}"


@pytest.mark.inv("D5")
def test_the_reference_dual_lies_between_bid_and_ask_under_a_peak_charge(cases):
    for seed, _, plan, reference in cases:
        if isinstance(plan, Plan):
            dual = reference.dual_ccy_per_mwh
            slack = 1e-6 * np.maximum(1.0, np.abs(dual))
            assert (dual >= plan.bid_ccy_per_mwh - slack).all(), f"seed {seed}"
            assert (dual <= plan.ask_ccy_per_mwh + slack).all(), f"seed {seed}"


@pytest.mark.inv("D4")
@pytest.mark.parametrize("seed", range(0, 150, 5))
def test_periods_may_each_have_their_own_charge(seed):
    problem = random_problem(seed, 120, peak=True)
    rng = np.random.default_rng(seed)
    ratio = rng.choice([0.0, 0.25, 0.6, 1.0], len(problem.peak.so_far_mw))
    ratio[rng.integers(len(ratio))] = 1.0
    problem = msgspec.structs.replace(problem, peak=msgspec.structs.replace(problem.peak, period_ratio=ratio))
    plan, reference = solve(problem), solve_reference(problem)
    assert isinstance(plan, Infeasible) == (reference.status is Status.INFEASIBLE)
    if isinstance(plan, Plan):
        scale_ccy = max(1.0, abs(reference.objective_ccy))
        assert abs(plan.objective_ccy - reference.objective_ccy) <= 1e-9 * scale_ccy
        assert plan.peak_gap_ccy <= 1e-9 * scale_ccy
