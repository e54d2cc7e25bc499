"""What a simulated firmware is: it reads requests off the wire and writes answers, and has no socket of its own."""

from enum import StrEnum
from typing import Protocol

import msgspec

from headrace.sim.miners.model import MinerModel

__all__ = ["Asked", "Request", "Twin", "apply"]


class Asked(StrEnum):
    """What a request asks a simulated miner for."""

    SLEEP = "sleep"
    """Stop mining."""
    WAKE = "wake"
    """Mine again, as far as its limit allows."""
    LIMIT = "limit"
    """Draw no more than a limit."""
    ELSE = "else"
    """Anything that does not move power: status, a session, nonsense."""


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One whole request."""

    asked: Asked
    answer: bytes
    """Answer if all goes well; empty if it depends on the machine when it is given."""
    refusal: bytes
    """Answer if the machine will not."""
    limit_w: float = 0.0
    """For a limit: W."""
    closes: bool = True
    """Does the firmware close the connection after its answer?"""
    words: str = ""
    """What the firmware needs to know again when it answers."""


class Twin(Protocol):
    """One machine's firmware."""

    @property
    def survives_restart(self) -> bool:
        """Is it still asleep after a restart, if it was before?"""
        ...

    def take(self, data: bytes, model: MinerModel, now_s: float) -> tuple[Request, int] | None:
        """Read one request off the front of `data` and how many bytes it took; None if it is not whole."""
        ...

    def answer(self, request: Request, model: MinerModel, now_s: float) -> bytes:
        """Answer to a request whose answer depends on the machine as it is now."""
        ...

    def expire(self) -> None:
        """Forget every session."""
        ...


def apply(request: Request, model: MinerModel, now_s: float) -> None:
    """Do what a request asks."""
    match request.asked:
        case Asked.SLEEP:
            model.stop(now_s)
        case Asked.WAKE:
            model.wake(now_s)
        case Asked.LIMIT:
            model.cap(now_s, request.limit_w)
        case Asked.ELSE:
            pass
