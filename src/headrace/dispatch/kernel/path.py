"""The whole horizon: value functions backwards, the best path of stored energy forwards, block by block.

Long horizons run in blocks: a first pass keeps V only at block ends, a second recomputes one block at a time and walks
it, so memory stays in cache and grows with the number of blocks.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.merge import back_step, split
from headrace.dispatch.kernel.tolerance import FEASIBLE_MWH

__all__ = ["BLOCK_STEPS", "back_block", "copy_pieces", "solve_path"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCK_STEPS = 512
"""Steps whose value functions are kept at once: about 1.5 MB, inside a core's cache."""


@njit(cache=True, error_model="numpy")
def copy_pieces(slope: Floats, width: Floats, at: int, count: int, to_slope: Floats, to_width: Floats, to: int) -> None:
    """Copy pieces from the left; loops compile in a tenth of the time that slices take."""
    for i in range(count):
        to_slope[to + i] = slope[at + i]
        to_width[to + i] = width[at + i]


@njit(cache=True, error_model="numpy")
def _room(slope: Floats, width: Floats, need: int) -> tuple[Floats, Floats]:
    """Arrays with room for `need` pieces, old content kept."""
    if need <= slope.shape[0]:
        return slope, width
    grown_slope = np.empty(2 * need)
    grown_width = np.empty(2 * need)
    copy_pieces(slope, width, 0, slope.shape[0], grown_slope, grown_width, 0)
    return grown_slope, grown_width


@njit(cache=True, error_model="numpy")
def _anchor(width: Floats, at: int, count: int, span: float) -> None:
    """Let the last piece take up the rounding that thousands of cuts left in a curve's total width."""
    total = 0.0
    for i in range(at, at + count):
        total += width[i]
    if count:
        width[at + count - 1] = max(width[at + count - 1] + span - total, 0.0)


@njit(cache=True, error_model="numpy")
def back_block(
    first: int,
    last: int,
    slope: Floats,
    width: Floats,
    curve_at: Ints,
    curve_count: Ints,
    curve: Floats,
    stage_slope: Floats,
    stage_width: Floats,
    stage_count: Ints,
    frame: Floats,
    stored_min: float,
    stored_max: float,
) -> tuple[Floats, Floats, int]:
    """Value functions V_first..V_last, all kept, from V_last at position 0.

    Parameters
    ----------
    first, last
        Steps first <= t < last are solved; row k of the curve arrays is V_{first + k}.
    slope, width
        Pieces; V_last at 0. Replaced by larger arrays if they run out.
    curve_at, curve_count
        Where each curve starts and how many pieces it has, shape (>= last - first + 1,); the last row filled on entry.
    curve
        (low, high, base) of each curve, shape (>= last - first + 1, 3); the last row filled on entry.
    stage_slope, stage_width, stage_count, frame
        From `build_stages`.
    stored_min, stored_max
        Limits of stored energy, MWh.

    Returns
    -------
    tuple
        (slope, width, first step from which no plan exists or -1).
    """
    k = last - first
    at, count = curve_at[k], curve_count[k]
    low, high, base = curve[k, 0], curve[k, 1], curve[k, 2]
    extra = stage_slope.shape[1]
    for t in range(last - 1, first - 1, -1):
        to = at + count
        slope, width = _room(slope, width, to + count + extra)
        count, low, high, base = back_step(
            slope, width, at, count, low, high, base,
            stage_slope, stage_width, stage_count, frame, t, stored_min, stored_max, to,
        )  # fmt: skip
        if count < 0:
            return slope, width, t
        at = to
        k = t - first
        curve_at[k], curve_count[k] = at, count
        curve[k, 0], curve[k, 1], curve[k, 2] = low, high, base
    return slope, width, -1


