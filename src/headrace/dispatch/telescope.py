"""The grid of a rolling window: control steps near, whole hours far.

Forecasts beyond the next hours are hourly anyway, and where the data inside an hour are equal a convex problem loses
nothing by planning the hour as one step.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["window_grid"]

HOUR_S = 3600


def window_grid(
    *, now_s: int, step_s: int, fine_s: int, horizon_s: int, end_s: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Starts and lengths of a window's steps.

    Control steps reach at least `fine_s` ahead and on to the next full hour (UTC); whole hours follow until `horizon_s`
    is covered; `end_s` cuts everything, so the last step may be shorter.

    Parameters
    ----------
    now_s
        Start of the window, epoch seconds.
    step_s
        Control step, seconds.
    fine_s
        Least span of control steps, seconds.
    horizon_s
        Span to cover, seconds.
    end_s
        End of the period, epoch seconds, after `now_s`.

    Returns
    -------
    tuple
        (starts, epoch seconds, shape (T,); lengths, hours, shape (T,)).
    """
    hours_from_s = -(-(now_s + fine_s) // HOUR_S) * HOUR_S
    last_s = max(hours_from_s, -(-(now_s + horizon_s) // HOUR_S) * HOUR_S)
    fine_end_s = min(hours_from_s, end_s)
    edges_s = np.concatenate(
        (
            np.arange(now_s, fine_end_s, step_s, dtype=np.int64),
            np.arange(fine_end_s, min(last_s, end_s), HOUR_S, dtype=np.int64),
            np.array((min(last_s, end_s),), np.int64),
        )
    )
    return edges_s[:-1], np.diff(edges_s) / HOUR_S
