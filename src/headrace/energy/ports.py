"""What the rooms ask of the outside world for prices, weather and demand."""

from typing import Protocol

from headrace.core import Interval
from headrace.energy.series import Series

__all__ = ["Feed"]


class Feed(Protocol):
    """A source of series, recorded or live."""

    def series(self, name: str, window: Interval) -> Series:
        """Read one series.

        Parameters
        ----------
        name
            Role the site file gives it ("real_time", "day_ahead", "temperature", ...).
        window
            Span asked for; the answer covers it, on the series' own grid, with NaN where a value is missing. A window
            is asked for with a margin before the period of interest, so data may begin inside it; they must reach its
            end to within a day.

        Raises
        ------
        headrace.core.BadInput
            If the series is not declared, unreadable, unsorted, not finite, or does not reach the window.
        """
        ...

    def span(self, name: str) -> Interval:
        """From the first to the last interval on record; a series without dates of its own spans all time.

        Raises
        ------
        headrace.core.BadInput
            If the series is not declared or unreadable.
        """
        ...
