"""Time: UTC always; half-open intervals `[start, end)` named by their start.

Kernels and arrays carry time as int seconds since 1970-01-01T00:00Z (`_s`); records that people read carry aware
datetimes.
"""

from datetime import UTC, datetime, timedelta
from typing import Self

import msgspec

__all__ = ["Interval", "epoch_s", "from_epoch_s", "iso"]


def epoch_s(at: datetime) -> int:
    """Seconds since 1970-01-01T00:00Z of an aware datetime on a whole second."""
    if at.tzinfo is None:
        raise ValueError(f"time must carry its zone, was {at.isoformat()}")
    return int(at.timestamp())


def from_epoch_s(at_s: int) -> datetime:
    """Aware UTC datetime of seconds since 1970-01-01T00:00Z."""
    return datetime.fromtimestamp(at_s, tz=UTC)


def iso(at_s: int) -> str:
    """ISO-8601 text of epoch seconds, ending in Z."""
    return from_epoch_s(at_s).isoformat().replace("+00:00", "Z")


class Interval(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A half-open span of time `[start, end)`."""

    start: datetime
    """First instant inside; aware."""
    end: datetime
    """First instant outside; aware, after `start`."""

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("an interval's times must carry their zone")
        if self.end <= self.start:
            raise ValueError(f"an interval must end after it starts, was {self.start} to {self.end}")

    @property
    def start_s(self) -> int:
        """Start in epoch seconds."""
        return epoch_s(self.start)

    @property
    def end_s(self) -> int:
        """End in epoch seconds."""
        return epoch_s(self.end)

    @property
    def duration(self) -> timedelta:
        """Length."""
        return self.end - self.start

    def steps(self, step_s: int) -> int:
        """Count of whole steps of `step_s` seconds; the interval must be a whole number of them."""
        whole, rest = divmod(self.end_s - self.start_s, step_s)
        if rest:
            raise ValueError(f"{self.start} to {self.end} is not a whole number of {step_s} s steps")
        return whole

    @classmethod
    def from_epoch(cls, start_s: int, end_s: int) -> Self:
        """Interval between two epoch seconds."""
        return cls(start=from_epoch_s(start_s), end=from_epoch_s(end_s))
