"""How often somebody may ask: a bucket of tries that fills again with time.

Orders of an emergency are few; a loop gone wild and somebody who guesses tokens are not.
"""

from collections.abc import Callable
from typing import Final

__all__ = ["Limiter"]

NAMES_MAX: Final = 10_000
"""Buckets kept; the one unused for longest goes first."""


class Limiter:
    """One bucket a name.

    Parameters
    ----------
    tries
        How many at once.
    per_s
        How fast they come back, tries a second.
    monotonic
        Seconds that never run backwards.
    """

    def __init__(self, *, tries: int, per_s: float, monotonic: Callable[[], float]) -> None:
        self._tries = tries
        self._per_s = per_s
        self._monotonic = monotonic
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """Use up one try; 0 if there was one, else how long to wait for the next, seconds."""
        now_s = self._monotonic()
        left, since_s = self._buckets.pop(name, (float(self._tries), now_s))
        left = min(float(self._tries), left + (now_s - since_s) * self._per_s)
        wait_s = 0.0 if left >= 1.0 else (1.0 - left) / self._per_s
        self._buckets[name] = (left - 1.0 if wait_s == 0.0 else left, now_s)
        if len(self._buckets) > NAMES_MAX:
            del self._buckets[next(iter(self._buckets))]
        return wait_s

    def is_open(self, name: str) -> bool:
        """Is a try left? Nothing is used up."""
        now_s = self._monotonic()
        left, since_s = self._buckets.get(name, (float(self._tries), now_s))
        return left + (now_s - since_s) * self._per_s >= 1.0
