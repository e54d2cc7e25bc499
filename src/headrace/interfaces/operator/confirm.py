"""Arm, then fire: what takes power away is shown first and done when the same person says so again.

The first call hands out a word for exactly this request, good once and for a short time; the second brings it back.
"""

import hmac
import secrets
from collections.abc import Callable
from typing import Final

__all__ = ["GOOD_FOR_S", "Confirmations"]

GOOD_FOR_S: Final = 30.0
"""How long a request stays armed, seconds."""
ARMED_MAX: Final = 100
"""Requests armed at once; the oldest goes first."""


class Confirmations:
    """Requests that are armed.

    Parameters
    ----------
    monotonic
        Seconds that never run backwards.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._armed: dict[str, tuple[str, bytes, float]] = {}

    def arm(self, who: str, request: bytes) -> str:
        """The word that fires this request."""
        word = secrets.token_hex(4)
        self._armed[word] = (who, request, self._monotonic() + GOOD_FOR_S)
        if len(self._armed) > ARMED_MAX:
            del self._armed[next(iter(self._armed))]
        return word

    def fire(self, who: str, request: bytes, word: str) -> str:
        """Use a word up; empty if it fires this request, else why it does not."""
        armed = self._armed.pop(word, None)
        if armed is None:
            return "this word arms nothing: it was used, or never given"
        name, same, until_s = armed
        if name != who:
            return "somebody else armed it"
        if not hmac.compare_digest(same, request):
            return "it was armed for another request"
        if self._monotonic() > until_s:
            return f"it was armed more than {GOOD_FOR_S:.0f} s ago"
        return ""
