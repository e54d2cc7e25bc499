"""Water values under an uncertain price: the dynamic programme of `merge` with a Markov state for the price.

In step t the price is its base plus the deviation of state i, seen before the step is decided. The worth of s MWh in
store is

    V_t(s, i) = max over x of  g_t(x; price of i) + W_t(s − x, i)        W_t(·, i) = Σ_j P_t(i, j) V_{t+1}(·, j)

V and W are concave in s. Each is kept as M slopes, one per equal cell of the store, so W is a weighted mean of slopes,
cell by cell. The merge with g is exact; then V is replaced by its chord over each cell. That lowers V by at most a
quarter of the cell's width times the fall of the slope inside the cell, and neither the maximum nor the mean ever
enlarges an error, so V after T steps is low by at most the sum of T such terms, and never high.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.merit import sort_blocks
from headrace.dispatch.kernel.stage import stage
from headrace.dispatch.kernel.tolerance import FEASIBLE_MWH, TINY_MWH

__all__ = ["blend", "state_weights", "water_curves"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def water_curves(
    step_h: Floats,
    price: Floats,
    width: Floats,
    need: Floats,
    base: Floats,
    grid: int,
    battery: Floats,
    hour: Ints,
    deviation: Floats,
    transition: Floats,
    end_value: float,
    curve: Floats,
) -> int:
    """Find W of every step and state.

    Parameters
    ----------
    step_h
        Lengths, hours, shape (T,).
    price, width, need, base
        Blocks at the base price; see `pack_blocks`, shape (T, B) and (T,).
    grid
        Position of the export block; import follows it.
    battery
        As in `build_stages`, s_min < s_max.
    hour
        Row of `deviation` and `transition` that holds in each step, shape (T,).
    deviation, transition
        The chain, shape (H, N) and (H, N, N).
    end_value
        Worth of one MWh in store after the last step.
    curve
        Written: slopes of W_t(·, i), dearest first, shape (>= T, N, M).

    Returns
    -------
    int
        First step, from the last, in which the store must give or take so that not every stored energy can serve it;
        -1 if there is none.
    """
    steps, blocks = price.shape
    states, cells = curve.shape[1], curve.shape[2]
    cell_mwh = (battery[6] - battery[5]) / cells
    value = np.full((states, cells), end_value)
    order = np.empty((states, 1, blocks), np.int64)
    for i in range(states):
        for k in range(blocks):
            order[i, 0, k] = k
    stage_price, stage_width = np.empty((1, blocks)), np.empty((1, blocks))
    slope, piece = np.empty((1, blocks + 4)), np.empty((1, blocks + 4))
    frame = np.empty((1, 5))
    for t in range(steps - 1, -1, -1):
        for i in range(states):
            blend(value, transition[hour[t], i], curve[t, i])
        for k in range(blocks):
            stage_price[0, k], stage_width[0, k] = price[t, k], width[t, k]
        for i in range(states):
            stage_price[0, grid] = price[t, grid] + deviation[hour[t], i]
            stage_price[0, grid + 1] = price[t, grid + 1] + deviation[hour[t], i]
            sort_blocks(stage_price, order[i], 0)
            count = stage(
                stage_price, stage_width, order[i], 0, need[t], base[t], step_h[t], battery, slope, piece, frame
            )
            if count < 0 or frame[0, 0] > FEASIBLE_MWH or frame[0, 1] < -FEASIBLE_MWH:
                return t
            _merge_to_cells(curve[t, i], cell_mwh, slope, piece, count, -frame[0, 0], value[i])
    return -1


@njit(cache=True, error_model="numpy")
def blend(curves: Floats, weight: Floats, out: Floats) -> None:
    """Weighted mean of curves on common cells, shapes (N, M), (N,), (M,): the mean of concave functions, exactly."""
    for c in range(out.shape[0]):
        out[c] = 0.0
    for j in range(weight.shape[0]):
        if weight[j] > 0.0:
            for c in range(out.shape[0]):
                out[c] += weight[j] * curves[j, c]


@njit(cache=True, error_model="numpy")
def state_weights(deviation: Floats, transition: Floats, seen: float, seen_hour: int, hours: Ints) -> Floats:
    """Chance of each state now, from a deviation seen some intervals ago.

    A deviation between the means of two states belongs to both, by distance; then the chain runs once for each interval
    since.

    Parameters
    ----------
    deviation, transition
        The chain, shape (H, N) and (H, N, N).
    seen, seen_hour
        Deviation, and the row of the interval it was seen in.
    hours
        Row of each interval from the one it was seen in to the one before the present; empty if it was seen now.
    """
    states = deviation.shape[1]
    mean = deviation[seen_hour]
    weight = np.zeros(states)
    above = 0
    while above < states and mean[above] <= seen:
        above += 1
    if above in {0, states}:
        weight[max(above - 1, 0)] = 1.0
    else:
        share = (seen - mean[above - 1]) / (mean[above] - mean[above - 1])
        weight[above - 1], weight[above] = 1.0 - share, share
    for k in range(hours.shape[0]):
        moved = np.zeros(states)
        for i in range(states):
            for j in range(states):
                moved[j] += weight[i] * transition[hours[k], i, j]
        weight = moved
    return weight


@njit(cache=True, error_model="numpy")
def _merge_to_cells(
    curve: Floats, cell_mwh: float, slope: Floats, piece: Floats, count: int, drop_mwh: float, out: Floats
) -> None:
    """Merge a curve on cells with g, drop width at the dear end, and take the mean slope of each cell.

    Parameters
    ----------
    curve, cell_mwh
        M slopes and their common width.
    slope, piece, count
        g, row 0.
    drop_mwh
        Width that lies below the least stored energy.
    out
        Written: M slopes.
    """
    cells = out.shape[0]
    i = j = cell = 0
    curve_left = cell_mwh
    piece_left = piece[0, 0] if count > 0 else 0.0
    room = cell_mwh
    worth = 0.0
    while cell < cells and (i < cells or j < count):
        from_curve = i < cells and (j >= count or curve[i] >= slope[0, j])
        mu = curve[i] if from_curve else slope[0, j]
        have = curve_left if from_curve else piece_left
        is_below = drop_mwh > TINY_MWH
        part = min(have, drop_mwh if is_below else room)
        if is_below:
            drop_mwh -= part
        else:
            worth += mu * part
            room -= part
            if room <= TINY_MWH:
                out[cell] = worth / (cell_mwh - room)
                cell += 1
                room, worth = cell_mwh, 0.0
        if from_curve:
            curve_left -= part
            if curve_left <= TINY_MWH:
                i += 1
                curve_left = cell_mwh
        else:
            piece_left -= part
            if piece_left <= TINY_MWH:
                j += 1
                if j < count:
                    piece_left = piece[0, j]
    while cell < cells:  # rounding left the last cell a hair short
        out[cell] = worth / (cell_mwh - room) if room < cell_mwh else out[cell - 1]
        cell += 1
        room = cell_mwh
