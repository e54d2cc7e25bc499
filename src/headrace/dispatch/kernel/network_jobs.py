"""A dispatch problem with batch jobs as a generalised network, and its first basis.

Rows: the bus, the store and each cluster in every step, then each job. Columns in this order, so that those that make
the better first basis come first:

    import, unserved work, energy in store, cluster draw, export, uses, sources, charge, discharge, job power

Sources count from their minimum, energy in store from its floor; both enter the right-hand side.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.network import Network, blank_network
from headrace.dispatch.kernel.network_start import choose_basis
from headrace.dispatch.kernel.network_trees import refresh

__all__ = ["Blocks", "JobArrays", "SiteArrays", "start_network"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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


class Blocks(NamedTuple):
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
    end: int


@njit(cache=True, error_model="numpy")
def start_network(
    site: SiteArrays, jobs: JobArrays, rows: Floats, stored: Floats, job_mw: Floats, draw_mw: Floats, unserved: Floats
) -> tuple[Network, Blocks]:
    """Lay out the network with a basis around a plan.

    Parameters
    ----------
    site, jobs
        The problem.
    rows, stored
        Plan of the site around the jobs, as `solve_problem` gives it.
    job_mw, draw_mw, unserved
        The jobs' powers, the clusters' draw and the work left undone, shapes (P,), (K, T), (J,).
    """
    steps, count, clusters = len(site.step_h), len(jobs.work), jobs.pue.shape[0]
    at = _blocks(steps, count, clusters, site.use_value.shape[0], site.source_cost.shape[0], len(jobs.power))
    net = blank_network(at.end, (2 + clusters) * steps + count)
    _put_columns(site, jobs, at, net)
    _put_flows(site, rows, stored, job_mw, draw_mw, unserved, at, net)
    choose_basis(net)
    refresh(net)
    return net, at


@njit(cache=True, error_model="numpy")
def _blocks(steps: int, jobs: int, clusters: int, uses: int, sources: int, powers: int) -> Blocks:
    unserved = steps
    stored = unserved + jobs
    draw = stored + steps
    export = draw + clusters * steps
    use = export + steps
    source = use + uses * steps
    charge = source + sources * steps
    discharge = charge + steps
    job = discharge + steps
    return Blocks(unserved, stored, draw, export, use, source, charge, discharge, job, job + powers)


@njit(cache=True, error_model="numpy")
def _put_columns(site: SiteArrays, jobs: JobArrays, at: Blocks, net: Network) -> None:
    """Columns and right-hand sides."""
    steps, count, clusters = len(site.step_h), len(jobs.work), jobs.pue.shape[0]
    uses, sources = site.use_value.shape[0], site.source_cost.shape[0]
    battery = site.battery
    charge_max, discharge_max, eta_c, eta_d, wear = battery[0], battery[1], battery[2], battery[3], battery[4]
    arcs, supply = net.arcs, net.nodes.supply
    tail, head, at_tail, at_head, cost, cap = arcs.tail, arcs.head, arcs.at_tail, arcs.at_head, arcs.cost, arcs.cap
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


@njit(cache=True, error_model="numpy")
def _put_flows(
    site: SiteArrays,
    rows: Floats,
    stored: Floats,
    job_mw: Floats,
    draw_mw: Floats,
    unserved: Floats,
    at: Blocks,
    net: Network,
) -> None:
    """Flows of a plan: the site's rows as `solve_problem` gives them, and the jobs' power."""
    steps = len(site.step_h)
    uses, sources = site.use_value.shape[0], site.source_cost.shape[0]
    grid = uses + sources
    flow = net.arcs.flow
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
    flow[at.job : at.end] = job_mw
