"""One shed process: a part of the fleet, armed, and a line to the process that decides.

A message is four bytes of length and msgpack. The process ends when its line does, so that none outlives its parent.
"""

import asyncio
import resource
import socket
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from headrace.adapters.miners.fleet import FleetLimits, FleetStanding, MinerAccess, MinerFleet
from headrace.control.assets import Asset
from headrace.control.commands import Command, CommandOutcome
from headrace.control.readings import AssetReading

__all__ = ["Answer", "Arm", "Fire", "Read", "Request", "Stand", "read_message", "serve_shard", "write_message"]

LENGTH_BYTES: Final = 4
MESSAGE_MAX_BYTES: Final = 1 << 26
"""Longest message; twenty thousand commands take about five million bytes."""


class Arm(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Take on these miners and make them ready."""

    number: int
    """The request's number; its answer carries the same."""
    assets: tuple[Asset, ...]


class Fire(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Carry out these commands."""

    number: int
    """As `Arm.number`."""
    commands: tuple[Command, ...]


class Read(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask every miner how it is."""

    number: int
    """As `Arm.number`."""


class Stand(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Say how ready the miners are."""

    number: int
    """As `Arm.number`."""


Request = Arm | Fire | Read | Stand


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request."""

    number: int
    """The request's."""
    outcomes: tuple[CommandOutcome, ...] = ()
    """For commands: theirs, in their order."""
    readings: tuple[AssetReading, ...] = ()
    """For a reading."""
    standing: FleetStanding | None = None
    """For a question how ready it is."""


_REQUESTS = msgspec.msgpack.Decoder(Request)


def write_message(writer: asyncio.StreamWriter, message: msgspec.Struct) -> None:
    """Write one message."""
    data = msgspec.msgpack.encode(message)
    writer.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)


async def read_message(reader: asyncio.StreamReader) -> bytes | None:
    """Read one message; None when the line has ended."""
    try:
        length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
        return await reader.readexactly(length) if length <= MESSAGE_MAX_BYTES else None
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def serve_shard(
    line: socket.socket,
    access: Mapping[str, MinerAccess],
    now_us: Callable[[], int],
    monotonic: Callable[[], float],
    limits: FleetLimits,
) -> None:
    """Run a shed process until its line ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    served = _serve(line, MinerFleet(access, now_us=now_us, monotonic=monotonic, limits=limits))
    try:
        import uvloop  # noqa: PLC0415  # an extra: without it the standard loop serves, a little more slowly
    except ImportError:
        asyncio.run(served)
    else:
        uvloop.run(served)


async def _serve(line: socket.socket, fleet: MinerFleet) -> None:
    reader, writer = await asyncio.open_connection(sock=line, limit=1 << 20)
    under_way: set[asyncio.Task[None]] = set()
    while (data := await read_message(reader)) is not None:
        task = asyncio.create_task(_answer(fleet, _REQUESTS.decode(data), writer))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    for task in under_way:
        task.cancel()
    await fleet.close()
    writer.close()


async def _answer(fleet: MinerFleet, request: Request, writer: asyncio.StreamWriter) -> None:
    answer = Answer(number=request.number)
    match request:
        case Arm(number=number, assets=assets):
            await fleet.arm(assets)
        case Fire(number=number, commands=commands):
            answer = Answer(number=number, outcomes=await fleet.send(commands))
        case Read(number=number):
            answer = Answer(number=number, readings=await fleet.read())
        case Stand(number=number):
            answer = Answer(number=number, standing=fleet.standing())
    write_message(writer, answer)
    await writer.drain()
