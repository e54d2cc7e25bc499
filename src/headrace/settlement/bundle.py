"""A bundle of signed telemetry, and what anybody can check of it without the site: keys, signatures, roots, totals.

A whole interval carries every reading and is checked to the last one. An extract carries a few with their Merkle
proofs: they are checked to be in the interval, and its totals are the gateway's word.
"""

from collections.abc import Iterable

import msgspec

from headrace.settlement.admission import with_totals
from headrace.settlement.identities import KeyEvent, Registry, Role, fingerprint, registry_of
from headrace.settlement.merkle import Proof, leaf_of, proof_of, root_from, root_of
from headrace.settlement.ports import SignatureCheck
from headrace.settlement.telemetry import FIRST, IntervalRoot, Reading

__all__ = ["BundleHeader", "SignedInterval", "Verdict", "extract", "verify_bundle"]

FORMAT = 1
"""Version of the bundle; a change of what is signed raises it."""

FAULTS_MAX = 100
"""Faults that a verdict names; the rest are counted."""


class BundleHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First line of a bundle: whose it is, and the chain of identities."""

    format: int = FORMAT
    """Version of the bundle."""
    site: str
    """The site's name."""
    authority: bytes
    """Public key of the site's authority, 64 bytes; a verifier compares its fingerprint with one from elsewhere."""
    keys: tuple[KeyEvent, ...]
    """The chain of identities."""


class SignedInterval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every further line of a bundle: one interval."""

    interval: IntervalRoot
    """Its root, signed by the gateway."""
    readings: tuple[Reading, ...]
    """Its readings in the order of the tree, all of them or an extract."""
    is_extract: bool = False
    """Is it a part only?"""
    proofs: tuple[Proof, ...] = ()
    """For an extract, a proof for each reading."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle proves."""

    site: str
    """Whose telemetry it is."""
    authority: str
    """Fingerprint of the key that all rests on."""
    is_trusted: bool
    """Was that fingerprint known from elsewhere?"""
    intervals: int
    """Intervals in the bundle."""
    readings: int
    """Readings in it."""
    extracts: int
    """Intervals of which it holds a part only: their totals are the gateway's word."""
    skipped: int
    """Intervals of the gateways between the first and the last that it leaves out."""
    drawn_wh: int
    """Energy drawn, as the intervals' totals say."""
    fed_wh: int
    """Energy fed, likewise."""
    absent: int
    """Device readings that never came."""
    refused: int
    """Readings that the gateway refused."""
    faults: tuple[str, ...]
    """What does not hold, at most `FAULTS_MAX`; empty if everything does."""
    fault_count: int
    """How much does not hold."""


def extract(whole: SignedInterval, devices: Iterable[str]) -> SignedInterval:
    """The readings of some devices with their proofs, and nothing of the others."""
    wanted = set(devices)
    leaves = [leaf_of(reading.leaf()) for reading in whole.readings]
    chosen = [i for i, reading in enumerate(whole.readings) if reading.device in wanted]
    return SignedInterval(
        interval=whole.interval,
        is_extract=True,
        readings=tuple(whole.readings[i] for i in chosen),
        proofs=tuple(proof_of(leaves, i) for i in chosen),
    )


def verify_bundle(
    header: BundleHeader, intervals: Iterable[SignedInterval], check: SignatureCheck, *, trusted: str | None
) -> Verdict:
    """Check a bundle as somebody who trusts nothing but one fingerprint.

    Parameters
    ----------
    header, intervals
        The bundle, in its order.
    check
        Verifies signatures.
    trusted
        Fingerprint of the site's authority as known from elsewhere; None checks the bundle against itself only.
    """
    registry, broken = registry_of(header.keys, header.authority, check)
    audit = _Audit(header, registry, check)
    own = fingerprint(header.authority)
    if trusted is not None and _digits(trusted) != _digits(own):
        audit.fault(f"authority: its fingerprint is {own}, expected {trusted}")
    for each in broken:
        audit.fault(each)
    for number, signed in enumerate(intervals, start=1):
        audit.take(number, signed)
    return Verdict(
        site=header.site,
        authority=own,
        is_trusted=trusted is not None and _digits(trusted) == _digits(own),
        intervals=audit.intervals,
        readings=audit.readings,
        extracts=audit.extracts,
        skipped=audit.skipped,
        drawn_wh=audit.drawn_wh,
        fed_wh=audit.fed_wh,
        absent=audit.absent,
        refused=audit.refused,
        faults=tuple(audit.faults),
        fault_count=audit.fault_count,
    )


