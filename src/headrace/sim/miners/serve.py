"""Serve a simulated fleet from this process until told to stop, with a channel on which its records can be read.

On standard output comes one line when everything listens: a `Ready` in JSON. The channel takes one word a line and
answers with one JSON object: `records`, `power`, `reset` (forget receipts, wake everybody), `expire`
(end every session).
"""

import asyncio
import resource
import sys
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from headrace.core import BadInput
from headrace.sim.miners.antminer import AntminerTwin
from headrace.sim.miners.braiins import BraiinsTwin
from headrace.sim.miners.braiins_rest import BraiinsRestTwin
from headrace.sim.miners.faults import FaultRates, Manner, delays_s, manners
from headrace.sim.miners.fleet import DELAYS_KEPT, Device, Fleet
from headrace.sim.miners.luxos import LuxOsTwin
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.twin import Twin
from headrace.sim.miners.whatsminer_v2 import WhatsMinerV2Twin
from headrace.sim.miners.whatsminer_v3 import WhatsMinerV3Twin

__all__ = ["FleetSpec", "Ready", "Records", "addresses", "build", "records", "serve"]

HALF = 0.5
"""What a machine of manner `partial` keeps drawing, of its power above standby."""
PER_NETWORK = 250
"""Machines that one 127.a.b.0/24 takes."""


class FleetSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulated fleet."""

    dialect: str = "braiins"
    """Firmware of all of it."""
    count: int
    """Number of machines."""
    network: str = "127.10"
    """First two numbers of their loopback addresses."""
    port: int | None = None
    """Port that all of them listen on; the dialect's own if None, a free one each if 0."""
    seed: int = 1
    """What their manners and delays are drawn from."""
    full_w: float = 3400.0
    """Power of one at full, W."""
    standby_w: float = 60.0
    """Power of one asleep, W."""
    hashrate_ths: float = 110.0
    """Hash rate of one, TH/s."""
    faults: FaultRates = FaultRates()


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """First line of a process that serves a fleet."""

    control_port: int
    """Port of its channel on 127.0.0.1."""
    addresses: tuple[tuple[str, int], ...]
    """Where each machine listens."""


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """What a fleet noted, by machine."""

    first_ns: list[int]
    """Monotonic nanoseconds of the first request that moves power since the last reset; 0 if none came."""
    first_wall_us: list[int]
    """The same by the wall, epoch microseconds."""
    requests: list[int]
    """Requests that move power since the last reset."""
    effects: list[int]
    """State changes since the fleet began."""
    manners: list[Manner]
    """How each behaves."""


TWINS: Final[dict[str, tuple[Callable[[], Twin], int]]] = {
    "braiins": (BraiinsTwin, 4028),
    "braiins-rest": (BraiinsRestTwin, 8080),
    "whatsminer-v2": (WhatsMinerV2Twin, 4028),
    "whatsminer-v3": (WhatsMinerV3Twin, 4433),
    "luxos": (LuxOsTwin, 4028),
    "antminer": (AntminerTwin, 8080),
}
"""Firmware and port by dialect; those of the web listen on 80 in truth, which needs privileges."""


def addresses(spec: FleetSpec) -> tuple[tuple[str, int], ...]:
    """Where each machine listens."""
    port = _twin(spec.dialect)[1] if spec.port is None else spec.port
    return tuple((f"{spec.network}.{i // PER_NETWORK}.{1 + i % PER_NETWORK}", port) for i in range(spec.count))


def build(spec: FleetSpec) -> Fleet:
    """Make the fleet of a specification; the event loop must run."""
    rng = np.random.default_rng(spec.seed)
    twin = _twin(spec.dialect)[0]
    devices = [
        _device(index, spec, twin(), manner) for index, manner in enumerate(manners(spec.faults, spec.count, rng))
    ]
    return Fleet(devices, delays_s=delays_s(spec.faults, DELAYS_KEPT, rng))


async def serve(spec: FleetSpec) -> None:
    """Serve until standard input ends or the task is cancelled."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    fleet = build(spec)
    listening = await fleet.listen(addresses(spec))
    channel = await asyncio.start_server(lambda r, w: _channel(fleet, r, w), "127.0.0.1", 0)
    ready = Ready(control_port=channel.sockets[0].getsockname()[1], addresses=listening)
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
    ended = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    await ended.read()
    channel.close()
    await fleet.close()


def records(fleet: Fleet) -> Records:
    """What a fleet noted so far."""
    return Records(
        first_ns=fleet.receipts.first_ns.tolist(),
        first_wall_us=fleet.receipts.first_wall_us.tolist(),
        requests=fleet.receipts.requests.tolist(),
        effects=[device.model.effects for device in fleet.devices],
        manners=[device.manner for device in fleet.devices],
    )


async def _channel(fleet: Fleet, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        match line.strip():
            case b"records":
                answer: object = records(fleet)
            case b"reset":
                fleet.receipts.reset()
                for device in fleet.devices:
                    device.model.run(fleet.now_s())
                answer = {"done": "reset"}
            case b"expire":
                for device in fleet.devices:
                    device.twin.expire()
                answer = {"done": "expire"}
            case b"power":
                answer = {"power_w": fleet.power_w()}
            case _:
                answer = {"unknown": line.decode("utf-8", "replace").strip()}
        writer.write(msgspec.json.encode(answer) + b"\n")
        await writer.drain()
    writer.close()


def _device(index: int, spec: FleetSpec, twin: Twin, manner: Manner) -> Device:
    model = MinerModel(
        full_w=spec.full_w,
        standby_w=spec.standby_w,
        hashrate_ths=spec.hashrate_ths,
        floor_ratio=HALF if manner is Manner.PARTIAL else 0.0,
    )
    return Device(index, twin, model, manner)


def _twin(dialect: str) -> tuple[Callable[[], Twin], int]:
    if dialect not in TWINS:
        raise BadInput("simulated miners", f"no dialect {dialect!r}", f"Use one of: {', '.join(TWINS)}.")
    return TWINS[dialect]


def main(arguments: Sequence[str]) -> None:
    """Serve the fleet that one JSON argument specifies."""
    spec = msgspec.json.decode(arguments[0], type=FleetSpec)
    try:
        import uvloop  # noqa: PLC0415  # an extra: without it the standard loop serves, more slowly
    except ImportError:
        asyncio.run(serve(spec))
    else:
        uvloop.run(serve(spec))
