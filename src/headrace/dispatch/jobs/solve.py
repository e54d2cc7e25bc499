"""Solve the fluid problem of a site with batch jobs exactly.

The generalised network simplex of `headrace.dispatch.kernel.network_jobs` starts cold from the core's own dynamic
programme, so plan and duals are functions of the problem alone. It proves itself: the duals give a bound that the cost
must meet. Where it cannot (a peak charge is no network column) or does not, HiGHS answers in its place, and the plan
says so.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.jobs.lp.reference import solve_jobs_reference
from headrace.dispatch.jobs.network import solve_network
from headrace.dispatch.jobs.plan import JobPlan, Method
from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve

__all__ = ["around_jobs", "lost_ccy", "solve_jobs"]

Floats = NDArray[np.float64]

GAP_RATIO_MOST: Final = 1e-9
"""Largest gap between cost and bound that counts as proven, per the objective."""
RESIDUAL_MOST_MW: Final = 1e-6
"""Largest violation of a row or bound that counts as none, MW."""


def solve_jobs(problem: Problem, window: JobWindow) -> JobPlan | Infeasible:
    """Best fluid plan of a site and its jobs, or why the site has none.

    Parameters
    ----------
    problem
        The site without its jobs.
    window
        The jobs, on the same steps.

    Returns
    -------
    JobPlan | Infeasible
        Jobs can always stay undone, so it is infeasible exactly when the site without them is.
    """
    if problem.peak is not None and problem.peak.charge_ccy_per_mw > 0.0:
        return _by_reference(problem, window)
    found = solve_network(problem, window)
    if found is None:
        return _no_plan(problem)
    gap = (found.cost_ccy - found.bound_ccy) / max(1.0, abs(found.cost_ccy))
    if not (abs(gap) <= GAP_RATIO_MOST and found.residual_mw <= RESIDUAL_MOST_MW):
        return _by_reference(problem, window)
    core = solve(around_jobs(problem, window, found.draw_mw))
    if isinstance(core, Infeasible):  # the flows break a limit by rounding; the core's tolerance is finer
        return _by_reference(problem, window)
    return JobPlan(
        window=window,
        core=core,
        objective_ccy=core.objective_ccy - lost_ccy(problem, window, found.power_mw, found.unserved_mwh),
        power_mw=found.power_mw,
        unserved_mwh=found.unserved_mwh,
        draw_mw=found.draw_mw,
        worth_ccy_per_mwh=found.worth_ccy_per_mwh,
        bid_ccy_per_mwh=found.worth_ccy_per_mwh / window.pue_ratio[window.cluster, 0],
        price_ccy_per_mwh=found.price_ccy_per_mwh,
        rent_ccy_per_mwh=found.rent_ccy_per_mwh,
        method=Method.NETWORK,
        pivots=found.pivots,
        gap_ratio=gap,
        residual_mw=found.residual_mw,
    )


def around_jobs(problem: Problem, window: JobWindow, draw_mw: Floats) -> Problem:
    """The site's problem with the clusters' draw, IT MW of shape (K, T), as firm load."""
    firm_mw = problem.firm_mw + (window.pue_ratio * draw_mw).sum(axis=0)
    return msgspec.structs.replace(problem, firm_mw=firm_mw)


def lost_ccy(problem: Problem, window: JobWindow, power_mw: Floats, unserved_mwh: Floats) -> float:
    """Cost of undone work and of lateness."""
    late = problem.step_h[window.step_of_power] * window.late_ccy_per_mwh * power_mw
    return float(late.sum() + window.value_ccy_per_mwh @ unserved_mwh)


def _by_reference(problem: Problem, window: JobWindow) -> JobPlan | Infeasible:
    found = solve_jobs_reference(problem, window)
    if found is None:
        return _no_plan(problem)
    draw = np.clip(found.draw_mw, 0.0, window.cluster_max_mw)
    core = solve(around_jobs(problem, window, draw))
    if isinstance(core, Infeasible):
        core = _plan(solve(around_jobs(problem, window, draw * (1.0 - RESIDUAL_MOST_MW))))
    objective = core.objective_ccy - lost_ccy(problem, window, found.power_mw, found.unserved_mwh)
    return JobPlan(
        window=window,
        core=core,
        objective_ccy=objective,
        power_mw=found.power_mw,
        unserved_mwh=found.unserved_mwh,
        draw_mw=draw,
        worth_ccy_per_mwh=found.worth_ccy_per_mwh,
        bid_ccy_per_mwh=found.worth_ccy_per_mwh / window.pue_ratio[window.cluster, 0],
        price_ccy_per_mwh=found.price_ccy_per_mwh,
        rent_ccy_per_mwh=found.rent_ccy_per_mwh,
        method=Method.LINEAR_PROGRAMME,
        pivots=0,
        gap_ratio=(found.objective_ccy - objective) / max(1.0, abs(found.objective_ccy)),
        residual_mw=0.0,
    )


def _no_plan(problem: Problem) -> Infeasible:
    answer = solve(problem)
    assert isinstance(answer, Infeasible)
    return answer


def _plan(answer: Plan | Infeasible) -> Plan:
    assert isinstance(answer, Plan)
    return answer
