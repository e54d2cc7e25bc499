"""A dispatch problem with batch jobs as a generalised network, solved in one compiled call.

Rows: the bus, the store and each cluster in every step, then each job. Columns in this order, so that those that make
the better first basis come first:

    import, unserved work, energy in store, cluster draw, export, uses, sources, charge, discharge, job power

Sources count from their minimum, energy in store from its floor; both enter the right-hand side.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.network import Arcs, Forest, blank_forest
from headrace.dispatch.kernel.network_simplex import improve, measure
from headrace.dispatch.kernel.network_start import choose_basis, fill_jobs
from headrace.dispatch.kernel.network_trees import refresh
from headrace.dispatch.kernel.whole import solve_problem

__all__ = ["JobArrays", "SiteArrays", "solve_network"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COST_RATIO = 1e-12
"""Reduced cost that counts as none, per the largest cost of the network."""
PASSES = 2
"""Times the jobs are laid out at the start: at the site's prices without jobs, then with them."""


class SiteArrays(NamedTuple):
    """Leading arguments of `solve_problem`."""

    step_h: Floats
    import_cost: Floats
    export_value: Floats
    import_max: Floats
    export_max: Floats
    firm: Floats
    use_value: Floats
    use_max: Floats
    source_cost: Floats
    source_min: Floats
    source_max: Floats
    battery: Floats
    start_mwh: float
    end_value: float


class JobArrays(NamedTuple):
    """`JobWindow` as the compiler takes it."""

    cluster: Ints
    work: Floats
    value: Floats
    begin: Ints
    first: Ints
    power: Floats
    late: Floats
    cluster_max: Floats
    pue: Floats


class _Blocks(NamedTuple):
    """First column of each kind, and last their number."""

    unserved: int
    stored: int
    draw: int
    export: int
    use: int
    source: int
    charge: int
    discharge: int
    job: int
    count: int


@njit(cache=True, error_model="numpy")
def solve_network(
    site: SiteArrays, jobs: JobArrays, pivots_most: int
) -> tuple[int, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats]:
    """Solve a problem with jobs.

    Parameters
    ----------
    site, jobs
        The problem.
    pivots_most
        Pivots allowed.

    Returns
    -------
    tuple
        (pivots, or -1 if not even the site without jobs has a plan; cost of the optimum, the bound its duals prove and
        the worst violation of a row or bound, shape (3,); job power, shape (P,); unserved work, shape (J,); cluster
        draw, shape (K, T); worth of a MWh at the bus, shape (T,), and in each cluster, shape (K, T), and of each job's
        work, shape (J,); the network's flows, shape (n,)).
    """
    steps, count = len(site.step_h), len(jobs.work)
    clusters = jobs.pue.shape[0]
    job_mw: Floats = np.zeros(len(jobs.power))
    draw_mw: Floats = np.zeros((clusters, steps))
    unserved: Floats = jobs.work.copy()
    value, _, rows, stored = _site_plan(site, site.firm)
    if np.isnan(value):
        nothing = np.empty(0)
        return -1, nothing, job_mw, unserved, draw_mw, nothing, draw_mw, nothing, nothing
    rows, stored = _lay_out(site, jobs, rows, stored, job_mw, draw_mw, unserved)
    at = _blocks(steps, count, clusters, site.use_value.shape[0], site.source_cost.shape[0], len(jobs.power))
    arcs = _arcs(site, jobs, at)
    nodes = len(arcs.supply)
    forest = blank_forest(at.count, nodes)
    _put_flows(site, rows, stored, job_mw, draw_mw, unserved, at, forest)
    choose_basis(arcs, forest)
    refresh(arcs, forest)
    pivots = improve(arcs, forest, max(1e-9, COST_RATIO * np.abs(arcs.cost).max()), pivots_most)
    cost, bound, worst = measure(arcs, forest)
    flow = forest.flow
    for k in range(clusters):
        draw_mw[k] = flow[at.draw + k * steps : at.draw + (k + 1) * steps]
    bus = forest.dual[:steps] / site.step_h
    rent = -forest.dual[2 * steps : (2 + clusters) * steps].copy().reshape(clusters, steps) / site.step_h
    certificate = np.empty(3)
    certificate[0], certificate[1], certificate[2] = cost, bound, worst
    return (
        pivots,
        certificate,
        flow[at.job : at.count].copy(),
        flow[at.unserved : at.stored].copy(),
        draw_mw,
        bus,
        rent,
        forest.dual[(2 + clusters) * steps :].copy(),
        flow,
    )