def _digits(text: str) -> str:
    return "".join(text.split()).lower()


class _Audit:
    """Goes through a bundle once, keeping what one interval must agree with in the next."""

    def __init__(self, header: BundleHeader, registry: Registry, check: SignatureCheck) -> None:
        self.header = header
        self.registry = registry
        self.check = check
        self.faults: list[str] = []
        self.fault_count = 0
        self.intervals = self.readings = self.extracts = self.skipped = 0
        self.drawn_wh = self.fed_wh = self.absent = self.refused = 0
        self._before: dict[str, IntervalRoot] = {}
        self._sequence: dict[str, int] = {}

    def fault(self, text: str) -> None:
        """Something does not hold."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(text)

    def take(self, number: int, signed: SignedInterval) -> None:
        """Check one interval."""
        root = signed.interval
        where = f"interval {number} ({root.interval_start_s})"
        self.intervals += 1
        self.readings += len(signed.readings)
        self.drawn_wh += root.drawn_wh
        self.fed_wh += root.fed_wh
        self.absent += root.absent
        self.refused += root.refused
        for found in self._root_faults(root):
            self.fault(f"{where}: {found}")
        if signed.is_extract:
            self.extracts += 1
            self._check_extract(where, signed)
        else:
            self._check_whole(where, signed)
        for reading in signed.readings:
            found = self._reading_fault(reading, root)
            if found:
                self.fault(f"{where}, {reading.device}: {found}")
            else:
                self._sequence[reading.device] = reading.sequence
        self._before[root.gateway] = root

    def _root_faults(self, root: IntervalRoot) -> Iterable[str]:
        key = self.registry.key_at(Role.GATEWAY, root.gateway, root.interval_start_s + root.duration_s)
        if root.site != self.header.site:
            yield f"it is of site {root.site!r}, the bundle of {self.header.site!r}"
        if key is None:
            yield f"no key of gateway {root.gateway} counts then"
        elif not self.check.p256(key.public, root.message(), root.signature):
            yield f"not signed by gateway {root.gateway}"
        before = self._before.get(root.gateway)
        if before is None:
            if root.sequence == 0 and root.previous != FIRST:
                yield "the first interval names one before"
            return
        if root.sequence == before.sequence + 1 and root.previous != before.digest():
            yield "it does not continue the interval before: one of the two was changed"
        elif root.sequence <= before.sequence:
            yield f"sequence {root.sequence} after {before.sequence}"
        else:
            self.skipped += root.sequence - before.sequence - 1
        if root.interval_start_s < before.interval_start_s + before.duration_s:
            yield "it begins before the last one ends"

    def _check_whole(self, where: str, signed: SignedInterval) -> None:
        root, readings = signed.interval, signed.readings
        if root_of([leaf_of(reading.leaf()) for reading in readings]) != root.root or len(readings) != root.count:
            self.fault(f"{where}: its readings do not make its root: one was changed, added or left out")
        elif with_totals(root, readings) != root:
            self.fault(f"{where}: its totals are not the sums of its readings")
        names = [reading.device for reading in readings]
        if names != sorted(set(names)):
            self.fault(f"{where}: a device is in it twice, or out of order")

    def _check_extract(self, where: str, signed: SignedInterval) -> None:
        root = signed.interval
        if len(signed.proofs) != len(signed.readings):
            self.fault(f"{where}: {len(signed.readings)} readings and {len(signed.proofs)} proofs")
            return
        for reading, proof in zip(signed.readings, signed.proofs, strict=True):
            if proof.leaves != root.count or root_from(leaf_of(reading.leaf()), proof) != root.root:
                self.fault(f"{where}, {reading.device}: its proof does not lead to the root")

    def _reading_fault(self, reading: Reading, root: IntervalRoot) -> str:
        if (reading.interval_start_s, reading.duration_s) != (root.interval_start_s, root.duration_s):
            return "it is about another interval"
        key = self.registry.key_at(Role.DEVICE, reading.device, reading.end_s)
        if key is None:
            return "no key of the device counts then"
        if not self.check.ed25519(key.public, reading.message(), reading.signature):
            return "not signed by the device"
        last = self._sequence.get(reading.device)
        if last is not None and reading.sequence <= last:
            return f"sequence {reading.sequence} after {last}: it is there twice"
        return ""
