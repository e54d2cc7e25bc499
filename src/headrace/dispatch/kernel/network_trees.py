"""Trees of a generalised network's basis: growing them from their extra arc, hanging one under another."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.network import BASIC, Network

__all__ = ["grow", "hang", "is_below", "plant", "refresh", "send"]

Floats = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def grow(net: Network, extra: int) -> int:
    """Root a tree at the tail of its extra arc: parents, gains, duals. Returns how many nodes; `order` lists them."""
    tail, head, at_tail, at_head = net.arcs.tail, net.arcs.head, net.arcs.at_tail, net.arcs.at_head
    root = tail[extra]
    net.clock[0] += 1
    stamp = net.clock[0]
    stack, order = net.lists[0], net.lists[1]
    stack[0] = root
    top, count = 1, 0
    net.nodes.mark[root] = stamp
    net.nodes.parent[root] = net.nodes.parent_arc[root] = -1
    net.nodes.gain[root], net.nodes.fixed[root], net.nodes.factor[root] = 1.0, 0.0, 1.0
    while top > 0:
        top -= 1
        node = stack[top]
        order[count] = node
        count += 1
        net.nodes.root[node] = root
        slot = net.nodes.first[node]
        while slot >= 0:
            arc = slot >> 1
            if arc not in (net.nodes.parent_arc[node], extra):
                if slot & 1:
                    other, here, there = tail[arc], at_head[arc], at_tail[arc]
                else:
                    other, here, there = head[arc], at_tail[arc], at_head[arc]
                net.nodes.mark[other] = stamp
                net.nodes.parent[other], net.nodes.parent_arc[other] = node, arc
                net.nodes.gain[other] = -net.nodes.gain[node] * here / there
                net.nodes.fixed[other] = (net.arcs.cost[arc] - here * net.nodes.fixed[node]) / there
                net.nodes.factor[other] = -here * net.nodes.factor[node] / there
                stack[top] = other
                top += 1
            slot = net.slots[slot, 0]
    turn = at_tail[extra]
    fixed, factor = 0.0, at_tail[extra]
    far = head[extra]
    if far >= 0:
        turn += net.nodes.gain[far] * at_head[extra]
        fixed += at_head[extra] * net.nodes.fixed[far]
        factor += at_head[extra] * net.nodes.factor[far]
    price = (net.arcs.cost[extra] - fixed) / factor
    for i in range(count):
        node = order[i]
        net.dual[node] = net.nodes.fixed[node] + net.nodes.factor[node] * price
    net.nodes.extra[root], net.nodes.turn[root] = extra, turn
    return count


@njit(cache=True, error_model="numpy")
def find_extra(net: Network, start: int) -> int:
    """Extra arc of the component of `start`: one without a second row, or the first found to close a loop."""
    net.clock[0] += 1
    stamp = net.clock[0]
    stack = net.lists[0]
    stack[0] = start
    top = 1
    net.nodes.mark[start] = stamp
    net.nodes.parent_arc[start] = -1
    while top > 0:
        top -= 1
        node = stack[top]
        slot = net.nodes.first[node]
        while slot >= 0:
            arc = slot >> 1
            if arc != net.nodes.parent_arc[node]:
                other = net.arcs.tail[arc] if slot & 1 else net.arcs.head[arc]
                if other < 0 or net.nodes.mark[other] == stamp:
                    return int(arc)
                net.nodes.mark[other] = stamp
                net.nodes.parent_arc[other] = arc
                stack[top] = other
                top += 1
            slot = net.slots[slot, 0]
    return -1


@njit(cache=True, error_model="numpy")
def plant(net: Network, start: int) -> int:
    """Grow the component of `start` from whatever its extra arc is; returns how many nodes."""
    return grow(net, find_extra(net, start))


@njit(cache=True, error_model="numpy")
def hang(net: Network, node: int, under: int, link_arc: int) -> None:
    """Hang the tree of `node`, which has no extra arc, under a node of a sound tree by `link_arc`."""
    tail, head, at_tail, at_head = net.arcs.tail, net.arcs.head, net.arcs.at_tail, net.arcs.at_head
    stack = net.lists[0]
    root = net.nodes.root[under]
    stack[0] = node
    top = 1
    net.nodes.parent[node], net.nodes.parent_arc[node] = under, link_arc
    while top > 0:
        top -= 1
        at = stack[top]
        up, arc = net.nodes.parent[at], net.nodes.parent_arc[at]
        if tail[arc] == at:
            here, there = at_tail[arc], at_head[arc]
        else:
            here, there = at_head[arc], at_tail[arc]
        net.nodes.root[at] = root
        net.nodes.gain[at] = -net.nodes.gain[up] * there / here
        net.dual[at] = (net.arcs.cost[arc] - there * net.dual[up]) / here
        slot = net.nodes.first[at]
        while slot >= 0:
            below = slot >> 1
            if below != arc:
                other = tail[below] if slot & 1 else head[below]
                net.nodes.parent[other], net.nodes.parent_arc[other] = at, below
                stack[top] = other
                top += 1
            slot = net.slots[slot, 0]


@njit(cache=True, error_model="numpy")
def is_below(net: Network, node: int, top: int) -> bool:
    """Whether `top` is `node` or one of its ancestors."""
    while node >= 0:
        if node == top:
            return True
        node = net.nodes.parent[node]
    return False


@njit(cache=True, error_model="numpy")
def send(net: Network, node: int, need: float, count: int) -> tuple[float, int]:
    """Meet a need at a node by its ancestors' arcs; returns what is left at the root, and the nodes touched so far."""
    stamp = net.clock[1]
    while net.nodes.parent[node] >= 0:
        arc = net.nodes.parent_arc[node]
        if net.arcs.tail[arc] == node:
            here, there = net.arcs.at_tail[arc], net.arcs.at_head[arc]
        else:
            here, there = net.arcs.at_head[arc], net.arcs.at_tail[arc]
        rate = -need / here
        if net.nodes.touch_mark[node] != stamp:
            net.nodes.touch_mark[node] = stamp
            net.nodes.change[node] = 0.0
            net.lists[2][count] = node
            count += 1
        net.nodes.change[node] += rate
        need = there * rate
        node = net.nodes.parent[node]
    return need, count


