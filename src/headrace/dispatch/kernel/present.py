"""One step against a curve of what stored energy is worth after it."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.marginal import bus_interval, water_values
from headrace.dispatch.kernel.merit import fill_blocks
from headrace.dispatch.kernel.path import solve_path
from headrace.dispatch.kernel.stage import build_stages, powers
from headrace.dispatch.kernel.whole import pack_blocks

__all__ = ["solve_present"]

Floats = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def solve_present(
    step_h: Floats, import_cost: Floats, export_value: Floats, import_max: Floats, export_max: Floats, firm: Floats,
    use_value: Floats, use_max: Floats, source_cost: Floats, source_min: Floats, source_max: Floats,
    battery: Floats, start_mwh: float, slope: Floats,
) -> tuple[bool, Floats, Floats]:  # fmt: skip
    """Solve one step exactly.

    Parameters
    ----------
    step_h, import_cost, export_value, import_max, export_max, firm, use_value, use_max, source_cost, source_min,
    source_max, battery, start_mwh
        As in `solve_problem`, with T = 1.
    slope
        Worth of one MWh in store after the step, dearest first, on equal cells from s_min to s_max, shape (M,).

    Returns
    -------
    tuple
        (is feasible; rows of shape (N + M + 6, 1): uses, sources, export, import, charge, discharge, bid, ask; stored
        energy before and after).
    """
    uses, sources = use_value.shape[0], source_cost.shape[0]
    grid = uses + sources
    blocks = grid + 2
    price, width = np.empty((1, blocks)), np.empty((1, blocks))
    need, base = np.empty(1), np.empty(1)
    pack_blocks(
        step_h, import_cost, export_value, import_max, export_max, firm, use_value, use_max,
        source_cost, source_min, source_max, np.empty(0), 0.0, price, width, need, base,
    )  # fmt: skip
    order = np.arange(blocks).reshape(1, blocks)
    stage_slope, stage_width = np.empty((1, blocks + 4)), np.empty((1, blocks + 4))
    count, frame = np.empty(1, np.int64), np.empty((1, 5))
    rows, stored = np.empty((grid + 6, 1)), np.empty(2)
    cell = np.full(slope.shape[0], (battery[6] - battery[5]) / slope.shape[0])
    if build_stages(
        0, 1, step_h, price, width, need, base, battery, order, stage_slope, stage_width, count, frame
    ) >= 0:  # fmt: skip
        return False, rows, stored
    feasible, _ = solve_path(
        stage_slope, stage_width, count, frame, battery[5], battery[6], start_mwh, slope, cell, 0.0, stored
    )
    if not feasible:
        return False, rows, stored
    water = np.empty((1, 2))
    water_values(stage_slope, stage_width, count, frame, battery[5], battery[6], slope, cell, stored, water)
    charge, discharge = powers(stored[0] - stored[1], step_h[0], frame[0, 4], battery)
    rows[grid + 2, 0], rows[grid + 3, 0] = charge, discharge
    rows[grid + 4, 0], rows[grid + 5, 0] = bus_interval(
        price, width, order, 0, need[0], charge, discharge, water[0, 0], water[0, 1], battery
    )
    fill = np.empty(blocks)
    fill_blocks(width, order, 0, need[0], discharge - charge, fill)
    for i in range(uses):
        rows[i, 0] = fill[i]
    for j in range(sources):
        rows[uses + j, 0] = source_max[j, 0] - fill[uses + j]
    rows[grid, 0] = fill[grid]
    rows[grid + 1, 0] = width[0, grid + 1] - fill[grid + 1]
    return True, rows, stored
