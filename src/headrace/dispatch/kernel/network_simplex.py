"""Generalised network simplex: improve a feasible basis until no arc has a favourable reduced cost.

Pricing walks the arcs in blocks from where it last stopped and takes the block's best, so every step is fixed by the
problem and its start. Cycling is ruled out by Bland's rule: after `STALLED_MOST` pivots in a row that move nothing,
the first favourable arc enters and, among those that block, the first leaves, until a pivot moves again; in exact
arithmetic no basis then repeats. What rounding could still do is bounded by `pivots_most`, and told to the caller.
"""

import numpy as np
from numba import njit

from headrace.dispatch.kernel.network import AT_CAP, AT_ZERO, BASIC, BETWEEN, Network, link, unlink
from headrace.dispatch.kernel.network_trees import grow, hang, is_below, plant, refresh, send

__all__ = ["improve", "measure"]

STALLED_MOST = 200
"""Pivots in a row that may move nothing before Bland's rule takes over."""
MOVED_MW = 1e-11
"""Step below which a pivot counts as not moving, MW."""
PIVOT_LEAST = 1e-9
"""Smallest rate of an arc that may leave: a smaller one is rounding of a loop without gain."""
BLOCK_LEAST = 96
"""Least arcs priced before the best of them enters."""
REFRESH_PIVOTS = 20_000
"""Pivots after which trees, duals and flows are worked out afresh."""


@njit(cache=True, error_model="numpy")
def improve(net: Network, tolerance: float, pivots_most: int) -> int:
    """Pivot to the optimum.

    Parameters
    ----------
    net
        A network with a basis and feasible flows, freshly worked out; changed in place.
    tolerance
        Reduced cost that counts as none.
    pivots_most
        Pivots allowed.

    Returns
    -------
    int
        Pivots made; `pivots_most` if they did not suffice.
    """
    pivots, stalled, at, since = 0, 0, 0, 0
    is_fresh = True
    while pivots < pivots_most:
        if since >= REFRESH_PIVOTS:
            refresh(net)
            since, is_fresh = 0, True
        is_careful = stalled > STALLED_MOST
        entering, at = _price(net, tolerance, 0 if is_careful else at, is_careful)
        if entering < 0:
            if is_fresh:
                return pivots
            refresh(net)
            since, is_fresh = 0, True
            continue
        moved = _pivot(net, entering, is_careful)
        stalled = 0 if moved > MOVED_MW else stalled + 1
        pivots += 1
        since += 1
        is_fresh = False
    return pivots


@njit(cache=True, error_model="numpy")
def measure(net: Network) -> tuple[float, float, float]:
    """Certificate of an optimum.

    Returns
    -------
    tuple
        (cost of the flows; the bound its duals prove; the largest violation of a row or bound).
    """
    arcs, nodes = net.arcs, net.nodes
    cost, bound, worst = 0.0, 0.0, 0.0
    rest = np.empty(len(nodes))
    for node in range(len(nodes)):
        rest[node] = nodes.supply[node]
        bound += rest[node] * net.dual[node]
    for arc in range(len(arcs)):
        tail, head, flow = arcs.tail[arc], arcs.head[arc], arcs.flow[arc]
        reduced = arcs.cost[arc] - arcs.at_tail[arc] * net.dual[tail]
        rest[tail] -= arcs.at_tail[arc] * flow
        if head >= 0:
            reduced -= arcs.at_head[arc] * net.dual[head]
            rest[head] -= arcs.at_head[arc] * flow
        cost += arcs.cost[arc] * flow
        bound += min(0.0, reduced) * arcs.cap[arc]
        worst = max(worst, -flow, flow - arcs.cap[arc])
    for node in range(len(nodes)):
        worst = max(worst, abs(rest[node]))
    return cost, bound, worst


@njit(cache=True, error_model="numpy")
def _reduced(net: Network, arc: int) -> float:
    reduced = net.arcs.cost[arc] - net.arcs.at_tail[arc] * net.dual[net.arcs.tail[arc]]
    if net.arcs.head[arc] >= 0:
        reduced -= net.arcs.at_head[arc] * net.dual[net.arcs.head[arc]]
    return float(reduced)


@njit(cache=True, error_model="numpy")
def _price(net: Network, tolerance: float, at: int, is_careful: bool) -> tuple[int, int]:
    """Arc to enter, -1 for none, and where pricing goes on."""
    status, cap, cost, dual = net.arcs.status, net.arcs.cap, net.arcs.cost, net.dual
    tail, head, at_tail, at_head = net.arcs.tail, net.arcs.head, net.arcs.at_tail, net.arcs.at_head
    count = len(status)
    block = 1 if is_careful else max(BLOCK_LEAST, int(1.5 * np.sqrt(count)))
    best, entering, seen = tolerance, -1, 0
    while seen < count and entering < 0:
        until = min(seen + block, count)
        while seen < until:
            arc = at
            at += 1
            if at == count:
                at = 0
            seen += 1
            if status[arc] == BASIC or cap[arc] <= 0.0:
                continue
            gain = at_tail[arc] * dual[tail[arc]] - cost[arc]
            if head[arc] >= 0:
                gain += at_head[arc] * dual[head[arc]]
            if status[arc] == AT_CAP or (status[arc] == BETWEEN and gain < 0.0):
                gain = -gain
            if gain > best:
                best, entering = gain, arc
    return entering, at