@njit(cache=True, error_model="numpy")
def _lay_out(
    site: SiteArrays,
    jobs: JobArrays,
    rows: Floats,
    stored: Floats,
    job_mw: Floats,
    draw_mw: Floats,
    unserved: Floats,
) -> tuple[Floats, Floats]:
    """Give the jobs power at the site's ask; returns the site's plan around them, or the plan without any."""
    steps = len(site.step_h)
    grid = site.use_value.shape[0] + site.source_cost.shape[0]
    firm = np.empty(steps)
    room = np.empty(steps)
    for t in range(steps):
        room[t] = max(site.import_max[t] + site.source_max[:, t].sum() - site.firm[t], 0.0)
    alone, alone_stored = rows, stored
    for _ in range(PASSES):
        price = rows[grid + 5].copy()
        for t in range(steps):
            if not np.isfinite(price[t]):
                price[t] = max(rows[grid + 4, t], site.import_cost[t])
        fill_jobs(
            site.step_h, price, room, jobs.cluster, jobs.work, jobs.value, jobs.begin, jobs.first, jobs.power,
            jobs.late, jobs.cluster_max, jobs.pue, job_mw, draw_mw, unserved,
        )  # fmt: skip
        for t in range(steps):
            firm[t] = site.firm[t]
            for k in range(draw_mw.shape[0]):
                firm[t] += jobs.pue[k, t] * draw_mw[k, t]
        value, _, rows, stored = _site_plan(site, firm)
        if np.isnan(value):
            job_mw[:] = 0.0
            draw_mw[:] = 0.0
            unserved[:] = jobs.work
            return alone, alone_stored
    return rows, stored


