"""The fluid problem by the generalised network simplex, from the site's own plan to the certificate.

The start is cold, so that plan and duals are functions of the problem alone: jobs go on the steps that are cheapest at
the site's ask, once without jobs and once with them, and the dynamic programme plans the site around them.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.arrays import NO_CAP, kernel_args
from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.kernel.network import Network
from headrace.dispatch.kernel.network_jobs import Blocks, JobArrays, SiteArrays, start_network
from headrace.dispatch.kernel.network_simplex import improve, measure
from headrace.dispatch.kernel.network_start import fill_jobs
from headrace.dispatch.kernel.whole import solve_problem
from headrace.dispatch.problem import Problem

__all__ = ["NetworkOptimum", "solve_network"]

Floats = NDArray[np.float64]

PASSES: Final = 2
"""Times the jobs are laid out at the start."""
COST_RATIO: Final = 1e-12
"""Reduced cost that counts as none, per the largest cost of the network."""
COST_LEAST_CCY: Final = 1e-9
"""Least such reduced cost."""
PIVOTS_PER_ARC: Final = 50
"""Pivots allowed per column; random problems take 0.2."""


class NetworkOptimum(NamedTuple):
    """Where the simplex ended: fields as in `JobPlan`, cost and bound in the network's own terms."""

    pivots: int
    cost_ccy: float
    bound_ccy: float
    residual_mw: float
    power_mw: Floats
    unserved_mwh: Floats
    draw_mw: Floats
    price_ccy_per_mwh: Floats
    rent_ccy_per_mwh: Floats
    worth_ccy_per_mwh: Floats


def solve_network(problem: Problem, window: JobWindow) -> NetworkOptimum | None:
    """Optimum of the fluid problem, or None where the site has no plan even without jobs; no peak charge."""
    site = SiteArrays(*kernel_args(problem))
    jobs = _job_arrays(window)
    start = _lay_out(site, jobs)
    if start is None:
        return None
    net, at = start_network(site, jobs, *start)
    tolerance = max(COST_LEAST_CCY, COST_RATIO * float(np.abs(net.arcs["cost"]).max()))
    pivots = improve(net, tolerance, PIVOTS_PER_ARC * at.end)
    return _read(problem, window, net, at, pivots)


def _lay_out(site: SiteArrays, jobs: JobArrays) -> tuple[Floats, Floats, Floats, Floats, Floats] | None:
    """Plan of the site and the jobs' powers, draw and undone work to start from."""
    job_mw, draw_mw, unserved = np.zeros(len(jobs.power)), np.zeros(jobs.pue.shape), jobs.work.copy()
    value, _, rows, stored = solve_problem(*site, NO_CAP, 0.0)
    if np.isnan(value):
        return None
    alone = rows, stored
    grid = len(site.use_value) + len(site.source_cost)
    room_mw = np.maximum(site.import_max + site.source_max.sum(axis=0) - site.firm, 0.0)
    for _ in range(PASSES):
        bid, ask = rows[grid + 4], rows[grid + 5]
        price = np.where(np.isfinite(ask), ask, np.maximum(bid, site.import_cost))
        fill_jobs(site.step_h, price, room_mw, *jobs, job_mw, draw_mw, unserved)
        firm = site.firm + (jobs.pue * draw_mw).sum(axis=0)
        value, _, rows, stored = solve_problem(*site._replace(firm=firm), NO_CAP, 0.0)
        if np.isnan(value):  # the battery needs room that the jobs took: begin without them
            return *alone, np.zeros(len(jobs.power)), np.zeros(jobs.pue.shape), jobs.work.copy()
    return rows, stored, job_mw, draw_mw, unserved


def _read(problem: Problem, window: JobWindow, net: Network, at: Blocks, pivots: int) -> NetworkOptimum:
    cost, bound, residual = measure(net)
    flow, dual = net.arcs["flow"], net.dual
    shape, steps = window.pue_ratio.shape, problem.steps
    price = dual[:steps] / problem.step_h
    jobs_at = 2 * steps + window.pue_ratio.size
    within = dual[2 * steps : jobs_at].reshape(shape) / problem.step_h
    return NetworkOptimum(
        pivots=pivots,
        cost_ccy=cost,
        bound_ccy=bound,
        residual_mw=residual,
        power_mw=flow[at.job : at.end].copy(),
        unserved_mwh=flow[at.unserved : at.stored].copy(),
        draw_mw=flow[at.draw : at.export].reshape(shape).copy(),
        price_ccy_per_mwh=price,
        rent_ccy_per_mwh=np.maximum(within - window.pue_ratio * price, 0.0),
        worth_ccy_per_mwh=dual[jobs_at:].copy(),
    )


def _job_arrays(window: JobWindow) -> JobArrays:
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
