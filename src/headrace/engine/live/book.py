"""Everything a live site knows of prices, weather and demand: series that grow as data arrive, and how old they are.

The book holds what has arrived and nothing else, so whatever a policy reads from it was known. It is bounded: what lies
further back than forecasts read is let go, a day at a time.

    age of a series = now − end of its newest interval that holds a value, at least 0

so a day-ahead price is fresh as long as it covers the present, and a daily one a day later than a daily value can be.
"""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from headrace.core import BadInput
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.site import Site
from headrace.energy import Series
from headrace.engine.live.records import Arrived

__all__ = ["KEEP_S", "FeedBook", "arrival", "stale_after_s"]

KEEP_S: Final = 16 * 86_400
"""History kept: two weeks that forecasts read, a day for late publication, a day to cut by."""

CUT_S: Final = 86_400
"""History is cut by whole days, so that a series is copied once a day and not with every datum."""

STALE_STEPS: Final = 4
STALE_MIN_S: Final = 3600
"""A series without a limit of its own is stale after four of its intervals, and not before an hour."""


NAMED: Final = frozenset(Inputs.__struct_fields__) - {"real_time", "profiles", "further"}
"""Roles that `Inputs` names, beside the price that no site is without."""


class FeedBook:
    """Series by role.

    Parameters
    ----------
    keep_s
        History kept of each role, seconds; a role that is not named keeps `KEEP_S`.
    """

    def __init__(self, keep_s: Mapping[str, int] | None = None) -> None:
        self._keep_s = dict(keep_s or {})
        self._series: dict[str, Series] = {}

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of which anything has arrived."""
        return tuple(self._series)

    def series(self, role: str) -> Series | None:
        """One series as it stands; None if nothing has arrived."""
        return self._series.get(role)

    def absorb(self, came: Arrived) -> None:
        """Take in what arrived: later intervals lengthen a series, earlier ones fill its gaps or correct it."""
        values = np.array([math.nan if value is None else value for value in came.values], float)
        known_s = np.array(came.known_s, np.int64)
        held = self._series.get(came.role)
        if held is None or held.step_s != came.step_s:
            self._series[came.role] = Series(
                name=came.role,
                unit=came.unit,
                step_s=came.step_s,
                start_s=came.start_s,
                values=values,
                known_s=known_s,
                source=came.source,
            )
            return
        self._series[came.role] = self._cut(_joined(held, came.start_s, values, known_s))

    def end_s(self, role: str) -> int | None:
        """End of the newest interval that holds a value, epoch seconds; None if there is none."""
        series = self._series.get(role)
        if series is None:
            return None
        present = np.flatnonzero(~np.isnan(series.values))
        if not present.size:
            return None
        return series.start_s + (int(present[-1]) + 1) * series.step_s

    def age_s(self, role: str, now_s: int) -> int | None:
        """How far the newest value is behind the present, seconds; None if there is none."""
        end_s = self.end_s(role)
        return None if end_s is None else max(0, now_s - end_s)

    def inputs(self, site: Site) -> Inputs:
        """The series as policies and settlement take them.

        Raises
        ------
        headrace.core.BadInput
            If no price has ever arrived.
        """
        if "real_time" not in self._series:
            raise BadInput("feed 'real_time'", "no price has arrived yet", "Wait for the feed, or check it")
        named = {role: self._series.get(role) for role in NAMED}
        own = {g.profile for g in site.generators if g.profile} | {p.profile for p in site.ppas}
        own |= {t.profile for t in site.tenants if t.profile} | {s.demand for s in site.inference}
        return Inputs(
            real_time=self._series["real_time"],
            profiles={role: self._series[role] for role in sorted(own & self._series.keys())},
            further={role: self._series[role] for role in sorted(self._series.keys() - own - NAMED - {"real_time"})},
            **named,
        )

    def _cut(self, series: Series) -> Series:
        least_s = series.end_s - self._keep_s.get(series.name, KEEP_S) - CUT_S
        if series.start_s > least_s:
            return series
        first = (least_s + CUT_S - series.start_s) // series.step_s
        return Series(
            name=series.name,
            unit=series.unit,
            step_s=series.step_s,
            start_s=series.start_s + first * series.step_s,
            values=series.values[first:].copy(),
            known_s=series.known_s[first:].copy(),
            source=series.source,
        )


def arrival(role: str, series: Series, *, since: Series | None, now_s: int, at_us: int) -> Arrived | None:
    """What of a feed's series is new to the book: known by now, and beyond or different from what is held.

    Parameters
    ----------
    role, series
        What the feed says.
    since
        What the book holds.
    now_s, at_us
        The present, epoch seconds and microseconds.

    Returns
    -------
    Arrived or None
        From the first interval that is new to the last that is known; None if nothing is.
    """
    count = series.known_count(now_s)
    if since is None or since.step_s != series.step_s:
        first = 0
    else:
        starts_s = series.start_s + np.arange(count, dtype=np.int64) * series.step_s
        held = since.onto(starts_s)
        is_new = (starts_s >= since.end_s) | (~np.isnan(series.values[:count]) & (held != series.values[:count]))
        is_new &= starts_s >= since.start_s
        new = np.flatnonzero(is_new)
        first = int(new[0]) if new.size else count
    if first >= count:
        return None
    return Arrived(
        at_us=at_us,
        role=role,
        unit=series.unit,
        step_s=series.step_s,
        start_s=series.start_s + first * series.step_s,
        values=tuple(None if math.isnan(each) else each for each in series.values[first:count].tolist()),
        known_s=tuple(series.known_s[first:count].tolist()),
        source=series.source,
    )


def stale_after_s(series: Series, limits_s: Mapping[str, int]) -> int:
    """Age from which a series is stale, seconds: the role's declared limit, or four of its intervals."""
    return limits_s.get(series.name, max(STALE_STEPS * series.step_s, STALE_MIN_S))


def _joined(held: Series, start_s: int, values: np.ndarray, known_s: np.ndarray) -> Series:
    """Both together on the held grid; what arrived wins where it has a value."""
    first = held.index(start_s)
    if first < 0:
        values, known_s, first = values[-first:], known_s[-first:], 0
    count = max(len(held), first + len(values))
    all_values = np.full(count, np.nan)
    all_values[: len(held)] = held.values
    there = slice(first, first + len(values))
    all_values[there] = np.where(np.isnan(values), all_values[there], values)
    all_known_s = np.full(count, np.iinfo(np.int64).min)
    all_known_s[: len(held)] = held.known_s
    fresh = slice(max(first, len(held)), first + len(values))
    all_known_s[fresh] = known_s[fresh.start - first :]
    return Series(
        name=held.name,
        unit=held.unit,
        step_s=held.step_s,
        start_s=held.start_s,
        values=all_values,
        known_s=np.maximum.accumulate(all_known_s),
        source=held.source,
    )
