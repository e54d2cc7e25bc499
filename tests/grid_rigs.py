"""Doors for grid signals, each with the other side it talks to: what the tests of all of them share."""

import asyncio
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

from headrace.adapters.grid.programme import Programme
from headrace.control.orders import Authority, Order, OrderKind

DEMAND_RESPONSE = Programme(
    name="demand response",
    context="http://utility.example/dr",
    authority=Authority.VOLUNTARY,
    within_s=600.0,
    largest_mw=100.0,
    level_mw=(5.0, 10.0, 20.0),
)
EMERGENCY = Programme(
    name="grid operator",
    context="http://grid.example/emergency",
    authority=Authority.GRID,
    within_s=60.0,
    largest_mw=100.0,
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wall_us() -> int:
    return time.time_ns() // 1000


async def until(condition: Callable[[], object], what: str, within_s: float = 10.0) -> None:
    """Wait for a condition, bounded."""
    clock = asyncio.get_running_loop().time
    deadline_s = clock() + within_s
    while not condition():
        assert clock() < deadline_s, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.01)


class Collected:
    """Orders of a door as they come."""

    def __init__(self, door) -> None:
        self.orders: list[Order] = []
        self._task = asyncio.create_task(self._collect(door))

    async def _collect(self, door) -> None:
        async for order in door.orders():
            self.orders.append(order)

    async def count(self, count: int, within_s: float = 10.0) -> list[Order]:
        """The first `count` orders."""
        found = f"{count} orders, found"
        await until(lambda: len(self.orders) >= count or self._task.done(), f"{found} {self.orders}", within_s)
        assert len(self.orders) >= count
        return self.orders

    async def ended(self) -> None:
        """Wait for the stream's end."""
        await asyncio.wait_for(self._task, 5.0)


class Adr2Rig:
    """OpenADR 2.0b: our VEN polling openleadr's VTN."""

    prefix = "adr2"

    async def start(self) -> None:
        from headrace.adapters.grid.openadr2 import OpenAdr2, OpenAdr2Settings
        from headrace.adapters.grid.openadr2_wire import WireSettings
        from headrace.sim.grid.vtn2 import SignalPart, Vtn2

        self._part = SignalPart
        self.vtn = Vtn2("headrace", free_port())
        await self.vtn.start()
        wire = WireSettings(url=self.vtn.url)
        settings = OpenAdr2Settings(wire=wire, ven_name="headrace", poll_s=0.1, poll_least_s=0.1)
        self.door = OpenAdr2(settings, [EMERGENCY, DEMAND_RESPONSE], wall_us)
        await self.door.open()
        await until(lambda: self.door.is_registered, "registration")

    def issue(self, event_id: str, mw: float, starts_us: int, lasts_s: int) -> None:
        self.vtn.issue(event_id, EMERGENCY.context, starts_us, [self._part(duration_s=lasts_s, payload=mw * 1e3)])

    def repeat(self, event_id: str) -> None:
        self.vtn.repeat()

    def change(self, event_id: str, mw: float, starts_us: int, lasts_s: int) -> None:
        self.vtn.change(event_id, starts_us, [self._part(duration_s=lasts_s, payload=mw * 1e3)])

    async def answered(self, event_id: str, times: int) -> None:
        await until(lambda: len(self.vtn.opted.get(event_id, [])) >= times, f"{times} answers to {event_id}")

    def cancel(self, event_id: str) -> None:
        self.vtn.cancel(event_id)

    def delivered_mw(self) -> list[float]:
        return [kw / 1e3 for _, kw in self.vtn.delivered_kw]

    async def stop(self) -> None:
        await self.door.close()
        await self.vtn.stop()


