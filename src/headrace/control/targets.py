"""A power target for AI work turned into caps and pauses: the least value lost within every tier and budget.

Each class offers its saving as steps: down its curve of throughput over power, and at the point from which a pause
saves more per unit of throughput, one unit after the other into the pause. On the concave hull the value lost per MW
saved only rises along a class's steps, so the cheapest steps of all classes, taken in order until the target is met,
lose the least value: a linear programme solved by sorting. Pauses come in whole units; what the last one saves too
much is given back to the dearest step, so the plan loses at most one unit's throughput more than the programme's
optimum. A target that can't be met is met as far as it can be, with what binds each class.
"""

from collections.abc import Sequence
from enum import StrEnum
from math import ceil, floor
from typing import Final

import msgspec

from headrace.control.assets import Asset
from headrace.control.commands import Action, Command
from headrace.core import require
from headrace.loads.flexibility import FlexClass, Lever, loss_max_ratio, running_points

__all__ = ["Binding", "Setting", "TargetPlan", "commands_of", "meet_target"]

SLACK_MW: Final = 1e-9
"""Shortfall below which a target counts as met: a milliwatt."""
SLACK_RATIO: Final = 1e-9
"""Rounding that whole numbers of units forgive."""


class Binding(StrEnum):
    """Why a class gives no more."""

    NONE = "none"
    """It could give more."""
    TIER = "tier"
    """Its tier allows no more loss."""
    FLOOR = "floor"
    """Its lever goes no lower, and it may not be paused."""
    NOTICE = "notice"
    """A pause would need more notice."""
    BUDGET = "budget"
    """Its interruptions are used up."""
    DURATION = "duration"
    """The target lasts longer than it may be held."""
    EMPTY = "empty"
    """It runs nothing."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What one class is set to."""

    name: str
    """The class's."""
    paused_units: int
    """Units paused."""
    running_ratio: float
    """Accelerator power of each running unit, share of full; 1 leaves them free."""
    unit_mw: float
    """Power of a running unit, MW."""
    power_mw: float
    """Power of the class, paused units included, MW."""
    throughput_ratio: float
    """Its throughput, share of full."""
    lost_ccy_per_h: float
    """Value lost."""
    binding: Binding
    """Why it gives no more."""


class TargetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a target is met, or how far."""

    settings: tuple[Setting, ...]
    """One for each class, in the order given."""
    power_mw: float
    """Power of all classes, MW."""
    short_mw: float
    """Power above the target that nothing may take off, MW; 0 if it is met."""
    lost_ccy_per_h: float
    """Value lost."""


class _Step(msgspec.Struct, kw_only=True):
    """One stretch of a class's way down; per class a step is taken only after those before it."""

    class_index: int
    number: int
    is_pause: bool
    saved_mw: float
    """MW at the step's whole length (a pause: of one unit)."""
    lost_ratio: float
    """Throughput of the class lost at the whole length (a pause: by one unit)."""
    count: int
    """Units of a pause; 1 otherwise."""
    cost_ccy_per_mwh: float
    taken: float = 0.0
    """Share taken of the length; number of units of a pause."""


def meet_target(
    classes: Sequence[FlexClass], *, target_mw: float, duration_s: float, notice_s: float = 0.0
) -> TargetPlan:
    """Find the settings that bring the classes to `target_mw` and lose the least value.

    Parameters
    ----------
    classes
        What runs now.
    target_mw
        Most power of all classes together, MW.
    duration_s
        How long the target holds, seconds.
    notice_s
        Time until it begins, seconds.
    """
    require(duration_s > 0.0, f"a target lasts longer than 0 s, was {duration_s:g}")
    ways = [_way_down(flex, index, duration_s=duration_s, notice_s=notice_s) for index, flex in enumerate(classes)]
    steps = sorted((step for way in ways for step in way), key=lambda s: (s.cost_ccy_per_mwh, s.class_index, s.number))
    need_mw = sum(flex.full_mw for flex in classes) - target_mw
    _take(steps, need_mw)
    settings = tuple(
        _setting(flex, way, duration_s=duration_s, notice_s=notice_s) for flex, way in zip(classes, ways, strict=True)
    )
    power_mw = sum(setting.power_mw for setting in settings)
    short_mw = power_mw - target_mw
    return TargetPlan(
        settings=settings,
        power_mw=power_mw,
        short_mw=short_mw if short_mw > SLACK_MW else 0.0,
        lost_ccy_per_h=sum(setting.lost_ccy_per_h for setting in settings),
    )


