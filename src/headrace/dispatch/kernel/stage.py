"""One step seen from the stored energy: what releasing x MWh from store earns, as a concave piecewise-linear function.

    g(x) = max h (F(d − c) − w d)   over 0 <= c <= c̄, 0 <= d <= d̄ with h (d/η_d − η_c c) = x

As x grows the battery first charges less, then discharges more, so a block of price λ at the bus has the slope

    λ / η_c  while charging (e = d − c < 0)          η_d (λ − w)  while discharging

per MWh of stored energy. Below the slope μ* = −w / (1/η_d − η_c) it pays to charge and discharge at once: the losses
burn energy that has negative worth. The whole burn then happens at one slope, and beyond it the battery runs with c =
c̄ (or d = d̄) while the other power follows. Slopes come out in falling order, so g is a list of (slope, width) pieces.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.merit import sort_blocks
from headrace.dispatch.kernel.tolerance import FEASIBLE_MW, TINY_MW, TINY_RATIO

__all__ = ["build_stages", "powers", "stage"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def _least_injection(
    price_ccy_per_mwh: Floats, width_mw: Floats, order: Ints, t: int, need_mw: float, battery: Floats
) -> tuple[int, float, float, float]:
    """Least power the battery can inject, and where that is in the merit order.

    Returns
    -------
    tuple
        (position of the block there, or -1 where power is short and -2 where it is in surplus, whatever the battery
        does; injection, MW; upper end of that block, MW; worth of the blocks filled up to there, per hour).
    """
    if need_mw > battery[1] + FEASIBLE_MW:
        return -1, 0.0, 0.0, 0.0
    low = min(max(-battery[0], need_mw), battery[1])
    at = need_mw
    worth = 0.0
    for i in range(order.shape[1]):
        block = order[t, i]
        top = at + width_mw[t, block]
        if top > low:
            return i, low, top, worth + price_ccy_per_mwh[t, block] * max(low - at, 0.0)
        worth += price_ccy_per_mwh[t, block] * width_mw[t, block]
        at = top
    if at < low - FEASIBLE_MW:
        return -2, 0.0, 0.0, 0.0
    return order.shape[1], min(max(at, -battery[0]), low), at, worth


@njit(cache=True, error_model="numpy")
def _append(slope: Floats, piece_mwh: Floats, t: int, count: int, slope_ccy_per_mwh: float, width_mwh: float) -> int:
    """Add a piece to row t, joined to the one before if their slopes tie. Returns the number of pieces."""
    if count and slope_ccy_per_mwh >= slope[t, count - 1]:
        piece_mwh[t, count - 1] += width_mwh
        return count
    if width_mwh <= 0.0:
        return count
    slope[t, count] = slope_ccy_per_mwh
    piece_mwh[t, count] = width_mwh
    return count + 1


@njit(cache=True, error_model="numpy")
def _burn_room(injected_mw: float, battery: Floats) -> float:
    """How far charge and discharge can rise together at one injection, MW."""
    return float(min(battery[0], battery[1] - injected_mw) - max(0.0, -injected_mw))


@njit(cache=True, error_model="numpy")
def stage(
    price_ccy_per_mwh: Floats,
    width_mw: Floats,
    order: Ints,
    t: int,
    need_mw: float,
    base_ccy_per_h: float,
    step_h: float,
    battery: Floats,
    slope: Floats,
    piece_mwh: Floats,
    frame: Floats,
) -> int:
    """Build one step's g; the arguments are those of `build_stages`.

    Returns
    -------
    int
        Number of pieces; -1 if power is short whatever the battery does, -2 if it is in surplus.
    """
    charge_max, discharge_max, eta_c, eta_d, wear = battery[0], battery[1], battery[2], battery[3], battery[4]
    loss = 1.0 / eta_d - eta_c
    burns = loss > TINY_RATIO
    burn_slope = -wear / loss if burns else -np.inf
    i, at, top, worth = _least_injection(price_ccy_per_mwh, width_mw, order, t, need_mw, battery)
    if i < 0:
        return i
    frame[t, 0] = (at / eta_d if at > 0.0 else at * eta_c) * step_h
    frame[t, 2] = (base_ccy_per_h + worth - wear * max(at, 0.0)) * step_h
    frame[t, 3] = at
    frame[t, 4] = np.inf
    full = discharge_max - charge_max  # with the burn at its most, charging is full below this injection
    blocks = order.shape[1]
    burning = False
    count = 0
    while i < blocks and at < discharge_max - TINY_MW:
        price = price_ccy_per_mwh[t, order[t, i]]
        end = min(top, discharge_max)
        while at < end - TINY_MW:
            to = end
            if at >= full - TINY_MW if burning else at < -TINY_MW:
                mu, per = price / eta_c, eta_c
                if not burning:
                    to = min(to, 0.0)
            else:
                mu, per = eta_d * (price - wear), 1.0 / eta_d
                if burning:
                    to = min(to, full)
            if mu < burn_slope and not burning:
                burning = True
                frame[t, 4] = at
                count = _append(slope, piece_mwh, t, count, burn_slope, loss * _burn_room(at, battery) * step_h)
            else:
                count = _append(slope, piece_mwh, t, count, mu, per * (to - at) * step_h)
                at = to
        i += 1
        if i < blocks:
            top += width_mw[t, order[t, i]]
    if burns and not burning:
        frame[t, 4] = at
        count = _append(slope, piece_mwh, t, count, burn_slope, loss * _burn_room(at, battery) * step_h)
    frame[t, 1] = frame[t, 0]
    for j in range(count):
        frame[t, 1] += piece_mwh[t, j]
    return count


@njit(cache=True, error_model="numpy")
def build_stages(
    first: int,
    last: int,
    step_h: Floats,
    price_ccy_per_mwh: Floats,
    width_mw: Floats,
    need_mw: Floats,
    base_ccy_per_h: Floats,
    battery: Floats,
    order: Ints,
    slope: Floats,
    piece_mwh: Floats,
    count: Ints,
    frame: Floats,
) -> int:
    """Build g for steps `first` <= t < `last` from blocks, without allocating.

    Parameters
    ----------
    first, last
        Steps to build.
    step_h, need_mw, base_ccy_per_h
        Shape (T,); see `headrace.dispatch.kernel.merit`.
    price_ccy_per_mwh, width_mw
        Blocks, shape (T, B).
    battery
        (c̄, d̄, η_c, η_d, wear, s_min, s_max); without a battery (0, 0, 1, 1, 0, 0, 0).
    order
        Written: blocks dearest first, shape (T, B). Row `first` must hold a permutation of 0..B-1 on entry.
    slope, piece_mwh
        Written: pieces of g, slopes falling, shape (T, B + 4).
    count
        Written: number of pieces, shape (T,); negative where the step alone is infeasible (see `stage`).
    frame
        Written, shape (T, 5): least and greatest released energy (MWh), value of g at the least (ccy), injection there
        (MW), injection at which the burn starts (MW; inf for none).

    Returns
    -------
    int
        First step that is infeasible by itself, or -1.
    """
    bad = -1
    blocks = order.shape[1]
    for t in range(first, last):
        if t > first:
            for i in range(blocks):
                order[t, i] = order[t - 1, i]
        sort_blocks(price_ccy_per_mwh, order, t)
        count[t] = stage(
            price_ccy_per_mwh,
            width_mw,
            order,
            t,
            need_mw[t],
            base_ccy_per_h[t],
            step_h[t],
            battery,
            slope,
            piece_mwh,
            frame,
        )
        if count[t] < 0 and bad < 0:
            bad = t
    return bad


@njit(cache=True, error_model="numpy")
def powers(released_mwh: float, step_h: float, burn_mw: float, battery: Floats) -> tuple[float, float]:
    """Charge and discharge power that release `released_mwh` (negative: take in) in the way g values.

    Parameters
    ----------
    released_mwh
        s_t − s_{t+1}.
    step_h
        Length of the step, hours.
    burn_mw
        Injection at which burning starts, from `frame`; inf for none.
    battery
        As in `build_stages`.

    Returns
    -------
    tuple
        (charge, discharge), MW.
    """
    charge_max, discharge_max, eta_c, eta_d = battery[0], battery[1], battery[2], battery[3]
    rate = released_mwh / step_h
    start = burn_mw / eta_d if burn_mw > 0.0 else burn_mw * eta_c
    if rate <= start + TINY_MW:
        if rate < 0.0:
            return min(-rate / eta_c, charge_max), 0.0
        return 0.0, min(rate * eta_d, discharge_max)
    most = min(charge_max, discharge_max - burn_mw) - max(0.0, -burn_mw)
    burn = (rate - start) / (1.0 / eta_d - eta_c)
    if burn <= most:
        return max(0.0, -burn_mw) + burn, max(0.0, burn_mw) + burn
    discharge = eta_d * (rate + eta_c * charge_max)
    if discharge <= discharge_max:
        return charge_max, discharge
    return max(0.0, (discharge_max / eta_d - rate) / eta_c), discharge_max
