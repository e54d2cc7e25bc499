"""One connection to an agent: proves itself within a time, speaks whole frames, or is closed."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, cast

from headrace.adapters.nodes.wire import (
    MAGIC,
    NONCE_BYTES,
    SITE_HELLO_BYTES,
    Answer,
    Channel,
    Refusal,
    Side,
    Tell,
    agent_hello,
    read_site_hello,
    read_tell,
)

__all__ = ["AgentLine", "Served"]

PENDING_MAX: Final = 32
"""Most messages of one connection that wait for their answer."""
UNREAD_MAX_BYTES: Final = 4_000_000
"""Most bytes of answers that a peer may leave unread."""


class Served(Protocol):
    """Whom a line belongs to: the agent."""

    @property
    def key(self) -> bytes:
        """Shared with the site."""
        ...

    @property
    def node(self) -> str:
        """The node's name."""
        ...

    @property
    def hello_s(self) -> float:
        """Time in which a peer must have proved itself, and a frame begun must have ended, seconds."""
        ...

    @property
    def now_us(self) -> Callable[[], int]:
        """The node's clock."""
        ...

    def obey(self, number: int, tell: Tell) -> Awaitable[Answer]:
        """Act at once, answer later."""
        ...

    def enter(self, line: "AgentLine") -> None:
        """A connection was made."""
        ...

    def leave(self, line: "AgentLine") -> None:
        """A connection ended."""
        ...

    def refuse(self, reason: str) -> None:
        """A peer was turned away."""
        ...


class AgentLine(asyncio.Protocol):
    """The agent's end of one connection.

    Parameters
    ----------
    served
        The agent.
    """

    def __init__(self, served: Served) -> None:
        self.is_proved = False
        """Has a whole frame with a good signature come?"""
        self.is_closed = False
        self._served = served
        self._hello = bytearray()
        self._channel: Channel | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._pending: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the hello."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wait("no proof in time")
        self._served.enter(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it; what it asked for is finished."""
        self.is_closed = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._served.leave(self)

    def data_received(self, data: bytes) -> None:
        """Take in bytes, however they are cut."""
        if self._channel is None:
            self._hello += data
            if not MAGIC.startswith(self._hello[: len(MAGIC)]):
                self._refuse("not this protocol, or another version of it")
                return
            if len(self._hello) < SITE_HELLO_BYTES:
                return
            hello, data = bytes(self._hello[:SITE_HELLO_BYTES]), bytes(self._hello[SITE_HELLO_BYTES:])
            self._greet(hello)
        if self._channel is None or self.is_closed:
            return
        frames = self._channel.receive(data)
        if isinstance(frames, Refusal):
            self._refuse(frames.reason)
            return
        if frames:
            self.is_proved = True
            self._rest()
        if self._channel.is_mid_frame and self._deadline is None:
            self._wait("a frame that did not end")
        for number, payload in frames:
            if not self.is_closed:
                self._take(number, payload)

    def abort(self) -> None:
        """Close at once."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()

    def _greet(self, hello: bytes) -> None:
        nonce = read_site_hello(hello)
        if isinstance(nonce, Refusal):
            self._refuse(nonce.reason)
            return
        own = os.urandom(NONCE_BYTES)
        served = self._served
        self._channel = Channel(key=served.key, node=served.node, site_nonce=nonce, agent_nonce=own, side=Side.AGENT)
        answer = agent_hello(
            key=served.key, node=served.node, site_nonce=nonce, agent_nonce=own, now_us=served.now_us()
        )
        self._write(answer)

    def _take(self, number: int, payload: bytes) -> None:
        tell = read_tell(payload)
        if isinstance(tell, Refusal):
            self._refuse(tell.reason)
            return
        if len(self._pending) >= PENDING_MAX:
            self._refuse("too many messages at a time")
            return
        task = asyncio.ensure_future(self._reply(self._served.obey(number, tell)))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _reply(self, answer: Awaitable[Answer]) -> None:
        answered = await answer
        if self._channel is not None and not self.is_closed:
            self._write(self._channel.seal(answered)[1])

    def _write(self, data: bytes) -> None:
        if self._transport is None or self.is_closed:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > UNREAD_MAX_BYTES:
            self._refuse("answers left unread")

    def _wait(self, reason: str) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._served.hello_s, self._refuse, reason)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, reason: str) -> None:
        self._served.refuse(reason)
        self.abort()
