"""What happens in the demo: a site comes to its plan, the grid asks for power, the site gives it, and takes it back."""

import asyncio
import json
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from headrace.app.live.plan import live_plan
from headrace.app.live.warming import warm_up
from headrace.app.live_demo.children import Child, DemoFailed
from headrace.app.live_demo.ground import PROGRAMME, VEN, Ground, Network, free_port, lay_ground
from headrace.app.operator_client import OperatorClient, Unreachable
from headrace.core import epoch_s, iso
from headrace.engine.clock import FastClock

__all__ = ["Happened", "play"]

SPEED: Final = 60.0
"""Site seconds per second."""
START: Final = datetime(2024, 11, 18, 18, 0, tzinfo=UTC)
ASKED_MW: Final = 0.6
"""What the grid operator asks to shed, MW: more than half of the site."""
WITHIN_S: Final = 300.0
"""How fast, site seconds."""
EVENT_MIN: Final = 30
"""How long the event is announced for; it is ended earlier."""
BEFORE_S: Final = 330.0
"""Time on plan before the event, site seconds: the draw before it is a mean of five minutes."""
HELD_S: Final = 420.0
"""Time from the meter's word to the end of the event, site seconds."""
POLL: Final = "4s"
"""Period of the engine's watch, site time."""
TROUBLES: Final = (("mute", "B.m007"), ("mute", "B.m041"), ("lying", "B.m023"))
"""What goes wrong with whom when the event comes."""

LISTEN_MAX_S, PLAN_MAX_S, ORDER_MAX_S, RESTORE_MAX_S = 40.0, 40.0, 25.0, 40.0
"""Longest waits, wall seconds."""
LOOK_S: Final = 0.25
"""Period at which the API is asked; it answers five times a second."""
NEAR_RATIO: Final = 0.03
"""A load this near its target has arrived."""

Tell = Callable[[str], None]


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo did and saw from outside; everything else is in the journal."""

    ground: Ground
    """Its files."""
    order: str
    """Id of the grid operator's order."""
    reports: int
    """Reports of delivery that came back to the grid operator."""
    troubles: tuple[tuple[str, str], ...]
    """What went wrong with whom."""
    devices: dict[str, int]
    """Devices served, by kind."""
    wall_s: float
    """How long it took, wall seconds."""


async def play(folder: Path, tell: Tell) -> Happened:
    """Play the demo; every process and server it began has ended when it returns or raises.

    Parameters
    ----------
    folder
        Where everything is written.
    tell
        Called with each step, in words.

    Raises
    ------
    DemoFailed
        If something does not happen in time.
    headrace.core.BadInput
        If the folder can't be used, or this system has no loopback network.
    """
    from headrace.sim.grid.vtn3 import Client, Vtn3

    began_s = time.monotonic()  # noqa: TID251  the demo tells how long it took
    start_s, port, secret = epoch_s(START), free_port(), secrets.token_hex(16)
    async with AsyncExitStack() as stack:
        stack.enter_context(_ended_by_signal())
        network = Network()
        stack.callback(network.close)
        ground = lay_ground(
            folder,
            network,
            vtn=f"http://127.0.0.1:{port}",
            vtn_secret=secret,
            within_s=WITHIN_S,
            start_s=start_s,
        )
        # Code that was never compiled on this machine would keep the engine at its first question for half a minute.
        await asyncio.to_thread(warm_up, live_plan(ground.site, ground.devices), start_s)
        anchor_s = time.time_ns() * 1e-9
        clock = FastClock(start_s=start_s, speed_ratio=SPEED, anchor_wall_s=anchor_s)
        vtn = Vtn3({VEN: Client(secret=secret)}, port, clock.now_us)
        await vtn.start()
        stack.push_async_callback(vtn.stop)
        programme = vtn.add("programs", {"objectType": "PROGRAM", "programName": PROGRAMME})["id"]
        site = _Stage(ground, clock, anchor_s, tell)
        stack.push_async_callback(site.end)
        devices = await site.begin()
        await site.reach_plan()
        order = await site.shed(vtn, programme)
        await site.restore(vtn, order)
        reports = len(vtn.objects("reports"))
        await site.end()
    return Happened(
        ground=ground,
        order=order,
        reports=reports,
        troubles=TROUBLES,
        devices=devices,
        wall_s=time.monotonic() - began_s,  # noqa: TID251  likewise
    )


