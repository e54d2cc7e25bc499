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
def _merge(
    slope: Floats,
    width: Floats,
    at: int,
    count: int,
    stage_slope: Floats,
    stage_width: Floats,
    t: int,
    stage_count: int,
    drop_left: float,
    drop_right: float,
    to: int,
) -> tuple[int, float]:
    """Merge a curve with g_t, dropping width at both ends; write at `to`. Returns (pieces, value of what went left)."""
    i, i_end, j, j_end = at, at + count, 0, stage_count
    cut_v = cut_g = cut_v_end = cut_g_end = 0.0
    area = 0.0
    while drop_left > TINY_MWH and (i < i_end or j < j_end):
        if i < i_end and (j >= j_end or slope[i] >= stage_slope[t, j]):
            part = min(width[i], drop_left)
            area += slope[i] * part
            if width[i] - part <= TINY_MWH:
                i += 1
            else:
                cut_v = part
        else:
            part = min(stage_width[t, j], drop_left)
            area += stage_slope[t, j] * part
            if stage_width[t, j] - part <= TINY_MWH:
                j += 1
            else:
                cut_g = part
        drop_left -= part
    while drop_right > TINY_MWH and (i < i_end or j < j_end):
        if i < i_end and (j >= j_end or slope[i_end - 1] < stage_slope[t, j_end - 1]):
            have = width[i_end - 1] - (cut_v if i == i_end - 1 else 0.0)
            part = min(have, drop_right)
            if have - part <= TINY_MWH:
                i_end -= 1
            else:
                cut_v_end = part
        else:
            have = stage_width[t, j_end - 1] - (cut_g if j == j_end - 1 else 0.0)
            part = min(have, drop_right)
            if have - part <= TINY_MWH:
                j_end -= 1
            else:
                cut_g_end = part
        drop_right -= part
    out = to
    head, tail = i, i_end - 1
    while j < j_end:
        mu = stage_slope[t, j]
        low, high = i, i_end
        while low < high:
            middle = (low + high) >> 1
            if slope[middle] >= mu:
                low = middle + 1
            else:
                high = middle
        for k in range(low - i):
            slope[out + k] = slope[i + k]
            width[out + k] = width[i + k]
        if i == head and low > i:
            width[out] -= cut_v
        out += low - i
        if low > tail and low > i:
            width[out - 1] -= cut_v_end
        i = low
        piece = stage_width[t, j]
        if cut_g > 0.0:
            piece -= cut_g
            cut_g = 0.0
        if j == j_end - 1:
            piece -= cut_g_end
        if out > to and slope[out - 1] == mu:
            width[out - 1] += piece
        else:
            slope[out] = mu
            width[out] = piece
            out += 1
        j += 1
    for k in range(i_end - i):
        slope[out + k] = slope[i + k]
        width[out + k] = width[i + k]
    if i < i_end:
        if i == head:
            width[out] -= cut_v
        out += i_end - i
        width[out - 1] -= cut_v_end
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
