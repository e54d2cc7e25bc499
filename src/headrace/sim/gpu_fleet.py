"""Servers with accelerators in a grid event: commands arrive late, some are lost, power settles, work varies.

Every figure of `Actuators` is an assumption, chosen on the slow side of what one node does (a signal stops a process
within 10 ms, NVML sets a limit within milliseconds) and stated with the bench that uses it. What hardware would add is
in docs/flexibility.md.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.loads.flexibility import FlexClass, Lever

__all__ = ["Actuators", "GpuFleet"]

Floats = NDArray[np.float64]
CLOSE_RATIO = 1e-9


class Actuators(msgspec.Struct, frozen=True, kw_only=True):
    """How fast and how surely a fleet follows."""

    delay_median_s: float = 0.3
    """From the decision to the node's lever, seconds; log-normal."""
    delay_sigma_ratio: float = 0.8
    """Standard deviation of its logarithm: the slowest of a hundred takes 6.4 times as long."""
    lost_ratio: float = 0.01
    """Share of commands that do not arrive and are repeated, 0..1."""
    repeat_s: float = 2.0
    """Until a lost one is noticed and repeated, seconds."""
    drain_max_s: float = 2.0
    """A paused unit first ends what its accelerators are at: 0 to so many seconds."""
    cap_settle_s: float = 1.0
    """Time constant with which power follows a cap or a clock, seconds."""
    work_sigma_ratio: float = 0.03
    """Standard deviation of what a unit's work draws, share of full."""
    work_memory_s: float = 20.0
    """Time constant of that, seconds."""


class GpuFleet:
    """Units of several classes, one array entry each.

    Parameters
    ----------
    classes
        What runs.
    actuators
        How it follows.
    rng
        Source of delays and of the work's variation.
    """

    def __init__(self, classes: Sequence[FlexClass], actuators: Actuators, rng: np.random.Generator) -> None:
        self.classes = tuple(classes)
        self.now_s = 0.0
        self._act = actuators
        self._rng = rng
        counts = [each.units for each in classes]
        self._of = np.repeat(np.arange(len(counts)), counts)
        self._fixed_mw = np.repeat([each.unit_fixed_mw for each in classes], counts)
        self._span_mw = np.repeat([each.unit_full_mw - each.unit_fixed_mw for each in classes], counts)
        self._idle_ratio = np.repeat([each.curve.idle_ratio for each in classes], counts)
        self._obeys_cap = np.repeat([each.curve.lever is Lever.CAP for each in classes], counts)
        curves = {each.curve.name: each.curve for each in classes}
        names = np.repeat([each.curve.name for each in classes], counts)
        self._by_curve = [(curve, np.flatnonzero(names == name)) for name, curve in curves.items()]
        lowest_ratio = np.repeat([each.curve.power_ratio[0] for each in classes], counts)
        self._works_from_ratio = 0.5 * (self._idle_ratio + lowest_ratio)
        self._units = np.maximum(np.asarray(counts), 1)
        size = len(self._of)
        self._asked_ratio = np.ones(size)  # 0 is a pause
        self._goal_ratio = np.ones(size)
        self._arrives_s = np.full(size, np.inf)
        self._work_ratio = np.ones(size)
        self._power_ratio = np.ones(size)

    @property
    def power_mw(self) -> float:
        """What all units draw, MW."""
        return float(np.sum(self._fixed_mw + self._power_ratio * self._span_mw))

    def command(self, paused: Sequence[int], running_ratio: Sequence[float], *, by_cap: bool = False) -> None:
        """Set each class: so many of its units paused, the others at that share of accelerator power.

        Parameters
        ----------
        paused, running_ratio
            Per class.
        by_cap
            By board limit alone: a class that it does not move stays as it is.
        """
        asked = np.ones(len(self._of))
        for index, each in enumerate(self.classes):
            mine = np.flatnonzero(self._of == index)
            moves = not by_cap or each.curve.lever is Lever.CAP
            asked[mine] = running_ratio[index] if moves else 1.0
            asked[mine[: paused[index]]] = 0.0
        changed = np.abs(asked - self._asked_ratio) > CLOSE_RATIO
        self._asked_ratio = asked
        count = int(changed.sum())
        delay_s = self._act.delay_median_s * np.exp(self._act.delay_sigma_ratio * self._rng.standard_normal(count))
        delay_s += self._act.repeat_s * (self._rng.random(count) < self._act.lost_ratio)
        delay_s += self._act.drain_max_s * self._rng.random(count) * (asked[changed] == 0.0)
        self._arrives_s[changed] = self.now_s + delay_s

    def step(self, dt_s: float) -> Floats:
        """Let `dt_s` seconds pass; throughput of each class meanwhile, share of full, shape (classes,)."""
        self.now_s += dt_s
        arrived = self._arrives_s <= self.now_s
        self._goal_ratio[arrived] = self._asked_ratio[arrived]
        self._arrives_s[arrived] = np.inf
        keep = np.exp(-dt_s / self._act.work_memory_s)
        noise = self._act.work_sigma_ratio * np.sqrt(1.0 - keep**2) * self._rng.standard_normal(len(self._of))
        self._work_ratio = np.clip(1.0 + keep * (self._work_ratio - 1.0) + noise, 0.5, 1.05)
        # A cap holds the power itself, a clock scales what the work draws.
        held = np.where(
            self._obeys_cap, np.minimum(self._work_ratio, self._goal_ratio), self._work_ratio * self._goal_ratio
        )
        held = np.where(self._goal_ratio >= 1.0, self._work_ratio, held)
        wanted = np.where(self._goal_ratio == 0.0, self._idle_ratio, held)
        self._power_ratio += (wanted - self._power_ratio) * (1.0 - np.exp(-dt_s / self._act.cap_settle_s))
        return self._throughput()

    def _throughput(self) -> Floats:
        """By the class's curve at the power held; none while paused or on the way into a pause."""
        power_ratio = self._power_ratio / np.minimum(self._work_ratio, 1.0)
        work = np.empty(len(power_ratio))
        for curve, mine in self._by_curve:
            work[mine] = np.interp(power_ratio[mine], curve.power_ratio, curve.throughput_ratio)
        work[(power_ratio < self._works_from_ratio) | (self._goal_ratio == 0.0)] = 0.0
        return np.asarray(np.bincount(self._of, work, len(self.classes)) / self._units, np.float64)
