"""Where the network simplex starts: jobs on their cheapest steps, and a basis around any feasible flows."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.network import AT_CAP, AT_ZERO, BASIC, BETWEEN, Network, link
from headrace.dispatch.kernel.tolerance import AT_MW, TINY_MWH

__all__ = ["choose_basis", "fill_jobs"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BALANCED_RATIO = 1e-9
"""A loop whose gains multiply to one up to this adds nothing to a basis."""


@njit(cache=True, error_model="numpy")
def fill_jobs(
    step_h: Floats, price: Floats, room_mw: Floats, cluster: Ints, work: Floats, value: Floats, begin: Ints,
    first: Ints, power: Floats, late: Floats, cluster_max: Floats, pue: Floats,
    job_mw: Floats, draw_mw: Floats, unserved: Floats,
) -> None:  # fmt: skip
    """Put each job on its cheapest steps, the one with the least time to spare first.

    Parameters
    ----------
    step_h, price, room_mw
        Steps, price of a MWh at the bus, and power at the bus that jobs may take, shape (T,).
    cluster, work, value, begin, first, power, late, cluster_max, pue
        As in `JobWindow`.
    job_mw, draw_mw, unserved
        Written: shapes (P,), (K, T), (J,).
    """
    jobs = len(work)
    spare = np.empty(jobs)
    for j in range(jobs):
        most = 0.0
        for i in range(begin[j], begin[j + 1]):
            most += power[i] * step_h[first[j] + i - begin[j]]
        spare[j] = 1.0 - work[j] / most if most > 0.0 else 1.0
    job_mw[:] = 0.0
    draw_mw[:] = 0.0
    left = room_mw.copy()
    longest = 0
    for j in range(jobs):
        longest = max(longest, begin[j + 1] - begin[j])
    cost = np.empty(longest)
    order = np.empty(longest, np.int64)
    for j in np.argsort(spare):
        k, count = cluster[j], begin[j + 1] - begin[j]
        for i in range(count):
            t = first[j] + i
            its_cost = pue[k, t] * price[t] + late[begin[j] + i]
            at = i
            while at > 0 and cost[at - 1] > its_cost:
                cost[at], order[at] = cost[at - 1], order[at - 1]
                at -= 1
            cost[at], order[at] = its_cost, i
        rest = work[j]
        for at in range(count):
            i = order[at]
            t = first[j] + i
            if rest <= TINY_MWH or cost[at] >= value[j]:
                break
            mw = min(power[begin[j] + i], cluster_max[k, t] - draw_mw[k, t], rest / step_h[t], left[t] / pue[k, t])
            if mw > AT_MW:
                job_mw[begin[j] + i] = mw
                draw_mw[k, t] += mw
                left[t] -= mw * pue[k, t]
                rest -= mw * step_h[t]
        unserved[j] = max(rest, 0.0)


@njit(cache=True, error_model="numpy")
def choose_basis(net: Network) -> None:
    """Make the basis: arcs between their bounds as far as they are independent, then others in their order."""
    nodes = len(net.nodes.supply)
    up = np.arange(nodes)
    ratio = np.ones(nodes)
    is_closed = np.zeros(nodes, np.bool_)
    found = 0
    for arc in range(len(net.arcs.tail)):
        flow, cap = net.arcs.flow[arc], net.arcs.cap[arc]
        if flow <= AT_MW:
            net.arcs.status[arc], net.arcs.flow[arc] = AT_ZERO, 0.0
        elif flow >= cap - AT_MW:
            net.arcs.status[arc], net.arcs.flow[arc] = AT_CAP, cap
        elif _is_independent(net, arc, up, ratio, is_closed):
            net.arcs.status[arc] = BASIC
            found += 1
        else:
            net.arcs.status[arc] = BETWEEN
    for arc in range(len(net.arcs.tail)):
        if found == nodes:
            break
        if net.arcs.status[arc] <= AT_CAP and _is_independent(net, arc, up, ratio, is_closed):
            net.arcs.status[arc] = BASIC
            found += 1
    for arc in range(len(net.arcs.tail)):
        if net.arcs.status[arc] == BASIC:
            link(net, arc)


@njit(cache=True, error_model="numpy")
def _is_independent(net: Network, arc: int, up: Ints, ratio: Floats, is_closed: NDArray[np.bool_]) -> bool:
    """Whether an arc may join the basis; if so, joins its components or closes its own."""
    at_u = net.arcs.at_tail[arc]
    root_u = _find(up, ratio, net.arcs.tail[arc])
    if root_u != net.arcs.tail[arc]:
        at_u *= ratio[net.arcs.tail[arc]]
    if net.arcs.head[arc] < 0:
        if is_closed[root_u]:
            return False
        is_closed[root_u] = True
        return True
    at_w = net.arcs.at_head[arc]
    root_w = _find(up, ratio, net.arcs.head[arc])
    if root_w != net.arcs.head[arc]:
        at_w *= ratio[net.arcs.head[arc]]
    if root_u == root_w:
        if is_closed[root_u] or abs(at_u + at_w) <= BALANCED_RATIO * (abs(at_u) + abs(at_w)):
            return False
        is_closed[root_u] = True
        return True
    if is_closed[root_u] and is_closed[root_w]:
        return False
    up[root_w] = root_u
    ratio[root_w] = -at_u / at_w
    is_closed[root_u] = is_closed[root_u] or is_closed[root_w]
    return True


@njit(cache=True, error_model="numpy")
def _find(up: Ints, ratio: Floats, node: int) -> int:
    """Root of a node's component; the node then hangs right under it, `ratio` its value per unit of the root's."""
    root = node
    whole = 1.0
    while up[root] != root:
        whole *= ratio[root]
        root = up[root]
    while up[node] != root and node != root:
        following, own = up[node], ratio[node]
        up[node], ratio[node] = root, whole
        whole /= own
        node = following
    return root
