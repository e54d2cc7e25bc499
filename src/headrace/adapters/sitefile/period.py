"""The period of a `[replay]` table: dates are midnights in the site's zone, times carry their own offset."""

from zoneinfo import ZoneInfo

from headrace.adapters.sitefile.moment import instant
from headrace.adapters.sitefile.schema import ReplaySection
from headrace.core import Interval

__all__ = ["window_of"]


def window_of(replay: ReplaySection, zone: ZoneInfo) -> Interval | None:
    """Period in UTC; None if it does not end after it starts."""
    start, end = instant(replay.start, zone), instant(replay.end, zone)
    return Interval(start=start, end=end) if start < end else None
