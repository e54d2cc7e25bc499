"""Talks with many peers at once over raw non-blocking sockets: the cheapest path from a decision to bytes on the wire.

Sockets hang on one selector, which itself hangs on the event loop as a single readable file: a turn of the loop serves
as many peers as are ready, and sending to five thousand of them makes no task. A time limit for an answer begins when
the bytes have left, never when somebody queued them; before a peer is called mute, what has already arrived is read.
"""

import asyncio
import errno
import heapq
import os
import selectors
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final, assert_never

import msgspec

from headrace.adapters.miners.codec import (
    REPLY_MAX_BYTES,
    Acknowledged,
    Closed,
    Conversation,
    MinerStatus,
    More,
    Refused,
    Say,
    SignedIn,
)

__all__ = ["Dropped", "Ended", "How", "Late", "Mute", "Opened", "Talk", "Unreachable", "Wire", "WireLimits", "words_of"]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
READ_BYTES: Final = 16_384
TURN_S: Final = 0.02
"""Time for reading answers before the event loop may do something else: some take milliseconds to work out."""
HEARD_WHILE_OPENING: Final = 32
"""The same while connections are still to be opened."""
TICK_S: Final = 0.02
"""How often time limits are looked at."""
SAYS_MAX: Final = 8
"""Most frames that one conversation may send after its first; no dialect needs more than four."""


class Mute(msgspec.Struct, frozen=True):
    """The bytes have left and no whole answer came in time."""

    reason: str
    """What was waited for."""


class Unreachable(msgspec.Struct, frozen=True):
    """No connection."""

    reason: str
    """The operating system's words."""


class Late(msgspec.Struct, frozen=True):
    """It must no longer be said."""


class Dropped(msgspec.Struct, frozen=True):
    """Whoever wanted it does not want it any more."""

    reason: str
    """Why."""


class Opened(msgspec.Struct, frozen=True):
    """A connection that was asked for without a conversation."""

    sock: socket.socket
    """Connected and non-blocking; whoever gets it closes it."""


How = Acknowledged | SignedIn | MinerStatus | Refused | Mute | Unreachable | Late | Dropped | Opened
"""How a talk ended."""


def words_of(how: How) -> str:
    """Why a talk ended otherwise than it should have."""
    match how:
        case Refused(reason=reason) | Mute(reason=reason) | Unreachable(reason=reason) | Dropped(reason=reason):
            return reason
        case Late():
            return "its time had passed"
        case Acknowledged() | SignedIn() | MinerStatus() | Opened():
            return "an answer to something else"
        case _ as never:
            assert_never(never)


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a talk."""

    how: How
    """The peer's last move, or what went wrong."""
    sent_us: int | None
    """When the last byte of the last frame left, epoch microseconds; None if none did."""
    ended_us: int
    """When it ended, epoch microseconds."""


class WireLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one wire allows."""

    connect_s: float = 1.0
    """Longest wait for a connection, from the first packet on, seconds."""
    answer_s: float = 2.0
    """Longest wait for an answer since the bytes left, seconds."""
    connecting_max: int = 1_024
    """Most connections being opened at a time."""


class Talk:
    """One conversation with one peer: what is to be said, and where it stands.

    Parameters
    ----------
    host, port
        The peer; the host is an IP address.
    conversation
        What to say; None to open a connection and no more.
    sock
        A connection that was opened before; None to open one.
    frame
        What the conversation says first, if its `begin` has been called already.
    expires_us
        From when on no frame may be sent any more, epoch microseconds; None if it may always.
    """

    __slots__ = (
        "conversation",
        "due_s",
        "expires_us",
        "host",
        "is_connecting",
        "on_end",
        "out",
        "port",
        "said",
        "sent_us",
        "sock",
        "taken_bytes",
    )

    def __init__(
        self,
        host: str,
        port: int,
        conversation: Conversation | None,
        *,
        sock: socket.socket | None = None,
        frame: bytes | None = None,
        expires_us: int | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.conversation = conversation
        self.sock = sock
        self.out = b"" if conversation is None else conversation.begin() if frame is None else frame
        self.expires_us = expires_us
        self.is_connecting = False
        self.sent_us: int | None = None
        self.taken_bytes = 0
        self.said = 0
        self.due_s = float("inf")
        self.on_end: Callable[[Ended], None] | None = None


class Wire:
    """Carries talks.

    Parameters
    ----------
    now_us
        The site's time, epoch microseconds.
    monotonic
        Seconds that only rise. An event loop's own time will not do: uvloop's stands still while sockets are served.
    limits
        What is allowed.
    """

    def __init__(
        self, *, now_us: Callable[[], int], monotonic: Callable[[], float], limits: WireLimits | None = None
    ) -> None:
        self.limits = limits or WireLimits()
        self._now_us = now_us
        self._monotonic = monotonic
        self._selector = selectors.DefaultSelector()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[Talk] = deque()
        self._connecting = 0
        self._dues: list[tuple[float, int, Talk]] = []
        self._order = count()

    def begin(self, talk: Talk, on_end: Callable[[Ended], None]) -> None:
        """Begin a talk: at once on an open connection, else when there is room to open one.

        `on_end` is called once, from the event loop or before this returns.
        """
        self._hang_on_loop()
        talk.on_end = on_end
        if talk.sock is not None:
            self._say(talk)
            return
        if not self._waiting and self._loop is not None:
            self._loop.call_soon(self._open_waiting)  # not at once: what goes out on open connections goes first
        self._waiting.append(talk)

    def drop(self, talk: Talk, reason: str) -> None:
        """End a talk that nobody wants any more."""
        if talk.on_end is not None:
            self._end(talk, Dropped(reason))

    def cut(self, talk: Talk, reason: str) -> None:
        """End a talk whose time is up: mute if its bytes have left, unreachable otherwise.

        What has already arrived is read first: the peer may have answered while others were served.
        """
        if talk.on_end is not None and talk.sock is not None and talk.sent_us is not None and not talk.is_connecting:
            self._hear(talk)
        if talk.on_end is not None:
            self._end(talk, Unreachable(reason) if talk.sent_us is None else Mute(reason))

    def watch(self, sock: socket.socket, on_stir: Callable[[], None]) -> None:
        """Watch an idle connection, on which nothing should happen: `on_stir` is called when something does."""
        self._hang_on_loop()
        self._selector.register(sock, READ, on_stir)

    def unwatch(self, sock: socket.socket) -> None:
        """Watch it no more, and leave it open."""
        self._selector.unregister(sock)

    def close(self) -> None:
        """Let go of every connection; talks that still ran end as dropped."""
        for talk in [key.data for key in list(self._selector.get_map().values())]:
            if isinstance(talk, Talk):
                self.drop(talk, "closed")
        while self._waiting:
            self.drop(self._waiting.popleft(), "closed")
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._file())
            self._loop = None
        self._selector.close()

    def _hang_on_loop(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._file(), self._turn)

    def _file(self) -> int:
        return self._selector.fileno()

    # -- opening ------------------------------------------------------------------------------------------------

    def _open_waiting(self) -> None:
        while self._waiting and self._connecting < self.limits.connecting_max:
            talk = self._waiting.popleft()
            if talk.on_end is not None:
                self._open(talk)

    def _open(self, talk: Talk) -> None:
        if talk.expires_us is not None and self._now_us() >= talk.expires_us:
            self._end(talk, Late())
            return
        try:
            talk.sock = socket.socket(socket.AF_INET6 if ":" in talk.host else socket.AF_INET, socket.SOCK_STREAM)
            talk.sock.setblocking(False)
            code = talk.sock.connect_ex((talk.host, talk.port))
        except OSError as error:
            self._end(talk, Unreachable(error.strerror or str(error)))
            return
        if code not in (0, errno.EINPROGRESS):
            self._end(talk, Unreachable(os.strerror(code)))
            return
        talk.is_connecting = True
        self._connecting += 1
        self._selector.register(talk.sock, WRITE, talk)
        self._allow(talk, self.limits.connect_s)

    def _opened(self, talk: Talk) -> None:
        assert talk.sock is not None
        self._connecting -= 1
        talk.is_connecting = False
        if talk.conversation is not None:
            self._say(talk)  # which fails with the connection's own error if there is one
        elif code := talk.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._end(talk, Unreachable(os.strerror(code)))
        else:
            sock, talk.sock = talk.sock, None
            self._selector.unregister(sock)
            self._end(talk, Opened(sock))

    # -- saying and hearing -------------------------------------------------------------------------------------

    def _say(self, talk: Talk) -> None:
        assert talk.sock is not None
        if talk.expires_us is not None and self._now_us() >= talk.expires_us:
            self._end(talk, Late())
            return
        try:
            left = talk.sock.send(talk.out)
        except BlockingIOError:
            left = 0
        except OSError as error:
            self._end(talk, Unreachable(error.strerror or str(error)))
            return
        if left == len(talk.out):
            talk.out = b""
            talk.sent_us = self._now_us()
            self._await(talk, READ)
        else:
            talk.out = talk.out[left:]
            self._await(talk, WRITE)
        self._allow(talk, self.limits.answer_s)

    def _await(self, talk: Talk, events: int) -> None:
        assert talk.sock is not None
        try:
            self._selector.modify(talk.sock, events, talk)
        except KeyError:
            self._selector.register(talk.sock, events, talk)

    def _hear(self, talk: Talk) -> None:
        assert talk.sock is not None
        assert talk.conversation is not None
        try:
            data = talk.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # a reset is an end too: the conversation judges what came before it
        talk.taken_bytes += len(data)
        if talk.taken_bytes > REPLY_MAX_BYTES:
            self._end(talk, Refused(reason=f"answer longer than {REPLY_MAX_BYTES} bytes", is_garbled=True))
            return
        move = talk.conversation.receive(data if data else Closed())
        if isinstance(move, Say):
            self._go_on(talk, move)
        elif not isinstance(move, More):
            self._end(talk, move)
        elif not data:
            self._end(talk, Refused(reason="closed before the answer was whole", is_garbled=True))

    def _go_on(self, talk: Talk, move: Say) -> None:
        talk.said += 1
        if talk.said > SAYS_MAX:
            self._end(talk, Refused(reason=f"more than {SAYS_MAX} rounds", is_garbled=True))
            return
        talk.out = move.data
        if not move.on_new_connection:
            self._say(talk)
            return
        self._release(talk)
        talk.due_s = float("inf")  # until the new connection is opened
        self._waiting.appendleft(talk)

    # -- time ---------------------------------------------------------------------------------------------------

    def _allow(self, talk: Talk, seconds_s: float) -> None:
        talk.due_s = self._monotonic() + seconds_s
        heapq.heappush(self._dues, (talk.due_s, next(self._order), talk))
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now_s = self._monotonic()
        while self._dues and self._dues[0][0] <= now_s:
            due_s, _, talk = heapq.heappop(self._dues)
            if talk.on_end is not None and talk.due_s <= due_s:
                self._time_up(talk)
        self._open_waiting()
        if self._dues and self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def _time_up(self, talk: Talk) -> None:
        if talk.is_connecting:
            self.cut(talk, f"no connection within {self.limits.connect_s:g} s")
        elif talk.out:
            self.cut(talk, f"did not take the bytes within {self.limits.answer_s:g} s")
        else:
            due_s = talk.due_s
            self._hear(talk)
            if talk.due_s <= due_s:
                self.cut(talk, f"no answer within {self.limits.answer_s:g} s of the bytes leaving")

    # -- the loop's turn ----------------------------------------------------------------------------------------

    def _turn(self) -> None:
        heard = []
        for key, events in self._selector.select(0):
            talk = key.data
            if not isinstance(talk, Talk):
                talk()
            elif events & WRITE:
                self._take_up(talk)
            else:
                heard.append(talk)
        self._open_waiting()
        if self._waiting:
            del heard[HEARD_WHILE_OPENING:]  # what is still to be said goes before what is to be heard
        until_s = self._monotonic() + TURN_S
        for talk in heard:
            if talk.on_end is not None:  # another talk's end may have dropped it
                self._hear(talk)
            if self._monotonic() >= until_s:
                break

    def _take_up(self, talk: Talk) -> None:
        """Go on where a peer can take bytes."""
        if talk.on_end is None:
            return
        if talk.is_connecting:
            self._opened(talk)
        else:
            self._say(talk)

    def _release(self, talk: Talk) -> None:
        if talk.sock is None:
            return
        if talk.is_connecting:
            talk.is_connecting = False
            self._connecting -= 1
        with suppress(KeyError):  # not registered if connecting failed at once
            self._selector.unregister(talk.sock)
        talk.sock.close()
        talk.sock = None

    def _end(self, talk: Talk, how: How) -> None:
        on_end, talk.on_end = talk.on_end, None
        self._release(talk)
        if on_end is not None:
            on_end(Ended(how=how, sent_us=talk.sent_us, ended_us=self._now_us()))
