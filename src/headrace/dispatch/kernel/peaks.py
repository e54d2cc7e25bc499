"""What a peak is worth: slopes of the optimal value over each period's peak, and an upper bound that needs no trust.

With import split into a tier below the peak D and a dearer tier above it, the optimal value is concave in D. One more
MW of D moves one MW from the dear tier to the cheap one wherever D binds, so its slope in a period is

    Σ_t h_t min(max(λ_t − p⁺_t, 0), Q / h_t) − K

with λ the balance duals: all bids give the right slope, all asks the left one.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["dual_bound", "finite_mix", "peak_shares"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def peak_shares(
    step_h: Floats, import_cost: Floats, export_value: Floats, import_max: Floats, use_value: Floats,
    source_cost: Floats, wear: float, end_value: float, period: Ints, so_far_mw: Floats, charge_ccy_per_mw: Floats,
    over_ccy_per_mw: float, peak_mw: Floats, rows: Floats, stored: Floats,
) -> Floats:  # fmt: skip
    """Share of the optimal value that each period has, and its slopes in the period's peak.

    Parameters
    ----------
    step_h, import_cost, export_value, import_max, use_value, source_cost, wear, end_value
        As in `solve_problem`.
    period, so_far_mw, charge_ccy_per_mw
        The peak charge: m(t), D⁰, and each period's K, shape (M,).
    over_ccy_per_mw
        Q: extra charge of import above the peak, per MW and step.
    peak_mw
        D, shape (M,).
    rows, stored
        From `solve_problem` with the import above D charged Q.

    Returns
    -------
    ndarray
        The period's share of the value (energy stored at its borders counts at its water value), its right and its left
        slope in D, shape (M, 3).
    """
    steps = step_h.shape[0]
    shares: Floats = np.zeros((so_far_mw.shape[0], 3))
    for m in range(so_far_mw.shape[0]):
        charge = charge_ccy_per_mw[m] * (peak_mw[m] - so_far_mw[m])
        shares[m, 0] = -charge
        shares[m, 1] = shares[m, 2] = -charge_ccy_per_mw[m]
    uses, sources = use_value.shape[0], source_cost.shape[0]
    grid = uses + sources
    for t in range(steps):
        m = period[t]
        over = max(rows[grid + 1, t] - min(import_max[t], peak_mw[m]), 0.0)
        rate = export_value[t] * rows[grid, t] - import_cost[t] * rows[grid + 1, t] - wear * rows[grid + 3, t]
        for i in range(uses):
            rate += use_value[i, t] * rows[i, t]
        for j in range(sources):
            rate -= source_cost[j, t] * rows[uses + j, t]
        shares[m, 0] += step_h[t] * rate - over_ccy_per_mw * over
        bid, ask = rows[grid + 4, t], rows[grid + 5, t]
        if peak_mw[m] < import_max[t]:
            shares[m, 1] += min(max(bid - import_cost[t], 0.0) * step_h[t], over_ccy_per_mw)
        if peak_mw[m] <= import_max[t]:
            shares[m, 2] += min(max(ask - import_cost[t], 0.0) * step_h[t], over_ccy_per_mw)
        if t > 0 and m != period[t - 1]:
            water = finite_mix(rows[grid + 6, t - 1], rows[grid + 7, t - 1], 0.5)
            shares[period[t - 1], 0] += water * stored[t]
            shares[m, 0] -= water * stored[t]
    shares[period[steps - 1], 0] += end_value * stored[steps]
    return shares


@njit(cache=True, error_model="numpy")
def finite_mix(low: float, high: float, high_ratio: float) -> float:
    """A point of an interval whose ends may be infinite."""
    if np.isinf(low):
        return 0.0 if np.isinf(high) else high
    if np.isinf(high):
        return low
    return low + high_ratio * (high - low)


@njit(cache=True, error_model="numpy")
def dual_bound(
    step_h: Floats,
    import_cost: Floats,
    export_value: Floats,
    import_max: Floats,
    export_max: Floats,
    firm: Floats,
    use_value: Floats,
    use_max: Floats,
    source_cost: Floats,
    source_min: Floats,
    source_max: Floats,
    battery: Floats,
    start_mwh: float,
    end_value: float,
    period: Ints,
    so_far_mw: Floats,
    charge_ccy_per_mw: Floats,
    over_ccy_per_mw: float,
    peak_mw: Floats,
    lower_peak_mw: Floats,
    power_dual: Floats,
    water_dual: Floats,
) -> float:
    """Value that no plan can exceed, from any duals at all (weak duality); tight if they are optimal.

    Parameters
    ----------
    step_h, import_cost, export_value, import_max, export_max, firm, use_value, use_max, source_cost, source_min,
    source_max
        As in `Problem`.
    battery, start_mwh, end_value
        As in `solve_problem`.
    period, so_far_mw, charge_ccy_per_mw
        The peak charge: m(t), D⁰, and each period's K, shape (M,).
    over_ccy_per_mw
        Q: most of a step's dual that the peak takes, per MW and step; the import limit takes the rest.
    peak_mw, lower_peak_mw
        D and a peak below it: the charge is shared over the steps with an import limit above D first, then over those
        with one above the lower peak, shape (M,).
    power_dual
        λ: worth of a MWh at the bus, finite, shape (T,).
    water_dual
        μ: worth of a MWh in store after the step, finite, shape (T,).

    Returns
    -------
    float
        Upper bound on the objective.
    """
    charge_max, discharge_max, eta_c, eta_d, wear = battery[0], battery[1], battery[2], battery[3], battery[4]
    steps = step_h.shape[0]
    sure, maybe, sure_ratio, maybe_ratio = _peak_duals(
        step_h, import_cost, import_max, period, charge_ccy_per_mw, over_ccy_per_mw, peak_mw, lower_peak_mw, power_dual
    )
    bound = 0.0
    before = 0.0
    for t in range(steps):
        price, water = power_dual[t], water_dual[t]
        rate = -price * firm[t] + export_max[t] * max(export_value[t] - price, 0.0)
        gain = max(price - import_cost[t], 0.0)
        m = period[t]
        dual = min(gain, over_ccy_per_mw / step_h[t])
        if peak_mw[m] < import_max[t]:
            gain -= dual * sure_ratio[m]
        elif lower_peak_mw[m] <= import_max[t]:
            gain -= dual * maybe_ratio[m]
        rate += import_max[t] * gain
        for i in range(use_value.shape[0]):
            rate += use_max[i, t] * max(use_value[i, t] - price, 0.0)
        for j in range(source_cost.shape[0]):
            gain = price - source_cost[j, t]
            rate += gain * (source_max[j, t] if gain > 0.0 else source_min[j, t])
        rate += charge_max * max(water * eta_c - price, 0.0)
        rate += discharge_max * max(price - wear - water / eta_d, 0.0)
        bound += step_h[t] * rate
        if t == 0:
            bound += water * start_mwh
        else:
            rise = water - before
            bound += rise * (battery[6] if rise > 0.0 else battery[5])
        before = water
    rise = end_value - before
    bound += rise * (battery[6] if rise > 0.0 else battery[5])
    for m in range(so_far_mw.shape[0]):
        bound += (sure[m] * sure_ratio[m] + maybe[m] * maybe_ratio[m]) * so_far_mw[m]
    return float(bound)


@njit(cache=True, error_model="numpy")
def _peak_duals(
    step_h: Floats, import_cost: Floats, import_max: Floats, period: Ints, charge_ccy_per_mw: Floats,
    over_ccy_per_mw: float, peak_mw: Floats, lower_peak_mw: Floats, power_dual: Floats,
) -> tuple[Floats, Floats, Floats, Floats]:  # fmt: skip
    """How much of the steps' duals each period's peak takes, its own K in all.

    Returns
    -------
    tuple
        (sum over the steps with an import limit above the peak, over those with one above the lower peak only; share of
        each sum that the peak takes), shape (M,) each.
    """
    periods = peak_mw.shape[0]
    sure = np.zeros(periods)
    maybe = np.zeros(periods)
    for t in range(step_h.shape[0]):
        m = period[t]
        dual = min(max(power_dual[t] - import_cost[t], 0.0) * step_h[t], over_ccy_per_mw)
        if peak_mw[m] < import_max[t]:
            sure[m] += dual
        elif lower_peak_mw[m] <= import_max[t]:
            maybe[m] += dual
    sure_ratio = np.ones(periods)
    maybe_ratio = np.ones(periods)
    for m in range(periods):
        if sure[m] > charge_ccy_per_mw[m]:
            sure_ratio[m] = charge_ccy_per_mw[m] / sure[m]
        left = max(charge_ccy_per_mw[m] - sure[m], 0.0)
        if maybe[m] > left:
            maybe_ratio[m] = left / maybe[m]
    return sure, maybe, sure_ratio, maybe_ratio
