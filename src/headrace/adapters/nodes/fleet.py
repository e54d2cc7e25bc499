"""The site's end of every node agent: connections open beforehand, one frame a node when it matters, answers collected.

`arm` opens the connections and keeps them alive, which also renews the agents' leases. `tell` writes all frames before
it waits for any answer; how long the slowest of them may take begins when the last has left. An asset's address is
"host:port/node", or "host:port" if the agent calls its node what the site calls the asset.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, cast

import msgspec

from headrace.adapters.nodes.wire import (
    AGENT_HELLO_BYTES,
    NONCE_BYTES,
    Answer,
    Cap,
    Channel,
    Notify,
    Pause,
    Refusal,
    Renew,
    Resume,
    Side,
    Status,
    Tell,
    read_agent_hello,
    read_answer,
    site_hello,
)
from headrace.control.assets import Asset
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.readings import AssetReading

__all__ = ["FleetLimits", "NodeFleet", "Told"]

W_PER_MW: Final = 1e6
DELAY_GROWTH: Final = 1.1
"""How much slower the next exchange may be and still count as the quickest: clocks drift, so an old one loses worth."""


class FleetLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What talking to agents may cost."""

    connect_s: float = 2.0
    """Longest wait for a connection and its hello, seconds."""
    answer_s: float = 2.0
    """Longest wait for an answer once the bytes have left, seconds."""
    renew_s: float = 10.0
    """How often leases are renewed, seconds: less than half of the agents' own lease."""
    at_a_time: int = 256
    """Most connections opened at a time."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message."""

    result: Result
    """How far it got."""
    answer: Answer | None = None
    """What the agent did, its times in the site's clock; None if it did not say."""
    sent_us: int | None = None
    """When the bytes had left, epoch microseconds."""
    answered_us: int | None = None
    """When the answer was whole, epoch microseconds."""
    reason: str = ""
    """Why it is not done."""


