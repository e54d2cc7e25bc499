"""The channel of a simulated site: inject a fault, read what devices heard, read the truth; loopback, with a token.

One JSON object a line, one back: {"token": ..., "do": "truth" | "effects" | "fault" | "reset", ...}.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec

from headrace.sim.world.faults import Fault
from headrace.sim.world.world import World

__all__ = ["SimChannel"]

LINE_MAX_BYTES: Final = 65_536
EFFECTS_MAX: Final = 10_000
"""Most effects of one answer."""


class _Asked(msgspec.Struct, frozen=True):
    token: str
    do: str
    after: int = 0
    fault: Fault | None = None
    feeder: str = ""


class SimChannel:
    """Serves one world.

    Parameters
    ----------
    world
        The world.
    now_us
        The site's time.
    """

    def __init__(self, world: World, now_us: Callable[[], int]) -> None:
        self.token = secrets.token_hex(16)
        """What a caller must know."""
        self._world = world
        self._now_us = now_us
        self._server: asyncio.Server | None = None

    async def listen(self) -> int:
        """Begin to listen on a free loopback port; says which."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LINE_MAX_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(self.answer(line)) + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError, asyncio.CancelledError):
            pass  # a line too long, a caller gone, the site closing: this connection only
        finally:
            writer.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Answer to one request."""
        try:
            asked = msgspec.json.decode(line, type=_Asked)
        except (msgspec.MsgspecError, ValueError) as error:
            return {"error": str(error)[:200]}
        if not hmac.compare_digest(asked.token.encode(), self.token.encode()):
            return {"error": "another token"}
        self._world.advance(self._now_us())
        return self._do(asked)

    def _do(self, asked: _Asked) -> dict[str, Any]:
        world = self._world
        match asked.do:
            case "truth":
                return self._truth()
            case "effects":
                first = world.heard - len(world.effects)
                skipped = max(0, asked.after - first)
                found = [msgspec.to_builtins(each) for each in list(world.effects)[skipped : skipped + EFFECTS_MAX]]
                return {"next": max(asked.after, first) + len(found), "effects": found}
            case "fault" if asked.fault is not None:
                world.add_fault(asked.fault)
            case "reset" if asked.feeder in world.layout.feeder_index:
                world.reset(asked.feeder)
            case _:
                return {"error": f"can't do {asked.do!r}"}
        return {"done": asked.do}

    def _truth(self) -> dict[str, Any]:
        world = self._world
        power_w = world.feeder_w()
        return {
            "at_us": world.now_us,
            "since_s": (world.now_us - world.start_us) / 1e6,
            "net_import_w": world.net_import_w(),
            "feeder_w": {name: float(power_w[i]) for name, i in world.layout.feeder_index.items()},
            "tripped": [name for name, i in world.layout.feeder_index.items() if world.circuits.has_tripped[i]],
            "stored_mwh": None if world.storage is None else world.storage.stored_mwh,
            "temp_c": world.temp_c(),
            "frequency_hz": world.frequency_hz(),
            "over_import_wh": world.totals.over_import_ws / 3600.0,
            "firm_missed_gpu_s": world.totals.firm_missed(),
            "counters": dict(world.totals.counters()),
            "heard": world.heard,
        }
