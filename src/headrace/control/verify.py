"""What the feeders' meters say of commands: who did it, who only said so, and what else moved.

For each feeder, before a command and after it was acknowledged and the devices had their time:

    expected = sum of what each acknowledged command was to take off        residual = expected - metered fall

A residual within the meter's tolerance confirms every acknowledgement on the feeder. Otherwise somebody still draws.
First a device's own later words are taken against it. Then, if exactly one set of devices explains what is left, it is
named. If several do (twenty machines of one model), all of them are suspects, and the next restoration tells them
apart: a machine that never stopped adds nothing when it is started (`narrow_suspicion`), and halving finds it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.fleet import FleetState
from headrace.control.layout import US_PER_S, Layout
from headrace.control.readings import AssetReading, MeterReading

__all__ = ["Suspicion", "Trip", "Verification", "attribute", "narrow_suspicion", "verify"]

MW_PER_W: Final = 1e-6
"""MW in one W."""
TOLERANCE_RATIO: Final = 0.002
"""What a feeder's meter may be off between two readings, as a share of the power before: class 0.2 of IEC 62053-22."""
TOLERANCE_LEAST_MW: Final = 0.0005
"""And at least: half a kilowatt."""
CALIBRATED_MOST_RATIO: Final = 0.1
"""Devices' own figures are scaled to their feeder's meter by this share at most; more is no matter of coarse sensors:
something draws that is not believed, and says nothing of the others' figures."""
STEPS_MOST: Final = 2_000
"""Sets of devices looked at before an attribution is given up as ambiguous."""


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """Devices of one feeder among which some still draw."""

    feeder: str
    """Name of the feeder."""
    drops_mw: tuple[tuple[str, float], ...]
    """Each device, and what it should have taken off, MW."""
    residual_mw: float
    """What they draw together that they should not, MW."""


class Trip(msgspec.Struct, frozen=True, kw_only=True):
    """A feeder that fell by more than everything it was told."""

    feeder: str
    """Name of the feeder."""
    excess_mw: float
    """Power that went without a command, MW."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What the meters say."""

    outcomes: tuple[CommandOutcome, ...]
    """Commands whose result the meters changed: metered, or lying."""
    confirmed: tuple[str, ...]
    """Assets that a meter confirms."""
    liars: tuple[str, ...]
    """Assets that acknowledged and still draw."""
    suspects: tuple[Suspicion, ...]
    """Where somebody still draws and it is not known who."""
    trips: tuple[Trip, ...]
    """Where more went than was told."""
    awaited: tuple[str, ...]
    """Feeders whose meter has not spoken since, or never did."""
    metered_mw: float
    """What the feeders' meters show taken off so far, MW."""


def verify(
    layout: Layout,
    before: FleetState,
    commands: Sequence[Command],
    outcomes: Mapping[str, CommandOutcome],
    meters: Sequence[MeterReading],
    *,
    claims: Mapping[str, AssetReading] | None = None,
    settle_s: float = 0.0,
    tolerance_ratio: float = TOLERANCE_RATIO,
) -> Verification:
    """Judge commands by their feeders' meters.

    Parameters
    ----------
    layout
        The assets.
    before
        What was believed, and what the feeders' meters showed, when the commands were decided.
    commands, outcomes
        What was told to take power off, and what became of each by its id; one that is missing is under way.
    meters
        Latest reading of each meter.
    claims
        Latest words of the assets, by name.
    settle_s
        Time that devices need after their acknowledgement before a meter can judge them, seconds.
    tolerance_ratio
        Share of a feeder's power that its meter may be off between two readings.
    """
    latest = {reading.meter: reading for reading in meters}
    told: dict[int, list[Command]] = {}
    for command in commands:
        told.setdefault(_judge_of(layout, command), []).append(command)
    verdicts = [
        _Verdict(layout, before, f, own, outcomes, latest.get(layout.inventory.feeders[f].meter))
        for f, own in told.items()
    ]
    for verdict in verdicts:
        verdict.judge(claims or {}, settle_s, tolerance_ratio)
    return Verification(
        outcomes=tuple(each for verdict in verdicts for each in verdict.changed),
        confirmed=tuple(
            each.asset for verdict in verdicts for each in verdict.changed if each.result is Result.METERED
        ),
        liars=tuple(each.asset for verdict in verdicts for each in verdict.changed if each.result is Result.LYING),
        suspects=tuple(verdict.suspicion for verdict in verdicts if verdict.suspicion is not None),
        trips=tuple(verdict.trip for verdict in verdicts if verdict.trip is not None),
        awaited=tuple(verdict.feeder for verdict in verdicts if verdict.is_awaited),
        metered_mw=sum(verdict.fall_mw for verdict in verdicts),
    )