class Adr3Rig:
    """OpenADR 3: our VEN and our VTN, with a webhook or by polling alone."""

    prefix = "adr3"
    has_webhook = True

    async def start(self) -> None:
        from headrace.adapters.grid.openadr3 import OpenAdr3, OpenAdr3Settings
        from headrace.adapters.grid.openadr3_rest import RestSettings
        from headrace.adapters.grid.webhook import WebhookSettings
        from headrace.sim.grid.vtn3 import Client, Vtn3

        clients = {"ven": Client(secret="ven-secret"), "bl": Client(secret="bl-secret", is_ven=False)}
        self.vtn = Vtn3(clients, 0, wall_us)
        await self.vtn.start()
        programmes = [EMERGENCY, DEMAND_RESPONSE]
        self.program_id = {p.context: self.vtn.add("programs", {"programName": p.context})["id"] for p in programmes}
        rest = RestSettings(url=self.vtn.url, client_id="ven", client_secret="ven-secret")
        webhook = WebhookSettings(port=0, secret="webhook-secret") if self.has_webhook else None
        settings = OpenAdr3Settings(rest=rest, ven_name="headrace", poll_s=0.1, webhook=webhook)
        self.door = OpenAdr3(settings, programmes, wall_us)
        await self.door.open()
        await until(lambda: self.door.is_open, f"enrolment {list(self.door.refusals.last)}")
        self._ids: dict[str, str] = {}

    def body(self, event_id: str, mw: float, starts_us: int, lasts_s: int, context: str = EMERGENCY.context) -> dict:
        start = datetime.fromtimestamp(starts_us / 1e6, tz=UTC).isoformat()
        payload = {"type": "IMPORT_CAPACITY_LIMIT", "values": [mw * 1e3]}
        return {
            "programID": self.program_id[context],
            "eventName": event_id,
            "intervalPeriod": {"start": start, "duration": f"PT{lasts_s}S"},
            "intervals": [{"id": 0, "payloads": [payload]}],
        }

    def issue(self, event_id: str, mw: float, starts_us: int, lasts_s: int) -> None:
        self._ids[event_id] = self.vtn.add("events", self.body(event_id, mw, starts_us, lasts_s))["id"]

    def repeat(self, event_id: str) -> None:
        """The list is polled again and again anyhow."""

    def change(self, event_id: str, mw: float, starts_us: int, lasts_s: int) -> None:
        self.vtn.change("events", self._ids[event_id], self.body(event_id, mw, starts_us, lasts_s))

    async def answered(self, event_id: str, times: int) -> None:
        """Nobody opts in in OpenADR 3."""

    def cancel(self, event_id: str) -> None:
        self.vtn.remove("events", self._ids[event_id])

    def delivered_mw(self) -> list[float]:
        found = [r["resources"][0]["intervals"][0]["payloads"][0]["values"][0] for r in self.vtn.objects("reports")]
        return [kw / 1e3 for kw in found]

    async def stop(self) -> None:
        await self.door.close()
        await self.vtn.stop()


class Adr3PollRig(Adr3Rig):
    has_webhook = False


class ScriptedRig:
    """The simulated twin."""

    prefix = "script"

    async def start(self) -> None:
        from headrace.sim.grid.scripted import ScriptedSignals

        self.door = ScriptedSignals(wall_us)
        self._last: dict[str, Order] = {}

    def _order(self, name: str, mw: float, starts_us: int, lasts_s: int) -> Order:
        return Order(
            id=name,
            kind=OrderKind.LIMIT,
            authority=EMERGENCY.authority,
            mw=mw,
            received_us=wall_us(),
            starts_us=starts_us,
            ends_us=starts_us + lasts_s * 1_000_000,
            within_s=EMERGENCY.within_s,
            issued_by=EMERGENCY.name,
            reason=name,
        )

    def issue(self, event_id: str, mw: float, starts_us: int, lasts_s: int) -> None:
        self._last[event_id] = self._order(f"{self.prefix}.{event_id}", mw, starts_us, lasts_s)
        self.door.issue(self._last[event_id])

    def repeat(self, event_id: str) -> None:
        self.door.issue(self._last[event_id])

    def change(self, event_id: str, mw: float, starts_us: int, lasts_s: int) -> None:
        before = self._last[event_id]
        self._last[event_id] = self._order(f"{before.id}.m1", mw, starts_us, lasts_s)
        self.door.replace(before.id, self._last[event_id])

    async def answered(self, event_id: str, times: int) -> None:
        """Nobody answers a script."""

    def cancel(self, event_id: str) -> None:
        self.door.cancel(self._last[event_id].id)

    def delivered_mw(self) -> list[float]:
        return [mw for _, mw, _ in self.door.reported]

    async def stop(self) -> None:
        await self.door.close()
