"""OpenADR 2.0b: a VEN that polls a VTN, opts in or out, and reports what is delivered.

Pull only, as the profile has it: an order is as late as the poll, so this is no door for a response within a second.
Registration, polling and answers run in one task that goes on for ever; while the VTN is away it waits ever longer, up
to a minute. Messages are openleadr's; the loop is ours because openleadr's own client drops failures into its log.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import msgspec
from openleadr import enums, objects

from headrace.adapters.grid.book import Unreadable, plain_id
from headrace.adapters.grid.inbox import Consent, Inbox
from headrace.adapters.grid.openadr2_events import read_event
from headrace.adapters.grid.openadr2_wire import Wire, WireSettings
from headrace.adapters.grid.programme import Programme
from headrace.adapters.grid.refusals import Refusals, Why
from headrace.control.orders import Order
from headrace.core import from_epoch_s

__all__ = ["OpenAdr2", "OpenAdr2Settings"]

WAIT_MAX_S: Final = 60.0
"""Longest wait before the VTN is tried again, seconds."""
IN_A_ROW_MAX: Final = 20
"""Most messages fetched without waiting in between."""
REPORT: Final = "headrace-delivered"
POINT: Final = "delivered"


class OpenAdr2Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Who this VEN is, and where its VTN."""

    wire: WireSettings
    """How the VTN is reached."""
    ven_name: str
    """Name that the VTN knows it by."""
    ven_id: str = ""
    """Id that the VTN gave it; empty to be given one."""
    poll_s: float | None = None
    """Time between polls, seconds; None for what the VTN asks for."""
    poll_least_s: float = 0.2
    """Least time between polls whatever the VTN asks for, seconds."""
    resource: str = "site"
    """Resource that its reports are about."""
    door: str = "adr2"
    """First word of its orders' ids; each door has its own."""


