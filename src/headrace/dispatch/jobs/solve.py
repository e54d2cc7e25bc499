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

from headrace.dispatch.arrays import kernel_args
from headrace.dispatch.jobs.lp.reference import solve_jobs_reference
from headrace.dispatch.jobs.plan import JobPlan, Method
from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.kernel.network_jobs import JobArrays, SiteArrays, solve_network
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve

__all__ = ["around_jobs", "solve_jobs"]

Floats = NDArray[np.float64]

PIVOTS_PER_ARC: Final = 50
"""Pivots allowed per column: the most seen on random problems is 1."""
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
    columns = len(window.power_max_mw) + window.jobs
    columns += problem.steps * (5 + len(problem.use_names) + len(problem.source_names) + len(window.cluster_max_mw))
    pivots, certificate, power, unserved, draw, price, rent, worth, _ = solve_network(
        SiteArrays(*kernel_args(problem)), job_arrays(window), PIVOTS_PER_ARC * columns
    )
    if pivots < 0:
        return _no_plan(problem)
    cost, bound, residual = certificate
    gap = (cost - bound) / max(1.0, abs(cost))
    if not (abs(gap) <= GAP_RATIO_MOST and residual <= RESIDUAL_MOST_MW):
        return _by_reference(problem, window)
    core = solve(around_jobs(problem, window, draw))
    if isinstance(core, Infeasible):  # the flows break a limit by rounding, the core's tolerance is finer
        return _by_reference(problem, window)
    return JobPlan(
        window=window,
        core=core,
        objective_ccy=core.objective_ccy - _lost_ccy(problem, window, power, unserved),
        power_mw=power,
        unserved_mwh=unserved,
        draw_mw=draw,
        worth_ccy_per_mwh=worth,
        bid_ccy_per_mwh=worth / window.pue_ratio[window.cluster, 0],
        price_ccy_per_mwh=price,
        rent_ccy_per_mwh=rent,
        method=Method.NETWORK,
        pivots=pivots,
        gap_ratio=gap,
        residual_mw=residual,
    )


def around_jobs(problem: Problem, window: JobWindow, draw_mw: Floats) -> Problem:
    """The site's problem with the clusters' draw, IT MW of shape (K, T), as firm load."""
    firm_mw = problem.firm_mw + (window.pue_ratio * draw_mw).sum(axis=0)
    return msgspec.structs.replace(problem, firm_mw=firm_mw)


def job_arrays(window: JobWindow) -> JobArrays:
    """Arrays of a window in the kernel's order, contiguous."""
    row = np.ascontiguousarray
    return JobArrays(
        row(window.cluster),
        row(window.work_mwh),
        row(window.value_ccy_per_mwh),
        row(window.begin),
        row(window.first),
        row(window.power_max_mw),
        row(window.late_ccy_per_mwh),
        row(window.cluster_max_mw),
        row(window.pue_ratio),
    )


def _lost_ccy(problem: Problem, window: JobWindow, power_mw: Floats, unserved_mwh: Floats) -> float:
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
    objective = core.objective_ccy - _lost_ccy(problem, window, found.power_mw, found.unserved_mwh)
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
