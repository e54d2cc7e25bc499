"""One miner as the engine knows it: its dialect, its session, and what lies ready for it."""

import secrets
import socket
from typing import Final

from headrace.adapters.miners.codec import Codec, Conversation, Credentials, Facts, Session
from headrace.adapters.miners.wire import Talk, Wire
from headrace.control.commands import Action

__all__ = ["Miner", "fresh_facts"]

NONCE_BYTES: Final = 8


class Miner:
    """One miner's standing.

    Parameters
    ----------
    name
        Name of the asset.
    host, port
        Where it is.
    codec
        Its dialect.
    credentials
        How it is logged in to.
    """

    __slots__ = (
        "codec",
        "commanded_us",
        "credentials",
        "failures",
        "frame",
        "frame_made_s",
        "full_mw",
        "host",
        "name",
        "needs_session",
        "port",
        "reason",
        "retry_at_s",
        "session",
        "sock",
        "stop",
        "talk",
    )

    def __init__(self, name: str, host: str, port: int, codec: Codec, credentials: Credentials) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.codec = codec
        self.credentials = credentials
        self.needs_session = codec.sign_in(credentials, Facts(now_s=0, nonce="0" * 2 * NONCE_BYTES)) is not None
        self.full_mw: float | None = None
        """Power that a run lifts its cap to, MW; None for one that is never capped."""
        self.session: Session | None = None
        self.sock: socket.socket | None = None
        """Connection opened before it is needed."""
        self.stop: Conversation | None = None
        """Stop made ready; used once."""
        self.frame = b""
        self.frame_made_s = 0
        self.talk: Talk | None = None
        """Talk of the command under way."""
        self.commanded_us = 0
        """When the latest command that was sent to it was decided, epoch microseconds."""
        self.reason = "not armed yet"
        """Why it is not ready; empty if it is."""
        self.failures = 0
        self.retry_at_s = 0.0

    @property
    def is_ready(self) -> bool:
        """Could a stop leave at once?"""
        return self.stop is not None and (self.sock is not None or not self.codec.keeps_idle_connections)

    def has_session(self, now_s: int) -> bool:
        """May it be spoken to as it stands?"""
        return not self.needs_session or (self.session is not None and now_s < self.session.expires_s)

    def make_stop(self, facts: Facts) -> None:
        """Make the stop frame."""
        self.stop = self.codec.command(Action.STOP, None, self.session, facts)
        self.frame = self.stop.begin()
        self.frame_made_s = facts.now_s

    def forget_session(self) -> None:
        """The session is stale, and with it the frame made with it."""
        self.session = None
        self.stop = None

    def take_stop(self) -> tuple[Conversation | None, bytes]:
        """Hand over the stop made ready, if there is one."""
        stop, self.stop = self.stop, None
        return stop, self.frame

    def take_connection(self) -> socket.socket | None:
        """Hand over the open connection, if there is one."""
        sock, self.sock = self.sock, None
        return sock

    def let_go(self, wire: Wire) -> None:
        """Close the open connection, if there is one."""
        sock = self.take_connection()
        if sock is not None:
            wire.unwatch(sock)
            sock.close()


def fresh_facts(now_s: int) -> Facts:
    """What a codec must not look up for itself."""
    return Facts(now_s=now_s, nonce=secrets.token_hex(NONCE_BYTES))
