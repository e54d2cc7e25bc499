"""From a programme's events to orders: the same event is the same order, a changed one replaces what it said before.

Pure: what is kept is what has been taken. An order's id is the door's name, the event's id and, where there are, its
revision and its part ("adr2.evt-7", "adr2.evt-7.m1", "adr3.evt-9.i2"): an event delivered again after a restart makes
the same ids. A revision's orders come before the restores of those they replace, so that nothing is let go between.

Orders of people, equipment and grid end by a restore alone. Their event's end is one where its programme says that it
is over, where the event's next part has begun, or where the site declares that the stated end is permission; that the
time has passed is none.
"""

import math
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from headrace.adapters.grid.programme import Programme
from headrace.adapters.grid.refusals import Why
from headrace.control.authority import NO_EXCEPTIONS
from headrace.control.orders import Order, OrderKind
from headrace.core import content_id

__all__ = ["Ask", "EventBook", "GridEvent", "Taken", "Unreadable"]

ASKS_MAX: Final = 288
"""Most parts of an event: a day of five-minute intervals."""
KEPT_US: Final = 2 * 86_400 * 1_000_000
"""How long an event is remembered after its end, microseconds."""
KEPT_EVENTS: Final = 5_000
"""Most events remembered; those that ended first are forgotten first."""
ANY_CONTEXT: Final = "*"
"""Context of a programme that takes every event of its door."""
PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Unreadable(Exception):
    """Something from outside that a door can't make an event of.

    Parameters
    ----------
    why
        Kind of refusal.
    what
        Event it was about, or the kind of message.
    reason
        What was expected and what was found.
    """

    def __init__(self, why: Why, what: str, reason: str) -> None:
        super().__init__(reason)
        self.why = why
        self.what = what
        self.reason = reason


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What an event asks for in one part of its window."""

    starts_us: int
    """Start, epoch microseconds."""
    ends_us: int | None
    """End, epoch microseconds; None until it is cancelled."""
    kind: OrderKind
    """Shed, limit or raise."""
    mw: float
    """Power it names, MW."""
    within_s: float | None = None
    """How fast it is to be met, seconds; None for what its programme says."""


class GridEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One programme's event, whatever it came through."""

    id: str
    """As the programme names it."""
    modification: int
    """Grows with each change; 0 or the time of creation first."""
    revision: str = ""
    """How the modification is told in ids; empty for an event as first issued."""
    context: str
    """How it names its programme."""
    asks: tuple[Ask, ...]
    """What it asks, in time; empty for nothing out of the ordinary."""
    is_cancelled: bool = False
    """Has it been called off?"""
    is_over: bool = False
    """Does its programme say that it is over?"""
    reason: str = ""
    """Its own words."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an event."""

    orders: tuple[Order, ...] = ()
    """New orders, then restores of those they replace."""
    why: Why | None = None
    """Kind of refusal; None if it was taken."""
    reason: str = ""
    """Why it was refused."""
    is_known: bool = False
    """Had it been taken before, as it is?"""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    modification: int
    fingerprint: str
    orders: tuple[Order, ...]


