"""A system's load folded into local days: what a forecast of its peaks remembers.

Loads are kept as logarithms, so that a share of growth, a heat wave and a weekend add up.
"""

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import epoch_s, from_epoch_s
from headrace.energy.series import Series

__all__ = ["LoadDays", "fold"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAYS_BEYOND: Final = 400
"""Calendar days listed after the last one on record, so that a yearly period can be laid out to its end."""


class LoadDays(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """H hours of log load over D local days; a missing hour holds the one before."""

    start_s: int
    """Start of the first hour, epoch seconds."""
    hour_log_mw: Floats
    """Log of the hourly mean load, shape (H,)."""
    known_s: Ints
    """When each hour was known, epoch seconds, shape (H,)."""
    hour_day: Ints
    """Local day of each hour, position in the rows below, shape (H,)."""
    dates: tuple[date, ...]
    """Local date of each day, D of them; the last days have no hours yet."""
    first_hour: Ints
    """Position of each day's first hour, and of the hour after the last day's end, shape (D + 1,)."""
    most_log_mw: Floats
    """Log of each day's highest hour, shape (D,); NaN for a day without hours."""
    most_c: Floats
    """Highest temperature of each day, C, by what was known at its end, shape (D,); NaN where there is none."""
    is_weekend: NDArray[np.bool_]
    """Saturday or Sunday, shape (D,)."""
    day_of_year: Ints
    """1..366, shape (D,)."""


def fold(load: Series, temperature: Series | None, time_zone: str) -> LoadDays:
    """Fold a load series into local days.

    Parameters
    ----------
    load
        System load, MW > 0, on a step that divides the hour.
    temperature
        Outdoor temperature somewhere in the system, C; None without one.
    time_zone
        IANA zone of the days.
    """
    per_hour = 3600 // load.step_s
    skip = -load.start_s // load.step_s % per_hour
    hours = (len(load) - skip) // per_hour
    values = load.values[skip : skip + hours * per_hour].reshape(hours, per_hour).mean(axis=1)
    present = np.isfinite(values) & (values > 0.0)
    first = int(np.argmax(present))
    filled = np.maximum.accumulate(np.where(present, np.arange(hours), first))
    start_s = load.start_s + skip * load.step_s
    hour_log_mw = np.log(values[np.maximum(filled, first)])
    zone = ZoneInfo(time_zone)
    begin = from_epoch_s(start_s).astimezone(zone).date()
    last = from_epoch_s(start_s + hours * 3600 - 1).astimezone(zone).date()
    dates = tuple(begin + timedelta(days=i) for i in range((last - begin).days + 1 + DAYS_BEYOND))
    edges_s = np.array([_midnight_s(day, zone) for day in (*dates, dates[-1] + timedelta(days=1))], np.int64)
    first_hour = np.maximum((edges_s - start_s) // 3600, 0)
    most_log_mw = np.full(len(dates), np.nan)
    for d in range((last - begin).days + 1):
        most_log_mw[d] = hour_log_mw[first_hour[d] : first_hour[d + 1]].max()
    return LoadDays(
        start_s=start_s,
        hour_log_mw=hour_log_mw,
        known_s=load.known_s[skip + per_hour - 1 : skip + hours * per_hour : per_hour],
        hour_day=np.searchsorted(first_hour, np.arange(hours), side="right") - 1,
        dates=dates,
        first_hour=first_hour,
        most_log_mw=most_log_mw,
        most_c=np.full(len(dates), np.nan) if temperature is None else _most_c(temperature, edges_s),
        is_weekend=np.array([day.weekday() >= 5 for day in dates]),
        day_of_year=np.array([day.timetuple().tm_yday for day in dates], np.int64),
    )


def _most_c(temperature: Series, edges_s: Ints) -> Floats:
    """Highest temperature of each day, among the values known when it ended."""
    most = np.full(len(edges_s) - 1, np.nan)
    places = np.clip((edges_s - temperature.start_s) // temperature.step_s, 0, len(temperature))
    for d, (a, b) in enumerate(pairwise(places.tolist())):
        known = temperature.values[a:b][temperature.known_s[a:b] <= edges_s[d + 1]]
        most[d] = np.nanmax(known, initial=-np.inf) if np.isfinite(known).any() else np.nan
    return most


def _midnight_s(day: date, zone: ZoneInfo) -> int:
    return epoch_s(datetime(day.year, day.month, day.day, tzinfo=zone))