def attribute(drops_mw: Sequence[tuple[str, float]], residual_mw: float, tolerance_mw: float) -> tuple[str, ...]:
    """The one set of devices that together draw the residual; empty if several sets would explain it, or none."""
    by_size = sorted(drops_mw, key=lambda each: (-each[1], each[0]))
    sizes_mw = [mw for _, mw in by_size]
    rest_mw = [0.0] * (len(sizes_mw) + 1)
    for k in range(len(sizes_mw) - 1, -1, -1):
        rest_mw[k] = rest_mw[k + 1] + sizes_mw[k]
    found: list[tuple[int, ...]] = []
    waiting: list[tuple[int, float, tuple[int, ...]]] = [(0, residual_mw, ())]
    for _ in range(STEPS_MOST):
        if not waiting or len(found) > 1:
            break
        k, left_mw, taken = waiting.pop()
        if abs(left_mw) <= tolerance_mw and taken:
            found.append(taken)
        if k == len(sizes_mw) or left_mw < -tolerance_mw or rest_mw[k] < left_mw - tolerance_mw:
            continue
        # Each of those left in turn as the next largest of the set; the largest is looked at first.
        waiting.extend((j + 1, left_mw - sizes_mw[j], (*taken, j)) for j in range(len(sizes_mw) - 1, k - 1, -1))
    is_one = len(found) == 1 and not waiting
    return tuple(sorted(by_size[k][0] for k in found[0])) if is_one else ()


def narrow_suspicion(
    suspicion: Suspicion, started: Sequence[str], missing_rise_mw: float, *, tolerance_mw: float
) -> tuple[tuple[str, ...], tuple[Suspicion, ...]]:
    """What a restoration of some suspects says of all: who is caught, and who is still suspected.

    Parameters
    ----------
    suspicion
        Who was suspected.
    started
        Suspects that were started; those that never stopped add nothing.
    missing_rise_mw
        What their feeder's meter rose less than they should have added, MW.
    tolerance_mw
        Differences below this say nothing, MW.
    """
    liars: list[str] = []
    left: list[Suspicion] = []
    for is_started, residual_mw in ((True, missing_rise_mw), (False, suspicion.residual_mw - missing_rise_mw)):
        own = tuple((name, mw) for name, mw in suspicion.drops_mw if (name in started) is is_started)
        if residual_mw <= tolerance_mw or not own:
            continue
        caught = attribute(own, residual_mw, tolerance_mw)
        liars += caught
        if not caught:
            left.append(Suspicion(feeder=suspicion.feeder, drops_mw=own, residual_mw=residual_mw))
    return tuple(liars), tuple(left)


def _judge_of(layout: Layout, command: Command) -> int:
    """The feeder whose meter shows what a command does: a switch is judged by what it switches."""
    return int(layout.behind_of[layout.position[command.asset]])


def _drop_mw(layout: Layout, before: FleetState, command: Command, meter_ratio: float) -> float:
    """Power that a command was to take off by its feeder's meter, MW."""
    i = layout.position[command.asset]
    drawn_mw = float(before.drawn_mw[i]) * meter_ratio
    match command.action:
        case Action.STOP:
            return drawn_mw - float(layout.standby_mw[i])
        case Action.CAP | Action.CHARGE:
            return drawn_mw - (command.power_mw or 0.0)
        case Action.DISCHARGE:
            return drawn_mw + (command.power_mw or 0.0)
        case Action.OPEN:
            first = before.feeders[_judge_of(layout, command)]
            return 0.0 if first is None else first.power_w * MW_PER_W
        case Action.RUN | Action.CLOSE:
            return 0.0


def _meter_ratio(layout: Layout, before: FleetState, f: int) -> float:
    """What a feeder's meter showed over what its devices said of themselves: their sensors are coarser than it."""
    first = before.feeders[f]
    believed_mw = float(before.drawn_mw[layout.feeder_of == f].sum())
    if first is None or believed_mw <= TOLERANCE_LEAST_MW:
        return 1.0
    ratio = (first.power_w * MW_PER_W - float(layout.base_mw[f])) / believed_mw
    return ratio if abs(ratio - 1.0) <= CALIBRATED_MOST_RATIO else 1.0


