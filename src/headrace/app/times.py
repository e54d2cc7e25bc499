"""Times that a person types, and the period they ask for."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from headrace.adapters.sitefile import LoadedSite
from headrace.core import BadInput, Interval

__all__ = ["instant", "period"]


def instant(text: str, time_zone: str) -> datetime:
    """Read an ISO-8601 time; without a zone it is local to the site.

    Raises
    ------
    BadInput
        If it is no time.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(
            f"time {text!r}", "not ISO-8601", "Write 2024-11-17 or 2024-11-17T18:05 or ...T18:05Z"
        ) from error
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(time_zone))).astimezone(UTC)


def period(loaded: LoadedSite, start: str | None, end: str | None) -> Interval | None:
    """Period between two typed times, the missing one from the site file; None if neither was typed.

    Raises
    ------
    BadInput
        If a time can't be read, one is missing, or the period ends before it starts.
    """
    if start is None and end is None:
        return None
    zone = loaded.site.time_zone
    declared = loaded.window
    first = instant(start, zone) if start else (declared.start if declared else None)
    last = instant(end, zone) if end else (declared.end if declared else None)
    if first is None or last is None:
        raise BadInput(str(loaded.path), "no [replay] period to complete", "Give both --from and --to")
    if last <= first:
        raise BadInput("--from and --to", f"the period ends at {last}, not after {first}", "Give a later --to")
    return Interval(start=first, end=last)
