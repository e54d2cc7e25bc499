"""Widths clipped feeder by feeder against the linear programme with a row for every feeder and step."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch_cases import random_problem
from headrace.dispatch.lp.reference import build_reference, run
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.plant_feeders import clip_to_feeders
from headrace.dispatch.solve import solve

FEEDERS = 3


def feeder_case(seed: int):
    """A problem whose worths and widths differ from step to step, and feeders over part of its uses."""
    rng = np.random.default_rng(seed)
    problem = random_problem(seed, steps_max=30)
    shape = problem.use_max_mw.shape
    worth = problem.use_value_ccy_per_mwh + rng.choice([0.0, 40.0]) * rng.normal(size=shape)
    problem = msgspec.structs.replace(
        problem, use_value_ccy_per_mwh=worth, use_max_mw=problem.use_max_mw * rng.uniform(0.3, 1.2, shape), peak=None
    )
    feeder_of = rng.integers(-1, FEEDERS, shape[0])
    return problem, feeder_of, rng.uniform(0.0, 25.0, (FEEDERS, problem.steps))


def with_rows(problem, feeder_of, room_mw) -> float | None:
    """Optimum of the linear programme with Σ x ≤ C of every feeder; None without any plan."""
    model = build_reference(problem)
    for f in range(FEEDERS):
        rows = [(model.columns["use"][i], 1.0) for i in np.flatnonzero(feeder_of == f)]
        if rows:
            model.add_rows(f"feeder {f}", problem.steps, low=-np.inf, high=room_mw[f], entries=rows)
    if run(model) is None:
        return None
    highs = model.to_highs()
    highs.run()
    return highs.getObjectiveValue()


@pytest.mark.inv("D10")
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 100_000))
def test_clipping_in_order_of_worth_is_the_optimum_with_feeder_rows(seed):
    problem, feeder_of, room_mw = feeder_case(seed)
    width = clip_to_feeders(problem.use_max_mw, problem.use_value_ccy_per_mwh, room_mw, feeder_of)
    for f in range(FEEDERS):
        assert (width[feeder_of == f].sum(axis=0) <= room_mw[f] + 1e-9).all()
    plan = solve(msgspec.structs.replace(problem, use_max_mw=width), explain=False)
    reference = with_rows(problem, feeder_of, room_mw)
    if isinstance(plan, Infeasible):
        assert reference is None
    else:
        assert reference is not None
        assert abs(plan.objective_ccy - reference) <= 1e-9 * max(1.0, abs(reference))
