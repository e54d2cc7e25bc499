"""OpenADR 3: a VEN that polls a VTN and, where it may, is called back.

A notification makes an order within milliseconds; the poll finds what a lost notification would have said, and an event
that was deleted. What the VTN's list says is what holds: an event that is in it no more has been called off.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from headrace.adapters.grid.book import GridEvent, Unreadable, plain_id
from headrace.adapters.grid.inbox import Consent, Inbox
from headrace.adapters.grid.openadr3_events import read_event
from headrace.adapters.grid.openadr3_rest import Rest, RestSettings
from headrace.adapters.grid.programme import Programme
from headrace.adapters.grid.refusals import Refusals, Why
from headrace.adapters.grid.webhook import Webhook, WebhookSettings
from headrace.control.orders import Order
from headrace.core import iso

__all__ = ["OpenAdr3", "OpenAdr3Settings"]

WAIT_MAX_S: Final = 60.0
"""Longest wait before the VTN is tried again, seconds."""
DELETED: Final = "DELETE"
OPERATIONS: Final = {"3.0": ("POST", "PUT", "DELETE"), "3.1": ("CREATE", "UPDATE", "DELETE")}


class OpenAdr3Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Who this VEN is, and where its VTN."""

    rest: RestSettings
    """How the VTN is reached."""
    ven_name: str
    """Name that it gives itself in reports and subscriptions."""
    webhook: WebhookSettings | None = None
    """Where the VTN calls back; None to poll only."""
    poll_s: float = 10.0
    """Time between polls, seconds."""
    version: str = "3.0"
    """Vocabulary of subscriptions: "3.0" or "3.1"."""
    resource: str = "site"
    """Resource that its reports are about."""
    door: str = "adr3"
    """First word of its orders' ids; each door has its own."""


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    contents: bytes
    stamp: int
    event: GridEvent
    programme_id: str