@njit(cache=True, error_model="numpy")
def _pivot(net: Network, entering: int, is_careful: bool) -> float:
    """Bring one arc in as far as the first that blocks it; returns how far."""
    status, flow, cap = net.arcs.status, net.arcs.flow, net.arcs.cap
    rises = status[entering] == AT_ZERO or (status[entering] == BETWEEN and _reduced(net, entering) < 0.0)
    sign = 1.0 if rises else -1.0
    count, extra_u, rate_u, extra_w, rate_w = _direction(net, entering, sign)
    room = cap[entering] - flow[entering] if rises else flow[entering]
    step, leaving, leaves_full, largest = room, -1, False, 0.0
    for i in range(count + 2):
        if i < count:
            arc, rate = net.nodes.parent_arc[net.lists[2][i]], net.nodes.change[net.lists[2][i]]
        elif i == count:
            arc, rate = extra_u, rate_u
        else:
            arc, rate = extra_w, rate_w
        if arc < 0 or abs(rate) < PIVOT_LEAST:
            continue
        reach = max(flow[arc] / -rate if rate < 0.0 else (cap[arc] - flow[arc]) / rate, 0.0)
        is_tie = reach <= step + MOVED_MW and leaving >= 0
        if reach < step - MOVED_MW or (is_tie and (arc < leaving if is_careful else abs(rate) > largest)):
            step = min(reach, step)
            leaving, leaves_full, largest = arc, rate > 0.0, abs(rate)
    for i in range(count):
        flow[net.nodes.parent_arc[net.lists[2][i]]] += step * net.nodes.change[net.lists[2][i]]
    if extra_u >= 0:
        flow[extra_u] += step * rate_u
    if extra_w >= 0:
        flow[extra_w] += step * rate_w
    if leaving < 0:
        status[entering] = AT_CAP if rises else AT_ZERO
        flow[entering] = cap[entering] if rises else 0.0
        return float(step)
    flow[entering] += sign * step
    flow[leaving] = cap[leaving] if leaves_full else 0.0
    status[leaving] = AT_CAP if leaves_full else AT_ZERO
    status[entering] = BASIC
    unlink(net, leaving)
    link(net, entering)
    _replant(net, entering, leaving)
    return float(step)


@njit(cache=True, error_model="numpy")
def _direction(net: Network, entering: int, sign: float) -> tuple[int, int, float, int, float]:
    """Change of every basic arc per unit entering: (nodes touched, extra arc and its change at tail and head)."""
    net.clock[1] += 1
    tail, head = net.arcs.tail[entering], net.arcs.head[entering]
    need_u, count = send(net, tail, net.arcs.at_tail[entering] * sign, 0)
    root_u, root_w = net.nodes.root[tail], -1
    need_w = 0.0
    if head >= 0:
        root_w = net.nodes.root[head]
        need_w, count = send(net, head, net.arcs.at_head[entering] * sign, count)
        if root_w == root_u:
            need_u += need_w
            root_w = -1
    extra_u = net.nodes.extra[root_u]
    rate_u = -need_u / net.nodes.turn[root_u]
    if net.arcs.head[extra_u] >= 0 and rate_u != 0.0:
        _, count = send(net, net.arcs.head[extra_u], net.arcs.at_head[extra_u] * rate_u, count)
    extra_w, rate_w = -1, 0.0
    if root_w >= 0:
        extra_w = net.nodes.extra[root_w]
        rate_w = -need_w / net.nodes.turn[root_w]
        if net.arcs.head[extra_w] >= 0 and rate_w != 0.0:
            _, count = send(net, net.arcs.head[extra_w], net.arcs.at_head[extra_w] * rate_w, count)
    return count, extra_u, rate_u, extra_w, rate_w


@njit(cache=True, error_model="numpy")
def _replant(net: Network, entering: int, leaving: int) -> None:
    """Put right the trees after `leaving` went and `entering` came."""
    tail, head = net.arcs.tail[entering], net.arcs.head[entering]
    cut_root = net.nodes.root[net.arcs.tail[leaving]]
    extra = net.nodes.extra[cut_root]
    if leaving == extra:
        tail_in = net.nodes.root[tail] == cut_root
        head_in = head >= 0 and net.nodes.root[head] == cut_root
    else:
        top = net.arcs.tail[leaving]
        if net.nodes.parent_arc[top] != leaving:
            top = net.arcs.head[leaving]
        if net.arcs.head[extra] >= 0 and is_below(net, net.arcs.head[extra], top):
            _replant_all(net, entering, leaving)
            return
        tail_in = is_below(net, tail, top)
        head_in = head >= 0 and is_below(net, head, top)
    if tail_in and head >= 0 and not head_in:
        hang(net, tail, head, entering)
    elif head_in and not tail_in:
        hang(net, head, tail, entering)
    else:
        grow(net, entering)


@njit(cache=True, error_model="numpy")
def _replant_all(net: Network, entering: int, leaving: int) -> None:
    """Grow anew every component that the pivot touched: a loop was cut open."""
    old = net.clock[0]
    for arc in (entering, leaving):
        for node in (net.arcs.tail[arc], net.arcs.head[arc]):
            if node >= 0 and net.nodes.mark[node] <= old:
                plant(net, node)
