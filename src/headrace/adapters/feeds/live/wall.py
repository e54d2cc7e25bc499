"""Wall time of a market as UTC, both daylight-saving days included."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from headrace.core import BadInput, epoch_s

__all__ = ["days", "is_twice", "midnight_s", "wall_s"]


def wall_s(where: str, at: datetime, zone: ZoneInfo, *, is_second: bool) -> int:
    """Epoch seconds of a wall time.

    Parameters
    ----------
    where
        Row it comes from, for the message.
    at
        Naive wall time.
    zone
        Zone of the market.
    is_second
        Second showing of a time that the clock shows twice.

    Raises
    ------
    BadInput
        If the clock skips the time, or it is called a second showing and the clock shows it once.
    """
    local = at.replace(tzinfo=zone, fold=int(is_second))
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
        raise BadInput(where, f"{at} is skipped by the clock of {zone.key}", "The reply is not in this market's time")
    if is_second and not is_twice(at, zone):
        raise BadInput(where, f"{at} is marked as repeated, the clock of {zone.key} shows it once", "Ask again later")
    return epoch_s(local)


def is_twice(at: datetime, zone: ZoneInfo) -> bool:
    """The clock shows this wall time twice."""
    first, second = (at.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return (first.utcoffset() or timedelta()) > (second.utcoffset() or timedelta())


def midnight_s(day: date, zone: ZoneInfo) -> int:
    """Epoch seconds at which a local day begins."""
    return epoch_s(datetime.combine(day, time(), zone))


def days(start_s: int, end_s: int, zone: ZoneInfo) -> list[date]:
    """Local days that a span touches."""
    first = datetime.fromtimestamp(start_s, zone).date()
    last = datetime.fromtimestamp(end_s - 1, zone).date()
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]
