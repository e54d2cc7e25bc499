"""The part that every door has: orders wait here, bounded, until control takes them; refusals are counted."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from typing import Final

import msgspec

from headrace.adapters.grid.book import EventBook, GridEvent, Taken, Unreadable
from headrace.adapters.grid.programme import Programme
from headrace.adapters.grid.refusals import Refusals, Why
from headrace.control.orders import Authority, Order, OrderKind

__all__ = ["Consent", "Inbox"]

WAITING_MAX: Final = 1_000
"""Most orders that wait to be taken; an event that brings more is refused and comes again."""
TURNED_AWAY_MAX: Final = 1_000
"""Refusals remembered, so that an event that is polled again and again is counted once."""

Consent = Callable[[Order], str]
"""Asked before an order of a voluntary programme is taken: empty to take it, else why the site opts out."""


class Inbox:
    """Orders on their way from a door to control.

    Parameters
    ----------
    door
        First word of its orders' ids.
    programmes
        What the site declares.
    now_us
        The site's clock, epoch microseconds.
    known
        Orders of this door that are in force already.
    consent
        Whether the site takes a voluntary order; None takes each.
    """

    def __init__(
        self,
        door: str,
        programmes: Iterable[Programme],
        now_us: Callable[[], int],
        known: Iterable[Order] = (),
        consent: Consent | None = None,
    ) -> None:
        self.book = EventBook(door, programmes, known)
        self.refusals = Refusals()
        self.now_us = now_us
        self._consent = consent
        self._orders: asyncio.Queue[Order | None] = asyncio.Queue()
        self._turned_away: dict[tuple[str, int], Taken] = {}
        self._is_closed = False

    def take(self, event: GridEvent) -> Taken:
        """Take an event in and pass its orders on, or refuse it; a refusal is counted once."""
        if (before := self._turned_away.get((event.id, event.modification))) is not None:
            return before
        now_us = self.now_us()
        if self._orders.qsize() + 2 * max(len(event.asks), 1) > WAITING_MAX:
            return self._refuse(event, Taken(why=Why.FULL, reason=f"{self._orders.qsize()} orders wait to be taken"))
        if reason := self._declined(event, now_us):
            self._pass_on(self.book.take(msgspec.structs.replace(event, asks=(), is_cancelled=True), now_us))
            return self._refuse(event, Taken(why=Why.DECLINED, reason=reason))
        taken = self.book.take(event, now_us)
        if taken.why is not None:
            return self._refuse(event, taken)
        return self._pass_on(taken)

    def look(self, listed: Collection[str] | None = None) -> None:
        """Pass on the restores that have become due.

        Parameters
        ----------
        listed
            Ids of all events that the programme's server holds, as parts of order ids; None if it was not asked. One
            whose stated end has passed and that is there no more is over.
        """
        now_us = self.now_us()
        self._pass_on(self.book.ended_by_statement(now_us))
        for key in self.book.overdue_events(now_us) if listed is not None else ():
            if key not in (listed or ()):
                self._pass_on(self.book.end(key, now_us, f"event {key} is over and no more at its server"))

    def unreadable(self, error: Unreadable) -> None:
        """Count something that no event could be made of."""
        self.refusals.add(self.now_us(), error.why, error.what, error.reason)

    async def orders(self) -> AsyncIterator[Order]:
        """Orders as they come, until the door is closed."""
        while not (self._is_closed and self._orders.empty()):
            order = await self._orders.get()
            if order is None:
                return
            yield order

    def close(self) -> None:
        """Let whoever waits for orders go, after those that wait for him."""
        self._is_closed = True
        self._orders.put_nowait(None)

    def _pass_on(self, taken: Taken) -> Taken:
        for order in taken.orders:
            self._orders.put_nowait(order)
        return taken

    def _declined(self, event: GridEvent, now_us: int) -> str:
        """Why the site opts out of the event; empty if it does not, or has no choice."""
        if self._consent is None:
            return ""
        asked = (
            order
            for order in self.book.judge(event, now_us).orders
            if order.authority is Authority.VOLUNTARY and order.kind is not OrderKind.RESTORE
        )
        return next(filter(None, map(self._consent, asked)), "")

    def _refuse(self, event: GridEvent, taken: Taken) -> Taken:
        why = taken.why or Why.MALFORMED
        self.refusals.add(self.now_us(), why, event.id, taken.reason)
        if why is not Why.FULL:
            if len(self._turned_away) >= TURNED_AWAY_MAX:
                del self._turned_away[next(iter(self._turned_away))]
            self._turned_away[event.id, event.modification] = taken
        return taken
