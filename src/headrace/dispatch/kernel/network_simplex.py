"""Generalised network simplex: improve a feasible basis until no arc has a favourable reduced cost.

Pricing walks the arcs in blocks from where it last stopped and takes the block's best, so every step is fixed by the
problem and its start. Cycling is ruled out by Bland's rule: after `STALLED_MOST` pivots in a row that move nothing, the
first favourable arc enters and, among those that block, the first leaves, until a pivot moves again; in exact arithmetic
no basis then repeats. What rounding could still do is bounded by `pivots_most`, and told to the caller.
"""

import numpy as np
from numba import njit

from headrace.dispatch.kernel.network import AT_CAP, AT_ZERO, BASIC, BETWEEN, Arcs, Forest, link, unlink
from headrace.dispatch.kernel.network_trees import grow, hang, is_below, plant, refresh, send

__all__ = ["improve", "measure"]

STALLED_MOST = 200
"""Pivots in a row that may move nothing before Bland's rule takes over."""
MOVED_MW = 1e-11
"""Step below which a pivot counts as not moving, MW."""
PIVOT_LEAST = 1e-9
"""Smallest rate of an arc that may leave: a smaller one is rounding of a loop without gain."""
BLOCK_LEAST = 64
"""Least arcs priced before the best of them enters."""
REFRESH_PIVOTS = 20_000
"""Pivots after which trees, duals and flows are worked out afresh."""


