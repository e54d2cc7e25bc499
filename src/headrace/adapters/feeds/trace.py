"""Laying an undated trace over a window: from a local Monday midnight, its whole weeks repeated.

A trace of human demand follows the wall clock, so it is laid by local wall time: the hour that a spring day skips is
skipped in the trace, and the hour that an autumn day repeats is repeated. The Monday is a fixed one, so the same
instant meets the same value in every window.
"""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from headrace.adapters.feeds.table import Table
from headrace.core import BadInput

__all__ = ["lay"]

WEEK_S: Final = 7 * 86_400
FIRST_MONDAY_S: Final = 4 * 86_400
"""1970-01-05T00:00 on the wall clock, counted from 1970-01-01T00:00."""


def lay(name: str, trace: Table, step_s: int, starts_s: NDArray[np.int64], time_zone: str) -> NDArray[np.float64]:
    """Values of a trace at dated intervals.

    Parameters
    ----------
    name
        Series, for messages.
    trace
        Rows at seconds from the trace's own start.
    step_s
        Length of one interval, seconds.
    starts_s
        Interval starts, epoch seconds, shape (N,).
    time_zone
        IANA zone whose wall clock the trace follows.

    Returns
    -------
    NDArray[np.float64]
        Shape (N,), NaN where the trace has no value.

    Raises
    ------
    BadInput
        If the trace is shorter than a week.
    """
    first_s = int(trace.times_s[0])
    weeks = (int(trace.times_s[-1]) + step_s - first_s) // WEEK_S
    if not weeks:
        raise BadInput(f"feed {name!r}", "an undated trace shorter than a week", "Give at least seven days")
    week_steps = weeks * WEEK_S // step_s
    values = np.full(week_steps, np.nan)
    rows = (trace.times_s - first_s) // step_s
    values[rows[rows < week_steps]] = trace.values[rows < week_steps]
    stamps = pl.Series(starts_s * 1_000_000).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(time_zone)
    wall_s: NDArray[np.int64] = stamps.dt.replace_time_zone(None).dt.epoch("s").to_numpy()
    laid: NDArray[np.float64] = values[(wall_s - FIRST_MONDAY_S) // step_s % week_steps]
    return laid