@njit(cache=True, error_model="numpy")
def _site_plan(site: SiteArrays, firm: Floats) -> tuple[float, float, Floats, Floats]:
    """`solve_problem` with this firm load."""
    return solve_problem(
        site.step_h, site.import_cost, site.export_value, site.import_max, site.export_max, firm, site.use_value,
        site.use_max, site.source_cost, site.source_min, site.source_max, site.battery, site.start_mwh,
        site.end_value, np.empty(0), 0.0,
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _blocks(steps: int, jobs: int, clusters: int, uses: int, sources: int, powers: int) -> _Blocks:
    unserved = steps
    stored = unserved + jobs
    draw = stored + steps
    export = draw + clusters * steps
    use = export + steps
    source = use + uses * steps
    charge = source + sources * steps
    discharge = charge + steps
    job = discharge + steps
    return _Blocks(unserved, stored, draw, export, use, source, charge, discharge, job, job + powers)


@njit(cache=True, error_model="numpy")
def _arcs(site: SiteArrays, jobs: JobArrays, at: _Blocks) -> Arcs:
    """Columns and right-hand sides."""
    steps, count, clusters = len(site.step_h), len(jobs.work), jobs.pue.shape[0]
    uses, sources = site.use_value.shape[0], site.source_cost.shape[0]
    battery = site.battery
    charge_max, discharge_max, eta_c, eta_d, wear = battery[0], battery[1], battery[2], battery[3], battery[4]
    tail, head = np.empty(at.count, np.int64), np.full(at.count, -1)
    at_tail, at_head = np.ones(at.count), np.zeros(at.count)
    cost, cap = np.zeros(at.count), np.empty(at.count)
    supply = np.zeros((2 + clusters) * steps + count)
    for t in range(steps):
        h = site.step_h[t]
        bus, store = t, steps + t
        supply[bus] = site.firm[t] - site.source_min[:, t].sum()
        tail[t], cost[t], cap[t] = bus, h * site.import_cost[t], site.import_max[t]
        e = at.stored + t
        tail[e], at_tail[e], cap[e] = store, -1.0, site.battery[6] - site.battery[5]
        if t + 1 < steps:
            head[e], at_head[e] = store + 1, 1.0
        else:
            cost[e] = -site.end_value
        e = at.export + t
        tail[e], at_tail[e], cost[e], cap[e] = bus, -1.0, -h * site.export_value[t], site.export_max[t]
        e = at.charge + t
        tail[e], at_tail[e], head[e], at_head[e], cap[e] = bus, -1.0, store, eta_c * h, charge_max
        e = at.discharge + t
        tail[e], head[e], at_head[e], cost[e], cap[e] = bus, store, -h / eta_d, wear * h, discharge_max
        for n in range(uses):
            e = at.use + n * steps + t
            tail[e], at_tail[e], cost[e], cap[e] = bus, -1.0, -h * site.use_value[n, t], site.use_max[n, t]
        for m in range(sources):
            e = at.source + m * steps + t
            tail[e], cost[e] = bus, h * site.source_cost[m, t]
            cap[e] = site.source_max[m, t] - site.source_min[m, t]
        for k in range(clusters):
            e = at.draw + k * steps + t
            tail[e], at_tail[e], head[e], at_head[e] = bus, -jobs.pue[k, t], (2 + k) * steps + t, 1.0
            cap[e] = jobs.cluster_max[k, t]
    supply[steps] = -(site.start_mwh - site.battery[5])
    nodes = (2 + clusters) * steps
    for j in range(count):
        supply[nodes + j] = jobs.work[j]
        e = at.unserved + j
        tail[e], cost[e], cap[e] = nodes + j, jobs.value[j], jobs.work[j]
        for i in range(jobs.begin[j], jobs.begin[j + 1]):
            t = jobs.first[j] + i - jobs.begin[j]
            e = at.job + i
            tail[e], at_tail[e], head[e] = (2 + jobs.cluster[j]) * steps + t, -1.0, nodes + j
            at_head[e], cost[e], cap[e] = site.step_h[t], site.step_h[t] * jobs.late[i], jobs.power[i]
    return Arcs(tail, head, at_tail, at_head, cost, cap, supply)


@njit(cache=True, error_model="numpy")
def _put_flows(
    site: SiteArrays,
    rows: Floats,
    stored: Floats,
    job_mw: Floats,
    draw_mw: Floats,
    unserved: Floats,
    at: _Blocks,
    forest: Forest,
) -> None:
    """Flows of a plan: the site's rows as `solve_problem` gives them, and the jobs' power."""
    steps = len(site.step_h)
    uses, sources = site.use_value.shape[0], site.source_cost.shape[0]
    grid = uses + sources
    flow = forest.flow
    flow[:steps] = rows[grid + 1]
    flow[at.unserved : at.stored] = unserved
    flow[at.stored : at.draw] = stored[1:] - site.battery[5]
    flow[at.export : at.use] = rows[grid]
    for n in range(uses):
        flow[at.use + n * steps : at.use + (n + 1) * steps] = rows[n]
    for m in range(sources):
        flow[at.source + m * steps : at.source + (m + 1) * steps] = rows[uses + m] - site.source_min[m]
    flow[at.charge : at.discharge] = rows[grid + 2]
    flow[at.discharge : at.job] = rows[grid + 3]
    for k in range(draw_mw.shape[0]):
        flow[at.draw + k * steps : at.draw + (k + 1) * steps] = draw_mw[k]
    flow[at.job : at.count] = job_mw
