"""A fleet too large for one process: several shed processes, each with its part armed, fired by one message each.

Python sends some fifteen thousand commands a second from one process and a process has some twenty thousand file
descriptors, so a site of that size is cut into shards: miner number n belongs to shard n modulo their count, which
keeps the order of urgency across all of them. A process that dies is started again and armed; until then its miners
have a reason.
"""

import asyncio
import multiprocessing
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from multiprocessing.process import BaseProcess
from typing import Final

import msgspec

from headrace.adapters.miners.fleet import FleetLimits, FleetStanding, MinerAccess, outcome_unsent
from headrace.adapters.miners.shard import (
    Answer,
    Arm,
    Fire,
    Read,
    Request,
    Stand,
    read_message,
    serve_shard,
    write_message,
)
from headrace.control.assets import Asset
from headrace.control.commands import Command, CommandOutcome, Result
from headrace.control.readings import AssetReading

__all__ = ["ShardedFleet"]

CALL_GRACE_S: Final = 1.5
"""What a process may take beyond the time for an answer before it counts as hung, seconds. One that works returns
within half a second of that time."""
START_WITHIN_S: Final = 30.0
"""Longest time for a process to start and arm, beyond the fleet's own limit, seconds."""
RESTART_AFTER_S: Final = 0.5
RESTART_AFTER_MAX_S: Final = 30.0

_ANSWERS = msgspec.msgpack.Decoder(Answer)


class ShardedFleet:
    """Driver of miners in several processes.

    Parameters
    ----------
    access
        By asset name: dialect and credentials.
    shards
        Number of processes.
    now_us, monotonic
        As for `MinerFleet`; functions or methods that another process can import.
    limits
        What each process allows itself.
    name
        As assets name it.
    """

    def __init__(
        self,
        access: Mapping[str, MinerAccess],
        *,
        shards: int,
        now_us: Callable[[], int],
        monotonic: Callable[[], float],
        limits: FleetLimits | None = None,
        name: str = "miners",
    ) -> None:
        self.name = name
        self.limits = limits or FleetLimits()
        self._now_us = now_us
        self._shards = [_Shard(access, now_us, monotonic, self.limits) for _ in range(shards)]
        self._shard_of: dict[str, _Shard] = {}

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Take on these miners as well, and make them ready; from then on they are kept so."""
        for asset in assets:
            if asset.name not in self._shard_of:
                self._shard_of[asset.name] = self._shards[len(self._shard_of) % len(self._shards)]
            self._shard_of[asset.name].assets[asset.name] = asset
        await asyncio.gather(*(shard.arm() for shard in self._shards))

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Carry out commands; returns within `FleetLimits.answer_s` and half a second, and what the processes add."""
        parts: dict[_Shard, list[int]] = {}
        outcomes: dict[int, CommandOutcome] = {}
        for place, command in enumerate(commands):
            shard = self._shard_of.get(command.asset)
            if shard is None:
                reason = "this fleet has no such miner: arm it first"
                outcomes[place] = outcome_unsent(command, Result.UNREACHABLE, reason)
            else:
                parts.setdefault(shard, []).append(place)
        answers = await asyncio.gather(
            *(shard.fire([commands[place] for place in places]) for shard, places in parts.items())
        )
        for places, answered in zip(parts.values(), answers, strict=True):
            outcomes.update(zip(places, answered, strict=True))
        return tuple(outcomes[place] for place in range(len(commands)))

    async def read(self) -> tuple[AssetReading, ...]:
        """Ask every miner how it is."""
        parts = await asyncio.gather(*(shard.read(self._now_us) for shard in self._shards))
        return tuple(reading for part in parts for reading in part)

    async def standing(self) -> FleetStanding:
        """How ready the fleet is."""
        parts = await asyncio.gather(*(shard.standing() for shard in self._shards))
        return FleetStanding(
            miners=sum(part.miners for part in parts),
            ready=sum(part.ready for part in parts),
            reasons=tuple(reason for part in parts for reason in part.reasons),
        )

    def pids(self) -> tuple[int | None, ...]:
        """Process ids of the shards; None for one that does not run."""
        return tuple(shard.pid for shard in self._shards)

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*(shard.close() for shard in self._shards))


