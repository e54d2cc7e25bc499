"""What the site and a node's agent say to each other, and how each knows that it is the other who said it.

    site  -> agent   MAGIC, the site's nonce
    agent -> site    MAGIC, the agent's nonce, the agent's clock, MAC
    then both ways   length, number, MAC, message (MessagePack)

Both derive the connection's key from the shared key, the node's name and both nonces, so a frame recorded on one
connection, or sent to another node, fails its MAC; within a connection numbers only rise, so a repeated frame is
refused. MACs are HMAC-SHA256 and compared in constant time. Nothing here is secret, so nothing is enciphered.
"""

import hmac
import struct
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from headrace.core import BadInput

__all__ = [
    "AGENT_HELLO_BYTES",
    "MAGIC",
    "NONCE_BYTES",
    "SITE_HELLO_BYTES",
    "Answer",
    "Cap",
    "Channel",
    "GroupCount",
    "Notify",
    "Pause",
    "Refusal",
    "Renew",
    "Resume",
    "Side",
    "Status",
    "Tell",
    "agent_hello",
    "read_agent_hello",
    "read_answer",
    "read_key",
    "read_site_hello",
    "read_tell",
    "site_hello",
]

MAGIC: Final = b"HRNA\x01"
"""Protocol and its version."""
NONCE_BYTES: Final = 16
MAC_BYTES: Final = 32
KEY_MIN_BYTES: Final = 32
HEAD: Final = struct.Struct("!IQ")
CLOCK: Final = struct.Struct("!Q")
SITE_HELLO_BYTES: Final = len(MAGIC) + NONCE_BYTES
AGENT_HELLO_BYTES: Final = len(MAGIC) + NONCE_BYTES + CLOCK.size + MAC_BYTES
TELL_MAX_BYTES: Final = 65_536
"""Longest message an agent reads."""
ANSWER_MAX_BYTES: Final = 1_048_576
"""Longest answer the site reads: a count for each of thousands of groups."""


class Side(StrEnum):
    """Who speaks."""

    SITE = "site"
    AGENT = "agent"


class Pause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="pause"):
    """Stop processes where they stand, and those that start later too, until they are resumed."""

    tiers: tuple[str, ...] = ()
    """Tiers to stop; with `groups` empty too, every tier that the agent knows as flexible."""
    groups: tuple[str, ...] = ()
    """Groups to stop, by name."""
    expires_us: int
    """When this must no longer be done, epoch microseconds of the agent's clock."""


class Resume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="resume"):
    """Let processes go on."""

    tiers: tuple[str, ...] = ()
    """As of `Pause.tiers`."""
    groups: tuple[str, ...] = ()
    """As of `Pause.groups`."""
    power_w: int | None = None
    """Most power that the node may draw from now on, W; None for no cap. The cap comes first."""
    expires_us: int
    """As of `Pause.expires_us`."""


class Notify(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="notify"):
    """Send a signal to those processes that declare a handler for it; the others would die of it."""

    signal: str
    """"USR1" or "USR2"."""
    groups: tuple[str, ...] = ()
    """As of `Pause.groups`; empty for every flexible one."""
    expires_us: int
    """As of `Pause.expires_us`."""


class Cap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="cap"):
    """Cap the power of the whole node, and let paused processes stand."""

    power_w: int | None
    """Most it may draw, W; None to lift the cap."""
    expires_us: int
    """As of `Pause.expires_us`."""


class Status(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="status"):
    """Count processes, change nothing."""


class Renew(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="renew"):
    """The site is there; every other message says so too."""


Tell = Pause | Resume | Notify | Cap | Status | Renew
"""What the site may ask of an agent."""


class GroupCount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Processes of one group."""

    name: str
    """The group's name: a scheduler's job id, or as declared."""
    tier: str
    """Its flexibility tier."""
    processes: int
    """How many it has."""
    stopped: int
    """How many of them the kernel shows as stopped or frozen."""
    is_others: bool = False
    """Did it stand already when the agent was to stop it? Whoever stopped it (a scheduler) lets it go on."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent did."""

    number: int
    """Number of the message that it answers."""
    is_done: bool
    """Is it as was asked, seen in the kernel's own tables?"""
    reason: str = ""
    """Why not."""
    acted_us: int
    """When the last signal had been sent, epoch microseconds of the agent's clock."""
    seen_us: int
    """When the last process had been seen in the state asked for, or the agent gave up waiting."""
    is_alone: bool = False
    """Did the site's lease run out, so that the agent went to its declared state by itself?"""
    groups: tuple[GroupCount, ...] = ()
    """Every flexible group on the node."""


class Refusal(msgspec.Struct, frozen=True):
    """Bytes that are not what they should be."""

    reason: str
    """What is wrong with them."""


_TELL: Final[msgspec.msgpack.Decoder[Tell]] = msgspec.msgpack.Decoder(Tell)
_ANSWER: Final = msgspec.msgpack.Decoder(Answer)