class OpenAdr3:
    """Door to one VTN.

    Parameters
    ----------
    settings
        Who this VEN is, and where its VTN.
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
        settings: OpenAdr3Settings,
        programmes: Iterable[Programme],
        now_us: Callable[[], int],
        known: Iterable[Order] = (),
        consent: Consent | None = None,
    ) -> None:
        self._settings = settings
        self._declared = tuple(programmes)
        self._inbox = Inbox(settings.door, self._declared, now_us, known, consent)
        self._rest = Rest(settings.rest)
        self._webhook = Webhook(settings.webhook, self._notified, self._inbox.unreadable) if settings.webhook else None
        self._contexts: dict[str, str] = {}
        self._seen: dict[str, _Seen] = {}
        self._task: asyncio.Task[None] | None = None
        self.is_open = False

    @property
    def refusals(self) -> Refusals:
        """What was turned away."""
        return self._inbox.refusals

    async def open(self) -> None:
        """Begin to poll and, with a webhook, to be called back; may be called again."""
        if self._task is None:
            if self._webhook is not None:
                await self._webhook.open()
            self._task = asyncio.create_task(self._run(), name="openadr3")

    async def orders(self) -> AsyncIterator[Order]:
        """Orders as they come, until the door is closed."""
        await self.open()
        async for order in self._inbox.orders():
            yield order

    async def report(self, order: str, met_mw: float, at_us: int) -> None:
        """Post what is being delivered to the event that the order came from."""
        seen = self._seen.get(order.split(".")[1]) if order.startswith(f"{self._settings.door}.") else None
        if seen is None:
            return
        period = {"start": iso(at_us // 1_000_000), "duration": "PT0S"}
        body = {
            "objectType": "REPORT",
            "programID": seen.programme_id,
            "eventID": seen.event.id,
            "clientName": self._settings.ven_name,
            "reportName": "delivered below baseline",
            "payloadDescriptors": [
                {
                    "objectType": "REPORT_PAYLOAD_DESCRIPTOR",
                    "payloadType": "DEMAND",
                    "readingType": "DIRECT_READ",
                    "units": "KW",
                }
            ],
            "resources": [
                {
                    "resourceName": self._settings.resource,
                    "intervalPeriod": period,
                    "intervals": [{"id": 0, "payloads": [{"type": "DEMAND", "values": [met_mw * 1e3]}]}],
                }
            ],
        }
        try:
            await self._rest.ask("POST", "/reports", body=body)
        except Unreadable as error:
            self._inbox.unreadable(error)

    async def close(self) -> None:
        """Let go of the VTN, and let whoever waits for orders go."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._webhook is not None:
            await self._webhook.close()
        await self._rest.close()
        self._inbox.close()
        self.is_open = False

    async def _run(self) -> None:
        wait_s = 0.0
        while True:
            try:
                if not self.is_open:
                    await self._enrol()
                await self._poll()
                self.is_open = True
                wait_s = 0.0
            except Unreadable as error:
                self._inbox.unreadable(error)
                wait_s = min(max(2.0 * wait_s, self._settings.poll_s), WAIT_MAX_S)
            except Exception as error:  # noqa: BLE001  whatever a VTN says, the next poll is asked
                self._inbox.unreadable(Unreadable(Why.MALFORMED, "poll", f"{type(error).__name__}: {error}"[:200]))
                wait_s = WAIT_MAX_S
            await asyncio.sleep(wait_s or self._settings.poll_s)

    async def _enrol(self) -> None:
        """Find the declared programmes by id or name, and subscribe to their events."""
        self._contexts = {}
        by_context = {each.context for each in self._declared}
        async for raw in self._rest.every("/programs"):
            for word in (raw.get("id"), raw.get("programName")):
                if word in by_context and isinstance(raw.get("id"), str):
                    self._contexts[raw["id"]] = str(word)
        missing = by_context - set(self._contexts.values())
        if missing:
            names = ", ".join(sorted(missing))
            raise Unreadable(Why.UNKNOWN_PROGRAMME, "programs", f"the VTN has no programme {names}")
        if self._webhook is not None:
            await self._subscribe(self._webhook)

    async def _subscribe(self, webhook: Webhook) -> None:
        own = self._settings
        if own.webhook is None:
            return
        async for raw in self._rest.every("/subscriptions", clientName=own.ven_name):
            await self._rest.ask("DELETE", f"/subscriptions/{raw.get('id')}")  # of an earlier run, with an old secret
        operations = OPERATIONS[own.version]
        for programme_id in self._contexts:
            operation = {
                "objects": ["EVENT"],
                "operations": operations,
                "callbackUrl": webhook.url,
                "bearerToken": own.webhook.secret,
            }
            body = {
                "objectType": "SUBSCRIPTION",
                "clientName": own.ven_name,
                "programID": programme_id,
                "objectOperations": [operation],
            }
            await self._rest.ask("POST", "/subscriptions", body=body)

    async def _poll(self) -> None:
        """Take in what the VTN's lists say; what came while they were read is not missing in them."""
        self._inbox.look()
        before, found = self._inbox.book.open_events(self._inbox.now_us()), set[str]()
        for programme_id, context in self._contexts.items():
            async for raw in self._rest.every("/events", programID=programme_id):
                found.add(plain_id(str(raw.get("id"))))
                self._take(raw, programme_id, context, is_list=True)
        for key in before:
            if key not in found:
                self._gone(key)
        for key in self._seen.keys() - found - set(before):
            del self._seen[key]

    def _notified(self, notification: dict[str, Any]) -> None:
        raw, kind = notification.get("object"), str(notification.get("objectType")).upper()
        context = self._contexts.get(str(raw.get("programID"))) if isinstance(raw, Mapping) else None
        if not isinstance(raw, Mapping) or kind != "EVENT" or context is None:
            what = f"{kind} of no programme that is declared"
            self._inbox.unreadable(Unreadable(Why.UNKNOWN_PROGRAMME, "notification", what))
        elif notification.get("operation") == DELETED:
            self._gone(plain_id(str(raw.get("id"))))
        else:
            self._take(raw, str(raw["programID"]), context, is_list=False)

    def _take(self, raw: Mapping[str, Any], programme_id: str, context: str, *, is_list: bool) -> None:
        """Take an event in, once for each of its contents.

        Time stamps of whole seconds leave two changes in one second alike: then the list is right, being the later.
        """
        contents, key = msgspec.json.encode(raw, order="sorted"), plain_id(str(raw.get("id")))
        seen = self._seen.get(key)
        if seen is not None and seen.contents == contents:
            return
        try:
            event = read_event(raw, context, self._inbox.book.programme, self._inbox.now_us())
        except Unreadable as error:
            if seen is None:
                unread = GridEvent(id=str(raw.get("id")), modification=-1, context=context, asks=())
                seen = _Seen(contents=contents, stamp=-1, event=unread, programme_id=programme_id)
            self._seen[key] = msgspec.structs.replace(seen, contents=contents)  # counted once, not at every poll
            self._inbox.unreadable(error)
            return
        stamp = event.modification
        if seen is not None and is_list:
            if stamp < seen.stamp:
                return  # a list that was made before a notification that has come since
            if stamp == seen.stamp:
                later = seen.event.modification + 1
                event = msgspec.structs.replace(event, modification=later, revision=f"m{later}")
        if seen is None or event.modification > seen.event.modification:
            self._seen[key] = _Seen(contents=contents, stamp=stamp, event=event, programme_id=programme_id)
        self._inbox.take(event)

    def _gone(self, key: str) -> None:
        """An event that the VTN has no more is called off."""
        seen, now_us = self._seen.pop(key, None), self._inbox.now_us()
        if seen is not None:
            later = max(now_us, seen.event.modification + 1)
            self._inbox.take(msgspec.structs.replace(seen.event, modification=later, asks=(), is_cancelled=True))
        elif key in self._inbox.book.open_events(now_us):  # known from the journal alone
            context = next(iter(self._contexts.values()))
            self._inbox.take(GridEvent(id=key, modification=now_us, context=context, asks=(), is_cancelled=True))
