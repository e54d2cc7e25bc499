"""From a problem's arrays to a plan's arrays in one compiled call."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.marginal import bus_interval, water_values
from headrace.dispatch.kernel.merit import fill_blocks
from headrace.dispatch.kernel.path import solve_path
from headrace.dispatch.kernel.stage import build_stages, powers

__all__ = ["pack_blocks", "solve_blocks", "solve_problem"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def pack_blocks(
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
    cap_mw: Floats,
    over_ccy_per_mw: float,
    price: Floats,
    width: Floats,
    need: Floats,
    base: Floats,
) -> None:
    """Lay a problem out as blocks: uses, then sources, export, import, and import above the peak.

    Parameters
    ----------
    step_h, import_cost, export_value, import_max, export_max, firm
        As in `Problem`, shape (T,).
    use_value, use_max
        Shape (N, T).
    source_cost, source_min, source_max
        Shape (M, T).
    cap_mw
        Import above this power goes to the dearer tier, shape (T,); empty for one tier.
    over_ccy_per_mw
        Charge of the dearer tier per MW and step, on top of the import cost.
    price, width
        Written, shape (T, N + M + 2), one block more with a cap.
    need, base
        Written, shape (T,).
    """
    uses, sources = use_value.shape[0], source_cost.shape[0]
    tiers = cap_mw.shape[0] > 0
    grid = uses + sources
    for t in range(step_h.shape[0]):
        net = firm[t]
        worth = 0.0
        for i in range(uses):
            price[t, i] = use_value[i, t]
            width[t, i] = use_max[i, t]
        for j in range(sources):
            k = uses + j
            price[t, k] = source_cost[j, t]
            width[t, k] = source_max[j, t] - source_min[j, t]
            net -= source_max[j, t]
            worth -= source_cost[j, t] * source_max[j, t]
        price[t, grid] = export_value[t]
        width[t, grid] = export_max[t]
        below = import_max[t]
        if tiers:
            below = min(below, cap_mw[t])
            over = import_cost[t] + over_ccy_per_mw / step_h[t]
            price[t, grid + 2] = over
            width[t, grid + 2] = import_max[t] - below
            net -= width[t, grid + 2]
            worth -= over * width[t, grid + 2]
        price[t, grid + 1] = import_cost[t]
        width[t, grid + 1] = below
        need[t] = net - below
        base[t] = worth - import_cost[t] * below


@njit(cache=True, error_model="numpy")
def solve_blocks(
    step_h: Floats,
    price: Floats,
    width: Floats,
    need: Floats,
    base: Floats,
    battery: Floats,
    start_mwh: float,
    end_slope: Floats,
    end_width: Floats,
    end_base: float,
    fill: Floats,
    power: Floats,
    stored: Floats,
    duals: Floats,
) -> float:
    """Solve a horizon of blocks, with path, fills and duals.

    Parameters
    ----------
    step_h, price, width, need, base, battery
        As in `build_stages`.
    start_mwh, end_slope, end_width, end_base
        As in `solve_path`.
    fill
        Written: power in each block, shape (T, B).
    power
        Written: charge and discharge, MW, shape (T, 2).
    stored
        Written: s_0..s_T, shape (T+1,).
    duals
        Written: bid, ask, least and greatest water value per MWh, shape (T, 4).

    Returns
    -------
    float
        Optimal value by the dynamic programme; NaN if infeasible.
    """
    steps, blocks = price.shape
    order = np.empty((steps, blocks), np.int64)
    for i in range(blocks):
        order[0, i] = i
    slope = np.empty((steps, blocks + 4))
    piece = np.empty((steps, blocks + 4))
    count = np.empty(steps, np.int64)
    frame = np.empty((steps, 5))
    bad = build_stages(0, steps, step_h, price, width, need, base, battery, order, slope, piece, count, frame)
    if bad >= 0:
        return np.nan
    feasible, value = solve_path(
        slope, piece, count, frame, battery[5], battery[6], start_mwh, end_slope, end_width, end_base, stored
    )
    if not feasible:
        return np.nan
    water = duals[:, 2:]
    water_values(slope, piece, count, frame, battery[5], battery[6], end_slope, end_width, stored, water)
    for t in range(steps):
        charge, discharge = powers(stored[t] - stored[t + 1], step_h[t], frame[t, 4], battery)
        power[t, 0], power[t, 1] = charge, discharge
        fill_blocks(width, order, t, need[t], discharge - charge, fill[t])
        duals[t, 0], duals[t, 1] = bus_interval(
            price, width, order, t, need[t], charge, discharge, water[t, 0], water[t, 1], battery
        )
    return value


@njit(cache=True, error_model="numpy")
def solve_problem(
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
    cap_mw: Floats,
    over_ccy_per_mw: float,
) -> tuple[float, float, Floats, Floats]:
    """Solve a problem without peak charge, or with the peak fixed at `cap_mw`.

    Returns
    -------
    tuple
        (value by the dynamic programme or NaN if infeasible, objective of the plan without any peak charge,
        rows of shape (N + M + 8, T): uses, sources, export, import, charge, discharge, bid, ask, least and greatest
        water value; stored energy, shape (T+1,)).
    """
    steps = step_h.shape[0]
    uses, sources = use_value.shape[0], source_cost.shape[0]
    tiers = cap_mw.shape[0] > 0
    blocks = uses + sources + (3 if tiers else 2)
    price = np.empty((steps, blocks))
    width = np.empty((steps, blocks))
    need = np.empty(steps)
    base = np.empty(steps)
    pack_blocks(
        step_h, import_cost, export_value, import_max, export_max, firm, use_value, use_max,
        source_cost, source_min, source_max, cap_mw, over_ccy_per_mw, price, width, need, base,
    )  # fmt: skip
    fill = np.empty((steps, blocks))
    power = np.empty((steps, 2))
    stored: Floats = np.empty(steps + 1)
    duals = np.empty((steps, 4))
    end_slope = np.full(1, end_value)
    end_width = np.full(1, battery[6] - battery[5])
    out: Floats = np.empty((uses + sources + 8, steps))
    value = solve_blocks(
        step_h, price, width, need, base, battery, start_mwh, end_slope, end_width, end_value * battery[5],
        fill, power, stored, duals,
    )  # fmt: skip
    if np.isnan(value):
        return np.nan, np.nan, out, stored
    worth = 0.0
    grid = uses + sources
    for t in range(steps):
        rate = 0.0
        for i in range(uses):
            out[i, t] = fill[t, i]
            rate += use_value[i, t] * fill[t, i]
        for j in range(uses, grid):
            output = source_max[j - uses, t] - fill[t, j]
            out[j, t] = output
            rate -= source_cost[j - uses, t] * output
        taken = width[t, grid + 1] - fill[t, grid + 1]
        if tiers:
            taken += width[t, grid + 2] - fill[t, grid + 2]
        out[grid, t] = fill[t, grid]
        out[grid + 1, t] = taken
        rate += export_value[t] * fill[t, grid] - import_cost[t] * taken - battery[4] * power[t, 1]
        worth += step_h[t] * rate
        for k in range(2):
            out[grid + 2 + k, t] = power[t, k]
        for k in range(4):
            out[grid + 4 + k, t] = duals[t, k]
    return value, float(worth + end_value * stored[steps]), out, stored
