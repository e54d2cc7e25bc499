"""What settlement asks of the outside: is a signature good, and who signs what the meters said."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from headrace.settlement.telemetry import IntervalRoot, WorkUnit

__all__ = ["Attestor", "DeviceAmount", "SignatureCheck"]


class SignatureCheck(Protocol):
    """Verifies signatures of the two kinds that telemetry carries."""

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Is `signature` (64 bytes) by the key `public` (32 bytes)?"""
        ...

    def p256(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Is `signature` (r and s, 64 bytes) over SHA-256 of `message` by the key `public` (x and y, 64 bytes)?"""
        ...


class DeviceAmount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one device did in one interval, before anybody signed it."""

    device: str
    """Name it is enrolled under."""
    drawn_wh: int
    """Energy drawn from the bus, >= 0."""
    fed_wh: int = 0
    """Energy fed to the bus, >= 0."""
    unit: WorkUnit = WorkUnit.NONE
    """What `work` counts."""
    work: int = 0
    """Work done, >= 0."""


class Attestor(Protocol):
    """Signs an interval's readings and hands back the root that stands for them."""

    def attest(
        self, interval_start_s: int, duration_s: int, amounts: Sequence[DeviceAmount], *, now_us: int
    ) -> IntervalRoot:
        """Close the interval; `amounts` are of devices that cannot sign, those that can have sent their readings.

        Attesting an interval a second time hands back the root it has.
        """
        ...
