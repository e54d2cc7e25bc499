"""Signed telemetry: what a device signs of one interval, and what its gateway signs of all of them.

A device signs integers with Ed25519, off chain. Its gateway gathers an interval's readings in a Merkle tree and signs
the root with P-256, the one signature that a contract verifies (EIP-7951). Both sign a fixed layout of bytes,
big-endian, under a name of their own, so that no signature can be read as another thing. Each interval names the hash
of the one before: a gateway cannot change or leave out an interval afterwards without breaking every one since.
"""

import hashlib
import struct
from enum import StrEnum
from typing import Final

import msgspec

from headrace.core import require

__all__ = ["FIRST", "IntervalRoot", "Reading", "WorkUnit"]

READING_LAYOUT: Final = struct.Struct(">QQIQQBQQ")
INTERVAL_LAYOUT: Final = struct.Struct(">32s32sQQI32sIIIIQQQQQ32s")
INTEGER_MAX: Final = 2**63 - 1
NAME_MAX: Final = 64
"""Longest name of a device, bytes of UTF-8."""

FIRST: Final = bytes(32)
"""What the first interval of a gateway names as the one before."""


class WorkUnit(StrEnum):
    """What a device's work is counted in."""

    NONE = "none"
    GPU_S = "gpu_s"
    """GPU-seconds delivered."""
    PH = "ph"
    """Petahashes (1e15 hashes)."""
    REQUESTS = "requests"
    """Inference requests answered."""


WORK_UNITS: Final = tuple(WorkUnit)


class Reading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One device's energy and work over one interval, signed."""

    device: str
    """Name it is enrolled under, at most 64 bytes of UTF-8."""
    sequence: int
    """Rises by one with each reading of the device, whatever becomes of it."""
    interval_start_s: int
    """Start of the interval, epoch seconds."""
    duration_s: int
    """Its length, seconds."""
    drawn_wh: int
    """Energy drawn from the bus, >= 0."""
    fed_wh: int
    """Energy fed to the bus, >= 0."""
    unit: WorkUnit = WorkUnit.NONE
    """What `work` counts."""
    work: int = 0
    """Work done, >= 0."""
    signed_at_us: int
    """The device's own clock when it signed, epoch microseconds."""
    signature: bytes = b""
    """Ed25519 over `message()`, 64 bytes."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.device.encode()) <= NAME_MAX:
            raise ValueError(f"a device's name has 1 to {NAME_MAX} bytes, found {len(self.device.encode())}")
        if not 0 < self.duration_s < 2**32:
            raise ValueError(f"duration_s must be 1 to 4294967295, was {self.duration_s}")
        for name in ("sequence", "interval_start_s", "drawn_wh", "fed_wh", "work", "signed_at_us"):
            if not 0 <= getattr(self, name) <= INTEGER_MAX:
                raise ValueError(f"{name} must be 0 to {INTEGER_MAX}, was {getattr(self, name)}")

    @property
    def end_s(self) -> int:
        """End of the interval, epoch seconds."""
        return self.interval_start_s + self.duration_s

    def message(self) -> bytes:
        """What the device signs."""
        name = self.device.encode()
        return (
            b"headrace/reading/1\x00"
            + bytes([len(name)])
            + name
            + READING_LAYOUT.pack(
                self.sequence,
                self.interval_start_s,
                self.duration_s,
                self.drawn_wh,
                self.fed_wh,
                WORK_UNITS.index(self.unit),
                self.work,
                self.signed_at_us,
            )
        )

    def leaf(self) -> bytes:
        """What goes into the interval's tree: the message with its signature."""
        return self.message() + self.signature


class IntervalRoot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All readings of one interval in one hash, with their totals, signed by the gateway."""

    site: str
    """The site's name."""
    gateway: str
    """Name the gateway is enrolled under."""
    sequence: int
    """Rises by one with each interval of the gateway."""
    interval_start_s: int
    """Start, epoch seconds."""
    duration_s: int
    """Length, seconds."""
    root: bytes
    """Merkle root over the readings by name of device, 32 bytes."""
    count: int
    """Readings in it."""
    absent: int
    """Enrolled devices without one."""
    missing: int
    """Readings that were signed and never came: gaps in the devices' sequences."""
    refused: int
    """Readings that came and were refused."""
    drawn_wh: int = 0
    """Sum of the readings."""
    fed_wh: int = 0
    """Sum of the readings."""
    gpu_s: int = 0
    """Sum of the work that is counted in GPU-seconds."""
    work_ph: int = 0
    """Sum of the work that is counted in petahashes."""
    requests: int = 0
    """Sum of the work that is counted in requests."""
    previous: bytes
    """`digest()` of the gateway's interval before, 32 bytes; zeros for its first."""
    signature: bytes = b""
    """P-256 over `message()`: r and s, 64 bytes."""

    def message(self) -> bytes:
        """What the gateway signs; a contract is given the same bytes."""
        require(len(self.root) == 32 and len(self.previous) == 32, "hashes have 32 bytes")
        return b"headrace/interval/1\x00" + INTERVAL_LAYOUT.pack(
            hashlib.sha256(self.site.encode()).digest(),
            hashlib.sha256(self.gateway.encode()).digest(),
            self.sequence,
            self.interval_start_s,
            self.duration_s,
            self.root,
            self.count,
            self.absent,
            self.missing,
            self.refused,
            self.drawn_wh,
            self.fed_wh,
            self.gpu_s,
            self.work_ph,
            self.requests,
            self.previous,
        )

    def digest(self) -> bytes:
        """What the next interval names."""
        return hashlib.sha256(self.message()).digest()
