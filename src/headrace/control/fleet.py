"""What control believes of every asset, and how each thing it hears changes that belief.

Belief errs to the side of more power: an asset of which nothing is known counts at full; one told to rise counts at its
new power from that moment, one told to fall only when it has acknowledged. A device that acknowledged and went on
drawing counts at full until a meter has confirmed it, whatever it says of itself.

Columns, because a fleet has tens of thousands of machines and a shed has milliseconds; `FleetState.of` shows one asset.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.layout import US_PER_S, Layout
from headrace.control.orders import LockOut
from headrace.control.readings import AssetReading, MeterReading

__all__ = ["AssetState", "Doubt", "FleetState", "absorb", "counted_by_feeder", "first_belief", "note_commands"]

DAY_US: Final = 86_400 * US_PER_S
"""Starts are counted over this long."""
RETRY_US: Final = 600 * US_PER_S
"""One that refused is asked again when it is heard this long after."""
MW_PER_W: Final = 1e-6
"""MW in one W."""
UNKNOWN: Final = -1
"""Neither running nor stopped, as far as anybody said."""


class Doubt(IntEnum):
    """Why an asset's power is not counted on."""

    NONE = 0
    MUTE = 1
    """Did not answer, or could not be reached: until it is heard again."""
    REFUSES = 2
    """Would not, or answered what nobody can read: until it acknowledges a command, or is heard well after."""
    LIES = 3
    """Acknowledged, and the meter showed otherwise: until a meter confirms it."""


DOUBT_AFTER: Final = {
    Result.MUTE: Doubt.MUTE,
    Result.UNREACHABLE: Doubt.MUTE,
    Result.REFUSED: Doubt.REFUSES,
    Result.GARBLED: Doubt.REFUSES,
    Result.LYING: Doubt.LIES,
}
"""What a command that was not carried out says of the asset."""