class OpenAdr2:
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
        settings: OpenAdr2Settings,
        programmes: Iterable[Programme],
        now_us: Callable[[], int],
        known: Iterable[Order] = (),
        consent: Consent | None = None,
    ) -> None:
        self._settings = settings
        self._inbox = Inbox(settings.door, programmes, now_us, known, consent)
        self._wire = Wire(settings.wire)
        self._ven_id = settings.ven_id
        self._registration = ""
        self._poll_s = settings.poll_s or 10.0
        self._requests: dict[str, timedelta] = {}
        self._reported_us: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def refusals(self) -> Refusals:
        """What was turned away."""
        return self._inbox.refusals

    @property
    def is_registered(self) -> bool:
        """Has the VTN registered this VEN, and does it still answer?"""
        return bool(self._registration)

    async def open(self) -> None:
        """Begin to register and poll; may be called again."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="openadr2")

    async def orders(self) -> AsyncIterator[Order]:
        """Orders as they come, until the door is closed."""
        await self.open()
        async for order in self._inbox.orders():
            yield order

    async def report(self, order: str, met_mw: float, at_us: int) -> None:
        """Tell the VTN what is being delivered, as often as it asked to be told; a profile's report names no event."""
        if not order.startswith(f"{self._settings.door}."):
            return
        for request, granularity in tuple(self._requests.items()):
            if at_us - self._reported_us.get(request, 0) < granularity // timedelta(microseconds=1):
                continue
            self._reported_us[request] = at_us
            try:
                await self._ask("EiReport", "oadrUpdateReport", reports=[_update(request, met_mw, at_us)])
            except Unreadable as error:
                self._inbox.unreadable(error)

    async def close(self) -> None:
        """Let go of the VTN, and let whoever waits for orders go."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._wire.close()
        self._inbox.close()

    async def _run(self) -> None:
        wait_s = 0.0
        while True:
            try:
                if not self._registration:
                    await self._register()
                await self._poll()
                wait_s = 0.0
            except Unreadable as error:
                self._inbox.unreadable(error)
                wait_s = min(max(2.0 * wait_s, self._poll_s), WAIT_MAX_S)
            except Exception as error:  # noqa: BLE001  whatever a VTN says, the next poll is asked
                self._inbox.unreadable(Unreadable(Why.MALFORMED, "poll", f"{type(error).__name__}: {error}"[:200]))
                wait_s = WAIT_MAX_S
            await asyncio.sleep(wait_s or self._poll_s)

    async def _ask(self, service: str, message: str, **payload: object) -> tuple[str, dict[str, Any]]:
        with_id = {"request_id": self._wire.request_id(), "ven_id": self._ven_id or None} | payload
        return await self._wire.ask(service, message, **with_id)

    async def _register(self) -> None:
        own = self._settings
        kind, reply = await self._ask(
            "EiRegisterParty",
            "oadrCreatePartyRegistration",
            ven_name=own.ven_name,
            http_pull_model=True,
            xml_signature=bool(own.wire.cert_file) and own.wire.is_signed,
            report_only=False,
            profile_name="2.0b",
            transport_name="simpleHttp",
            transport_address=None,
            registration_id=None,
        )
        registration, ven_id = reply.get("registration_id"), reply.get("ven_id")
        if kind != "oadrCreatedPartyRegistration" or not registration or not ven_id:
            raise Unreadable(Why.UNAUTHORISED, "registration", f"the VTN does not register {own.ven_name!r}")
        self._ven_id = str(ven_id)
        asked = reply.get("requested_oadr_poll_freq")
        asked_s = asked.total_seconds() if isinstance(asked, timedelta) else self._poll_s
        self._poll_s = max(own.poll_s or asked_s, own.poll_least_s)
        await self._offer_report()
        self._registration = str(registration)
        await self._handle(*await self._ask("EiEvent", "oadrRequestEvent", reply_limit=None))

    async def _offer_report(self) -> None:
        at = from_epoch_s(self._inbox.now_us() // 1_000_000)
        _, reply = await self._ask("EiReport", "oadrRegisterReport", reports=[_offer(self._settings.resource, at)])
        self._requested(reply)

    async def _poll(self) -> None:
        self._inbox.look()
        if self._inbox.book.overdue_events(self._inbox.now_us()):
            await self._ask_for_ends()
        for _ in range(IN_A_ROW_MAX):
            kind, reply = await self._ask("OadrPoll", "oadrPoll")
            if not await self._handle(kind, reply):
                return

    async def _ask_for_ends(self) -> None:
        """Ask for all events: a server need not tell by itself that one is over."""
        kind, reply = await self._ask("EiEvent", "oadrRequestEvent", reply_limit=None)
        if kind not in ("oadrDistributeEvent", "oadrResponse"):
            return
        await self._handle(kind, reply)
        about = [raw.get("event_descriptor") for raw in reply.get("events") or () if isinstance(raw, Mapping)]
        self._inbox.look({plain_id(str(each.get("event_id"))) for each in about if isinstance(each, Mapping)})

    async def _handle(self, kind: str, reply: Mapping[str, Any]) -> bool:
        """Do what a message asks; False if it asked for nothing."""
        match kind:
            case "oadrDistributeEvent":
                await self._distribute(reply)
            case "oadrRequestReregistration" | "oadrCancelPartyRegistration":
                self._registration = ""
                return False
            case "oadrCreateReport":
                self._requested(reply)
                pending = [{"report_request_id": each} for each in self._requests]
                await self._ask("EiReport", "oadrCreatedReport", pending_reports=pending, response=_ok(reply))
            case "oadrCancelReport":
                self._requests.clear()
                await self._ask("EiReport", "oadrCanceledReport", pending_reports=[], response=_ok(reply))
            case _:
                return False
        return True

    async def _distribute(self, reply: Mapping[str, Any]) -> None:
        request_id = str(reply.get("request_id") or "")
        answers = [answer for raw in reply.get("events") or () if (answer := self._answer(raw, request_id))]
        if answers:
            response = {"response_code": 200, "response_description": "OK", "request_id": request_id}
            await self._ask("EiEvent", "oadrCreatedEvent", response=response, event_responses=answers)

    def _answer(self, raw: Mapping[str, Any], request_id: str) -> dict[str, object] | None:
        """Take an event in; how the VTN is answered, if it wants to be."""
        try:
            taken = self._inbox.take(read_event(raw, self._inbox.book.programme))
            opt = "optIn" if taken.why is None else "optOut"
        except Unreadable as error:
            self._inbox.unreadable(error)
            opt = "optOut"
        about = raw.get("event_descriptor")
        if raw.get("response_required") != "always" or not isinstance(about, Mapping) or "event_id" not in about:
            return None
        return {
            "response_code": 200,
            "response_description": "OK",
            "opt_type": opt,
            "request_id": request_id,
            "modification_number": about.get("modification_number", 0),
            "event_id": about["event_id"],
        }

    def _requested(self, reply: Mapping[str, Any]) -> None:
        """Note which reports the VTN wants and how often."""
        for each in reply.get("report_requests") or ():
            specifier = each.get("report_specifier") or {}
            granularity = specifier.get("granularity")
            if specifier.get("report_specifier_id") == REPORT and isinstance(granularity, timedelta):
                self._requests[str(each["report_request_id"])] = granularity


def _ok(reply: Mapping[str, Any]) -> dict[str, object]:
    return {"response_code": 200, "response_description": "OK", "request_id": str(reply.get("request_id") or "")}


def _offer(resource: str, at: object) -> objects.Report:
    """The report that this VEN offers: real power delivered, in kW."""
    target = objects.Target(resource_id=resource)
    measurement = objects.Measurement(
        name="powerReal",
        description="RealPower",
        unit="W",
        scale="k",
        power_attributes=objects.PowerAttributes(hertz=60, voltage=138_000, ac=True),
    )
    description = objects.ReportDescription(
        r_id=POINT,
        reading_type=enums.READING_TYPE.DIRECT_READ,
        report_data_source=target,
        report_subject=target,
        report_type=enums.REPORT_TYPE.READING,
        sampling_rate=objects.SamplingRate(
            min_period=timedelta(seconds=1), max_period=timedelta(hours=1), on_change=False
        ),
        measurement=measurement,
        market_context=None,
    )
    return objects.Report(
        created_date_time=at,
        report_name="METADATA_TELEMETRY_USAGE",
        report_specifier_id=REPORT,
        duration=timedelta(hours=1),
        report_descriptions=[description],
    )


def _update(request: str, met_mw: float, at_us: int) -> objects.Report:
    at = from_epoch_s(at_us // 1_000_000)
    reading = objects.ReportInterval(dtstart=at, report_payload=objects.ReportPayload(r_id=POINT, value=met_mw * 1e3))
    return objects.Report(
        report_request_id=request,
        report_specifier_id=REPORT,
        report_name="TELEMETRY_USAGE",
        intervals=[reading],
        dtstart=at,
        created_date_time=at,
    )