class Channel:
    """One connection's frames after the hellos: seals what is sent, cuts and opens what comes.

    Parameters
    ----------
    key, node
        Shared key and the node's name.
    site_nonce, agent_nonce
        From the hellos.
    side
        Who holds this end.
    """

    def __init__(self, *, key: bytes, node: str, site_nonce: bytes, agent_nonce: bytes, side: Side) -> None:
        self._key = _connection_key(key, node, site_nonce, agent_nonce)
        self._own = side.encode()
        self._other = (Side.AGENT if side is Side.SITE else Side.SITE).encode()
        self._read_max_bytes = ANSWER_MAX_BYTES if side is Side.SITE else TELL_MAX_BYTES
        self._sent = 0
        self._received = 0
        self._buffer = bytearray()

    @property
    def is_mid_frame(self) -> bool:
        """Has part of a frame come?"""
        return bool(self._buffer)

    def seal(self, message: Tell | Answer) -> tuple[int, bytes]:
        """Number and frame of a message, to be sent in this order."""
        self._sent += 1
        payload = msgspec.msgpack.encode(message)
        head = HEAD.pack(len(payload), self._sent)
        return self._sent, b"".join((head, self._mac(self._own, head, payload), payload))

    def receive(self, data: bytes) -> list[tuple[int, bytes]] | Refusal:
        """Payloads that are whole now, each with its number; after a refusal the connection must be closed."""
        self._buffer += data
        found = []
        while len(self._buffer) >= HEAD.size + MAC_BYTES:
            length, number = HEAD.unpack_from(self._buffer)
            if length > self._read_max_bytes:
                return Refusal(f"a frame of {length:,} bytes, at most {self._read_max_bytes:,} are read")
            end = HEAD.size + MAC_BYTES + length
            if len(self._buffer) < end:
                break
            frame = bytes(self._buffer[:end])
            del self._buffer[:end]
            head, mac, payload = frame[: HEAD.size], frame[HEAD.size : end - length], frame[end - length :]
            if not hmac.compare_digest(mac, self._mac(self._other, head, payload)):
                return Refusal("a frame whose signature does not hold")
            if number <= self._received:
                return Refusal(f"frame {number} again, after {self._received}")
            self._received = number
            found.append((number, payload))
        return found

    def _mac(self, side: bytes, head: bytes, payload: bytes) -> bytes:
        return hmac.digest(self._key, b"".join((side, head, payload)), "sha256")


def read_tell(payload: bytes) -> Tell | Refusal:
    """Decode what a site asks."""
    try:
        return _TELL.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Refusal(f"not a message of this protocol: {error}")


def read_answer(payload: bytes) -> Answer | Refusal:
    """Decode what an agent answers."""
    try:
        return _ANSWER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Refusal(f"not an answer of this protocol: {error}")


def site_hello(nonce: bytes) -> bytes:
    """First bytes of the site."""
    return MAGIC + nonce


def read_site_hello(data: bytes) -> bytes | Refusal:
    """The site's nonce, from exactly `SITE_HELLO_BYTES`."""
    return data[len(MAGIC) :] if data.startswith(MAGIC) else Refusal("not this protocol, or another version of it")


def agent_hello(*, key: bytes, node: str, site_nonce: bytes, agent_nonce: bytes, now_us: int) -> bytes:
    """Answer of the agent, which proves that it has the key."""
    clock = CLOCK.pack(now_us)
    mac = hmac.digest(_connection_key(key, node, site_nonce, agent_nonce), b"hello" + clock, "sha256")
    return b"".join((MAGIC, agent_nonce, clock, mac))


def read_agent_hello(data: bytes, *, key: bytes, node: str, site_nonce: bytes) -> tuple[bytes, int] | Refusal:
    """The agent's nonce and its clock in epoch microseconds, from exactly `AGENT_HELLO_BYTES`."""
    if not data.startswith(MAGIC):
        return Refusal("not this protocol, or another version of it")
    agent_nonce = data[len(MAGIC) : len(MAGIC) + NONCE_BYTES]
    clock, mac = data[len(MAGIC) + NONCE_BYTES : -MAC_BYTES], data[-MAC_BYTES:]
    own = hmac.digest(_connection_key(key, node, site_nonce, agent_nonce), b"hello" + clock, "sha256")
    if not hmac.compare_digest(mac, own):
        return Refusal("the agent has another key, or another name")
    (at_us,) = CLOCK.unpack(clock)
    return agent_nonce, at_us


def read_key(path: Path) -> bytes:
    """Read the shared key from a file that only its owner may read.

    Raises
    ------
    headrace.core.BadInput
        If it is not there, too short, or open to others.
    """
    try:
        mode, key = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise BadInput(str(path), f"no key: {error.strerror}", "Write 32 random bytes or more into it") from error
    if mode & 0o077:
        raise BadInput(str(path), "a key that others may read", f"chmod 600 {path.name}")
    if len(key) < KEY_MIN_BYTES:
        raise BadInput(str(path), f"a key of {len(key)} bytes", f"Take {KEY_MIN_BYTES} random bytes or more")
    return key


def _connection_key(key: bytes, node: str, site_nonce: bytes, agent_nonce: bytes) -> bytes:
    return hmac.digest(key, b"".join((MAGIC, site_nonce, agent_nonce, node.encode())), "sha256")
