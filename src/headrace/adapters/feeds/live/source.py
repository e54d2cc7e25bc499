"""What a market's module offers: its series, how each is asked for, how a reply is read."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from headrace.adapters.feeds.catalogue import catalogue
from headrace.adapters.feeds.declaration import FeedDeclaration
from headrace.adapters.feeds.live.request import Request
from headrace.adapters.feeds.publication import known_s
from headrace.adapters.feeds.table import Table
from headrace.core import Interval

__all__ = ["LiveSeries", "Source"]

DAY_S: Final = 86_400


class LiveSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One series of an operator: a report and a point in it. Unit, step and publication are the catalogue's."""

    name: str
    """Catalogue name, e.g. "ercot.real_time.hb_south"."""
    report: str
    """Operator's name of the report."""
    point: str
    """Operator's name of the point; empty for a report of the whole system."""
    first_day: date
    """First local day that the service holds."""

    @property
    def declaration(self) -> FeedDeclaration:
        """Unit, step and publication rule."""
        return catalogue()[self.name]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One operator's service."""

    name: str
    """Short name, e.g. "ercot"."""
    title: str
    """Full name, for people."""
    time_zone: str
    """IANA zone of the market's days."""
    pauses_s: Mapping[str, float]
    """Hosts asked, each with the pause that its published limit asks for, seconds."""
    series: Mapping[str, LiveSeries]
    """Series offered, by catalogue name."""
    requests: Callable[[LiveSeries, Interval, int], list[Request]]
    """Requests (series, window, now in epoch seconds) that together cover the window, in order of time."""
    read: Callable[[LiveSeries, Request, bytes], Table]
    """Rows of a reply, sorted, on the series' grid; no row where there is no value."""

    @property
    def zone(self) -> ZoneInfo:
        """Zone of the market's days."""
        return ZoneInfo(self.time_zone)

    def published_end_s(self, series: LiveSeries, now_s: int) -> int:
        """End of the last interval that the publication rule makes known at `now_s`, epoch seconds."""
        step_s = series.declaration.step_s
        last_s = now_s // step_s * step_s
        starts_s = np.arange(last_s - 4 * DAY_S, last_s + 2 * DAY_S, step_s, dtype=np.int64)
        known = known_s(series.declaration.known, starts_s, step_s, self.time_zone)
        return int(starts_s[known.searchsorted(now_s, side="right") - 1]) + step_s
