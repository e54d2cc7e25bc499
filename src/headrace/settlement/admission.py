"""Which signed readings count: forged, replayed, late and absurd ones are refused, and every refusal is counted.

A refusal never changes what is known of a device, so that nobody can lock a device out by sending rubbish in its name.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from headrace.settlement.identities import Registry, Role
from headrace.settlement.merkle import leaf_of, root_of
from headrace.settlement.ports import SignatureCheck
from headrace.settlement.telemetry import IntervalRoot, Reading, WorkUnit

__all__ = ["Admitted", "Intake", "Refusal", "RefusedReading", "Rules", "Seen", "admit", "close_interval", "with_totals"]

US_PER_S: Final = 1_000_000


class Refusal(StrEnum):
    """Why a reading does not count."""

    UNKNOWN_DEVICE = "unknown_device"
    """Nobody enrolled a device of that name."""
    NO_VALID_KEY = "no_valid_key"
    """The device's key was revoked, or did not count yet."""
    FORGED = "forged"
    """The signature is not by the device's key."""
    REPLAYED = "replayed"
    """Its sequence number is not above the last one's."""
    OTHER_INTERVAL = "other_interval"
    """It is about another interval than the one that is open: late, early or of another length."""
    CLOCK_SKEW = "clock_skew"
    """The device's clock and the gateway's are too far apart."""
    ABSURD = "absurd"
    """More energy than the device can draw or feed in that time."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is tolerated."""

    skew_max_s: int = 30
    """Farthest a device's clock may be from the gateway's when a reading comes, seconds."""
    power_slack_ppm: int = 50_000
    """How far above its rated power a device may be read, millionths: meters and ratings have tolerances."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a device."""

    sequence: int
    """Of its last reading that counted."""
    end_s: int
    """End of that reading's interval, epoch seconds."""


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """It counts."""

    reading: Reading
    """The reading."""
    missing: int
    """Sequence numbers between the last one that counted and this one."""


class RefusedReading(msgspec.Struct, frozen=True, kw_only=True):
    """It does not count."""

    device: str
    """Who it claims to be from."""
    refusal: Refusal
    """Why."""
    detail: str
    """Expected and found."""


class Intake:
    """One gateway's open interval.

    Parameters
    ----------
    interval_start_s, duration_s
        The interval: its start, epoch seconds, and its length, seconds.
    seen
        Every device's last reading that counted before.

    Attributes
    ----------
    readings
        Readings that count, by device.
    missing
        Gaps in the devices' sequences.
    refused
        Readings refused, by why.
    """

    def __init__(self, *, interval_start_s: int, duration_s: int, seen: Mapping[str, Seen] | None = None) -> None:
        self.interval_start_s = interval_start_s
        self.duration_s = duration_s
        self.seen = dict(seen or {})
        self.readings: dict[str, Reading] = {}
        self.missing = 0
        self.refused: Counter[Refusal] = Counter()

    def take(
        self, reading: Reading, registry: Registry, check: SignatureCheck, *, now_us: int, rules: Rules
    ) -> Admitted | RefusedReading:
        """Judge one reading and count it."""
        verdict = admit(reading, self, registry, check, now_us=now_us, rules=rules)
        if isinstance(verdict, RefusedReading):
            self.refused[verdict.refusal] += 1
        else:
            self.seen[reading.device] = Seen(sequence=reading.sequence, end_s=reading.end_s)
            self.readings[reading.device] = reading
            self.missing += verdict.missing
        return verdict

    def next(self) -> "Intake":
        """The interval after this one, open."""
        return Intake(
            interval_start_s=self.interval_start_s + self.duration_s, duration_s=self.duration_s, seen=self.seen
        )


