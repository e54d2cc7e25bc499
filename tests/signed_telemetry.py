"""A small site with keys, for tests that sign and verify."""

import msgspec

from headrace.adapters.keys.signing import DeviceKey, GatewayKey, Signatures
from headrace.settlement.admission import Intake, Rules, close_interval
from headrace.settlement.bundle import BundleHeader, SignedInterval
from headrace.settlement.identities import Change, KeyEvent, Role, registry_of
from headrace.settlement.telemetry import FIRST, Reading, WorkUnit

CHECK = Signatures()
RULES = Rules()
STEP_S = 300
START_S = 1_700_000_100


class SignedSite:
    """One gateway and a few devices that sign for themselves."""

    def __init__(self, devices=("m1", "m2", "m3"), power_max_w=4_000):
        self.authority = GatewayKey.new()
        self.gateway = GatewayKey.new()
        self.devices = {name: DeviceKey.new() for name in devices}
        self.events: list[KeyEvent] = []
        self.add(Change.ENROL, Role.GATEWAY, "gw", self.gateway)
        for name, key in self.devices.items():
            self.add(Change.ENROL, Role.DEVICE, name, key, power_max_w=power_max_w)
        self.intervals: list[SignedInterval] = []
        self.intake = Intake(interval_start_s=START_S, duration_s=STEP_S)
        self.sequences = dict.fromkeys(devices, 0)

    def add(self, change, role, name, key=None, *, old=None, at_s=START_S - 1000, power_max_w=0, authority=None):
        bare = KeyEvent(
            sequence=len(self.events),
            change=change,
            role=role,
            name=name,
            public=key.public if key else b"",
            at_s=at_s,
            power_max_w=power_max_w,
            previous=self.events[-1].digest() if self.events else bytes(32),
        )
        message = bare.message()
        self.events.append(
            msgspec.structs.replace(
                bare,
                proof=key.sign(message) if key else b"",
                old_proof=old.sign(message) if old else b"",
                signature=(authority or self.authority).sign(message),
            )
        )

    @property
    def registry(self):
        registry, broken = registry_of(self.events, self.authority.public, CHECK)
        assert not broken
        return registry

    @property
    def header(self):
        return BundleHeader(site="demo", authority=self.authority.public, keys=tuple(self.events))

    def reading(self, name, drawn_wh=250, *, key=None, **changes):
        """A reading of the open interval, signed; `changes` are made before signing."""
        bare = Reading(
            **{
                "device": name,
                "sequence": self.sequences.get(name, 0),
                "interval_start_s": self.intake.interval_start_s,
                "duration_s": STEP_S,
                "drawn_wh": drawn_wh,
                "fed_wh": 0,
                "unit": WorkUnit.PH,
                "work": 30,
                "signed_at_us": self.now_us,
            }
            | changes
        )
        signer = key or self.devices[name]
        return msgspec.structs.replace(bare, signature=signer.sign(bare.message()))

    @property
    def now_us(self):
        return (self.intake.interval_start_s + STEP_S) * 1_000_000

    def take(self, reading):
        return self.intake.take(reading, self.registry, CHECK, now_us=self.now_us, rules=RULES)

    def close(self):
        """Sign the open interval and open the next."""
        last = self.intervals[-1].interval if self.intervals else None
        root, readings = close_interval(
            self.intake,
            self.registry,
            site="demo",
            gateway="gw",
            sequence=0 if last is None else last.sequence + 1,
            previous=FIRST if last is None else last.digest(),
        )
        signed = msgspec.structs.replace(root, signature=self.gateway.sign(root.message()))
        self.intervals.append(SignedInterval(interval=signed, readings=readings))
        self.intake = self.intake.next()

    def run(self, intervals):
        """Every device sends one good reading in each of so many intervals."""
        for _ in range(intervals):
            for name in self.devices:
                self.take(self.reading(name))
                self.sequences[name] += 1
            self.close()
        return self
