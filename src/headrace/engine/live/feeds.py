"""How data reach a live site: asked from operators as time goes by, or told from a record as if they came now."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from headrace.core import HeadraceError, Interval
from headrace.energy import Series
from headrace.energy.ports import Feed
from headrace.engine.live.book import FeedBook, arrival
from headrace.engine.live.records import Arrived

__all__ = ["FeedDoor", "FeedNews", "PolledFeeds", "RecordedFeeds"]


class FeedNews(msgspec.Struct, frozen=True, kw_only=True):
    """What one round of asking brought."""

    arrived: tuple[Arrived, ...]
    """What is new to the book."""
    failed: dict[str, str]
    """Why a role brought nothing, by role."""


class FeedDoor(Protocol):
    """Where data come from."""

    is_prompt: bool
    """Does it answer at once, so that a decision may wait for its news?"""

    async def news(self, book: FeedBook, now_s: int, at_us: int) -> FeedNews:
        """What is known by `now_s` and not yet in the book."""
        ...


class RecordedFeeds:
    """Recorded series, each datum told when it could first be known: what stands in for live feeds.

    Parameters
    ----------
    series
        Series by role.
    look_back_s
        How much before the present is told at once to an empty book, seconds; all of a role that is not named.
    """

    is_prompt = True

    def __init__(self, series: Mapping[str, Series], look_back_s: Mapping[str, int]) -> None:
        self._series = dict(sorted(series.items()))
        self._look_back_s = look_back_s

    async def news(self, book: FeedBook, now_s: int, at_us: int) -> FeedNews:
        """What became known since the book's last."""
        arrived = []
        for role, series in self._series.items():
            held = book.series(role)
            if held is None:
                back_s = self._look_back_s.get(role)
                first = 0 if back_s is None else max(0, series.index(now_s - back_s))
            else:
                first = max(0, series.index(held.end_s))
            count = series.known_count(now_s)
            if first < count:
                found = arrival(role, _part(series, first, count), since=held, now_s=now_s, at_us=at_us)
                arrived += [] if found is None else [found]
        return FeedNews(arrived=tuple(arrived), failed={})


class PolledFeeds:
    """Live feeds, asked in a thread so that the site never waits for an operator's server.

    Parameters
    ----------
    feed
        Where series come from.
    roles
        Roles to ask for.
    look_back_s
        How far back to ask when the book is empty, seconds.
    recheck_s
        How far back to ask each time, so that corrections are seen, seconds.
    ahead_s
        How far ahead to ask: day-ahead prices are known before their day, seconds.
    """

    is_prompt = False

    def __init__(
        self,
        feed: Feed,
        roles: Sequence[str],
        *,
        look_back_s: int,
        recheck_s: int = 6 * 3600,
        ahead_s: int = 36 * 3600,
    ) -> None:
        self._feed = feed
        self._roles = tuple(roles)
        self._look_back_s = look_back_s
        self._recheck_s = recheck_s
        self._ahead_s = ahead_s

    async def news(self, book: FeedBook, now_s: int, at_us: int) -> FeedNews:
        """Ask every role once; one that fails says why and does not hold up the others."""
        arrived, failed = [], {}
        for role in self._roles:
            held = book.series(role)
            back_s = self._look_back_s if held is None else self._recheck_s
            try:
                series = await asyncio.to_thread(self._ask, role, now_s - back_s, now_s)
            except (HeadraceError, OSError, ValueError) as error:
                failed[role] = str(error)
                continue
            found = arrival(role, series, since=held, now_s=now_s, at_us=at_us)
            arrived += [] if found is None else [found]
        return FeedNews(arrived=tuple(arrived), failed=failed)

    def _ask(self, role: str, start_s: int, now_s: int) -> Series:
        span = self._feed.span(role)
        end_s = min(max(span.end_s, now_s), now_s + self._ahead_s)
        return self._feed.series(role, Interval.from_epoch(start_s, end_s))


def _part(series: Series, first: int, count: int) -> Series:
    return Series(
        name=series.name,
        unit=series.unit,
        step_s=series.step_s,
        start_s=series.start_s + first * series.step_s,
        values=series.values[first:count],
        known_s=series.known_s[first:count],
        source=series.source,
    )