class _Verdict:
    """One feeder's verdict."""

    def __init__(
        self,
        layout: Layout,
        before: FleetState,
        f: int,
        own: list[Command],
        outcomes: Mapping[str, CommandOutcome],
        reading: MeterReading | None,
    ) -> None:
        self.feeder = layout.inventory.feeders[f].name
        self._first = before.feeders[f]
        self._reading = reading
        ratio = _meter_ratio(layout, before, f)
        self._drop_mw = {command.asset: _drop_mw(layout, before, command, ratio) for command in own}
        self._heard = [outcomes[command.id] for command in own if command.id in outcomes]
        self.changed: list[CommandOutcome] = []
        self.suspicion: Suspicion | None = None
        self.trip: Trip | None = None
        self.is_awaited = True
        self.fall_mw = 0.0
        if self._first is not None and reading is not None and reading.at_us > self._first.at_us:
            self.fall_mw = (self._first.power_w - reading.power_w) * MW_PER_W

    def judge(self, claims: Mapping[str, AssetReading], settle_s: float, tolerance_ratio: float) -> None:
        """Compare what was acknowledged with what the meter shows."""
        said = [each for each in self._heard if each.result in (Result.ACKNOWLEDGED, Result.METERED)]
        silent = [each for each in self._heard if each.result in (Result.SENT, Result.MUTE, Result.GARBLED)]
        times_us = [each.acknowledged_us or each.sent_us or each.commanded_us for each in said + silent]
        ready_us = max(times_us, default=0) + round(settle_s * US_PER_S)
        first, reading = self._first, self._reading
        if first is None or reading is None or reading.at_us < ready_us or not times_us:
            return
        self.is_awaited = False
        tolerance_mw = max(tolerance_ratio * abs(first.power_w) * MW_PER_W, TOLERANCE_LEAST_MW)
        said_mw, silent_mw = self._sum_mw(said), self._sum_mw(silent)
        excess_mw = self.fall_mw - sum(self._drop_mw.values())
        if excess_mw > tolerance_mw:
            self.trip = Trip(feeder=self.feeder, excess_mw=excess_mw)
        if self.fall_mw >= said_mw + silent_mw - tolerance_mw:
            self._confirm(said + silent, reading)
        elif self.fall_mw >= said_mw - tolerance_mw:
            self._confirm(said, reading)
        else:
            self._find(said, said_mw - self.fall_mw, tolerance_mw, claims, reading)

    def _find(
        self,
        said: list[CommandOutcome],
        residual_mw: float,
        tolerance_mw: float,
        claims: Mapping[str, AssetReading],
        reading: MeterReading,
    ) -> None:
        """Name who still draws, or suspect everyone who may."""
        liars = [each.asset for each in said if _admits(each, claims.get(each.asset), self._drop_mw[each.asset])]
        residual_mw -= sum(self._drop_mw[name] for name in liars)
        others = [(each.asset, self._drop_mw[each.asset]) for each in said if each.asset not in liars]
        is_explained = abs(residual_mw) <= tolerance_mw
        if residual_mw > tolerance_mw:
            named = (others[0][0],) if len(others) == 1 else attribute(others, residual_mw, tolerance_mw)
            liars += named
            is_explained = bool(named)
        if not is_explained and others and residual_mw > tolerance_mw:
            self.suspicion = Suspicion(feeder=self.feeder, drops_mw=tuple(others), residual_mw=residual_mw)
        if is_explained:
            self._confirm([each for each in said if each.asset not in liars], reading)
        why = f"{self.feeder} fell by {self.fall_mw:.3f} MW"
        self.changed += [
            msgspec.structs.replace(each, result=Result.LYING, reason=why) for each in said if each.asset in liars
        ]

    def _confirm(self, outcomes: list[CommandOutcome], reading: MeterReading) -> None:
        self.changed += [
            msgspec.structs.replace(each, result=Result.METERED, metered_us=reading.at_us, reason="")
            for each in outcomes
        ]

    def _sum_mw(self, outcomes: list[CommandOutcome]) -> float:
        return sum(self._drop_mw[each.asset] for each in outcomes)


def _admits(outcome: CommandOutcome, claim: AssetReading | None, drop_mw: float) -> bool:
    """Does a device say by itself, after it acknowledged, that it goes on working?"""
    if claim is None or outcome.acknowledged_us is None or claim.at_us <= outcome.acknowledged_us:
        return False
    return bool(claim.is_running) and (claim.power_w is None or claim.power_w * MW_PER_W > 0.5 * drop_mw)
