"""From a problem's arrays to a plan's arrays in one compiled call."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.marginal import bus_interval, water_values
from headrace.dispatch.kernel.merit import fill_blocks
from headrace.dispatch.kernel.path import solve_path
from headrace.dispatch.kernel.stage import build_stages, powers

__all__ = ["pack_blocks", "solve_problem"]

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
def solve_problem(
    step_h: Floats, import_cost: Floats, export_value: Floats, import_max: Floats, export_max: Floats, firm: Floats,
    use_value: Floats, use_max: Floats, source_cost: Floats, source_min: Floats, source_max: Floats,
    battery: Floats, start_mwh: float, end_value: float, cap_mw: Floats, over_ccy_per_mw: float,
) -> tuple[float, float, Floats, Floats]:  # fmt: skip
    """Solve a problem without peak charge, or with the peak fixed at `cap_mw`.

    Parameters
    ----------
    step_h, import_cost, export_value, import_max, export_max, firm, use_value, use_max, source_cost, source_min,
    source_max
        As in `Problem`.
    battery
        As in `build_stages`.
    start_mwh, end_value
        s_0 and ω.
    cap_mw, over_ccy_per_mw
        As in `pack_blocks`.

    Returns
    -------
    tuple
        (value by the dynamic programme or NaN if infeasible; objective of the plan without any charge on peaks or above
        the cap; rows of shape (N + M + 8, T): uses, sources, export, import, charge, discharge, bid, ask, least and
        greatest water value; stored energy, shape (T+1,)).
    """
    steps = step_h.shape[0]
    grid = use_value.shape[0] + source_cost.shape[0]
    blocks = grid + (3 if cap_mw.shape[0] > 0 else 2)
    price = np.empty((steps, blocks))
    width = np.empty((steps, blocks))
    need = np.empty(steps)
    base = np.empty(steps)
    pack_blocks(
        step_h, import_cost, export_value, import_max, export_max, firm, use_value, use_max,
        source_cost, source_min, source_max, cap_mw, over_ccy_per_mw, price, width, need, base,
    )  # fmt: skip
    order = np.empty((steps, blocks), np.int64)
    for i in range(blocks):
        order[0, i] = i
    slope = np.empty((steps, blocks + 4))
    piece = np.empty((steps, blocks + 4))
    count = np.empty(steps, np.int64)
    frame = np.empty((steps, 5))
    stored: Floats = np.empty(steps + 1)
    rows: Floats = np.empty((grid + 8, steps))
    if build_stages(0, steps, step_h, price, width, need, base, battery, order, slope, piece, count, frame) >= 0:
        return np.nan, np.nan, rows, stored
    end_slope = np.empty(1)
    end_width = np.empty(1)
    end_slope[0], end_width[0] = end_value, battery[6] - battery[5]
    feasible, value = solve_path(
        slope, piece, count, frame, battery[5], battery[6], start_mwh, end_slope, end_width, end_value * battery[5],
        stored,
    )  # fmt: skip
    if not feasible:
        return np.nan, np.nan, rows, stored
    water = np.empty((steps, 2))
    water_values(slope, piece, count, frame, battery[5], battery[6], end_slope, end_width, stored, water)
    for t in range(steps):
        charge, discharge = powers(stored[t] - stored[t + 1], step_h[t], frame[t, 4], battery)
        rows[grid + 2, t], rows[grid + 3, t] = charge, discharge
        rows[grid + 4, t], rows[grid + 5, t] = bus_interval(
            price, width, order, t, need[t], charge, discharge, water[t, 0], water[t, 1], battery
        )
        rows[grid + 6, t], rows[grid + 7, t] = water[t, 0], water[t, 1]
    worth = _read_blocks(
        step_h, import_cost, export_value, use_value, source_cost, source_max, battery[4], width, order, need, rows
    )
    return value, float(worth + end_value * stored[steps]), rows, stored


@njit(cache=True, error_model="numpy")
def _read_blocks(
    step_h: Floats, import_cost: Floats, export_value: Floats, use_value: Floats, source_cost: Floats,
    source_max: Floats, wear: float, width: Floats, order: Ints, need: Floats, rows: Floats,
) -> float:  # fmt: skip
    """Write uses, sources, export and import that go with the battery's powers; return what the plan earns."""
    uses = use_value.shape[0]
    grid = uses + source_cost.shape[0]
    blocks = width.shape[1]
    fill = np.empty(blocks)
    worth = 0.0
    for t in range(step_h.shape[0]):
        fill_blocks(width, order, t, need[t], rows[grid + 3, t] - rows[grid + 2, t], fill)
        rate = -wear * rows[grid + 3, t]
        for i in range(uses):
            rows[i, t] = fill[i]
            rate += use_value[i, t] * fill[i]
        for j in range(uses, grid):
            output = source_max[j - uses, t] - fill[j]
            rows[j, t] = output
            rate -= source_cost[j - uses, t] * output
        taken = 0.0
        for k in range(grid + 1, blocks):
            taken += width[t, k] - fill[k]
        rows[grid, t], rows[grid + 1, t] = fill[grid], taken
        worth += step_h[t] * (rate + export_value[t] * fill[grid] - import_cost[t] * taken)
    return worth