@njit(cache=True, error_model="numpy")
def solve_path(
    stage_slope: Floats, stage_width: Floats, stage_count: Ints, frame: Floats, stored_min: float, stored_max: float,
    start_mwh: float, end_slope: Floats, end_width: Floats, end_base: float, stored_mwh: Floats,
) -> tuple[bool, float]:  # fmt: skip
    """Solve a horizon exactly.

    Parameters
    ----------
    stage_slope, stage_width, stage_count, frame
        From `build_stages`, T steps.
    stored_min, stored_max
        Limits of stored energy, MWh.
    start_mwh
        s_0.
    end_slope, end_width, end_base
        V_T: slopes falling and widths that add up to stored_max - stored_min; value at stored_min.
    stored_mwh
        Written: s_0..s_T, shape (T+1,).

    Returns
    -------
    tuple
        (is feasible, V_0(s_0)).
    """
    steps = stage_count.shape[0]
    blocks = (steps + BLOCK_STEPS - 1) // BLOCK_STEPS
    rows = min(steps, BLOCK_STEPS) + 1
    curve_at = np.zeros(rows, np.int64)
    curve_count = np.zeros(rows, np.int64)
    curve = np.zeros((rows, 3))
    count = end_slope.shape[0]
    slope = np.empty(2 * count + 64 * rows)
    width = np.empty(slope.shape[0])
    copy_pieces(end_slope, end_width, 0, count, slope, width, 0)
    kept_slope = np.empty(count + 128 * blocks)
    kept_width = np.empty(kept_slope.shape[0])
    kept_at = np.zeros(blocks, np.int64)
    kept_count = np.zeros(blocks, np.int64)
    kept = np.zeros((blocks, 3))
    kept[blocks - 1, 0], kept[blocks - 1, 1], kept[blocks - 1, 2] = stored_min, stored_max, end_base
    used = 0
    for b in range(blocks - 1, -1, -1):
        first, last = b * BLOCK_STEPS, min((b + 1) * BLOCK_STEPS, steps)
        _anchor(width, 0, count, kept[b, 1] - kept[b, 0])
        kept_slope, kept_width = _room(kept_slope, kept_width, used + count)
        copy_pieces(slope, width, 0, count, kept_slope, kept_width, used)
        kept_at[b], kept_count[b] = used, count
        used += count
        curve_at[last - first], curve_count[last - first] = 0, count
        for k in range(3):
            curve[last - first, k] = kept[b, k]
        slope, width, bad = back_block(
            first, last, slope, width, curve_at, curve_count, curve,
            stage_slope, stage_width, stage_count, frame, stored_min, stored_max,
        )  # fmt: skip
        if bad >= 0:
            return False, 0.0
        if b > 0:
            count = curve_count[0]
            for k in range(3):
                kept[b - 1, k] = curve[0, k]
            copy_pieces(slope, width, curve_at[0], count, slope, width, 0)
    if start_mwh < curve[0, 0] - FEASIBLE_MWH or start_mwh > curve[0, 1] + FEASIBLE_MWH:
        return False, 0.0
    value = _value_at(slope, width, curve_at[0], curve_count[0], curve[0, 0], curve[0, 2], start_mwh)
    stored_mwh[0] = start_mwh
    for b in range(blocks):
        first, last = b * BLOCK_STEPS, min((b + 1) * BLOCK_STEPS, steps)
        if b > 0:
            copy_pieces(kept_slope, kept_width, kept_at[b], kept_count[b], slope, width, 0)
            curve_at[last - first], curve_count[last - first] = 0, kept_count[b]
            for k in range(3):
                curve[last - first, k] = kept[b, k]
            slope, width, bad = back_block(
                first, last, slope, width, curve_at, curve_count, curve,
                stage_slope, stage_width, stage_count, frame, stored_min, stored_max,
            )  # fmt: skip
        _walk(
            first, last, slope, width, curve_at, curve_count, curve,
            stage_slope, stage_width, stage_count, frame, stored_mwh,
        )  # fmt: skip
    return True, value


@njit(cache=True, error_model="numpy")
def _walk(
    first: int, last: int, slope: Floats, width: Floats, curve_at: Ints, curve_count: Ints, curve: Floats,
    stage_slope: Floats, stage_width: Floats, stage_count: Ints, frame: Floats, stored_mwh: Floats,
) -> None:  # fmt: skip
    """Best stored energy after each step of a block, from the energy at its start and the block's value functions."""
    for t in range(first, last):
        k = t + 1 - first
        stored_mwh[t + 1] = split(
            slope, width, curve_at[k], curve_count[k], curve[k, 0], curve[k, 1],
            stage_slope, stage_width, stage_count, frame, t, stored_mwh[t],
        )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _value_at(slope: Floats, width: Floats, at: int, count: int, low: float, base: float, stored_mwh: float) -> float:
    """V at `stored_mwh`."""
    left = stored_mwh - low
    for i in range(at, at + count):
        part = min(width[i], left)
        if part <= 0.0:
            break
        base += slope[i] * part
        left -= part
    return base