def _take(steps: list[_Step], need_mw: float) -> None:
    """Take the cheapest steps until `need_mw` is saved; give back what a whole unit saved too much."""
    for step in steps:
        if need_mw <= SLACK_MW:
            break
        if step.is_pause:
            step.taken = float(min(step.count, ceil(need_mw / step.saved_mw - SLACK_RATIO)))
        else:
            step.taken = min(1.0, need_mw / step.saved_mw)
        need_mw -= step.taken * step.saved_mw
    for step in reversed(steps):
        if need_mw >= -SLACK_MW:
            return
        if not step.is_pause and step.taken > 0.0:
            back = min(step.taken, -need_mw / step.saved_mw)
            step.taken -= back
            need_mw += back * step.saved_mw


def _way_down(flex: FlexClass, index: int, *, duration_s: float, notice_s: float) -> list[_Step]:
    """Steps of a class, cheapest first, as far as its tier and budgets allow."""
    loss_left_ratio = loss_max_ratio(flex, duration_s=duration_s)
    points = [(flex.unit_mw(power), throughput) for power, throughput in running_points(flex.curve)]
    idle_mw = flex.unit_mw(flex.curve.idle_ratio)
    may_pause = _pauses_max(flex, notice_s)
    worth_ccy_per_h = flex.units * flex.unit_value_ccy_per_h
    steps: list[_Step] = []
    running = flex.units
    for (from_mw, from_ratio), (to_mw, to_ratio) in zip(points, [*points[1:], (0.0, -1.0)], strict=True):
        if may_pause > 0 and _pause_is_cheaper(from_mw, from_ratio, to_mw, to_ratio, idle_mw):
            unit_ratio = from_ratio / flex.units
            count = min(may_pause, floor(loss_left_ratio / unit_ratio + SLACK_RATIO))
            may_pause = 0
            if count > 0:
                saved_mw = from_mw - idle_mw
                steps.append(_step(index, steps, saved_mw, unit_ratio, worth_ccy_per_h, count=count))
                loss_left_ratio -= count * unit_ratio
                running -= count
        if to_ratio < 0.0 or running == 0 or loss_left_ratio <= SLACK_RATIO * (from_ratio > to_ratio):
            break
        lost_ratio = (from_ratio - to_ratio) * running / flex.units
        share = min(1.0, loss_left_ratio / lost_ratio) if lost_ratio > 0.0 else 1.0
        steps.append(_step(index, steps, share * running * (from_mw - to_mw), share * lost_ratio, worth_ccy_per_h))
        loss_left_ratio -= share * lost_ratio
    return steps


def _step(
    index: int, before: list[_Step], saved_mw: float, lost_ratio: float, worth_ccy_per_h: float, *, count: int = 0
) -> _Step:
    return _Step(
        class_index=index,
        number=len(before),
        is_pause=count > 0,
        saved_mw=saved_mw,
        lost_ratio=lost_ratio,
        count=max(count, 1),
        cost_ccy_per_mwh=worth_ccy_per_h * lost_ratio / saved_mw,
    )


def _pauses_max(flex: FlexClass, notice_s: float) -> int:
    if not flex.can_pause or notice_s < flex.pause_notice_s:
        return 0
    return flex.units if flex.pauses_left is None else min(flex.units, flex.pauses_left)