class NodeFleet:
    """Driver of the nodes of a site.

    Parameters
    ----------
    key
        Shared with the agents.
    now_us
        The site's clock, epoch microseconds.
    limits
        What talking may cost.
    """

    name = "node-agent"

    def __init__(self, *, key: bytes, now_us: Callable[[], int], limits: FleetLimits | None = None) -> None:
        self._key = key
        self._now_us = now_us
        self._limits = limits or FleetLimits()
        self._assets: dict[str, Asset] = {}
        self._lines: dict[str, _SiteLine] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(self._limits.at_a_time)
        self._renewal: asyncio.Task[None] | None = None

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Open what connections are not open, and keep them."""
        self._assets |= {asset.name: asset for asset in assets}
        await self._connect([asset.name for asset in assets])
        if self._renewal is None:
            self._renewal = asyncio.get_running_loop().create_task(self._keep_renewing())

    async def tell(self, tells: Mapping[str, Tell]) -> dict[str, Told]:
        """Send one message to each named node and collect what they answer.

        Parameters
        ----------
        tells
            Message by name of the asset, in order of urgency; times in them are the site's.
        """
        waiting = {name: self._lines[name].say(tell) for name, tell in tells.items() if self._is_open(name)}
        late = [name for name in tells if name not in waiting]
        if late:
            await self._connect(late)
            waiting |= {name: self._lines[name].say(tells[name]) for name in late if self._is_open(name)}
        futures = [said.answer for said in waiting.values()]
        if futures:
            await asyncio.wait(futures, timeout=self._limits.answer_s)
        return {name: self._told(name, waiting.get(name)) for name in tells}

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Carry out commands; see `headrace.control.ports.Driver`."""
        tells: dict[str, Tell] = {}
        outcomes: dict[str, CommandOutcome] = {}
        for command in commands:
            tell = _tell(command)
            if command.expires_us < self._now_us():
                outcomes[command.id] = _outcome(command, Told(result=Result.EXPIRED, reason="expired unsent"))
            elif isinstance(tell, str):
                outcomes[command.id] = _outcome(command, Told(result=Result.REFUSED, reason=tell))
            elif command.asset in tells:
                reason = "another command for the same node goes before it"
                outcomes[command.id] = _outcome(command, Told(result=Result.REFUSED, reason=reason))
            else:
                tells[command.asset] = tell
        told = await self.tell(tells)
        return tuple(outcomes.get(command.id) or _outcome(command, told[command.asset]) for command in commands)

    async def read(self) -> tuple[AssetReading, ...]:
        """What each node's agent counts now."""
        told = await self.tell({name: Status() for name in self._assets})
        return tuple(self._reading(name, each) for name, each in told.items())

    async def close(self) -> None:
        """Let go of every connection; the agents notice when their lease ends."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
            self._renewal = None
        for line in self._lines.values():
            line.close("closed by the site")
        self._lines.clear()

    async def _connect(self, names: Sequence[str]) -> None:
        missing = [name for name in names if name in self._assets and not self._is_open(name)]
        for name in missing:
            if name not in self._opening:  # an armed node may be asked for while it is being reached
                self._opening[name] = asyncio.get_running_loop().create_task(self._open_one(self._assets[name]))
        await asyncio.gather(*[self._opening[name] for name in missing])

    async def _open_one(self, asset: Asset) -> None:
        try:
            async with self._gate:
                self._lines[asset.name] = await self._open(asset)
        finally:
            del self._opening[asset.name]

    async def _open(self, asset: Asset) -> "_SiteLine":
        place, _, node = asset.address.partition("/")
        host, _, port = place.rpartition(":")
        line = _SiteLine(key=self._key, node=node or asset.name, now_us=self._now_us)
        try:
            async with asyncio.timeout(self._limits.connect_s):
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: line, host, int(port), family=socket.AF_INET)
                await line.greeted
        except TimeoutError:
            line.close(f"no agent answered at {asset.address} within {self._limits.connect_s:g} s")
        except (OSError, ValueError, OverflowError) as error:
            line.close(f"{asset.address}: {error}")
        return line

    def _is_open(self, name: str) -> bool:
        line = self._lines.get(name)
        return line is not None and line.is_open

    def _told(self, name: str, said: "_Said | None") -> Told:
        if said is None:
            line = self._lines.get(name)
            reason = line.closed_for if line is not None else f"no node {name!r} is armed"
            return Told(result=Result.UNREACHABLE, reason=reason)
        if not said.answer.done():
            said.answer.cancel()
            reason = f"no answer within {self._limits.answer_s:g} s"
            return Told(result=Result.MUTE, sent_us=said.sent_us, reason=reason)
        found = said.answer.result()
        if isinstance(found, Refusal):
            return Told(result=Result.MUTE, sent_us=said.sent_us, reason=found.reason)
        answer, at_us = found
        result = Result.ACKNOWLEDGED if answer.is_done else Result.REFUSED
        return Told(result=result, answer=answer, sent_us=said.sent_us, answered_us=at_us, reason=answer.reason)

    def _reading(self, name: str, told: Told) -> AssetReading:
        if told.answer is None:
            return AssetReading(asset=name, at_us=self._now_us(), is_running=None, reason=told.reason)
        there = sum(group.processes for group in told.answer.groups)
        running = there - sum(group.stopped for group in told.answer.groups)
        return AssetReading(
            asset=name,
            at_us=told.answer.seen_us,
            is_running=running > 0,
            work_ratio=running / there if there else None,
            reason="" if there else "no flexible process there",
        )

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._limits.renew_s)
            await self.tell({name: Renew() for name in self._assets})


class _Said(msgspec.Struct, frozen=True):
    """A message that has left."""

    sent_us: int
    answer: "asyncio.Future[tuple[Answer, int] | Refusal]"


class _SiteLine(asyncio.Protocol):
    """The site's end of one connection."""

    def __init__(self, *, key: bytes, node: str, now_us: Callable[[], int]) -> None:
        self.closed_for = ""
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._key, self._node, self._now_us = key, node, now_us
        self._nonce = os.urandom(NONCE_BYTES)
        self._hello = bytearray()
        self._began_us = 0
        self._ahead_us = 0
        self._delay_us = 0.0
        self._channel: Channel | None = None
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, _Said] = {}

    @property
    def is_open(self) -> bool:
        """Can messages be sent?"""
        return self._channel is not None and not self.closed_for

    def say(self, tell: Tell) -> _Said:
        """Send a message now."""
        assert self._channel is not None
        assert self._transport is not None
        if isinstance(tell, Pause | Resume | Notify | Cap):
            tell = msgspec.structs.replace(tell, expires_us=tell.expires_us + self._ahead_us)
        number, frame = self._channel.seal(tell)
        answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda _: self._waiting.pop(number, None))
        self._transport.write(frame)
        self._waiting[number] = said = _Said(self._now_us(), answer)
        return said

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self._transport = cast(asyncio.Transport, transport)
        with suppress(AttributeError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._began_us = self._now_us()
        self._transport.write(site_hello(self._nonce))

    def connection_lost(self, error: Exception | None) -> None:
        """Tell all who wait."""
        self.close(f"the agent closed the connection{f' ({error})' if error else ''}")

    def data_received(self, data: bytes) -> None:
        """Take in bytes, however they are cut."""
        if self._channel is None:
            self._hello += data
            if len(self._hello) < AGENT_HELLO_BYTES:
                return
            self._greet(bytes(self._hello[:AGENT_HELLO_BYTES]))
            data = bytes(self._hello[AGENT_HELLO_BYTES:])
        if self._channel is None or self.closed_for:
            return
        frames = self._channel.receive(data)
        if isinstance(frames, Refusal):
            self.close(frames.reason)
            return
        for _, payload in frames:
            self._take(payload)

    def close(self, reason: str) -> None:
        """End the connection; the first reason stays."""
        self.closed_for = self.closed_for or reason
        if self._transport is not None:
            self._transport.abort()
        if not self.greeted.done():
            self.greeted.set_result(None)
        for said in tuple(self._waiting.values()):
            if not said.answer.done():
                said.answer.set_result(Refusal(self.closed_for))

    def _greet(self, hello: bytes) -> None:
        found = read_agent_hello(hello, key=self._key, node=self._node, site_nonce=self._nonce)
        if isinstance(found, Refusal):
            self.close(found.reason)
            return
        agent_nonce, clock_us = found
        now_us = self._now_us()
        self._ahead_us = clock_us - (self._began_us + now_us) // 2
        self._delay_us = float(now_us - self._began_us)
        self._channel = Channel(
            key=self._key, node=self._node, site_nonce=self._nonce, agent_nonce=agent_nonce, side=Side.SITE
        )
        if not self.greeted.done():
            self.greeted.set_result(None)

    def _take(self, payload: bytes) -> None:
        answer = read_answer(payload)
        if isinstance(answer, Refusal):
            self.close(answer.reason)
            return
        said = self._waiting.get(answer.number)
        if said is not None and not said.answer.done():
            self._compare_clocks(said.sent_us, answer)
            own = msgspec.structs.replace(
                answer, acted_us=answer.acted_us - self._ahead_us, seen_us=answer.seen_us - self._ahead_us
            )
            said.answer.set_result((own, self._now_us()))

    def _compare_clocks(self, sent_us: int, answer: Answer) -> None:
        """Keep the offset of the quickest exchange: it is out by half of what the way took, at most."""
        came_us = self._now_us()
        delay_us = (came_us - sent_us) - (answer.seen_us - answer.acted_us)
        if delay_us <= self._delay_us:
            self._delay_us = float(delay_us)
            self._ahead_us = ((answer.acted_us - sent_us) + (answer.seen_us - came_us)) // 2
        self._delay_us *= DELAY_GROWTH


def _tell(command: Command) -> Tell | str:
    """Message that a command becomes, or why there is none."""
    match command.action:
        case Action.STOP:
            return Pause(expires_us=command.expires_us)
        case Action.RUN:
            return Resume(expires_us=command.expires_us)
        case Action.CAP if command.power_mw is not None:
            return Resume(power_w=int(command.power_mw * W_PER_MW), expires_us=command.expires_us)
        case _:
            return f"a node's agent does not {command.action}"


def _outcome(command: Command, told: Told) -> CommandOutcome:
    return CommandOutcome(
        command=command.id,
        asset=command.asset,
        result=told.result,
        commanded_us=command.commanded_us,
        sent_us=told.sent_us,
        acknowledged_us=told.answered_us,
        reason=told.reason,
    )
