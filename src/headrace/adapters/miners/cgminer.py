"""The JSON that cgminer's API made common: one object a request on TCP 4028, one object back, then the peer closes.

Requests are `{"command": ..., "parameter": ...}`; an answer carries `STATUS`, a list of objects whose `STATUS` is one
letter: S success, I informational, W warning, E error, F fatal (cgminer's API-README). Several commands joined with
`+` are answered by one object with a list under each command's name. Some firmware ends an answer with a NUL, some
only closes.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from headrace.adapters.miners.codec import REPLY_MAX_BYTES, Acknowledged, Closed, Move, Refused, Say
from headrace.adapters.miners.exchange import Exchange, Follow, NotReadable, shortened

__all__ = [
    "JsonConversation",
    "JsonFraming",
    "JsonRead",
    "JsonReply",
    "acknowledged",
    "follow",
    "number",
    "objects",
    "refusal",
    "request",
    "text",
    "under",
]

EARLY_TRIES_MAX = 16
"""Times an answer is tried before its end is certain: a hostile peer must not make every byte cost a parse."""
BLANK: Final = b"\0\r\n\t "
"""What may stand around an answer."""

JsonReply: TypeAlias = Mapping[str, object]
JsonRead: TypeAlias = Callable[[JsonReply], Move | Follow[JsonReply]]

_ACKNOWLEDGED = Acknowledged()
_DECODER = msgspec.json.Decoder(dict[str, object])


def request(command: str, parameter: str = "") -> bytes:
    """Whole frame of a command."""
    fields = {"command": command, "parameter": parameter} if parameter else {"command": command}
    return msgspec.json.encode(fields)


class JsonFraming:
    """Gathers one JSON object, ended by its last brace, a NUL, or the end of the connection."""

    __slots__ = ("_depth", "_gathered", "_tries")

    def __init__(self) -> None:
        self._gathered = b""
        self._depth = 0
        self._tries = 0

    def feed(self, data: bytes | Closed) -> JsonReply | NotReadable | None:
        """Take in the next piece; None while the object is not whole."""
        if isinstance(data, Closed):
            return self._last() if self._gathered else NotReadable(why="closed without an answer")
        piece = data if self._gathered else data.lstrip(BLANK)
        self._gathered += piece
        self._depth += piece.count(b"{") - piece.count(b"}")
        if len(self._gathered) > REPLY_MAX_BYTES:
            return NotReadable(why=f"longer than {REPLY_MAX_BYTES} bytes")
        if b"\0" in piece or not self._gathered.startswith(b"{"):
            return self._last() if self._gathered else None
        if self._depth > 0 or self._tries >= EARLY_TRIES_MAX or not self._gathered.rstrip(BLANK).endswith(b"}"):
            return None
        self._tries += 1
        return self._decoded()

    def _last(self) -> JsonReply | NotReadable:
        """What has been gathered is all there will be."""
        decoded = self._decoded()
        return NotReadable(why=f"no JSON object: {_glimpse(self._gathered)}") if decoded is None else decoded

    def _decoded(self) -> JsonReply | None:
        try:
            return _DECODER.decode(self._gathered.strip(BLANK))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None


class JsonConversation(Exchange[JsonReply]):
    """Requests answered by one JSON object each.

    Parameters
    ----------
    request
        First request, whole.
    read
        What a whole answer means.
    """

    __slots__ = ()

    def __init__(self, request: bytes, read: JsonRead) -> None:
        super().__init__(request, JsonFraming, read)


def follow(frame: bytes, read: JsonRead) -> Follow[JsonReply]:
    """Ask something else on a new connection: the peer closes after each answer."""
    return Follow(say=Say(data=frame, on_new_connection=True), read=read)


def acknowledged(reply: JsonReply) -> Move:
    """Read an answer that only says yes or no."""
    return refusal(reply) or _ACKNOWLEDGED


def refusal(reply: JsonReply) -> Refused | None:
    """Why the device refused; None if it did not.

    An answer may carry several STATUS objects, of which one failure is enough, one object in place of the list, or
    (WhatsMiner) the letter itself beside `Code` and `Msg`.
    """
    found = reply.get("STATUS")
    statuses = (reply,) if isinstance(found, str) else objects(found)
    if not statuses:
        return Refused(reason=f"no STATUS in its answer: {shortened(dict(reply))}", is_garbled=True)
    for status in statuses:
        letter = status.get("STATUS")
        if letter in ("E", "F"):
            return Refused(reason=shortened(status.get("Msg", f"status {letter} without words")))
        if letter not in ("S", "I", "W"):
            return Refused(reason=f"unknown STATUS: {shortened(letter)}", is_garbled=True)
    return None


def objects(found: object) -> tuple[JsonReply, ...]:
    """Members of a list that are objects; an object stands for a list of itself, anything else for none."""
    if isinstance(found, dict):
        return (found,)
    return tuple(member for member in found if isinstance(member, dict)) if isinstance(found, list) else ()


def under(reply: JsonReply, command: str, section: str) -> tuple[JsonReply, ...]:
    """Rows of a section in the answer to one command of several joined, or to that command alone."""
    for part in objects(reply.get(command)):
        return objects(part.get(section))
    return objects(reply.get(section))


def number(row: JsonReply, *names: str) -> float | None:
    """First of the names that holds a number, or words for one; None if none does.

    NaN and infinities, which some firmware writes as words, count as absent.
    """
    for name in names:
        value = row.get(name)
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                continue
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
            return float(value)
    return None


def text(row: JsonReply, *names: str) -> str:
    """First of the names that holds words, shortened; empty if none does."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value:
            return shortened(value)
    return ""


def _glimpse(data: bytes) -> str:
    return shortened(data[:60].decode("utf-8", "replace"))