@njit(cache=True, error_model="numpy")
def refresh(net: Network) -> None:
    """Work out every tree, dual and basic flow afresh from the statuses, so that no rounding is carried on."""
    need = net.nodes.supply.copy()
    for arc in range(len(net.arcs.tail)):
        if net.arcs.status[arc] != BASIC and net.arcs.flow[arc] != 0.0:
            need[net.arcs.tail[arc]] -= net.arcs.at_tail[arc] * net.arcs.flow[arc]
            if net.arcs.head[arc] >= 0:
                need[net.arcs.head[arc]] -= net.arcs.at_head[arc] * net.arcs.flow[arc]
    old = net.clock[0]
    for start in range(len(need)):
        if net.nodes.mark[start] <= old:
            count = plant(net, start)
            _settle(net, need, count)


@njit(cache=True, error_model="numpy")
def _settle(net: Network, need: Floats, count: int) -> None:
    """Flows of the tree that `order` lists, from the leaves up."""
    order = net.lists[1]
    root = order[0]
    extra = net.nodes.extra[root]
    whole = 0.0
    for i in range(count):
        whole += net.nodes.gain[order[i]] * need[order[i]]
    flow = whole / net.nodes.turn[root]
    net.arcs.flow[extra] = flow
    if net.arcs.head[extra] >= 0:
        need[net.arcs.head[extra]] -= net.arcs.at_head[extra] * flow
    for i in range(count - 1, 0, -1):
        node = order[i]
        arc = net.nodes.parent_arc[node]
        if net.arcs.tail[arc] == node:
            here, there = net.arcs.at_tail[arc], net.arcs.at_head[arc]
        else:
            here, there = net.arcs.at_head[arc], net.arcs.at_tail[arc]
        net.arcs.flow[arc] = need[node] / here
        need[net.nodes.parent[node]] -= there * net.arcs.flow[arc]