def admit(
    reading: Reading, intake: Intake, registry: Registry, check: SignatureCheck, *, now_us: int, rules: Rules
) -> Admitted | RefusedReading:
    """Judge one reading against the open interval; nothing is changed.

    Parameters
    ----------
    reading
        What came.
    intake
        The open interval and what was seen before.
    registry, check
        Who may sign, and how that is verified.
    now_us
        The gateway's clock, epoch microseconds.
    rules
        What is tolerated.
    """
    key = registry.key_at(Role.DEVICE, reading.device, reading.end_s)
    last = intake.seen.get(reading.device)
    skew_us = reading.signed_at_us - now_us
    most_wh = None if key is None else _most_wh(key.power_max_w, reading.duration_s, rules)
    moved_wh = max(reading.drawn_wh, reading.fed_wh)
    refusal: Refusal | None = None
    detail = ""
    if not registry.knows(Role.DEVICE, reading.device):
        refusal, detail = Refusal.UNKNOWN_DEVICE, f"{reading.device} is not enrolled"
    elif key is None:
        refusal, detail = Refusal.NO_VALID_KEY, f"no key of {reading.device} counts at {reading.end_s}"
    elif not check.ed25519(key.public, reading.message(), reading.signature):
        refusal, detail = Refusal.FORGED, f"not signed by {reading.device}"
    elif last is not None and reading.sequence <= last.sequence:
        refusal, detail = Refusal.REPLAYED, f"sequence {reading.sequence} after {last.sequence}"
    elif (reading.interval_start_s, reading.duration_s) != (intake.interval_start_s, intake.duration_s):
        refusal = Refusal.OTHER_INTERVAL
        detail = f"{reading.duration_s} s from {reading.interval_start_s}, not from {intake.interval_start_s}"
    elif abs(skew_us) > rules.skew_max_s * US_PER_S:
        refusal, detail = Refusal.CLOCK_SKEW, f"the device's clock is {skew_us / US_PER_S:+.1f} s off"
    elif most_wh is not None and moved_wh > most_wh:
        refusal, detail = Refusal.ABSURD, f"{moved_wh} Wh where {most_wh} Wh can be"
    if refusal is not None:
        return RefusedReading(device=reading.device, refusal=refusal, detail=detail)
    return Admitted(reading=reading, missing=0 if last is None else reading.sequence - last.sequence - 1)


def _most_wh(power_max_w: int, duration_s: int, rules: Rules) -> int | None:
    """Most energy a device can move in that time, rounded up; None if its power was not said."""
    if power_max_w == 0:
        return None
    return -(-power_max_w * (1_000_000 + rules.power_slack_ppm) * duration_s // (3600 * 1_000_000))


def close_interval(
    intake: Intake, registry: Registry, *, site: str, gateway: str, sequence: int, previous: bytes
) -> tuple[IntervalRoot, tuple[Reading, ...]]:
    """Close an interval: its root, still to be signed, and its readings in the order of the tree."""
    readings = tuple(intake.readings[name] for name in sorted(intake.readings))
    end_s = intake.interval_start_s + intake.duration_s
    due = registry.devices_at(end_s)
    root = IntervalRoot(
        site=site,
        gateway=gateway,
        sequence=sequence,
        interval_start_s=intake.interval_start_s,
        duration_s=intake.duration_s,
        root=root_of([leaf_of(reading.leaf()) for reading in readings]),
        count=len(readings),
        absent=sum(name not in intake.readings for name in due),
        missing=intake.missing,
        refused=sum(intake.refused.values()),
        previous=previous,
    )
    return with_totals(root, readings), readings


def with_totals(root: IntervalRoot, readings: Sequence[Reading]) -> IntervalRoot:
    """The same root with the sums of these readings."""

    def work(unit: WorkUnit) -> int:
        return sum(reading.work for reading in readings if reading.unit is unit)

    return msgspec.structs.replace(
        root,
        drawn_wh=sum(reading.drawn_wh for reading in readings),
        fed_wh=sum(reading.fed_wh for reading in readings),
        gpu_s=work(WorkUnit.GPU_S),
        work_ph=work(WorkUnit.PH),
        requests=work(WorkUnit.REQUESTS),
    )
