"""A recorded or live series: values on a regular grid, each with the time it is about and the time it could be known.

`values` holds NaN where a value is missing: absent is not zero, and a missing interval is explicit. `known_s` says for
every datum when a decision could first have used it; a backtest only ever asks `known_count(now)`.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import Interval, iso

__all__ = ["Datum", "Series"]


class Datum(msgspec.Struct, frozen=True, kw_only=True):
    """One value with its two times."""

    value: float
    """Value in the series' unit; finite."""
    interval_start_s: int
    """Start of the interval it is about, epoch seconds."""
    known_s: int
    """When it could be known, epoch seconds."""


class Series(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A regular series of float64 values with NaN for missing ones."""

    name: str
    """Role or catalogue name, e.g. "ercot.real_time.hb_south"."""
    unit: str
    """Unit suffix of the values, e.g. "usd_per_mwh", "c", "mw"."""
    step_s: int
    """Length of one interval, seconds."""
    start_s: int
    """Start of the first interval, epoch seconds."""
    values: NDArray[np.float64]
    """Values, shape (N,); NaN where missing, else finite."""
    known_s: NDArray[np.int64]
    """When each value could be known, epoch seconds, shape (N,), never decreasing."""
    source: str
    """Where it came from: file or service, and column."""

    def __post_init__(self) -> None:
        if self.values.shape != self.known_s.shape or self.values.ndim != 1:
            raise ValueError(f"{self.name}: values and known_s must be of one length")
        if np.isinf(self.values).any():
            raise ValueError(f"{self.name}: values must be finite or NaN (missing)")
        if self.known_s.size and (np.diff(self.known_s) < 0).any():
            raise ValueError(f"{self.name}: known_s must never decrease")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def end_s(self) -> int:
        """End of the last interval, epoch seconds."""
        return self.start_s + len(self.values) * self.step_s

    def index(self, at_s: int) -> int:
        """Position of the interval that holds `at_s`; may lie outside 0..N-1."""
        return (at_s - self.start_s) // self.step_s

    def at(self, at_s: int) -> float:
        """Value of the interval that holds `at_s`; NaN where missing or outside."""
        i = self.index(at_s)
        return float(self.values[i]) if 0 <= i < len(self.values) else float("nan")

    def onto(self, times_s: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values of the intervals that hold each of `times_s`; NaN where missing or outside."""
        i = (np.asarray(times_s, np.int64) - self.start_s) // self.step_s
        inside = (i >= 0) & (i < len(self.values))
        out = np.full(i.shape, np.nan)
        out[inside] = self.values[i[inside]]
        return out

    def known_count(self, now_s: int) -> int:
        """How many leading values could be known at `now_s`; decisions may read only those."""
        return int(self.known_s.searchsorted(now_s, side="right"))

    def latest(self, now_s: int) -> Datum | None:
        """Newest value that is present and known at `now_s`; None if there is none."""
        values = self.values[: self.known_count(now_s)]
        i = len(values) - 1
        if i >= 0 and np.isnan(values[i]):
            present = np.flatnonzero(~np.isnan(values))
            i = int(present[-1]) if present.size else -1
        if i < 0:
            return None
        start_s = self.start_s + i * self.step_s
        return Datum(value=float(values[i]), interval_start_s=start_s, known_s=int(self.known_s[i]))

    def gaps(self, window: Interval) -> tuple[Interval, ...]:
        """Runs of missing values inside `window`, in order."""
        first = self.start_s + self.index(window.start_s) * self.step_s
        times = np.arange(first, window.end_s, self.step_s, dtype=np.int64)
        missing = np.isnan(self.onto(times))
        edges = np.flatnonzero(np.diff(np.concatenate(([0], missing.astype(np.int8), [0]))))
        return tuple(
            Interval.from_epoch(int(times[a]), int(times[b - 1]) + self.step_s)
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        )

    def describe(self) -> str:
        """One line for a person: name, span, source."""
        return f"{self.name} [{self.unit}] {iso(self.start_s)} to {iso(self.end_s)} from {self.source}"