def _pause_is_cheaper(from_mw: float, from_ratio: float, to_mw: float, to_ratio: float, idle_mw: float) -> bool:
    """From this point, does a pause save more MW per throughput lost than the curve's next point?"""
    if to_ratio < 0.0:
        return True
    return (from_mw - idle_mw) * (from_ratio - to_ratio) > (from_mw - to_mw) * from_ratio


def _setting(flex: FlexClass, way: list[_Step], *, duration_s: float, notice_s: float) -> Setting:
    paused = sum(round(step.taken) for step in way if step.is_pause)
    saved_mw = sum(step.taken * step.saved_mw for step in way)
    lost_ratio = sum(step.taken * step.lost_ratio for step in way)
    power_mw = flex.full_mw - saved_mw
    running = flex.units - paused
    idle_mw = flex.unit_mw(flex.curve.idle_ratio)
    unit_mw = (power_mw - paused * idle_mw) / running if running > 0 else flex.unit_full_mw
    is_spent = all(step.taken >= step.count - SLACK_RATIO for step in way)
    return Setting(
        name=flex.name,
        paused_units=paused,
        running_ratio=min(1.0, (unit_mw - flex.unit_fixed_mw) / (flex.unit_full_mw - flex.unit_fixed_mw)),
        unit_mw=unit_mw,
        power_mw=power_mw,
        throughput_ratio=1.0 - lost_ratio,
        lost_ccy_per_h=lost_ratio * flex.units * flex.unit_value_ccy_per_h,
        binding=_binding(flex, lost_ratio, duration_s, notice_s) if is_spent else Binding.NONE,
    )


def _binding(flex: FlexClass, lost_ratio: float, duration_s: float, notice_s: float) -> Binding:
    """What keeps a class that gave all its steps from giving more."""
    if flex.units == 0:
        return Binding.EMPTY
    if flex.duration_max_s is not None and duration_s > flex.duration_max_s:
        return Binding.DURATION
    if loss_max_ratio(flex, duration_s=duration_s) - lost_ratio <= SLACK_RATIO:
        return Binding.TIER
    return _pause_binding(flex, notice_s)


def _pause_binding(flex: FlexClass, notice_s: float) -> Binding:
    """Why a class with loss to spare pauses no more units."""
    if not flex.can_pause:
        return Binding.FLOOR
    if notice_s < flex.pause_notice_s:
        return Binding.NOTICE
    if flex.pauses_left is not None and flex.pauses_left < flex.units:
        return Binding.BUDGET
    return Binding.TIER  # less than a whole unit of loss is left


def commands_of(
    setting: Setting, flex: FlexClass, assets: Sequence[Asset], *, record: str, commanded_us: int, expires_us: int
) -> tuple[Command, ...]:
    """One command for each unit of a class: the first ones pause, the others run at the class's cap.

    Parameters
    ----------
    setting, flex
        The class and what it is set to.
    assets
        Its units in the order in which they are to pause, e.g. the one least recently paused first.
    record
        Id of the record that decided it; `Command.id` is made from it.
    commanded_us, expires_us
        When it was decided and when it lapses, epoch microseconds.
    """
    require(len(assets) == flex.units, f"{flex.name} has {flex.units} units and {len(assets)} assets")
    is_free = setting.running_ratio >= 1.0 or flex.curve.lever is Lever.NONE
    out = []
    for number, asset in enumerate(assets):
        action = Action.STOP if number < setting.paused_units else Action.RUN if is_free else Action.CAP
        out.append(
            Command(
                id=f"{record}.{flex.name}.{number}",
                asset=asset.name,
                action=action,
                power_mw=setting.unit_mw if action is Action.CAP else None,
                commanded_us=commanded_us,
                expires_us=expires_us,
                reason=f"target.{flex.name}",
            )
        )
    return tuple(out)
