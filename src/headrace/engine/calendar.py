"""Local months, days and hours of a site on a control grid; the only place where replay meets local time."""

from datetime import datetime, timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import Interval, epoch_s
from headrace.energy.local_time import by_local_time

__all__ = ["LocalCalendar", "local_calendar"]


class LocalCalendar(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Local time of each control step, shape (T,)."""

    month: NDArray[np.int64]
    """Calendar month, 1..12."""
    month_count: NDArray[np.int64]
    """Months since year 0, so that January follows December: which bill a step belongs to."""
    hour: NDArray[np.int64]
    """Hour of the day, 0..23."""
    day_end_s: NDArray[np.int64]
    """End of the local day, epoch seconds; days of 23 and 25 hours included."""
    month_start_s: NDArray[np.int64]
    """Start of the local month, epoch seconds."""
    month_end_s: NDArray[np.int64]
    """End of the local month, epoch seconds."""
    weekday: NDArray[np.int64]
    """Day of the week, 0 for Monday."""


def local_calendar(window: Interval, step_s: int, time_zone: str) -> LocalCalendar:
    """Work out local time for every step of a window that starts on a control step."""
    starts_s = np.arange(window.start_s, window.end_s, step_s, dtype=np.int64)
    table = by_local_time(starts_s, time_zone, _row)
    return LocalCalendar(
        month=table[:, 0],
        month_count=table[:, 1],
        hour=table[:, 2],
        day_end_s=table[:, 3],
        month_start_s=table[:, 4],
        month_end_s=table[:, 5],
        weekday=table[:, 6],
    )


def _row(local: datetime) -> tuple[int, ...]:
    """What the calendar holds of one local time, in the order of its fields."""
    midnight = local.replace(hour=0, minute=0, second=0, fold=0)
    day_end = (midnight + timedelta(days=1)).replace(tzinfo=local.tzinfo)
    first = midnight.replace(day=1)
    month_end = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return (
        local.month,
        local.year * 12 + local.month - 1,
        local.hour,
        epoch_s(day_end),
        epoch_s(first),
        epoch_s(month_end),
        local.weekday(),
    )
