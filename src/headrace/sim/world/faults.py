"""What goes wrong in the simulated world, when, and with whom: written down, or drawn under a seed.

A fault names its targets by a pattern ("hall1.*", "feeder-2"). The same faults work whichever door is used: in process
or over the real protocols.
"""

from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec
import numpy as np

from headrace.control.assets import AssetKind, Inventory

__all__ = ["Fault", "FaultFile", "FaultKind", "InForce", "random_faults"]

US_PER_S = 1_000_000


class FaultKind(StrEnum):
    """What goes wrong."""

    DELAY = "delay"
    """Answers and acts `value` seconds later."""
    JITTER = "jitter"
    """Answers and acts later by a random time of mean `value` seconds."""
    MUTE = "mute"
    """Acts and does not answer."""
    DEAF = "deaf"
    """Neither hears nor answers."""
    LYING = "lying"
    """Acknowledges and claims, and does not act."""
    REFUSING = "refusing"
    """Answers that it will not."""
    GARBLED = "garbled"
    """Acts, and its answer can't be read."""
    LINK = "link"
    """No connection."""
    PARTIAL_TRIP = "partial_trip"
    """A share `value` of a feeder's assets loses its supply."""
    BREAKER_TRIP = "breaker_trip"
    """A feeder's breaker opens, and stays open until it is reset."""
    STUCK = "stuck"
    """A contactor's contacts do not move; cooling does not start or stop."""
    METER_FREEZE = "meter_freeze"
    """A meter repeats its last reading under its old time."""
    METER_GAP = "meter_gap"
    """A meter does not answer."""
    METER_RESET = "meter_reset"
    """A meter's totals begin again at zero, once."""
    CLOCK_SKEW = "clock_skew"
    """A meter's or an asset's clock is `value` seconds ahead (negative: behind)."""
    FREQUENCY = "frequency"
    """The grid's frequency departs by `value` Hz."""
    BROKER_RESTART = "broker_restart"
    """The message broker goes away, and comes back when the fault ends."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong."""

    kind: FaultKind
    """What."""
    target: str = "*"
    """Pattern of the names it strikes: assets, feeders or meters, as the kind has it."""
    start_s: float
    """When it begins, seconds after the world did."""
    end_s: float = float("inf")
    """When it ends, likewise; left out: never."""
    value: float = 0.0
    """How much, in the unit of its kind."""

    def __post_init__(self) -> None:
        if not (self.start_s < self.end_s and np.isfinite(self.value) and np.isfinite(self.start_s)):
            raise ValueError(f"a fault begins before it ends, and its value is finite ({self.kind} {self.target})")


class FaultFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of faults (TOML): [[fault]] tables."""

    fault: tuple[Fault, ...] = ()
    """What goes wrong."""


class InForce:
    """Which faults strike at a time; asked often, so it looks at the list only when one begins or ends.

    Parameters
    ----------
    faults
        All faults.
    start_us
        When the world began, epoch microseconds.
    """

    def __init__(self, faults: Sequence[Fault], start_us: int) -> None:
        self._start_us = start_us
        self._faults: list[Fault] = []
        self._active: list[Fault] = []
        self._names: dict[tuple[FaultKind, str], Fault | None] = {}
        self.kinds: frozenset[FaultKind] = frozenset()
        """Kinds in force."""
        self.next_us: float = float("inf")
        """When the next fault begins or ends, epoch microseconds."""
        self.begun: list[Fault] = []
        """Faults that began at the last look."""
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Add a fault; one whose start has passed begins at the next look."""
        self._faults.append(fault)
        self.next_us = min(self.next_us, self._us(fault.start_s))

    def look(self, now_us: int) -> None:
        """Bring the list up to `now_us`."""
        self.begun = []
        if now_us < self.next_us:
            return
        struck = [each for each in self._faults if self._us(each.start_s) <= now_us < self._us(each.end_s)]
        self.begun = [each for each in struck if each not in self._active]
        self._active = struck
        self._faults = [each for each in self._faults if now_us < self._us(each.end_s)]
        self._names.clear()
        self.kinds = frozenset(each.kind for each in struck)
        edges = [self._us(t) for each in self._faults for t in (each.start_s, each.end_s) if self._us(t) > now_us]
        self.next_us = min(edges, default=float("inf"))

    def of(self, kind: FaultKind, name: str) -> Fault | None:
        """The fault of a kind that strikes a name, if one does."""
        if kind not in self.kinds:
            return None
        if (kind, name) not in self._names:
            struck = (each for each in self._active if each.kind is kind and fnmatchcase(name, each.target))
            self._names[kind, name] = next(struck, None)
        return self._names[kind, name]

    def _us(self, after_s: float) -> float:
        return self._start_us + after_s * US_PER_S


_DEVICE_FAULTS = (
    (FaultKind.DELAY, 1.0),
    (FaultKind.JITTER, 0.3),
    (FaultKind.MUTE, 0.0),
    (FaultKind.DEAF, 0.0),
    (FaultKind.LYING, 0.0),
    (FaultKind.REFUSING, 0.0),
    (FaultKind.GARBLED, 0.0),
    (FaultKind.LINK, 0.0),
)
_METER_FAULTS = (
    (FaultKind.METER_FREEZE, 0.0),
    (FaultKind.METER_GAP, 0.0),
    (FaultKind.METER_RESET, 0.0),
    (FaultKind.CLOCK_SKEW, 3.0),
)
_FEEDER_FAULTS = ((FaultKind.PARTIAL_TRIP, 0.2), (FaultKind.BREAKER_TRIP, 0.0))


def random_faults(
    inventory: Inventory, *, rng: np.random.Generator, length_s: float, per_day: float
) -> tuple[Fault, ...]:
    """Draw faults over a period: half strike devices, the others meters and feeders; each lasts a minute to an hour.

    Parameters
    ----------
    inventory
        Whom they may strike.
    rng
        Draws them.
    length_s
        Length of the period from the world's start, seconds.
    per_day
        How many a day, on average.
    """
    devices = [each.name for each in inventory.assets if each.kind in {AssetKind.MINER, AssetKind.NODE}]
    feeders = [each.name for each in inventory.feeders]
    meters = [inventory.site_meter, *(each.meter for each in inventory.feeders)]
    choices = [(name, each) for name in [*devices] for each in _DEVICE_FAULTS] if devices else []
    others = [(name, each) for name in meters for each in _METER_FAULTS]
    others += [(name, each) for name in feeders for each in _FEEDER_FAULTS]
    others += [(each.name, (FaultKind.STUCK, 0.0)) for each in inventory.assets if each.kind is AssetKind.CONTACTOR]
    drawn = []
    for start_s in np.sort(rng.uniform(0.0, length_s, rng.poisson(per_day * length_s / 86_400.0))).tolist():
        among = choices if choices and rng.random() < 0.5 else others
        name, (kind, value) = among[int(rng.integers(len(among)))]
        end_s = start_s + float(rng.uniform(60.0, 3600.0))
        drawn.append(Fault(kind=kind, target=name, start_s=start_s, end_s=end_s, value=value))
    return tuple(drawn)
