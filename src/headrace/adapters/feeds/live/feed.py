"""The live feed: an operator's series behind the `Feed` door, and the one way a request becomes rows."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import numpy as np

from headrace.adapters.feeds.live.request import Request
from headrace.adapters.feeds.live.source import LiveSeries, Source
from headrace.adapters.feeds.live.sources import source_of
from headrace.adapters.feeds.live.transport import Transport
from headrace.adapters.feeds.live.wall import midnight_s
from headrace.adapters.feeds.publication import known_s
from headrace.adapters.feeds.table import Table, on_grid
from headrace.core import BadInput, Interval, epoch_s, iso
from headrace.energy import Series

__all__ = ["LiveFeed", "rows_of", "span_of"]

END_SLACK_S: Final = 86_400
"""How far a window may reach past the last published interval, seconds, as for a recorded feed."""


class LiveFeed:
    """Series asked from operators as they are needed; each call asks anew.

    Parameters
    ----------
    roles
        Role to the name of a live series ("ercot.real_time.hb_south").
    transport
        What answers requests.
    now
        What time it is.

    Raises
    ------
    BadInput
        If no operator offers a named series.
    """

    def __init__(self, roles: Mapping[str, str], transport: Transport, now: Callable[[], datetime]) -> None:
        self._roles = {role: source_of(name) for role, name in roles.items()}
        self._transport = transport
        self._now = now

    def series(self, name: str, window: Interval) -> Series:
        """Ask for one series over a window; see `headrace.energy.Feed`."""
        source, series = self._role(name)
        now_s, span = epoch_s(self._now()), self.span(name)
        if window.end_s > span.end_s + END_SLACK_S or window.start_s >= span.end_s or window.end_s <= span.start_s:
            raise BadInput(
                f"feed {name!r}, {iso(window.start_s)} to {iso(window.end_s)}",
                f"outside the data, which run from {iso(span.start_s)} to {iso(span.end_s)}",
                "Choose a period inside the data",
            )
        asked = Interval.from_epoch(max(window.start_s, span.start_s), min(window.end_s, span.end_s))
        step_s = series.declaration.step_s
        start_s = window.start_s // step_s * step_s
        starts_s = np.arange(start_s, window.end_s, step_s, dtype=np.int64)
        values = np.full(len(starts_s), np.nan)
        for request in source.requests(series, asked, now_s):
            found = on_grid(rows_of(source, series, request, self._transport), start_s, step_s, len(starts_s))
            values = np.where(np.isnan(found), values, found)
        return Series(
            name=name,
            unit=series.declaration.unit,
            step_s=step_s,
            start_s=start_s,
            values=values,
            known_s=known_s(series.declaration.known, starts_s, step_s, source.time_zone),
            source=f"{source.title}, {series.report} {series.point}".rstrip(),
        )

    def span(self, name: str) -> Interval:
        """From the service's first day to what is published by now; see `headrace.energy.Feed`."""
        source, series = self._role(name)
        return span_of(source, series, epoch_s(self._now()))

    def _role(self, name: str) -> tuple[Source, LiveSeries]:
        if name not in self._roles:
            roles = ", ".join(sorted(self._roles)) or "none"
            raise BadInput(f"feed {name!r}", "not declared", f"Declare it; declared: {roles}")
        return self._roles[name]


def span_of(source: Source, series: LiveSeries, now_s: int) -> Interval:
    """From the first day that the service holds to the last interval published at `now_s`."""
    first_s = midnight_s(series.first_day, source.zone)
    return Interval.from_epoch(first_s, source.published_end_s(series, now_s))


def rows_of(source: Source, series: LiveSeries, request: Request, transport: Transport) -> Table:
    """Rows of one request, inside its interval.

    Raises
    ------
    BadInput
        If the reply is not what was asked for.
    headrace.adapters.feeds.live.transport.Unreachable
        If there is none.
    """
    found = source.read(series, request, transport.fetch(request))
    inside = (found.times_s >= request.interval.start_s) & (found.times_s < request.interval.end_s)
    return Table(found.times_s[inside], found.values[inside])
