"""How every conversation runs: a request, an answer gathered from pieces, and what the answer leads to.

A dialect writes what it sends and how it reads a whole answer; when an answer is whole is the framing's business.
Nothing here raises on what a peer sends: what cannot be read ends as `Refused(is_garbled=True)`.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from headrace.adapters.miners.codec import Closed, More, Move, Refused, Say

__all__ = ["Exchange", "Follow", "Framing", "NotReadable", "shortened"]

REASON_MAX_CHARS = 120
"""Longest part of a device's own words that is kept."""

MORE = More()

ReplyT = TypeVar("ReplyT")
ReplyT_co = TypeVar("ReplyT_co", covariant=True)


class NotReadable(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes are no answer of this dialect."""

    why: str
    """What was wrong with them."""


class Framing(Protocol[ReplyT_co]):
    """Gathers one answer."""

    def feed(self, data: bytes | Closed) -> ReplyT_co | NotReadable | None:
        """Take in the next piece; None while the answer is not whole."""
        ...


class Follow(msgspec.Struct, Generic[ReplyT], frozen=True, kw_only=True):
    """The answer leads to another request."""

    say: Say
    """That request."""
    read: Callable[[ReplyT], "Move | Follow[ReplyT]"]
    """What its answer will mean."""


class Exchange(Generic[ReplyT]):
    """A conversation of one or several requests, each with one answer.

    Parameters
    ----------
    request
        First request, whole.
    framing
        Makes the framing of each answer.
    read
        What a whole answer means: how the conversation ended, or the request that follows.
    """

    __slots__ = ("_gathering", "_make_framing", "_read", "_request")

    def __init__(
        self,
        request: bytes,
        framing: Callable[[], Framing[ReplyT]],
        read: Callable[[ReplyT], Move | Follow[ReplyT]],
    ) -> None:
        self._request = request
        self._make_framing = framing
        self._gathering = framing()
        self._read = read

    def begin(self) -> bytes:
        """What to send first."""
        return self._request

    def receive(self, data: bytes | Closed) -> Move:
        """Take in what came and say what next."""
        reply = self._gathering.feed(data)
        if reply is None:
            return MORE
        if isinstance(reply, NotReadable):
            return Refused(reason=reply.why, is_garbled=True)
        move = self._read(reply)
        if not isinstance(move, Follow):
            return move
        self._gathering = self._make_framing()
        self._read = move.read
        return move.say


def shortened(words: object) -> str:
    """A device's own words on one line, without control characters, at most `REASON_MAX_CHARS` long."""
    text = words if isinstance(words, str) else repr(words)
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * REASON_MAX_CHARS]).split())
    return text if len(text) <= REASON_MAX_CHARS else text[: REASON_MAX_CHARS - 1] + "…"
