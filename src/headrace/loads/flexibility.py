"""AI work as flexible load: how much throughput a class may lose, and what a MW less costs it.

A class is a number of like units (servers) that run one kind of work. Its power and throughput, as shares of full, lie
on a measured curve; units at different points reach everything between, so the most throughput at each power is the
curve's upper concave hull. A paused unit works no more and still draws: its fixed power and its accelerators' idle.

Tiers are those published by Emerald AI (arXiv 2507.00909): Flex 0, 1, 2 and 3 may lose 0, 10, 25 and 50 % of their
throughput. Which lever moves a class is part of its curve: a board power cap slows training, which runs at the cap,
and does nothing to the decode phase of a language model, which is bound by memory and draws less than the cap (137 to
300 W of a 700 W H200 in arXiv 2605.11999); a lower clock, or fewer instances, moves decode.
"""

from enum import IntEnum, StrEnum
from itertools import pairwise
from math import isfinite
from typing import Final

import msgspec

from headrace.core import require
from headrace.loads.curve import concave_hull

__all__ = ["LOSS_ALLOWED_RATIO", "FlexClass", "Lever", "PowerCurve", "Tier", "loss_max_ratio", "running_points"]


class Tier(IntEnum):
    """How much throughput a class may lose."""

    FLEX_0 = 0
    FLEX_1 = 1
    FLEX_2 = 2
    FLEX_3 = 3


LOSS_ALLOWED_RATIO: Final = {Tier.FLEX_0: 0.0, Tier.FLEX_1: 0.10, Tier.FLEX_2: 0.25, Tier.FLEX_3: 0.50}
"""Share of throughput that each tier may lose, on average over its window (arXiv 2507.00909)."""


class Lever(StrEnum):
    """What moves a running unit along its curve."""

    CAP = "cap"
    """Power limit of the board."""
    CLOCK = "clock"
    """Locked clock of the accelerator."""
    CONCURRENCY = "concurrency"
    """Limit on requests served at once."""
    NONE = "none"
    """Nothing: it runs or it is paused."""


class PowerCurve(msgspec.Struct, frozen=True, kw_only=True):
    """Throughput over accelerator power of one kind of work, both as shares of full."""

    name: str
    """What kind of work ("training")."""
    lever: Lever
    power_ratio: tuple[float, ...]
    """Accelerator power at each point, strictly rising to 1."""
    throughput_ratio: tuple[float, ...]
    """Throughput at each point, rising to 1."""
    idle_ratio: float
    """Accelerator power of a paused unit, 0..1: its memory stays powered and filled."""
    source: str
    """Who measured it, or that it is an assumption."""
    is_measured: bool
    """Measured points? Otherwise an assumption, which a site replaces by its own measurement."""

    def __post_init__(self) -> None:
        pairs = list(zip(self.power_ratio, self.throughput_ratio, strict=True))
        require(pairs[-1] == (1.0, 1.0), f"a curve ends at full power and throughput, {self.name} at {pairs[-1]}")
        require(
            all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(pairs)),
            f"a curve's power rises and its throughput does not fall, {self.name}",
        )
        require(
            0.0 <= self.idle_ratio < self.power_ratio[0] and self.throughput_ratio[0] > 0.0,
            f"a paused unit of {self.name} draws less than a running one",
        )


class FlexClass(msgspec.Struct, frozen=True, kw_only=True):
    """Units that run one kind of work now, and what may be done to them."""

    name: str
    """Unique among the classes of a plan."""
    tier: Tier
    curve: PowerCurve
    units: int
    """Units running at full now; may be 0."""
    unit_full_mw: float
    """Power of a unit at full, MW."""
    unit_fixed_mw: float = 0.0
    """Part of it that stays whatever its accelerators do (processors, fans, network), MW."""
    unit_value_ccy_per_h: float
    """What an hour of a unit's full throughput is worth, >= 0."""
    can_pause: bool
    """May units be paused?"""
    pause_notice_s: float = 0.0
    """Notice that a pause needs, seconds."""
    pauses_left: int | None = None
    """Unit pauses that the interruption budget still allows; None without a limit."""
    duration_max_s: float | None = None
    """Longest that the class may be held below full at a time, seconds; None without a limit."""
    loss_window_s: float = 0.0
    """Time over which the tier's loss is averaged, seconds; 0 if it holds at every moment."""
    lost_s: float = 0.0
    """Seconds of full throughput already lost in the window."""

    def __post_init__(self) -> None:
        require(self.units >= 0, f"units are >= 0, {self.name} has {self.units}")
        require(
            0.0 <= self.unit_fixed_mw < self.unit_full_mw and isfinite(self.unit_full_mw),
            f"a unit's fixed power is below its full power, {self.name}",
        )
        require(
            isfinite(self.unit_value_ccy_per_h) and self.unit_value_ccy_per_h >= 0.0,
            f"throughput is worth nothing or more, {self.name}",
        )

    @property
    def full_mw(self) -> float:
        """Power of all units at full, MW."""
        return self.units * self.unit_full_mw

    def unit_mw(self, accelerator_ratio: float) -> float:
        """Power of a unit whose accelerators draw that share of their full power, MW."""
        return self.unit_fixed_mw + accelerator_ratio * (self.unit_full_mw - self.unit_fixed_mw)


def loss_max_ratio(flex: FlexClass, *, duration_s: float) -> float:
    """Share of throughput that a class may lose for `duration_s` seconds from now.

    At every moment the tier's share; with a window W, what is left of share x W, spread over the duration.
    """
    if flex.duration_max_s is not None and duration_s > flex.duration_max_s:
        return 0.0
    allowed_ratio = LOSS_ALLOWED_RATIO[flex.tier]
    if flex.loss_window_s <= 0.0:
        return allowed_ratio
    left_s = max(0.0, allowed_ratio * flex.loss_window_s - flex.lost_s)
    return min(1.0, left_s / min(max(duration_s, 1e-6), flex.loss_window_s))


def running_points(curve: PowerCurve) -> tuple[tuple[float, float], ...]:
    """Operating points of running units as (accelerator power, throughput) shares, from full downwards.

    The upper concave hull of the measured points: between two of them some units run at each.
    """
    first = (curve.power_ratio[0], curve.throughput_ratio[0])
    shifted = [
        (power - first[0], throughput - first[1])
        for power, throughput in zip(curve.power_ratio, curve.throughput_ratio, strict=True)
    ]
    hull = concave_hull(shifted[1:])
    points = [(power + first[0], throughput + first[1]) for power, throughput in hull]
    points[-1] = (1.0, 1.0)
    return tuple(reversed(points))
