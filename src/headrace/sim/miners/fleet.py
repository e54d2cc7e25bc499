"""A fleet of simulated miners behind real sockets, many in one process.

Each machine has a listening address of its own (the loopback range needs no set-up) or shares one. A request is read,
noted with the time its last byte came, and answered after the device's delay, when it also takes effect.
"""

import asyncio
import time
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, cast

from headrace.sim.miners.cgminer import REQUEST_MAX_BYTES
from headrace.sim.miners.faults import Manner
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.twin import Asked, Request, Twin, apply

__all__ = ["Device", "Fleet", "Receipts"]

GARBAGE: Final = b"\x00\xff\xfe{]\x80 not a reply \x07" * 3
BACKLOG: Final = 64
"""Connections that may wait at one machine's address."""
RESTART_S: Final = 30.0
"""How long a restart takes, seconds (assumed; real ones take one to several minutes)."""
DELAYS_KEPT: Final = 8191
"""Delays drawn beforehand; machines take them in turn."""


class Receipts:
    """When each machine first received a request that moves power, since the last reset.

    Parameters
    ----------
    count
        Number of machines.
    """

    def __init__(self, count: int) -> None:
        self.first_ns = array("q", bytes(8 * count))
        """By machine: monotonic nanoseconds of the first whole request; 0 if none came."""
        self.first_wall_us = array("q", bytes(8 * count))
        """By machine: the same by the wall, epoch microseconds."""
        self.requests = array("q", bytes(8 * count))
        """By machine: requests that move power."""

    def note(self, index: int) -> None:
        """One came to machine `index` just now."""
        self.requests[index] += 1
        if self.first_ns[index] == 0:
            self.first_ns[index] = time.monotonic_ns()
            self.first_wall_us[index] = time.time_ns() // 1000

    def reset(self) -> None:
        """Forget all of it."""
        for index in range(len(self.first_ns)):
            self.first_ns[index] = self.first_wall_us[index] = self.requests[index] = 0


class Device:
    """One machine: its firmware, its power and its manner.

    Parameters
    ----------
    index
        Its place in the fleet.
    twin
        Its firmware.
    model
        Its power.
    manner
        How it behaves.
    """

    __slots__ = ("down_until_s", "index", "manner", "model", "twin")

    def __init__(self, index: int, twin: Twin, model: MinerModel, manner: Manner) -> None:
        self.index = index
        self.twin = twin
        self.model = model
        self.manner = manner
        self.down_until_s = 0.0
        """Until when it drops every connection because it restarts, seconds."""

    def restart(self, now_s: float) -> None:
        """Restart: sessions are forgotten, connections dropped, sleep forgotten unless its firmware remembers."""
        self.twin.expire()
        self.model.restart(now_s, takes_s=RESTART_S, stays_asleep=self.twin.survives_restart)
        self.down_until_s = now_s + RESTART_S

    def respond(self, request: Request, now_s: float) -> bytes | None:
        """Do what was asked, in its manner, and answer; None to drop the connection instead."""
        if request.asked is Asked.ELSE:
            return request.answer or self.twin.answer(request, self.model, now_s)
        if self.manner is Manner.REFUSING:
            return request.refusal
        if self.manner is not Manner.LYING:
            apply(request, self.model, now_s)
        if self.manner is Manner.GARBLED:
            return GARBAGE
        if self.manner is Manner.DROPPING:
            return None
        return request.answer or self.twin.answer(request, self.model, now_s)


class Fleet:
    """Machines that answer over TCP.

    Parameters
    ----------
    devices
        The machines, in order of their index.
    delays_s
        Answer delays that they take in turn, seconds.
    now_s
        Time that power follows, seconds; the event loop's by default.
    """

    def __init__(
        self, devices: Sequence[Device], *, delays_s: Sequence[float], now_s: Callable[[], float] | None = None
    ) -> None:
        self.devices = tuple(devices)
        self.receipts = Receipts(len(self.devices))
        self.now_s = now_s or asyncio.get_running_loop().time
        self._delays_s = tuple(delays_s)
        self._delay = 0
        self._servers: list[asyncio.AbstractServer] = []

    async def listen(self, addresses: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
        """Open one listening socket per machine; port 0 takes a free one. Returns the addresses as they are."""
        loop = asyncio.get_running_loop()
        found = []
        for device, (host, port) in zip(self.devices, addresses, strict=True):
            server = await loop.create_server(partial(_Link, self, device), host, port, backlog=BACKLOG)
            self._servers.append(server)
            name = server.sockets[0].getsockname()
            found.append((str(name[0]), int(name[1])))
        return tuple(found)

    async def close(self) -> None:
        """Stop listening; links that are open end with their connections."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        await asyncio.sleep(0)

    def power_w(self) -> float:
        """Power of all machines now, W."""
        now_s = self.now_s()
        return sum(device.model.power_w(now_s) for device in self.devices)

    def next_delay_s(self) -> float:
        """Delay of the next answer, seconds."""
        self._delay = (self._delay + 1) % len(self._delays_s)
        return self._delays_s[self._delay]


class _Link(asyncio.Protocol):
    """One connection to one machine."""

    __slots__ = ("_device", "_fleet", "_gathered", "_transport")

    def __init__(self, fleet: Fleet, device: Device) -> None:
        self._fleet = fleet
        self._device = device
        self._gathered = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour, not by class

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        device, fleet = self._device, self._fleet
        if fleet.now_s() < device.down_until_s:
            self._abort()
            return
        data = self._gathered + data if self._gathered else data
        taken = device.twin.take(data, device.model, fleet.now_s())
        if taken is None:
            self._gathered = data
            if len(data) > REQUEST_MAX_BYTES:
                self._abort()
            return
        request, length = taken
        self._gathered = data[length:]
        if request.asked is not Asked.ELSE:
            fleet.receipts.note(device.index)
        if device.manner is not Manner.MUTE:
            asyncio.get_running_loop().call_later(fleet.next_delay_s(), self._answer, request)

    def _answer(self, request: Request) -> None:
        reply = self._device.respond(request, self._fleet.now_s())
        if self._transport is None:
            return
        if reply is None:
            self._transport.abort()
            return
        self._transport.write(reply)
        if request.closes:
            self._transport.close()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
