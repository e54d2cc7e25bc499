"""The dispatch bench compares like with like."""

import numpy as np
import pytest

from headrace.app.bench.instances import random_problems
from headrace.app.bench.peers.highs_warm import HighsWarm
from headrace.app.bench.reference_campus import campus
from headrace.dispatch.closed_loop import loop_problem
from headrace.dispatch.lp.reference import solve_reference
from headrace.dispatch.plan import Plan
from headrace.dispatch.solve import solve


def test_warm_highs_reaches_our_optimum_in_every_window_with_few_pivots():
    site = campus(600, 1 / 12)
    price = 30.0 + 40.0 * np.sin(np.arange(600) / 25.0) + np.random.default_rng(1).normal(0.0, 8.0, 600)
    warm, cold = HighsWarm(12, 288), HighsWarm(12, 288, is_cold=True)
    pivots = []
    for k in range(6):
        problem = loop_problem(site, price, first=12 * k, steps=432, stored_mwh=10.0 + k, end_value_ccy_per_mwh=25.0)
        ours = solve(problem).objective_ccy
        assert warm(problem) == pytest.approx(ours, rel=1e-9)
        assert cold(problem) == pytest.approx(ours, rel=1e-9)
        pivots.append((warm.iterations, cold.iterations))
    assert sum(w for w, _ in pivots[1:]) < 0.3 * sum(c for _, c in pivots[1:]), "the basis is worth something"


def test_random_instances_are_feasible_and_reach_deep_negative_prices():
    problems = list(random_problems(60, seed=7))
    assert min(p.export_value_ccy_per_mwh.min() for p in problems) < -200.0
    assert any(p.source_names for p in problems)
    for problem in problems:
        plan = solve(problem)
        assert isinstance(plan, Plan)
        assert solve_reference(problem).objective_ccy == pytest.approx(plan.objective_ccy, rel=1e-9, abs=1e-6)


def test_the_same_seed_gives_the_same_instances():
    first, second = (next(random_problems(3, seed=5)) for _ in range(2))
    np.testing.assert_array_equal(first.import_cost_ccy_per_mwh, second.import_cost_ccy_per_mwh)
