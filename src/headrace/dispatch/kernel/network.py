"""A generalised network: columns of at most two nonzeros, and a basis of them as a forest.

    minimise  cost · x      a_tail x into row tail, a_head x into row head (−1: no second row),  rows = b,  0 <= x <= cap

A basis of such columns falls into components, each a tree and one arc more (its *extra* arc: a column with a single
row, or one that closes a loop whose gains do not multiply to one). Rooted at the extra arc's tail, flows follow from the
leaves up and duals from the root down, so a pivot touches the components of the arcs that enter and leave, and no matrix
is ever factored (Kennington & Helgason, *Algorithms for Network Programming*, 1980, ch. 5).
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["AT_CAP", "AT_ZERO", "BASIC", "BETWEEN", "Arcs", "Forest", "blank_forest", "link", "unlink"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AT_ZERO = 0
"""Out of the basis, empty."""
AT_CAP = 1
"""Out of the basis, full."""
BASIC = 2
"""In the basis."""
BETWEEN = 3
"""Out of the basis but between its bounds: a start that is no vertex has some, and each leaves this state for good."""


class Arcs(NamedTuple):
    """Columns, shape (n,), and right-hand sides, shape (m,)."""

    tail: Ints
    head: Ints
    at_tail: Floats
    at_head: Floats
    cost: Floats
    cap: Floats
    supply: Floats


class Forest(NamedTuple):
    """A basis and what follows from it; slot 2e is arc e at its tail, 2e + 1 at its head."""

    status: NDArray[np.int8]
    flow: Floats
    first: Ints
    """First basic slot at each node, -1 for none."""
    after: Ints
    before: Ints
    parent: Ints
    parent_arc: Ints
    root: Ints
    """Root of each node's tree."""
    gain: Floats
    """What one unit of need at a node is at its root."""
    dual: Floats
    fixed: Floats
    factor: Floats
    """dual = fixed + factor · dual of the root."""
    extra: Ints
    """Extra arc of the tree, by root."""
    turn: Floats
    """Need at the root that one unit in the extra arc makes, by root."""
    mark: Ints
    stack: Ints
    order: Ints
    change: Floats
    """Change of a node's parent arc per unit entering."""
    touched: Ints
    """Nodes whose `change` holds in this pivot."""
    touch_mark: Ints
    clock: Ints
    """Stamps given out for `mark` and `touch_mark`."""


@njit(cache=True, error_model="numpy")
def blank_forest(arcs: int, nodes: int) -> Forest:
    """Room for a basis; every arc out of it and empty."""
    return Forest(
        np.zeros(arcs, np.int8),
        np.zeros(arcs),
        np.full(nodes, -1),
        np.full(2 * arcs, -1),
        np.full(2 * arcs, -1),
        np.full(nodes, -1),
        np.full(nodes, -1),
        np.zeros(nodes, np.int64),
        np.zeros(nodes),
        np.zeros(nodes),
        np.zeros(nodes),
        np.zeros(nodes),
        np.zeros(nodes, np.int64),
        np.zeros(nodes),
        np.zeros(nodes, np.int64),
        np.empty(nodes + 1, np.int64),
        np.empty(nodes + 1, np.int64),
        np.zeros(nodes),
        np.empty(nodes, np.int64),
        np.zeros(nodes, np.int64),
        np.zeros(2, np.int64),
    )


@njit(cache=True, error_model="numpy")
def link(arcs: Arcs, forest: Forest, arc: int) -> None:
    """Enter a basic arc in the lists of its nodes."""
    for side in range(2):
        node = arcs.tail[arc] if side == 0 else arcs.head[arc]
        if node < 0:
            continue
        slot = 2 * arc + side
        following = forest.first[node]
        forest.after[slot] = following
        forest.before[slot] = -1
        if following >= 0:
            forest.before[following] = slot
        forest.first[node] = slot


@njit(cache=True, error_model="numpy")
def unlink(arcs: Arcs, forest: Forest, arc: int) -> None:
    """Strike an arc from the lists of its nodes."""
    for side in range(2):
        node = arcs.tail[arc] if side == 0 else arcs.head[arc]
        if node < 0:
            continue
        slot = 2 * arc + side
        following, preceding = forest.after[slot], forest.before[slot]
        if preceding >= 0:
            forest.after[preceding] = following
        else:
            forest.first[node] = following
        if following >= 0:
            forest.before[following] = preceding
