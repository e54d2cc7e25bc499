"""One backward step of the dynamic programme, on value functions kept as lists of pieces.

V_t(s) = max over x of g_t(x) + V_{t+1}(s − x) is a sup-convolution of concave piecewise-linear functions: the pieces of
both, merged by falling slope, then cut to the stored-energy limits. A curve lives in shared arrays at `at .. at +
count` and has

    curve = (low, high, base): domain of s, and V at `low`.

The slope of V is the water value: worth of one more MWh in store.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.tolerance import FEASIBLE_MWH, TINY_MWH

__all__ = ["back_step", "split"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def _cut_left(
    slope: Floats, width: Floats, at: int, count: int,
    stage_slope: Floats, stage_width: Floats, t: int, stage_count: int, drop: float,
) -> tuple[int, int, float, float, float]:  # fmt: skip
    """Drop width from the dear end of both lists.

    Returns
    -------
    tuple
        (first piece left of the curve, of the stage; what is cut off each of them; value of all that went).
    """
    i, i_end, j = at, at + count, 0
    cut_curve = cut_stage = area = 0.0
    while drop > TINY_MWH and (i < i_end or j < stage_count):
        if i < i_end and (j >= stage_count or slope[i] >= stage_slope[t, j]):
            part = min(width[i], drop)
            area += slope[i] * part
            if width[i] - part <= TINY_MWH:
                i += 1
            else:
                cut_curve = part
        else:
            part = min(stage_width[t, j], drop)
            area += stage_slope[t, j] * part
            if stage_width[t, j] - part <= TINY_MWH:
                j += 1
            else:
                cut_stage = part
        drop -= part
    return i, j, cut_curve, cut_stage, area


@njit(cache=True, error_model="numpy")
def _cut_right(
    slope: Floats, width: Floats, i: int, i_end: int, cut_curve: float,
    stage_slope: Floats, stage_width: Floats, t: int, j: int, j_end: int, cut_stage: float, drop: float,
) -> tuple[int, int, float, float]:  # fmt: skip
    """Drop width from the cheap end of what `_cut_left` left: (ends of both lists, what is cut off their last)."""
    cut_curve_end = cut_stage_end = 0.0
    while drop > TINY_MWH and (i < i_end or j < j_end):
        if i < i_end and (j >= j_end or slope[i_end - 1] < stage_slope[t, j_end - 1]):
            have = width[i_end - 1] - (cut_curve if i == i_end - 1 else 0.0)
            part = min(have, drop)
            if have - part <= TINY_MWH:
                i_end -= 1
            else:
                cut_curve_end = part
        else:
            have = stage_width[t, j_end - 1] - (cut_stage if j == j_end - 1 else 0.0)
            part = min(have, drop)
            if have - part <= TINY_MWH:
                j_end -= 1
            else:
                cut_stage_end = part
        drop -= part
    return i_end, j_end, cut_curve_end, cut_stage_end


@njit(cache=True, error_model="numpy")
def _place(slope: Floats, first: int, last: int, mu: float) -> int:
    """First position in a falling list whose slope is below `mu`."""
    while first < last:
        middle = (first + last) >> 1
        if slope[middle] >= mu:
            first = middle + 1
        else:
            last = middle
    return first


@njit(cache=True, error_model="numpy")
def _merge(
    slope: Floats, width: Floats, at: int, count: int,
    stage_slope: Floats, stage_width: Floats, t: int, stage_count: int,
    drop_left: float, drop_right: float, to: int,
) -> tuple[int, float]:  # fmt: skip
    """Merge a curve with g_t, dropping width at both ends; write at `to`. Returns (pieces, value of what went left).

    Few pieces of g survive the cuts, so runs of the curve are copied whole between them.
    """
    i, j, cut_curve, cut_stage, area = _cut_left(
        slope, width, at, count, stage_slope, stage_width, t, stage_count, drop_left
    )
    i_end, j_end, cut_curve_end, cut_stage_end = _cut_right(
        slope, width, i, at + count, cut_curve, stage_slope, stage_width, t, j, stage_count, cut_stage, drop_right
    )
    out = to
    head, first_stage = i, j
    while i < i_end or j < j_end:
        run_end = i_end if j >= j_end else _place(slope, i, i_end, stage_slope[t, j])
        run = run_end - i
        for k in range(run):
            slope[out + k] = slope[i + k]
            width[out + k] = width[i + k]
        if run > 0:
            if i == head:
                width[out] -= cut_curve
            out += run
            i = run_end
            if i == i_end:
                width[out - 1] -= cut_curve_end
        if j < j_end:
            piece = stage_width[t, j]
            if j == first_stage:
                piece -= cut_stage
            if j == j_end - 1:
                piece -= cut_stage_end
            if out > to and slope[out - 1] == stage_slope[t, j]:
                width[out - 1] += piece
            else:
                slope[out] = stage_slope[t, j]
                width[out] = piece
                out += 1
            j += 1
    return out - to, area


@njit(cache=True, error_model="numpy")
def back_step(
    slope: Floats,
    width: Floats,
    at: int,
    count: int,
    low: float,
    high: float,
    base: float,
    stage_slope: Floats,
    stage_width: Floats,
    stage_count: Ints,
    frame: Floats,
    t: int,
    stored_min: float,
    stored_max: float,
    to: int,
) -> tuple[int, float, float, float]:
    """Turn V_{t+1} at `at` into V_t at `to` (the two must not overlap).

    Parameters
    ----------
    slope, width
        Shared piece arrays; room for `count` + B + 4 pieces at `to`.
    at, count, low, high, base
        V_{t+1}.
    stage_slope, stage_width, stage_count, frame
        From `build_stages`.
    t
        Step.
    stored_min, stored_max
        Limits of stored energy, MWh.
    to
        Where V_t goes.

    Returns
    -------
    tuple
        (pieces, low, high, base) of V_t; pieces = -1 if no stored energy can serve step t and what follows.
    """
    low += frame[t, 0]
    high += frame[t, 1]
    if stage_count[t] < 0 or low > stored_max + FEASIBLE_MWH or high < stored_min - FEASIBLE_MWH:
        return -1, low, high, base
    drop_left = max(stored_min - low, 0.0)
    drop_right = max(high - stored_max, 0.0)
    pieces, area = _merge(
        slope, width, at, count, stage_slope, stage_width, t, stage_count[t], drop_left, drop_right, to
    )
    low = min(max(low, stored_min), stored_max)
    high = max(min(high, stored_max), low)
    return pieces, low, high, base + frame[t, 2] + area


@njit(cache=True, error_model="numpy")
def split(
    slope: Floats,
    width: Floats,
    at: int,
    count: int,
    low: float,
    high: float,
    stage_slope: Floats,
    stage_width: Floats,
    stage_count: Ints,
    frame: Floats,
    t: int,
    stored_mwh: float,
) -> float:
    """Stored energy after step t that is best from `stored_mwh` before it; on ties the most.

    Parameters
    ----------
    slope, width, at, count, low, high
        V_{t+1}.
    stage_slope, stage_width, stage_count, frame
        From `build_stages`.
    t
        Step.
    stored_mwh
        s_t.

    Returns
    -------
    float
        s_{t+1}, MWh.
    """
    left = stored_mwh - low - frame[t, 0]
    kept = low
    i, i_end, j, j_end = at, at + count, 0, stage_count[t]
    while left > 0.0 and (i < i_end or j < j_end):
        if i < i_end and (j >= j_end or slope[i] >= stage_slope[t, j]):
            part = min(width[i], left)
            kept += part
            i += 1
        else:
            part = min(stage_width[t, j], left)
            j += 1
        left -= part
    kept = min(max(kept, stored_mwh - frame[t, 1]), stored_mwh - frame[t, 0])
    return float(min(max(kept, low), high))
