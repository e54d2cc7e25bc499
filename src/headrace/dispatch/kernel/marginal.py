"""The duals along an optimal path: water values and, from them, bid and ask at the bus.

They need no value functions. Given the optimal path, μ_t, the worth of one MWh in store after step t, is any number
within the slopes of g_t at x_t that agrees with its neighbours: equal while s_min < s < s_max, never falling through a
full store (μ_{t-1} <= μ_t), never rising through an empty one (μ_{t-1} >= μ_t). Interval propagation back and forth
along this chain is exact. The constraints are closed under least and greatest, so the low ends of all intervals hold
together, as do the high ends.

An LP solver's dual is some point of these intervals.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.merit import bus_slopes
from headrace.dispatch.kernel.tolerance import AT_MW, AT_MWH

__all__ = ["bus_interval", "curve_slopes", "stage_slopes", "water_values"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def stage_slopes(
    stage_slope: Floats, stage_width: Floats, stage_count: Ints, frame: Floats, t: int, released_mwh: float
) -> tuple[float, float]:
    """Right and left derivative of g_t at `released_mwh`; -inf and +inf at the ends of its domain."""
    right = -np.inf
    left = np.inf
    below = frame[t, 0]
    for j in range(stage_count[t]):
        above = below + stage_width[t, j]
        if stage_width[t, j] > AT_MWH:
            if below <= released_mwh - AT_MWH:
                left = stage_slope[t, j]
            if above >= released_mwh + AT_MWH:
                right = stage_slope[t, j]
                break
        below = above
    return right, left


@njit(cache=True, error_model="numpy")
def curve_slopes(
    slope: Floats, width: Floats, at: int, count: int, low_mwh: float, stored_mwh: float
) -> tuple[float, float]:
    """Right and left derivative of a value function at `stored_mwh`; -inf and +inf at the ends of its domain."""
    right = -np.inf
    left = np.inf
    below = low_mwh
    for i in range(at, at + count):
        above = below + width[i]
        if width[i] > AT_MWH:
            if below <= stored_mwh - AT_MWH:
                left = slope[i]
            if above >= stored_mwh + AT_MWH:
                right = slope[i]
                break
        below = above
    return right, left


@njit(cache=True, error_model="numpy")
def water_values(
    stage_slope: Floats,
    stage_width: Floats,
    stage_count: Ints,
    frame: Floats,
    stored_min: float,
    stored_max: float,
    end_slope: Floats,
    end_width: Floats,
    stored_mwh: Floats,
    water: Floats,
) -> None:
    """Exact interval of the worth of one MWh in store after each step, along an optimal path.

    Parameters
    ----------
    stage_slope, stage_width, stage_count, frame
        From `build_stages`.
    stored_min, stored_max
        Limits of stored energy, MWh.
    end_slope, end_width
        V_T, as in `solve_path`.
    stored_mwh
        s_0..s_T from `solve_path`.
    water
        Written: (least, greatest) per MWh, shape (T, 2).
    """
    steps = stage_count.shape[0]
    low, high = curve_slopes(end_slope, end_width, 0, end_slope.shape[0], stored_min, float(stored_mwh[steps]))
    for t in range(steps - 1, -1, -1):
        right, left = stage_slopes(stage_slope, stage_width, stage_count, frame, t, stored_mwh[t] - stored_mwh[t + 1])
        low, high = max(low, right), min(high, left)
        water[t, 0], water[t, 1] = low, high
        if stored_mwh[t] >= stored_max - AT_MWH:
            low = -np.inf
        if stored_mwh[t] <= stored_min + AT_MWH:
            high = np.inf
    for t in range(1, steps):
        low, high = water[t - 1, 0], water[t - 1, 1]
        if stored_mwh[t] >= stored_max - AT_MWH:
            high = np.inf
        if stored_mwh[t] <= stored_min + AT_MWH:
            low = -np.inf
        water[t, 0], water[t, 1] = max(water[t, 0], low), min(water[t, 1], high)


@njit(cache=True, error_model="numpy")
def bus_interval(
    price_ccy_per_mwh: Floats,
    width_mw: Floats,
    order: Ints,
    t: int,
    need_mw: float,
    charge_mw: float,
    discharge_mw: float,
    water_low: float,
    water_high: float,
    battery: Floats,
) -> tuple[float, float]:
    """Bid and ask at the bus: least and greatest dual of the step's power balance, per MWh.

    The site's own blocks bound the price, and so does each power the battery could still raise or lower.

    Parameters
    ----------
    price_ccy_per_mwh, width_mw, order, t, need_mw
        The step's blocks.
    charge_mw, discharge_mw
        What the battery does.
    water_low, water_high
        Interval of the worth of one MWh in store after the step.
    battery
        As in `build_stages`.

    Returns
    -------
    tuple
        (bid, ask); -inf where nothing can take more, +inf where nothing can give.
    """
    charge_max, discharge_max, eta_c, eta_d, wear = battery[0], battery[1], battery[2], battery[3], battery[4]
    bid, ask = bus_slopes(price_ccy_per_mwh, width_mw, order, t, need_mw, discharge_mw - charge_mw)
    if charge_mw < charge_max - AT_MW:
        bid = max(bid, eta_c * water_low)
    if charge_mw > AT_MW:
        ask = min(ask, eta_c * water_high)
    if discharge_mw > AT_MW:
        bid = max(bid, wear + water_low / eta_d)
    if discharge_mw < discharge_max - AT_MW:
        ask = min(ask, wear + water_high / eta_d)
    if bid > ask:
        bid = ask = 0.5 * (bid + ask)
    return bid, ask
