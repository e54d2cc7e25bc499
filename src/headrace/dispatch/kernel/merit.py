"""The site without its battery, as a merit order of blocks at the bus.

Every way to use or spare power in a step is a block of width MW and price per MWh. With `e` MW injected at the bus by
the battery (negative: drawn), the site takes in e - need MW through its blocks, dearest first:

    F(e) = base + Σ price · fill,   need <= e <= need + Σ width

A use of width w takes 0..w. A supplier of output 0..w is the same block seen from its full output: taking in power
turns it down, `fill` is what it spares, and its full output is part of `need` (minus) and its full cost of `base`
(minus). So

    need = firm − Σ full output of import and sources        base = − Σ full cost of import and sources   (per hour)
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.tolerance import AT_MW

__all__ = ["bus_slopes", "fill_blocks", "sort_blocks"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def sort_blocks(price_ccy_per_mwh: Floats, order: Ints, t: int) -> None:
    """Sort one step's blocks dearest first, in place; fast if `order[t]` comes in nearly sorted.

    Parameters
    ----------
    price_ccy_per_mwh
        Shape (T, B).
    order
        Block numbers, shape (T, B); row t is sorted by insertion, so equal prices keep their given order.
    t
        Step.
    """
    for i in range(1, order.shape[1]):
        block = order[t, i]
        price = price_ccy_per_mwh[t, block]
        j = i - 1
        while j >= 0 and price_ccy_per_mwh[t, order[t, j]] < price:
            order[t, j + 1] = order[t, j]
            j -= 1
        order[t, j + 1] = block


@njit(cache=True, error_model="numpy")
def fill_blocks(width_mw: Floats, order: Ints, t: int, need_mw: float, injected_mw: float, fill_mw: Floats) -> None:
    """Spread injected power over one step's blocks, dearest first.

    Parameters
    ----------
    width_mw, order
        Shape (T, B); row t is read.
    t
        Step.
    need_mw
        Injection at which every block is empty.
    injected_mw
        Battery power at the bus, discharge minus charge.
    fill_mw
        Written: power in each block, shape (B,), in block order (not sorted).
    """
    left = max(injected_mw - need_mw, 0.0)
    for i in range(order.shape[1]):
        block = order[t, i]
        fill = min(width_mw[t, block], left)
        fill_mw[block] = fill
        left -= fill


@njit(cache=True, error_model="numpy")
def bus_slopes(
    price_ccy_per_mwh: Floats, width_mw: Floats, order: Ints, t: int, need_mw: float, injected_mw: float
) -> tuple[float, float]:
    """Right and left derivative of F at `injected_mw`, per MWh.

    Returns
    -------
    tuple
        (worth of one more, cost of one less); -inf where nothing takes more in, +inf where nothing gives.
    """
    right = -np.inf
    left = np.inf
    below = need_mw
    for i in range(order.shape[1]):
        block = order[t, i]
        width = width_mw[t, block]
        if width <= AT_MW:
            below += width
            continue
        if below <= injected_mw - AT_MW:
            left = price_ccy_per_mwh[t, block]
        if below + width >= injected_mw + AT_MW:
            right = price_ccy_per_mwh[t, block]
            break
        below += width
    return right, left