class _Shard:
    """One process and what it is to look after."""

    def __init__(
        self,
        access: Mapping[str, MinerAccess],
        now_us: Callable[[], int],
        monotonic: Callable[[], float],
        limits: FleetLimits,
    ) -> None:
        self.assets: dict[str, Asset] = {}
        self._access = access
        self._now_us = now_us
        self._monotonic = monotonic
        self._limits = limits
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[Answer | None]] = {}
        self._process: BaseProcess | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._minder: asyncio.Task[None] | None = None
        self._reason = "its shed process has not been started"

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""
        return None if self._writer is None or self._process is None else self._process.pid

    async def arm(self) -> None:
        """Start the process if it does not run, and have it make its miners ready."""
        if self._minder is None:
            reader = await self._start()
            self._minder = asyncio.create_task(self._mind(reader))
        await self._ask_to_arm()

    async def fire(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Have commands carried out; a process that dies meanwhile leaves them mute, as they may have left."""
        if self._writer is None:
            return tuple(outcome_unsent(each, Result.UNREACHABLE, self._reason) for each in commands)
        request = Fire(number=next(self._numbers), commands=tuple(commands))
        answer = await self._ask(request, self._limits.answer_s + CALL_GRACE_S)
        if answer is None:
            reason = self._reason or "its shed process did not answer in time"
            return tuple(outcome_unsent(each, Result.MUTE, reason) for each in commands)
        return answer.outcomes

    async def read(self, now_us: Callable[[], int]) -> tuple[AssetReading, ...]:
        """Have every miner asked how it is."""
        answer = await self._ask(Read(number=next(self._numbers)), self._limits.sweep_s + CALL_GRACE_S)
        if answer is not None:
            return answer.readings
        at_us, reason = now_us(), self._reason or "its shed process did not answer in time"
        return tuple(AssetReading(asset=name, at_us=at_us, is_running=None, reason=reason) for name in self.assets)

    async def standing(self) -> FleetStanding:
        """How ready its miners are."""
        answer = await self._ask(Stand(number=next(self._numbers)), CALL_GRACE_S)
        if answer is not None and answer.standing is not None:
            return answer.standing
        reason = self._reason or "its shed process did not answer in time"
        return FleetStanding(miners=len(self.assets), ready=0, reasons=tuple((name, reason) for name in self.assets))

    async def close(self) -> None:
        """End the process."""
        if self._minder is not None:
            self._minder.cancel()
            with suppress(asyncio.CancelledError):
                await self._minder
        await self._end()

    async def _start(self) -> asyncio.StreamReader:
        ours, theirs = socket.socketpair()
        with theirs:
            access = {name: each for name, each in self._access.items() if name in self.assets}
            process = multiprocessing.get_context("spawn").Process(
                target=serve_shard,
                args=(theirs, access, self._now_us, self._monotonic, self._limits),
                daemon=True,
            )
            process.start()
        self._process = process
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
        self._reason = ""
        return reader

    async def _mind(self, reader: asyncio.StreamReader) -> None:
        """Read answers; when the process dies, start it again and arm it."""
        wait_s = RESTART_AFTER_S
        while True:
            while (data := await read_message(reader)) is not None:
                wait_s = RESTART_AFTER_S
                answer = _ANSWERS.decode(data)
                asked = self._asked.get(answer.number)
                if asked is not None and not asked.done():
                    asked.set_result(answer)
            self._reason = "its shed process died and is being started again"
            await self._end()
            await asyncio.sleep(wait_s)
            wait_s = min(2.0 * wait_s, RESTART_AFTER_MAX_S)
            reader = await self._start()
            if self._writer is not None:
                write_message(self._writer, Arm(number=next(self._numbers), assets=tuple(self.assets.values())))

    async def _ask_to_arm(self) -> None:
        request = Arm(number=next(self._numbers), assets=tuple(self.assets.values()))
        await self._ask(request, self._limits.sweep_s + START_WITHIN_S)

    async def _ask(self, request: Request, within_s: float) -> Answer | None:
        """Answer to a request; None if it did not come in time or the process died."""
        if self._writer is None:
            return None
        asked: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._asked[request.number] = asked
        write_message(self._writer, request)
        try:
            return await asyncio.wait_for(asked, within_s)
        except TimeoutError:
            return None
        finally:
            del self._asked[request.number]

    async def _end(self) -> None:
        """Let go of the process: its line's end ends it."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for asked in self._asked.values():
            if not asked.done():
                asked.set_result(None)
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(process.join, 2.0)
            if process.is_alive():
                process.kill()
                await asyncio.to_thread(process.join, 2.0)
            process.close()
