"""What a miner dialect is: bytes in, bytes out, no socket, no clock.

A firmware is driven by conversations. A conversation says what to send on a connection and reads what comes back,
however it is cut into pieces, until it is done or refused. Some need a session first (a log-in, a token), which a codec
also obtains by conversation; a session may be kept and used until it expires, so that a command in an emergency is one
frame that was ready before.
"""

from typing import Protocol

import msgspec

from headrace.control.commands import Action

__all__ = [
    "Acknowledged",
    "Closed",
    "Codec",
    "Conversation",
    "Credentials",
    "Facts",
    "MinerStatus",
    "More",
    "Move",
    "Refused",
    "Say",
    "Session",
    "SignedIn",
]

REPLY_MAX_BYTES = 65_536
"""Longest reply that is read; a longer one is refused."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """How a miner is logged in to."""

    user: str = ""
    """Account on the machine."""
    password: str = ""
    """Its password; never shown."""

    def __repr__(self) -> str:
        return "Credentials(...)"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a codec must not look up for itself."""

    now_s: int
    """Epoch seconds."""
    nonce: str
    """Fresh hexadecimal for a client's challenge, at least 16 characters."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a log-in yields."""

    token: bytes
    """The dialect's own: a session id, a key, a digest challenge."""
    expires_s: int
    """When it must no longer be used, epoch seconds."""

    def __repr__(self) -> str:
        return f"Session(expires_s={self.expires_s})"


class MinerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a miner says of itself; None where it does not."""

    model: str = ""
    """Hardware."""
    firmware: str = ""
    """Firmware and version."""
    is_mining: bool | None = None
    """Does it hash?"""
    hashrate_ths: float | None = None
    """Hash rate, TH/s."""
    power_w: int | None = None
    """Power it claims to draw, W."""
    temp_c: float | None = None
    """Hottest board or chip, °C."""


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """Send these bytes and go on reading."""

    data: bytes
    """Whole frame."""
    on_new_connection: bool = False
    """The peer closes after each answer: open another connection first."""


class More(msgspec.Struct, frozen=True):
    """The answer is not whole yet."""


class Acknowledged(msgspec.Struct, frozen=True):
    """The device says that it did what it was told."""


class SignedIn(msgspec.Struct, frozen=True):
    """Logged in."""

    session: Session


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The device would not, or could not be understood."""

    reason: str
    """Its own words, shortened, or what was wrong with them."""
    is_garbled: bool = False
    """Was the answer unreadable, rather than a no?"""
    needs_sign_in: bool = False
    """Would it do it after a fresh log-in?"""


class Closed(msgspec.Struct, frozen=True):
    """The peer ended the connection; handed to `Conversation.receive` as the end of its bytes."""


Move = Say | More | Acknowledged | SignedIn | MinerStatus | Refused
"""What a conversation wants next, or how it ended."""


class Conversation(Protocol):
    """One exchange with one miner. It never raises on anything a peer sends."""

    def begin(self) -> bytes:
        """What to send first."""
        ...

    def receive(self, data: bytes | Closed) -> Move:
        """Take in what came and say what next; after an end (anything but `Say` and `More`) it is not called again."""
        ...


class Codec(Protocol):
    """One dialect."""

    dialect: str
    """Its name in the device file ("braiins", "luxos", "whatsminer-v2")."""
    port: int
    """Port that its firmware listens on."""
    keeps_idle_connections: bool
    """May a connection be opened before it is needed and kept?"""

    def sign_in(self, credentials: Credentials, facts: Facts) -> Conversation | None:
        """Conversation that ends `SignedIn`; None if the dialect needs none."""
        ...

    def command(self, action: Action, power_w: int | None, session: Session | None, facts: Facts) -> Conversation:
        """Conversation that ends `Acknowledged`, made ready so that `begin` costs nothing.

        `power_w` is the limit of a cap; with a run, the power to which an earlier cap is lifted after waking up.

        Raises
        ------
        headrace.core.BadInput
            If the dialect has no such command.
        """
        ...

    def status(self, session: Session | None, facts: Facts) -> Conversation:
        """Conversation that ends in a `MinerStatus`."""
        ...
