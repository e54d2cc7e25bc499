"""A shadow beside what the real site did: energy taken in under the decisions, and what the real meters counted."""

import msgspec

from headrace.engine.live.records import Closed, Observed

__all__ = ["Beside", "Comparison"]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Shadow and site over the same intervals."""

    intervals: int = 0
    """Control intervals that both were metered in."""
    decided_wh: int = 0
    """Import of the simulated devices under the decisions."""
    real_wh: int = 0
    """Import of the real site."""
    apart_wh: int = 0
    """Sum of what lay between them, interval by interval."""


class Beside:
    """Adds up a shadow's journal."""

    def __init__(self) -> None:
        self.sum = Comparison()
        self._last_wh: int | None = None
        self._decided_wh = 0
        self._intervals = 0

    def absorb(self, record: Closed | Observed) -> None:
        """Take in an interval that was closed, or what the real meters said then."""
        if isinstance(record, Closed):
            self._decided_wh += record.cycle.reading.meters.import_wh
            self._intervals += 1
            return
        total_wh = record.counters.get("import_wh")
        if total_wh is not None and self._last_wh is not None and total_wh >= self._last_wh and self._intervals:
            real_wh = total_wh - self._last_wh
            self.sum = Comparison(
                intervals=self.sum.intervals + self._intervals,
                decided_wh=self.sum.decided_wh + self._decided_wh,
                real_wh=self.sum.real_wh + real_wh,
                apart_wh=self.sum.apart_wh + abs(real_wh - self._decided_wh),
            )
        self._decided_wh, self._intervals = 0, 0
        self._last_wh = total_wh
