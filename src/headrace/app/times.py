"""Times that a person types, and the period they ask for."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from headrace.adapters.sitefile import LoadedSite
from headrace.core import BadInput, Interval, epoch_s, iso
from headrace.engine.clock import Clock

__all__ = ["LENGTHS_S", "instant", "length_s", "not_negative", "period", "within_calendar"]

LAST_S: Final = 4_102_444_800.0
"""The year 2100, epoch seconds: a site's clock beyond it was not meant."""


LENGTHS_S: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
"""Units that a length of time is typed in; a number alone is seconds."""


def length_s(text: str, units_s: Mapping[str, float] = LENGTHS_S) -> float:
    """Read a length of time: 90s, 15min, 2h.

    Raises
    ------
    BadInput
        If it is none.
    """
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :] or "s"
    try:
        length = float(number) * units_s[unit]
    except (ValueError, KeyError) as error:
        raise BadInput(f"time {text!r}", "not a length of time", "Write 90s, 15min or 2h") from error
    if not 0.0 < length < 1e9:
        raise BadInput(f"time {text!r}", "not above 0 and below 30 years", "Write 90s, 15min or 2h")
    return length


def instant(text: str, time_zone: str) -> datetime:
    """Read an ISO-8601 time; without a zone it is local to the site.

    Raises
    ------
    BadInput
        If it is no time, or a local one that the clock skips or shows twice.
    """
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else _local(at, ZoneInfo(time_zone), text)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"time {text!r}", "not an ISO-8601 time", "Write 2024-11-17 or 2024-11-17T18:05 or ...T18:05Z"
        ) from error


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
    first = instant(start, zone) if start is not None else (declared.start if declared else None)
    last = instant(end, zone) if end is not None else (declared.end if declared else None)
    if first is None or last is None:
        raise BadInput(str(loaded.path), "no [replay] period to complete", "Give both --from and --to")
    if last <= first:
        raise BadInput(
            "--from and --to",
            f"the period ends at {iso(epoch_s(last))}, not after {iso(epoch_s(first))}",
            "Give a later --to",
        )
    return Interval(start=first, end=last)


def within_calendar(clock: Clock) -> Clock:
    """The clock, if it tells a time that a site can be at.

    Raises
    ------
    BadInput
        If it does not: mistyped, or a number that is none.
    """
    if not 0.0 <= clock.now_s() <= LAST_S:
        found = f"the site's clock would be at {clock.now_s():g} s, outside the years 1970 to 2100"
        raise BadInput("--start, --speed and --anchor", found, "Give --start in ISO-8601, --anchor in epoch seconds")
    return clock


def not_negative(option: str, number: int) -> int:
    """A number that an option must give.

    Raises
    ------
    BadInput
        If it is below zero.
    """
    if number < 0:
        raise BadInput(f"{option} {number}", "below zero", "Give a whole number of 0 or more")
    return number


def _local(at: datetime, zone: ZoneInfo, text: str) -> datetime:
    """A wall time in its zone, if the clock there shows it once."""
    first, second = (at.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = first.utcoffset(), second.utcoffset()
    if before == after:
        return first
    skipped = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at
    shown = "the clock skips it" if skipped else "the clock shows it twice"
    first, second = first.astimezone(UTC), second.astimezone(UTC)
    raise BadInput(
        f"time {text!r} in {zone.key}",
        f"{shown} as daylight saving time {'begins' if skipped else 'ends'}",
        f"Write it with its offset, or in UTC: {first:%Y-%m-%dT%H:%MZ} or {second:%Y-%m-%dT%H:%MZ}",
    )
