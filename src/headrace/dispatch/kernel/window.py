"""A window of a rolling re-plan: only what its first step needs.

For a loop that re-plans every control step, compiled itself, and owns the scratch arrays. Per window:

1. lay the window out as blocks (`price`, `width`, `need`, `base`; see `headrace.dispatch.kernel.merit`; any block
order); 2. `build_stages(0, steps, ...)`;
3. `first_step(steps, ...)`: stored energy after the first step and the water value's interval there;
4. `powers(...)`, `fill_blocks(...)`, `bus_interval(...)` with t = 0: battery power, power in each block, bid and ask.

A supplier's output is its full output minus its fill. An import tier above a peak is one more block with a dearer
price.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.marginal import curve_slopes, stage_slopes
from headrace.dispatch.kernel.merge import split
from headrace.dispatch.kernel.path import back_block, copy_pieces
from headrace.dispatch.kernel.tolerance import FEASIBLE_MWH

__all__ = ["first_step"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def first_step(
    steps: int,
    stage_slope: Floats,
    stage_width: Floats,
    stage_count: Ints,
    frame: Floats,
    stored_min: float,
    stored_max: float,
    stored_mwh: float,
    end_slope: Floats,
    end_width: Floats,
    slope: Floats,
    width: Floats,
    curve_at: Ints,
    curve_count: Ints,
    curve: Floats,
) -> tuple[float, float, float]:
    """Solve a window for its first step.

    Parameters
    ----------
    steps
        Steps in the window; the arrays may be longer.
    stage_slope, stage_width, stage_count, frame
        From `build_stages`.
    stored_min, stored_max
        Limits of stored energy, MWh (0, 0 without a battery).
    stored_mwh
        Stored energy now, within the limits.
    end_slope, end_width
        Worth of stored energy at the window's end: slopes falling, widths that add up to stored_max - stored_min, shape
        (E,).
    slope, width
        Scratch for pieces, shape (P,); P = 64 (steps + 1) is enough as a rule, else larger arrays are made for the
        call.
    curve_at, curve_count, curve
        Scratch, shape (>= steps,), (>= steps,), (>= steps, 3).

    Returns
    -------
    tuple
        (stored energy after the first step, MWh; least and greatest water value after it, per MWh). The energy is NaN
        if the window is infeasible.
    """
    count = end_slope.shape[0]
    copy_pieces(end_slope, end_width, 0, count, slope, width, 0)
    last = steps - 1
    curve_at[last], curve_count[last] = 0, count
    curve[last, 0], curve[last, 1], curve[last, 2] = stored_min, stored_max, 0.0
    slope, width, bad = back_block(
        1, steps, slope, width, curve_at, curve_count, curve,
        stage_slope, stage_width, stage_count, frame, stored_min, stored_max,
    )  # fmt: skip
    low, high = curve[0, 0], curve[0, 1]
    if (
        bad >= 0
        or stage_count[0] < 0
        or stored_mwh - frame[0, 0] < low - FEASIBLE_MWH
        or stored_mwh - frame[0, 1] > high + FEASIBLE_MWH
    ):
        return np.nan, -np.inf, np.inf
    after = split(
        slope, width, curve_at[0], curve_count[0], low, high,
        stage_slope, stage_width, stage_count, frame, 0, stored_mwh,
    )  # fmt: skip
    right, left = curve_slopes(slope, width, curve_at[0], curve_count[0], low, after)
    right_now, left_now = stage_slopes(stage_slope, stage_width, stage_count, frame, 0, stored_mwh - after)
    return after, max(right, right_now), min(left, left_now)