class AssetState(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed of one asset."""

    name: str
    """Its name."""
    is_running: bool | None
    """Does it do its work (a contactor: is it closed)? None if nobody knows."""
    drawn_mw: float
    """Power it counts for, MW, load-positive."""
    heard_us: int
    """When it was last heard, epoch microseconds; 0 for never."""
    changed_us: int
    """When it last started or stopped, epoch microseconds; 0 for not since anybody listened."""
    starts: int
    """Starts in the 24 hours before it was last heard."""
    is_lost: bool
    """Silent for longer than its watchdog allows."""
    is_locked: bool
    """Somebody holds a lock on it or on its feeder."""
    doubt: Doubt
    """Why its power is not counted on."""
    told: Command | None
    """The last command it was given."""


class FleetState(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is believed of all assets, aligned with the inventory's; N assets, F feeders."""

    runs: NDArray[np.int8]
    """1 running, 0 stopped, -1 unknown; shape (N,)."""
    drawn_mw: NDArray[np.float64]
    """Power each counts for, load-positive, shape (N,)."""
    heard_us: NDArray[np.int64]
    """When each was last heard, shape (N,)."""
    changed_us: NDArray[np.int64]
    """When each last started or stopped, shape (N,)."""
    is_lost: NDArray[np.bool_]
    """Shape (N,)."""
    is_locked: NDArray[np.bool_]
    """Shape (N,)."""
    is_confirmed: NDArray[np.bool_]
    """Does more than an acknowledgement say that it runs or stands: a reading, a meter? Shape (N,)."""
    doubt: NDArray[np.int8]
    """`Doubt` of each, shape (N,)."""
    told: tuple[Command | None, ...]
    """The last command that each was given."""
    starts_us: tuple[tuple[int, ...], ...]
    """Starts of each in the 24 hours before its latest."""
    locks: tuple[LockOut, ...]
    """Locks held."""
    feeders: tuple[MeterReading | None, ...]
    """Latest reading of each feeder's meter; None if it never answered."""
    site: MeterReading | None = None
    """Latest reading of the meter at the connection."""
    battery: MeterReading | None = None
    """Latest reading of the battery's meter."""

    def of(self, layout: Layout, name: str) -> AssetState:
        """What is believed of one asset."""
        i = layout.position[name]
        runs = int(self.runs[i])
        return AssetState(
            name=name,
            is_running=None if runs == UNKNOWN else bool(runs),
            drawn_mw=float(self.drawn_mw[i]),
            heard_us=int(self.heard_us[i]),
            changed_us=int(self.changed_us[i]),
            starts=self.starts_before(i, int(self.heard_us[i])),
            is_lost=bool(self.is_lost[i]),
            is_locked=bool(self.is_locked[i]),
            doubt=Doubt(int(self.doubt[i])),
            told=self.told[i],
        )

    def starts_before(self, i: int, now_us: int) -> int:
        """Starts of an asset in the 24 hours before `now_us`."""
        return sum(at_us > now_us - DAY_US for at_us in self.starts_us[i])

    def is_trusted(self) -> NDArray[np.bool_]:
        """Which assets will do what they are told, as far as anybody knows; shape (N,)."""
        return np.asarray(~self.is_lost & ~self.is_locked & (self.doubt == Doubt.NONE), np.bool_)


def first_belief(layout: Layout) -> FleetState:
    """Before anything was heard: everything draws its full power and nothing is flexible."""
    count = len(layout.inventory.assets)
    return FleetState(
        runs=np.full(count, UNKNOWN, np.int8),
        drawn_mw=layout.full_mw.copy(),
        heard_us=np.zeros(count, np.int64),
        changed_us=np.zeros(count, np.int64),
        is_lost=np.zeros(count, np.bool_),
        is_locked=np.zeros(count, np.bool_),
        is_confirmed=np.zeros(count, np.bool_),
        doubt=np.zeros(count, np.int8),
        told=(None,) * count,
        starts_us=((),) * count,
        locks=(),
        feeders=(None,) * len(layout.inventory.feeders),
    )


def absorb(
    layout: Layout, fleet: FleetState, news: Iterable[AssetReading | CommandOutcome | MeterReading]
) -> FleetState:
    """Take in what was heard, in the order it was heard; what is older than the last word of an asset changes nothing.

    Names that the inventory does not know are passed over: the door that let them in reports them.
    """
    meters = _Meters(layout, fleet)
    draft: _Draft | None = None  # once a second only meters speak, and no column changes
    for each in news:
        if isinstance(each, MeterReading):
            meters.hear(each)
            continue
        draft = draft or _Draft(layout, fleet)
        if isinstance(each, AssetReading):
            draft.read(each)
        else:
            draft.hear(each)
    return meters.into(fleet if draft is None else draft.fleet())


def note_commands(layout: Layout, fleet: FleetState, commands: Sequence[Command]) -> FleetState:
    """Remember what is being sent; what is told to rise counts at its new power from now on."""
    draft = _Draft(layout, fleet)
    for command in commands:
        i = layout.position[command.asset]
        draft.told[i] = command
        draft.drawn_mw[i] = max(draft.drawn_mw[i], draft.asked_mw(i, command))
    return draft.fleet()


def counted_by_feeder(layout: Layout, fleet: FleetState, *, now_us: int, age_max_s: float) -> NDArray[np.float64]:
    """Power that each feeder counts for, shape (F,): its meter's word while fresh, else what is believed behind it.

    A lost asset counts at full: it may have kept on, and one that stops by itself is believed when a meter shows it.
    """
    drawn_mw = np.where(fleet.is_lost, np.maximum(layout.full_mw, fleet.drawn_mw), fleet.drawn_mw)
    counted_mw = layout.base_mw + np.bincount(layout.feeder_of, drawn_mw, len(layout.base_mw))
    for f, reading in enumerate(fleet.feeders):
        if reading is not None and now_us - reading.at_us <= age_max_s * US_PER_S:
            counted_mw[f] = reading.power_w * MW_PER_W
    return np.asarray(counted_mw, np.float64)


class _Meters:
    """The latest words of meters while news comes in."""

    def __init__(self, layout: Layout, fleet: FleetState) -> None:
        self._layout = layout
        self._feeders = list(fleet.feeders)
        self._site, self._battery = fleet.site, fleet.battery

    def hear(self, reading: MeterReading) -> None:
        """A meter's word."""
        inventory = self._layout.inventory
        f = self._layout.meter_position.get(reading.meter, -1)
        if f >= 0:
            self._feeders[f] = _later(self._feeders[f], reading)
        if reading.meter == inventory.site_meter:
            self._site = _later(self._site, reading)
        if inventory.battery_meter and reading.meter == inventory.battery_meter:
            self._battery = _later(self._battery, reading)

    def into(self, fleet: FleetState) -> FleetState:
        """A fleet with these words."""
        return msgspec.structs.replace(fleet, feeders=tuple(self._feeders), site=self._site, battery=self._battery)


class _Draft:
    """A fleet while news comes in: plain lists, which change far faster than arrays."""

    def __init__(self, layout: Layout, fleet: FleetState) -> None:
        self._layout = layout
        self._before = fleet
        self._position = layout.position
        self._full_mw: list[float] = layout.full_mw.tolist()
        self._standby_mw: list[float] = layout.standby_mw.tolist()
        self.runs: list[int] = fleet.runs.tolist()
        self.drawn_mw: list[float] = fleet.drawn_mw.tolist()
        self.heard_us: list[int] = fleet.heard_us.tolist()
        self.changed_us: list[int] = fleet.changed_us.tolist()
        self.is_lost: list[bool] = fleet.is_lost.tolist()
        self.is_confirmed: list[bool] = fleet.is_confirmed.tolist()
        self.doubt: list[int] = fleet.doubt.tolist()
        self.told = list(fleet.told)
        self.starts_us = list(fleet.starts_us)

    def read(self, reading: AssetReading) -> None:
        """An asset's own words; a reading that says nothing but a reason is no sign of life."""
        i = self._position.get(reading.asset, -1)
        says_nothing = reading.is_running is None and reading.power_w is None and reading.work_ratio is None
        if i < 0 or says_nothing or reading.at_us < self.heard_us[i]:
            return
        self._is_heard(i, reading.at_us)
        if self.doubt[i] == Doubt.LIES:
            return
        told = self.told[i]
        if self.doubt[i] == Doubt.REFUSES and told is not None and reading.at_us >= told.commanded_us + RETRY_US:
            self.doubt[i] = Doubt.NONE
        if reading.is_running is not None:
            self._runs(i, is_running=reading.is_running, at_us=reading.at_us, is_confirmed=True)
        if reading.power_w is not None:
            self.drawn_mw[i] = reading.power_w * MW_PER_W
        elif reading.is_running is not None:
            self.drawn_mw[i] = (self._full_mw if reading.is_running else self._standby_mw)[i]

    def hear(self, outcome: CommandOutcome) -> None:
        """What became of a command; of one that has been replaced only the doubt remains."""
        i = self._position.get(outcome.asset, -1)
        if i < 0:
            return
        told = self.told[i]
        if outcome.result in DOUBT_AFTER:
            self.doubt[i] = max(self.doubt[i], DOUBT_AFTER[outcome.result])
        if outcome.result is Result.LYING:
            self.runs[i] = UNKNOWN
            self.drawn_mw[i] = max(self.drawn_mw[i], self._full_mw[i])
        is_done = outcome.result in (Result.ACKNOWLEDGED, Result.METERED)
        if not is_done or told is None or told.id != outcome.command:
            return
        if outcome.result is Result.METERED:
            self.doubt[i] = Doubt.NONE
        elif self.doubt[i] == Doubt.LIES:
            return
        at_us = outcome.metered_us if outcome.acknowledged_us is None else outcome.acknowledged_us
        at_us = outcome.commanded_us if at_us is None else at_us
        self.doubt[i] = Doubt.NONE
        self._is_heard(i, max(at_us, self.heard_us[i]))
        is_running = told.action not in (Action.STOP, Action.OPEN)
        self._runs(i, is_running=is_running, at_us=at_us, is_confirmed=outcome.result is Result.METERED)
        self.drawn_mw[i] = self.asked_mw(i, told)

    def asked_mw(self, i: int, command: Command) -> float:
        """Power an asset will draw once it has done as told."""
        power_mw = 0.0 if command.power_mw is None else command.power_mw
        match command.action:
            case Action.RUN | Action.CLOSE:
                return self._full_mw[i]
            case Action.STOP | Action.OPEN:
                return self._standby_mw[i]
            case Action.CAP | Action.CHARGE:
                return power_mw
            case Action.DISCHARGE:
                return -power_mw

    def fleet(self) -> FleetState:
        """The fleet as it is believed now."""
        return msgspec.structs.replace(
            self._before,
            runs=np.array(self.runs, np.int8),
            drawn_mw=np.array(self.drawn_mw, np.float64),
            heard_us=np.array(self.heard_us, np.int64),
            changed_us=np.array(self.changed_us, np.int64),
            is_lost=np.array(self.is_lost, np.bool_),
            is_confirmed=np.array(self.is_confirmed, np.bool_),
            doubt=np.array(self.doubt, np.int8),
            told=tuple(self.told),
            starts_us=tuple(self.starts_us),
        )

    def _is_heard(self, i: int, at_us: int) -> None:
        self.heard_us[i] = at_us
        self.is_lost[i] = False
        if self.doubt[i] == Doubt.MUTE:
            self.doubt[i] = Doubt.NONE

    def _runs(self, i: int, *, is_running: bool, at_us: int, is_confirmed: bool) -> None:
        before = self.runs[i]
        self.runs[i] = int(is_running)
        self.is_confirmed[i] = is_confirmed or (self.is_confirmed[i] and before == self.runs[i])
        if before == UNKNOWN or before == self.runs[i]:
            return
        self.changed_us[i] = at_us
        if is_running:
            recent = (start_us for start_us in self.starts_us[i] if start_us > at_us - DAY_US)
            self.starts_us[i] = (*recent, at_us)


def _later(before: MeterReading | None, reading: MeterReading) -> MeterReading:
    """The later of two readings of one meter."""
    return reading if before is None or reading.at_us >= before.at_us else before
