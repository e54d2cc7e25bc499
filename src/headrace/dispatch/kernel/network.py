"""A generalised network: columns of at most two nonzeros, and a basis of them as a forest.

    minimise  cost · x      rows = b,  0 <= x <= cap
    column    a_tail x into row tail, a_head x into row head (−1: no second row)

A basis of such columns falls into components, each a tree and one arc more (its *extra* arc: a column with a single
row, or one that closes a loop whose gains do not multiply to one). Rooted at the extra arc's tail, flows follow from
the leaves up and duals from the root down, so a pivot touches the components of the arcs that enter and leave, and no
matrix is ever factored (Kennington & Helgason, *Algorithms for Network Programming*, 1980, ch. 5).
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["AT_CAP", "AT_ZERO", "BASIC", "BETWEEN", "Network", "blank_network", "link", "unlink"]

Ints = NDArray[np.int64]
Records: TypeAlias = Any
"""Array of `ARC` or `NODE`, its fields read as attributes; NumPy's types know no such fields."""

AT_ZERO = 0
"""Out of the basis, empty."""
AT_CAP = 1
"""Out of the basis, full."""
BASIC = 2
"""In the basis."""
BETWEEN = 3
"""Out of the basis but between its bounds: a start that is no vertex has some, and each leaves this state for good."""

ARC = np.dtype(
    [
        ("tail", np.int64),
        ("head", np.int64),
        ("at_tail", np.float64),
        ("at_head", np.float64),
        ("cost", np.float64),
        ("cap", np.float64),
        ("flow", np.float64),
        ("status", np.int64),
    ]
)
"""One column: its rows and entries, its cost and cap, and where it stands."""

NODE = np.dtype(
    [
        ("supply", np.float64),  # right-hand side
        ("first", np.int64),  # first basic slot here, -1 for none
        ("parent", np.int64),
        ("parent_arc", np.int64),
        ("root", np.int64),
        ("gain", np.float64),  # what one unit of need here is at the root
        ("fixed", np.float64),
        ("factor", np.float64),  # dual = fixed + factor · dual of the root
        ("extra", np.int64),  # extra arc of the tree, at its root
        ("turn", np.float64),  # need at the root that one unit in the extra arc makes, at the root
        ("mark", np.int64),
        ("change", np.float64),  # change of the parent arc per unit entering
        ("touch_mark", np.int64),
    ]
)
"""One row, and its place in the basis."""


class Network(NamedTuple):
    """Columns, rows and a basis; slot 2e is arc e at its tail, 2e + 1 at its head."""

    arcs: Records
    """Shape (n,) of `ARC`."""
    nodes: Records
    """Shape (m,) of `NODE`."""
    dual: NDArray[np.float64]
    """Dual of each row, shape (m,): apart, because pricing reads little else of the rows."""
    slots: Ints
    """Following and preceding basic slot at the same node, shape (2n, 2)."""
    lists: Ints
    """Work lists of nodes, shape (3, m + 1): stack, nodes of the tree just grown, nodes touched by a pivot."""
    clock: Ints
    """Stamps given out for `mark` and `touch_mark`, shape (2,)."""


@njit(cache=True, error_model="numpy")
def blank_network(arcs: int, nodes: int) -> Network:
    """Room for a network; every arc out of the basis and empty, single-rowed, with entry 1."""
    net = Network(
        np.zeros(arcs, ARC),
        np.zeros(nodes, NODE),
        np.zeros(nodes),
        np.full((2 * arcs, 2), -1),
        np.zeros((3, nodes + 1), np.int64),
        np.zeros(2, np.int64),
    )
    net.arcs.head[:] = -1
    net.arcs.at_tail[:] = 1.0
    net.nodes.first[:] = -1
    return net


@njit(cache=True, error_model="numpy")
def link(net: Network, arc: int) -> None:
    """Enter a basic arc in the lists of its nodes."""
    for side in range(2):
        node = net.arcs.tail[arc] if side == 0 else net.arcs.head[arc]
        if node < 0:
            continue
        slot = 2 * arc + side
        following = net.nodes.first[node]
        net.slots[slot, 0] = following
        net.slots[slot, 1] = -1
        if following >= 0:
            net.slots[following, 1] = slot
        net.nodes.first[node] = slot


@njit(cache=True, error_model="numpy")
def unlink(net: Network, arc: int) -> None:
    """Strike an arc from the lists of its nodes."""
    for side in range(2):
        node = net.arcs.tail[arc] if side == 0 else net.arcs.head[arc]
        if node < 0:
            continue
        slot = 2 * arc + side
        following, preceding = net.slots[slot, 0], net.slots[slot, 1]
        if preceding >= 0:
            net.slots[preceding, 0] = following
        else:
            net.nodes.first[node] = following
        if following >= 0:
            net.slots[following, 1] = preceding
