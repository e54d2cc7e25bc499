"""Trees of a generalised network's basis: growing them from their extra arc, hanging one under another."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.network import BASIC, Arcs, Forest

__all__ = ["grow", "hang", "is_below", "plant", "refresh", "send"]

Floats = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def grow(arcs: Arcs, forest: Forest, extra: int) -> int:
    """Root a tree at the tail of its extra arc: parents, gains, duals. Returns how many nodes; `order` lists them."""
    tail, head, at_tail, at_head = arcs.tail, arcs.head, arcs.at_tail, arcs.at_head
    root = tail[extra]
    forest.clock[0] += 1
    stamp = forest.clock[0]
    stack, order = forest.stack, forest.order
    stack[0] = root
    top, count = 1, 0
    forest.mark[root] = stamp
    forest.parent[root] = forest.parent_arc[root] = -1
    forest.gain[root], forest.fixed[root], forest.factor[root] = 1.0, 0.0, 1.0
    while top > 0:
        top -= 1
        node = stack[top]
        order[count] = node
        count += 1
        forest.root[node] = root
        slot = forest.first[node]
        while slot >= 0:
            arc = slot >> 1
            if arc not in (forest.parent_arc[node], extra):
                if slot & 1:
                    other, here, there = tail[arc], at_head[arc], at_tail[arc]
                else:
                    other, here, there = head[arc], at_tail[arc], at_head[arc]
                forest.mark[other] = stamp
                forest.parent[other], forest.parent_arc[other] = node, arc
                forest.gain[other] = -forest.gain[node] * here / there
                forest.fixed[other] = (arcs.cost[arc] - here * forest.fixed[node]) / there
                forest.factor[other] = -here * forest.factor[node] / there
                stack[top] = other
                top += 1
            slot = forest.after[slot]
    turn = at_tail[extra]
    fixed, factor = 0.0, at_tail[extra]
    far = head[extra]
    if far >= 0:
        turn += forest.gain[far] * at_head[extra]
        fixed += at_head[extra] * forest.fixed[far]
        factor += at_head[extra] * forest.factor[far]
    price = (arcs.cost[extra] - fixed) / factor
    for i in range(count):
        node = order[i]
        forest.dual[node] = forest.fixed[node] + forest.factor[node] * price
    forest.extra[root], forest.turn[root] = extra, turn
    return count


@njit(cache=True, error_model="numpy")
def find_extra(arcs: Arcs, forest: Forest, start: int) -> int:
    """Extra arc of the component of `start`: one without a second row, or the first found to close a loop."""
    forest.clock[0] += 1
    stamp = forest.clock[0]
    stack = forest.stack
    stack[0] = start
    top = 1
    forest.mark[start] = stamp
    forest.parent_arc[start] = -1
    while top > 0:
        top -= 1
        node = stack[top]
        slot = forest.first[node]
        while slot >= 0:
            arc = slot >> 1
            if arc != forest.parent_arc[node]:
                other = arcs.tail[arc] if slot & 1 else arcs.head[arc]
                if other < 0 or forest.mark[other] == stamp:
                    return arc
                forest.mark[other] = stamp
                forest.parent_arc[other] = arc
                stack[top] = other
                top += 1
            slot = forest.after[slot]
    return -1


@njit(cache=True, error_model="numpy")
def plant(arcs: Arcs, forest: Forest, start: int) -> int:
    """Grow the component of `start` from whatever its extra arc is; returns how many nodes."""
    return grow(arcs, forest, find_extra(arcs, forest, start))


@njit(cache=True, error_model="numpy")
def hang(arcs: Arcs, forest: Forest, node: int, under: int, link_arc: int) -> None:
    """Hang the tree of `node`, which has no extra arc, under a node of a sound tree by `link_arc`."""
    tail, head, at_tail, at_head = arcs.tail, arcs.head, arcs.at_tail, arcs.at_head
    stack = forest.stack
    root = forest.root[under]
    stack[0] = node
    top = 1
    forest.parent[node], forest.parent_arc[node] = under, link_arc
    while top > 0:
        top -= 1
        at = stack[top]
        up, arc = forest.parent[at], forest.parent_arc[at]
        if tail[arc] == at:
            here, there = at_tail[arc], at_head[arc]
        else:
            here, there = at_head[arc], at_tail[arc]
        forest.root[at] = root
        forest.gain[at] = -forest.gain[up] * there / here
        forest.dual[at] = (arcs.cost[arc] - there * forest.dual[up]) / here
        slot = forest.first[at]
        while slot >= 0:
            below = slot >> 1
            if below != arc:
                other = tail[below] if slot & 1 else head[below]
                forest.parent[other], forest.parent_arc[other] = at, below
                stack[top] = other
                top += 1
            slot = forest.after[slot]


@njit(cache=True, error_model="numpy")
def is_below(forest: Forest, node: int, top: int) -> bool:
    """Whether `top` is `node` or one of its ancestors."""
    while node >= 0:
        if node == top:
            return True
        node = forest.parent[node]
    return False


@njit(cache=True, error_model="numpy")
def send(arcs: Arcs, forest: Forest, node: int, need: float, count: int) -> tuple[float, int]:
    """Meet a need at a node by its ancestors' arcs; returns what is left at the root, and how many nodes are touched."""
    stamp = forest.clock[1]
    while forest.parent[node] >= 0:
        arc = forest.parent_arc[node]
        if arcs.tail[arc] == node:
            here, there = arcs.at_tail[arc], arcs.at_head[arc]
        else:
            here, there = arcs.at_head[arc], arcs.at_tail[arc]
        rate = -need / here
        if forest.touch_mark[node] != stamp:
            forest.touch_mark[node] = stamp
            forest.change[node] = 0.0
            forest.touched[count] = node
            count += 1
        forest.change[node] += rate
        need = there * rate
        node = forest.parent[node]
    return need, count


@njit(cache=True, error_model="numpy")
def refresh(arcs: Arcs, forest: Forest) -> None:
    """Work out every tree, dual and basic flow afresh from the statuses, so that no rounding is carried on."""
    need = arcs.supply.copy()
    for arc in range(len(arcs.tail)):
        if forest.status[arc] != BASIC and forest.flow[arc] != 0.0:
            need[arcs.tail[arc]] -= arcs.at_tail[arc] * forest.flow[arc]
            if arcs.head[arc] >= 0:
                need[arcs.head[arc]] -= arcs.at_head[arc] * forest.flow[arc]
    old = forest.clock[0]
    for start in range(len(need)):
        if forest.mark[start] <= old:
            count = plant(arcs, forest, start)
            _settle(arcs, forest, need, count)


@njit(cache=True, error_model="numpy")
def _settle(arcs: Arcs, forest: Forest, need: Floats, count: int) -> None:
    """Flows of the tree that `order` lists, from the leaves up."""
    order = forest.order
    root = order[0]
    extra = forest.extra[root]
    whole = 0.0
    for i in range(count):
        whole += forest.gain[order[i]] * need[order[i]]
    flow = whole / forest.turn[root]
    forest.flow[extra] = flow
    if arcs.head[extra] >= 0:
        need[arcs.head[extra]] -= arcs.at_head[extra] * flow
    for i in range(count - 1, 0, -1):
        node = order[i]
        arc = forest.parent_arc[node]
        if arcs.tail[arc] == node:
            here, there = arcs.at_tail[arc], arcs.at_head[arc]
        else:
            here, there = arcs.at_head[arc], arcs.at_tail[arc]
        forest.flow[arc] = need[node] / here
        need[forest.parent[node]] -= there * forest.flow[arc]