class EventBook:
    """Events taken so far.

    Parameters
    ----------
    door
        First word of its orders' ids.
    programmes
        What the site declares.
    known
        Orders of this door that are in force already, as the journal has them after a restart.
    """

    def __init__(self, door: str, programmes: Iterable[Programme], known: Iterable[Order] = ()) -> None:
        self._door = door
        self._programmes = {each.context: each for each in programmes}
        self._stating = {each.name for each in self._programmes.values() if each.end_permits}
        self._entries: dict[str, _Entry] = {}
        for order in known:
            self._recall(order)

    def programme(self, context: str, what: str) -> Programme:
        """The programme that an event names.

        Raises
        ------
        Unreadable
            If the site declares none of that name.
        """
        found = self._programmes.get(context) or self._programmes.get(ANY_CONTEXT)
        if found is None:
            raise Unreadable(Why.UNKNOWN_PROGRAMME, what, f"no programme is declared for {context!r}")
        return found

    def open_events(self, now_us: int) -> tuple[str, ...]:
        """Ids of events in force or still to come; one that needs a word to end is in force until it comes."""
        return tuple(key for key, each in self._entries.items() if any(_is_open(o, now_us) for o in each.orders))

    def overdue_events(self, now_us: int) -> tuple[str, ...]:
        """Ids of events that are in force although every end that they stated has passed."""
        return tuple(
            key
            for key, each in self._entries.items()
            if each.orders
            and all(_has_ended(o, now_us) for o in each.orders)
            and any(_is_open(o, now_us) for o in each.orders)
        )

    def end(self, key: str, now_us: int, reason: str) -> Taken:
        """End an event that its programme has ended without sending it."""
        entry = self._entries[key]
        self._entries[key] = msgspec.structs.replace(entry, orders=())
        return Taken(orders=tuple(_restore(each, reason, now_us) for each in entry.orders if _is_open(each, now_us)))

    def ended_by_statement(self, now_us: int) -> Taken:
        """End orders whose stated end is over, where that is permission."""
        restores: list[Order] = []
        for key, entry in self._entries.items():
            begun_us = max((each.starts_us for each in entry.orders if each.starts_us <= now_us), default=0)
            over = [
                each
                for each in entry.orders
                if _has_ended(each, now_us)
                and _is_open(each, now_us)
                and (each.issued_by in self._stating or (each.ends_us or 0) <= begun_us)
            ]
            if over:
                left = tuple(each for each in entry.orders if each not in over)
                self._entries[key] = msgspec.structs.replace(entry, orders=left)
                restores += [_restore(each, f"event {key}: its stated end", now_us) for each in over]
        return Taken(orders=tuple(restores))

    def judge(self, event: GridEvent, now_us: int) -> Taken:
        """What taking an event would do, without taking it."""
        programme = self._programmes.get(event.context)
        if programme is None:
            return _refused(Why.UNKNOWN_PROGRAMME, f"no programme is declared for {event.context!r}")
        key = plain_id(event.id)
        known = self._entries.get(key)
        before = () if known is None else known.orders
        ends = event.is_cancelled or event.is_over
        is_news = known is None or known.modification < event.modification
        if known is not None and not is_news and not (ends and before and known.modification == event.modification):
            return _again(known, event)
        if not ends and (refused := _check(event, programme, now_us)) is not None:
            return refused
        orders = () if ends else self._orders(key, event, programme, now_us)
        kept = () if ends else self._ids(key, event)  # known from the journal, as the server still has it
        said = "cancelled" if event.is_cancelled else "over" if event.is_over else "changed"
        restores = (
            _restore(each, f"event {event.id} {said}", now_us)
            for each in before
            if _is_open(each, now_us) and each.id not in kept
        )
        held = {each.id for each in before}
        return Taken(orders=tuple(each for each in orders if each.id not in held) + tuple(restores))

    def take(self, event: GridEvent, now_us: int) -> Taken:
        """Take an event in, or refuse it with the reason."""
        taken = self.judge(event, now_us)
        if taken.why is None and not taken.is_known:
            self._forget(now_us)
            key = plain_id(event.id)
            known = self._entries.get(key)
            ids = () if event.is_cancelled or event.is_over else self._ids(key, event)
            kept = () if known is None else tuple(each for each in known.orders if each.id in ids)
            orders = tuple(each for each in taken.orders if each.kind is not OrderKind.RESTORE)
            self._entries[key] = _Entry(
                modification=event.modification, fingerprint=_fingerprint(event), orders=kept + orders
            )
        return taken

    def _orders(self, key: str, event: GridEvent, programme: Programme, now_us: int) -> tuple[Order, ...]:
        return tuple(
            Order(
                id=id,
                kind=ask.kind,
                authority=programme.authority,
                mw=ask.mw,
                feeder=programme.feeder,
                received_us=now_us,
                starts_us=max(ask.starts_us, now_us),
                ends_us=ask.ends_us,
                within_s=programme.within_s if ask.within_s is None else ask.within_s,
                issued_by=programme.name,
                reason=event.reason or f"event {event.id}",
            )
            for id, ask in zip(self._ids(key, event), event.asks, strict=True)
            if ask.ends_us is None or ask.ends_us > now_us
        )

    def _ids(self, key: str, event: GridEvent) -> tuple[str, ...]:
        """Id of the order of each of an event's parts."""
        stem = ".".join(filter(None, (self._door, key, event.revision)))
        return (stem,) if len(event.asks) == 1 else tuple(f"{stem}.i{index}" for index in range(len(event.asks)))

    def _recall(self, order: Order) -> None:
        """Know an order of the journal again: its event as it was, whatever its modification's contents."""
        parts = order.id.split(".")
        if len(parts) < 2 or parts[0] != self._door or order.kind is OrderKind.RESTORE:
            return
        modification = next((int(each[1:]) for each in parts[2:] if re.fullmatch(r"m\d+", each)), 0)
        before = self._entries.get(parts[1])
        if before is None or modification > before.modification:
            self._entries[parts[1]] = _Entry(modification=modification, fingerprint="", orders=(order,))
        elif modification == before.modification:
            self._entries[parts[1]] = msgspec.structs.replace(before, orders=(*before.orders, order))

    def _forget(self, now_us: int) -> None:
        if len(self._entries) < KEPT_EVENTS:
            return
        ended = sorted(
            (_end_us(each), key)
            for key, each in self._entries.items()
            if _end_us(each) < now_us and not any(_is_open(order, now_us) for order in each.orders)
        )
        over = len(self._entries) - KEPT_EVENTS + 1
        for index, (end_us, key) in enumerate(ended):
            if index < over or end_us < now_us - KEPT_US:
                del self._entries[key]


