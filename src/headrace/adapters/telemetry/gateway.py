"""The gateway: takes signed readings, signs for devices that cannot, closes each interval and keeps it as a bundle.

A meter on Modbus signs nothing. Its reading is signed with a key of its own that the gateway holds: that proves which
gateway read it, not that the meter is honest; its feeder's meter and the revenue meter are there for that.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from headrace.adapters.keys.chain import KeyFolder
from headrace.adapters.keys.signing import Signatures
from headrace.adapters.telemetry.bundle_file import append_interval, last_interval
from headrace.core import BadInput
from headrace.settlement.admission import Admitted, Intake, Refusal, RefusedReading, Rules, Seen, close_interval
from headrace.settlement.bundle import SignedInterval
from headrace.settlement.identities import Role
from headrace.settlement.ports import DeviceAmount
from headrace.settlement.telemetry import FIRST, IntervalRoot, Reading

__all__ = ["Gateway"]

REFUSED_KEPT = 1000
"""Refused readings whose reasons are kept for people; all are counted."""


class Gateway:
    """One gateway of a site; see `headrace.settlement.ports.Attestor`.

    Parameters
    ----------
    keys
        The site's identities, with the gateway's private key.
    name
        Name the gateway is enrolled under.
    folder
        Where bundles go: a file for each UTC day, and another when the chain of identities has grown; the number is its
        length ("telemetry-2024-11-04-00017.jsonl").
    rules
        What is tolerated of a reading.

    Raises
    ------
    headrace.core.BadInput
        If the gateway has no key here, or the newest bundle can't be gone on with.
    """

    def __init__(self, keys: KeyFolder, name: str, folder: Path, rules: Rules | None = None) -> None:
        self._keys = keys
        self._name = name
        self._folder = folder
        self._rules = rules or Rules()
        self._check = Signatures()
        self._intake: Intake | None = None
        self._seen: dict[str, Seen] = {}
        self._last: SignedInterval | None = None
        self.refused: list[RefusedReading] = []
        self._resume()

    @property
    def last(self) -> SignedInterval | None:
        """The last interval that was closed."""
        return self._last

    def identities(self) -> KeyFolder:
        """The site's identities as they are now; read again only when their chain has grown."""
        self._keys = self._keys.refreshed()
        return self._keys

    def begin(self, interval_start_s: int, duration_s: int) -> None:
        """Open an interval: readings count from now on until it is attested, which opens the next."""
        self._intake = Intake(interval_start_s=interval_start_s, duration_s=duration_s, seen=self._seen)

    def take(self, encoded: bytes, *, now_us: int) -> Admitted | RefusedReading:
        """Judge a signed reading as it came, a JSON text; it counts in the interval that is open."""
        try:
            reading = msgspec.json.decode(encoded, type=Reading)
        except (msgspec.MsgspecError, ValueError) as error:
            return self._refused(RefusedReading(device="", refusal=Refusal.ABSURD, detail=f"no reading: {error}"))
        if self._intake is None:
            detail = "no interval is open yet"
            return self._refused(RefusedReading(device=reading.device, refusal=Refusal.OTHER_INTERVAL, detail=detail))
        verdict = self._intake.take(reading, self._keys.registry, self._check, now_us=now_us, rules=self._rules)
        return self._refused(verdict) if isinstance(verdict, RefusedReading) else verdict

    def attest(
        self, interval_start_s: int, duration_s: int, amounts: Sequence[DeviceAmount], *, now_us: int
    ) -> IntervalRoot:
        """Close an interval; see `headrace.settlement.ports.Attestor`."""
        if self._last is not None and interval_start_s <= self._last.interval.interval_start_s:
            return self._closed_before(interval_start_s)
        self.identities()
        intake = self._intake
        if intake is None or intake.interval_start_s != interval_start_s:
            intake = Intake(interval_start_s=interval_start_s, duration_s=duration_s, seen=self._seen)
        for amount in amounts:
            reading = self._signed(amount, intake, now_us)
            verdict = intake.take(reading, self._keys.registry, self._check, now_us=now_us, rules=self._rules)
            if isinstance(verdict, RefusedReading):
                self._refused(verdict)
        bare, readings = close_interval(
            intake,
            self._keys.registry,
            site=self._keys.site,
            gateway=self._name,
            sequence=0 if self._last is None else self._last.interval.sequence + 1,
            previous=FIRST if self._last is None else self._last.interval.digest(),
        )
        signer = self._keys.signer(Role.GATEWAY, self._name, interval_start_s + duration_s)
        root = msgspec.structs.replace(bare, signature=signer.sign(bare.message()))
        signed = SignedInterval(interval=root, readings=readings)
        append_interval(self._path(interval_start_s), self._keys.header(), signed)
        self._last, self._seen, self._intake = signed, intake.seen, intake.next()
        return root

    def _signed(self, amount: DeviceAmount, intake: Intake, now_us: int) -> Reading:
        """A reading of a device that cannot sign, signed with the key that the gateway keeps for it."""
        last = intake.seen.get(amount.device)
        bare = Reading(
            device=amount.device,
            sequence=0 if last is None else last.sequence + 1,
            interval_start_s=intake.interval_start_s,
            duration_s=intake.duration_s,
            drawn_wh=amount.drawn_wh,
            fed_wh=amount.fed_wh,
            unit=amount.unit,
            work=amount.work,
            signed_at_us=now_us,
        )
        signer = self._keys.signer(Role.DEVICE, amount.device, bare.end_s)
        return msgspec.structs.replace(bare, signature=signer.sign(bare.message()))

    def _refused(self, verdict: RefusedReading) -> RefusedReading:
        if len(self.refused) < REFUSED_KEPT:
            self.refused.append(verdict)
        return verdict

    def _closed_before(self, interval_start_s: int) -> IntervalRoot:
        last = self._last
        if last is not None and last.interval.interval_start_s == interval_start_s:
            return last.interval
        raise BadInput(
            f"interval {interval_start_s}", "older than the last one that was closed", "Intervals are closed in order"
        )

    def _path(self, interval_start_s: int) -> Path:
        day = datetime.fromtimestamp(interval_start_s, UTC).date()
        return self._folder / f"telemetry-{day.isoformat()}-{len(self._keys.events):05d}.jsonl"

    def _resume(self) -> None:
        """Go on after the newest bundle."""
        paths = sorted(self._folder.glob("telemetry-*.jsonl"), reverse=True)
        self._last = next((found for path in paths if (found := last_interval(path))), None)
        for path in paths[:2]:
            self._recall(path)

    def _recall(self, path: Path) -> None:
        """Take in what devices were last seen with."""
        for line in path.read_bytes().splitlines()[1:]:
            signed = msgspec.json.decode(line, type=SignedInterval)
            for reading in signed.readings:
                known = self._seen.get(reading.device)
                if known is None or reading.sequence > known.sequence:
                    self._seen[reading.device] = Seen(sequence=reading.sequence, end_s=reading.end_s)