class _Stage:
    """The two processes, and what is seen of them."""

    def __init__(self, ground: Ground, clock: FastClock, anchor_s: float, tell: Tell) -> None:
        files = ["--devices", str(ground.devices), "--speed", f"{SPEED:g}", "--start", iso(epoch_s(START))]
        files += ["--anchor", f"{anchor_s:.6f}"]
        self._ground = ground
        self._clock = clock
        self._tell = tell
        self._api: OperatorClient | None = None
        self._channel: dict[str, Any] = {}
        self._sim = Child("headrace sim", ["sim", str(ground.site), *files], ground.folder / "sim.log")
        live = ["live", str(ground.site), *files, "--out", str(ground.run), "--poll", POLL]
        log = ["--log", str(ground.folder / "live.log")]
        self._live = Child("headrace live", [*live, *log], ground.folder / "live.errors")

    async def begin(self) -> dict[str, int]:
        """Begin both; devices that the simulated site serves."""
        await self._sim.begin()
        ready = json.loads(await self._sim.line(LISTEN_MAX_S))
        self._channel = ready["channel"]
        devices = {
            "miners": sum(ready["miners"].values()),
            "servers": ready["nodes"],
            "Modbus units": len(ready["modbus"]),
        }
        self._tell("simulated site serves " + ", ".join(f"{count} {kind}" for kind, count in devices.items()))
        await self._live.begin()
        self._api = OperatorClient(self._ground.api, self._ground.token, timeout_s=5.0)
        return devices

    async def reach_plan(self) -> None:
        """Wait until every load draws what the plan asks of it, and a while longer."""
        status = await self._until("on plan", PLAN_MAX_S, _is_on_plan)
        self._tell(f"engine is on plan: net import {status['site_mw']:.3f} MW")
        await self._pass(BEFORE_S)

    async def shed(self, vtn: Any, programme: str) -> str:  # noqa: ANN401  imported late
        """Let things go wrong, let the grid ask, and wait for the meter's word; the order's id."""
        for kind, target in TROUBLES:
            truth = await self._ask_sim({"do": "truth"})
            await self._ask_sim({"do": "fault", "fault": {"kind": kind, "target": target, "start_s": truth["since_s"]}})
        vtn.add("events", _event(programme))
        self._tell(f"grid operator asks over OpenADR 3: draw {ASKED_MW:g} MW less within {WITHIN_S:g} s")
        status = await self._until("shed", ORDER_MAX_S, _is_delivered)
        found = status["delivered"][-1]
        self._tell(f"meter shows {found['met_mw']:.3f} MW less")
        await self._pass(HELD_S)
        return str(found["order"])

    async def restore(self, vtn: Any, order: str) -> None:  # noqa: ANN401  likewise
        """End the event, and wait until what was shed is back and one more interval is closed."""
        vtn.remove("events", order.split(".")[1])
        self._tell("grid operator ends the event")
        await self._until("restoration", ORDER_MAX_S, lambda each: not each["orders"])
        status = await self._until("back on plan", RESTORE_MAX_S, _is_on_plan)
        self._tell(f"restored: net import {status['site_mw']:.3f} MW")
        interval_s = status["interval_s"]
        await self._until("interval", ORDER_MAX_S, lambda each: (each["interval_s"] or 0) > interval_s)

    async def end(self) -> None:
        """End both processes."""
        await asyncio.gather(self._live.end(), self._sim.end())

    async def _pass(self, site_s: float) -> None:
        await self._clock.sleep_until(self._clock.now_s() + site_s)
        self._live.check()

    async def _until(self, what: str, within_s: float, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask for the site's status until something is so."""
        status: dict[str, Any] = {}
        try:
            async with asyncio.timeout(within_s):
                while not (status and is_so(status)):
                    await asyncio.sleep(LOOK_S)
                    self._live.check()
                    self._sim.check()
                    status = await self._status()
        except TimeoutError as error:
            raise DemoFailed(f"{what}: not within {within_s:g} s. {_said(status)}") from error
        return status

    async def _status(self) -> dict[str, Any]:
        if self._api is None:
            return {}
        try:
            found: dict[str, Any] = await asyncio.to_thread(self._api.get, "/v1/status")
        except Unreachable:  # it does not listen yet
            return {}
        return found

    async def _ask_sim(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Say something on the simulated site's channel."""
        async with asyncio.timeout(5.0):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._channel["port"])
            writer.write(json.dumps({"token": self._channel["token"], **asked}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(await reader.readline())
            writer.close()
        if "error" in answer:
            raise DemoFailed(f"the simulated site: {answer['error']}")
        return answer


def _event(programme: str) -> dict[str, Any]:
    payload = {"type": "DISPATCH_SETPOINT_RELATIVE", "values": [-ASKED_MW * 1e3]}
    return {
        "objectType": "EVENT",
        "programID": programme,
        "eventName": "Emergency: transmission line out",
        "payloadDescriptors": [
            {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "DISPATCH_SETPOINT_RELATIVE", "units": "KW"}
        ],
        "intervalPeriod": {"start": "0000-00-00", "duration": f"PT{EVENT_MIN}M"},
        "intervals": [{"id": 0, "payloads": [payload]}],
    }


def _is_on_plan(status: dict[str, Any]) -> bool:
    """Does each load draw what is asked of it, by the plan itself?"""
    if status["mode"] != "plan" or status["site_mw"] is None or status["is_restoring"]:
        return False
    asked = [each for each in status["loads"] if each["target_mw"] is not None]
    wanted_mw = sum(each["target_mw"] for each in asked)
    return bool(asked) and abs(sum(each["power_mw"] for each in asked) - wanted_mw) <= NEAR_RATIO * wanted_mw


def _is_delivered(status: dict[str, Any]) -> bool:
    return any(each["order"].startswith("adr3.") for each in status["delivered"])


def _said(status: dict[str, Any]) -> str:
    """What a status that was not good enough said."""
    if not status:
        return "The engine's API did not answer."
    loads = ", ".join(f"{each['name']} {each['power_mw']:.3f} of {each['target_mw']} MW" for each in status["loads"])
    alarms = "; ".join(f"{each['code']}: {each['text']}" for each in status["alarms"])
    return f"The engine was at {status['mode'] or 'no decision'}; {loads}. {alarms}"


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM ends the demo as ^C does: by way of everything that has to be ended."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