def plain_id(event_id: str) -> str:
    """An event's id as a part of an order's: itself where it is plain, else a hash of it."""
    return event_id if PLAIN.fullmatch(event_id) else f"x{content_id(event_id.encode())[:16]}"


def _again(known: _Entry, event: GridEvent) -> Taken:
    if event.modification < known.modification:
        return _refused(Why.REORDERED, f"modification {event.modification} after {known.modification}")
    if known.fingerprint and known.fingerprint != _fingerprint(event):
        return _refused(Why.CONFLICTING, f"modification {event.modification} came before with other contents")
    return Taken(is_known=True)


def _fingerprint(event: GridEvent) -> str:
    return content_id(msgspec.json.encode((event.asks, event.is_cancelled, event.context)))


def _check(event: GridEvent, programme: Programme, now_us: int) -> Taken | None:
    if len(event.asks) > ASKS_MAX:
        return _refused(Why.ABSURD, f"{len(event.asks)} parts, at most {ASKS_MAX} are taken")
    for ask in event.asks:
        if not (math.isfinite(ask.mw) and 0.0 <= ask.mw <= programme.largest_mw):
            return _refused(Why.ABSURD, f"{ask.mw:g} MW, {programme.name} may name 0 to {programme.largest_mw:g} MW")
        if ask.starts_us > now_us + programme.horizon_s * 1_000_000:
            return _refused(Why.ABSURD, f"begins more than {programme.horizon_s} s ahead")
        if ask.ends_us is None:
            continue
        if not 0 < ask.ends_us - ask.starts_us <= programme.longest_s * 1_000_000:
            length_s = (ask.ends_us - ask.starts_us) / 1e6
            return _refused(Why.ABSURD, f"lasts {length_s:g} s, {programme.name} may ask for {programme.longest_s} s")
    if event.asks and all(ask.ends_us is not None and ask.ends_us <= now_us for ask in event.asks):
        return _refused(Why.PAST, "its window has ended")
    return None


def _refused(why: Why, reason: str) -> Taken:
    return Taken(why=why, reason=reason)


def _has_ended(order: Order, now_us: int) -> bool:
    return order.ends_us is not None and order.ends_us <= now_us


def _is_open(order: Order, now_us: int) -> bool:
    """Is it in force or to come? What needs permission is in force after its time too."""
    return order.authority in NO_EXCEPTIONS.needs_permission or not _has_ended(order, now_us)


def _end_us(entry: _Entry) -> int:
    """When the last of its orders ends; never for one without an end, long ago for an event without orders."""
    return max((2**62 if each.ends_us is None else each.ends_us for each in entry.orders), default=0)


def _restore(order: Order, reason: str, now_us: int) -> Order:
    return msgspec.structs.replace(
        order,
        id=f"{order.id}.end",
        kind=OrderKind.RESTORE,
        mw=0.0,
        received_us=now_us,
        starts_us=now_us,
        ends_us=None,
        ends=order.id,
        reason=reason,
    )
