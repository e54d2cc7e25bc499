"""What a door turned away, with why: counted for ever, the last ones kept in words."""

from collections import Counter, deque
from enum import StrEnum
from typing import Final

import msgspec

__all__ = ["Refusal", "Refusals", "Why"]

KEPT: Final = 200
"""Refusals kept in words."""
WORDS_CHARS: Final = 300
"""How much of a refusal's words is kept: a hostile peer chooses some of them."""


class Why(StrEnum):
    """Kind of refusal, the label of its counter."""

    MALFORMED = "malformed"
    """It could not be read."""
    UNAUTHORISED = "unauthorised"
    """Wrong or missing secret, certificate or signature."""
    UNKNOWN_PROGRAMME = "unknown_programme"
    """The site declares no such programme."""
    UNSUPPORTED = "unsupported"
    """A signal that the programme's declaration gives no meaning to."""
    ABSURD = "absurd"
    """A magnitude, length or time outside what the programme may name."""
    PAST = "past"
    """Its window had ended."""
    REORDERED = "reordered"
    """A later modification of the same event has been taken."""
    CONFLICTING = "conflicting"
    """The same modification number came with other contents."""
    DECLINED = "declined"
    """The site opted out of a voluntary event."""
    FULL = "full"
    """Nobody took the orders that came before; the sender is to try again."""
    UNREACHABLE = "unreachable"
    """The other side did not answer."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One thing turned away."""

    at_us: int
    """When, epoch microseconds."""
    why: Why
    """Kind."""
    what: str
    """Event or message it was about."""
    reason: str
    """What was expected and what was found."""


class Refusals:
    """Counters by kind, and the last refusals in words."""

    def __init__(self) -> None:
        self.counts: Counter[Why] = Counter()
        self.last: deque[Refusal] = deque(maxlen=KEPT)

    def add(self, at_us: int, why: Why, what: str, reason: str) -> Refusal:
        """Count one and keep its words."""
        refusal = Refusal(at_us=at_us, why=why, what=what[:WORDS_CHARS], reason=reason[:WORDS_CHARS])
        self.counts[why] += 1
        self.last.append(refusal)
        return refusal