@njit(cache=True, error_model="numpy")
def improve(arcs: Arcs, forest: Forest, tolerance: float, pivots_most: int) -> int:
    """Pivot to the optimum.

    Parameters
    ----------
    arcs
        The network.
    forest
        A basis with feasible flows, freshly worked out; changed in place.
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
            refresh(arcs, forest)
            since, is_fresh = 0, True
        is_careful = stalled > STALLED_MOST
        entering, at = _price(arcs, forest, tolerance, 0 if is_careful else at, is_careful)
        if entering < 0:
            if is_fresh:
                return pivots
            refresh(arcs, forest)
            since, is_fresh = 0, True
            continue
        moved = _pivot(arcs, forest, entering, is_careful)
        stalled = 0 if moved > MOVED_MW else stalled + 1
        pivots += 1
        since += 1
        is_fresh = False
    return pivots


@njit(cache=True, error_model="numpy")
def measure(arcs: Arcs, forest: Forest) -> tuple[float, float, float]:
    """Certificate of an optimum: cost of the flows, the bound its duals prove, and the largest violation of a row or
    bound.
    """  # noqa: D205
    cost, bound, worst = 0.0, 0.0, 0.0
    rest = arcs.supply.copy()
    for node in range(len(rest)):
        bound += rest[node] * forest.dual[node]
    for arc in range(len(arcs.tail)):
        flow = forest.flow[arc]
        cost += arcs.cost[arc] * flow
        bound += min(0.0, _reduced(arcs, forest, arc)) * arcs.cap[arc]
        worst = max(worst, -flow, flow - arcs.cap[arc])
        rest[arcs.tail[arc]] -= arcs.at_tail[arc] * flow
        if arcs.head[arc] >= 0:
            rest[arcs.head[arc]] -= arcs.at_head[arc] * flow
    return cost, bound, max(worst, np.abs(rest).max())


@njit(cache=True, error_model="numpy")
def _reduced(arcs: Arcs, forest: Forest, arc: int) -> float:
    reduced = arcs.cost[arc] - arcs.at_tail[arc] * forest.dual[arcs.tail[arc]]
    if arcs.head[arc] >= 0:
        reduced -= arcs.at_head[arc] * forest.dual[arcs.head[arc]]
    return reduced


@njit(cache=True, error_model="numpy")
def _price(arcs: Arcs, forest: Forest, tolerance: float, at: int, is_careful: bool) -> tuple[int, int]:
    """Arc to enter, -1 for none, and where pricing goes on."""
    status, cap, cost, dual = forest.status, arcs.cap, arcs.cost, forest.dual
    tail, head, at_tail, at_head = arcs.tail, arcs.head, arcs.at_tail, arcs.at_head
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
def _pivot(arcs: Arcs, forest: Forest, entering: int, is_careful: bool) -> float:
    """Bring one arc in as far as the first that blocks it; returns how far."""
    status, flow, cap = forest.status, forest.flow, arcs.cap
    rises = status[entering] == AT_ZERO or (status[entering] == BETWEEN and _reduced(arcs, forest, entering) < 0.0)
    sign = 1.0 if rises else -1.0
    count, extra_u, rate_u, extra_w, rate_w = _direction(arcs, forest, entering, sign)
    room = cap[entering] - flow[entering] if rises else flow[entering]
    step, leaving, leaves_full, largest = room, -1, False, 0.0
    for i in range(count + 2):
        if i < count:
            arc, rate = forest.parent_arc[forest.touched[i]], forest.change[forest.touched[i]]
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
        flow[forest.parent_arc[forest.touched[i]]] += step * forest.change[forest.touched[i]]
    if extra_u >= 0:
        flow[extra_u] += step * rate_u
    if extra_w >= 0:
        flow[extra_w] += step * rate_w
    if leaving < 0:
        status[entering] = AT_CAP if rises else AT_ZERO
        flow[entering] = cap[entering] if rises else 0.0
        return step
    flow[entering] += sign * step
    flow[leaving] = cap[leaving] if leaves_full else 0.0
    status[leaving] = AT_CAP if leaves_full else AT_ZERO
    status[entering] = BASIC
    unlink(arcs, forest, leaving)
    link(arcs, forest, entering)
    _replant(arcs, forest, entering, leaving)
    return step


@njit(cache=True, error_model="numpy")
def _direction(arcs: Arcs, forest: Forest, entering: int, sign: float) -> tuple[int, int, float, int, float]:
    """Change of every basic arc per unit entering: (nodes touched, extra arc and its change at tail and head)."""
    forest.clock[1] += 1
    tail, head = arcs.tail[entering], arcs.head[entering]
    need_u, count = send(arcs, forest, tail, arcs.at_tail[entering] * sign, 0)
    root_u, root_w = forest.root[tail], -1
    need_w = 0.0
    if head >= 0:
        root_w = forest.root[head]
        need_w, count = send(arcs, forest, head, arcs.at_head[entering] * sign, count)
        if root_w == root_u:
            need_u += need_w
            root_w = -1
    extra_u = forest.extra[root_u]
    rate_u = -need_u / forest.turn[root_u]
    if arcs.head[extra_u] >= 0 and rate_u != 0.0:
        _, count = send(arcs, forest, arcs.head[extra_u], arcs.at_head[extra_u] * rate_u, count)
    extra_w, rate_w = -1, 0.0
    if root_w >= 0:
        extra_w = forest.extra[root_w]
        rate_w = -need_w / forest.turn[root_w]
        if arcs.head[extra_w] >= 0 and rate_w != 0.0:
            _, count = send(arcs, forest, arcs.head[extra_w], arcs.at_head[extra_w] * rate_w, count)
    return count, extra_u, rate_u, extra_w, rate_w


@njit(cache=True, error_model="numpy")
def _replant(arcs: Arcs, forest: Forest, entering: int, leaving: int) -> None:
    """Put right the trees after `leaving` went and `entering` came."""
    tail, head = arcs.tail[entering], arcs.head[entering]
    cut_root = forest.root[arcs.tail[leaving]]
    extra = forest.extra[cut_root]
    if leaving == extra:
        tail_in = forest.root[tail] == cut_root
        head_in = head >= 0 and forest.root[head] == cut_root
    else:
        top = arcs.tail[leaving]
        if forest.parent_arc[top] != leaving:
            top = arcs.head[leaving]
        if arcs.head[extra] >= 0 and is_below(forest, arcs.head[extra], top):
            _replant_all(arcs, forest, entering, leaving)
            return
        tail_in = is_below(forest, tail, top)
        head_in = head >= 0 and is_below(forest, head, top)
    if tail_in and head >= 0 and not head_in:
        hang(arcs, forest, tail, head, entering)
    elif head_in and not tail_in:
        hang(arcs, forest, head, tail, entering)
    else:
        grow(arcs, forest, entering)


@njit(cache=True, error_model="numpy")
def _replant_all(arcs: Arcs, forest: Forest, entering: int, leaving: int) -> None:
    """Grow anew every component that the pivot touched: a loop was cut open."""
    old = forest.clock[0]
    for arc in (entering, leaving):
        for node in (arcs.tail[arc], arcs.head[arc]):
            if node >= 0 and forest.mark[node] <= old:
                plant(arcs, forest, node)
