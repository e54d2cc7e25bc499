"""When each interval of a grid could be known: the publication rule as epoch seconds.

`after_end` and `after_start` are plain arithmetic. `day_before` follows local wall time: the intervals of local day D
are known at `at_local` on D - 1, whatever the offset is then, so the 23- and 25-hour days come out right.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from headrace.adapters.feeds.declaration import Publication
from headrace.core import from_epoch_s

__all__ = ["known_s"]


def known_s(
    publication: Publication, starts_s: NDArray[np.int64], step_s: int, site_time_zone: str
) -> NDArray[np.int64]:
    """When each interval could be known.

    Parameters
    ----------
    publication
        The rule.
    starts_s
        Interval starts, rising, epoch seconds, shape (N,).
    step_s
        Length of one interval, seconds.
    site_time_zone
        IANA zone that `day_before` falls back to.

    Returns
    -------
    NDArray[np.int64]
        Epoch seconds, shape (N,), never decreasing.
    """
    delay_s = int(np.ceil(publication.delay_min * 60.0))
    match publication.rule:
        case "after_end":
            return starts_s + (step_s + delay_s)
        case "after_start":
            return starts_s + delay_s
        case "day_before":
            return _day_before(publication, starts_s, ZoneInfo(publication.time_zone or site_time_zone))


def _day_before(publication: Publication, starts_s: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    if not len(starts_s):
        return starts_s.copy()
    first = from_epoch_s(int(starts_s[0])).astimezone(zone).date()
    last = from_epoch_s(int(starts_s[-1])).astimezone(zone).date()
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    midnights_s = np.array([_epoch_s(day, "00:00", zone) for day in days], np.int64)
    published_s = np.array([_epoch_s(day - timedelta(days=1), publication.at_local, zone) for day in days], np.int64)
    return published_s[np.searchsorted(midnights_s, starts_s, side="right") - 1]


def _epoch_s(day: date, at_local: str, zone: ZoneInfo) -> int:
    """Epoch seconds of a wall time; the earlier one where the clock shows it twice."""
    return int(datetime.fromisoformat(f"{day.isoformat()}T{at_local}").replace(tzinfo=zone).timestamp())
