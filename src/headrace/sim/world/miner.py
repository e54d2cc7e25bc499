"""One miner of the world, with the face that simulated firmware expects of a machine."""

from collections.abc import Callable

from headrace.control.commands import Action
from headrace.sim.miners.faults import Manner
from headrace.sim.miners.fleet import Device
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.twin import Twin
from headrace.sim.world.faults import FaultKind
from headrace.sim.world.world import World

__all__ = ["WorldDevice", "WorldMiner"]

MANNERS = (
    (FaultKind.LINK, Manner.DROPPING),
    (FaultKind.DEAF, Manner.MUTE),
    (FaultKind.MUTE, Manner.MUTE),
    (FaultKind.REFUSING, Manner.REFUSING),
    (FaultKind.GARBLED, Manner.GARBLED),
)
"""How a machine behaves under each fault; one that lies obeys here, and the world does nothing of it."""

FULL_THS = 110.0
"""Hash rate that a machine reports at full, TH/s; its load's own curve counts the work."""


class WorldMiner(MinerModel):
    """A machine whose power is the world's.

    Parameters
    ----------
    world
        The world.
    name
        The machine's asset.
    now_us
        The site's time.
    """

    __slots__ = ("_index", "_name", "_now_us", "_world")

    def __init__(self, world: World, name: str, now_us: Callable[[], int]) -> None:
        self._world = world
        self._now_us = now_us
        self._name = name
        self._index = world.layout.index[name]
        machines = world.machines
        super().__init__(
            full_w=float(machines.full_w[self._index]),
            standby_w=float(machines.standby_w[self._index]),
            hashrate_ths=FULL_THS,
        )

    def stop(self, at_s: float) -> None:
        """Go to sleep."""
        self.is_asleep = True
        self.effects += 1
        self._tell(Action.STOP)

    def wake(self, at_s: float) -> None:
        """Wake up and run as far as its limit allows."""
        self.is_asleep = False
        self.effects += 1
        self._tell(Action.RUN if self.limit_w >= self.full_w else Action.CAP)

    def run(self, at_s: float) -> None:
        """Wake up and run at full, whatever limit it had."""
        self.limit_w = self.full_w
        self.wake(at_s)

    def cap(self, at_s: float, limit_w: float) -> None:
        """Run at no more than `limit_w`, W, awake or once awake."""
        self.limit_w = min(max(limit_w, self.standby_w), self.full_w)
        if not self.is_asleep:
            self.wake(at_s)

    def restart(self, at_s: float, *, takes_s: float, stays_asleep: bool) -> None:
        """Come back after a restart, asleep only if it was and its firmware remembers."""
        if not (self.is_asleep and stays_asleep):
            self.wake(at_s)

    def power_w(self, at_s: float) -> float:
        """Power now, W; what it claims if it lies."""
        self._world.advance(self._now_us())
        claimed_w = self._world.claims.get(self._name)
        return float(self._world.machines.power_w[self._index]) if claimed_w is None else claimed_w

    def hashrate_ths(self, at_s: float) -> float:
        """Hash rate now, TH/s."""
        span_w = self.full_w - self.standby_w
        return self.hashrate_full_ths * max(0.0, self.power_w(at_s) - self.standby_w) / span_w if span_w > 0.0 else 0.0

    def _tell(self, action: Action) -> None:
        power_w = self.limit_w if action is Action.CAP else None
        self._world.tell(self._name, action, power_w, at_us=self._now_us())


class WorldDevice(Device):
    """A machine behind a socket whose manner follows the world's faults.

    Parameters
    ----------
    index
        Its place in the fleet.
    twin
        Its firmware.
    world, name, now_us
        As of `WorldMiner`.
    """

    __slots__ = ("_name", "_world")

    def __init__(self, index: int, twin: Twin, world: World, name: str, now_us: Callable[[], int]) -> None:
        self._world = world
        self._name = name
        super().__init__(index, twin, WorldMiner(world, name, now_us), Manner.HONEST)

    @property
    def manner(self) -> Manner:
        """How it behaves now; without supply it says nothing."""
        world = self._world
        if not world.supplied(self._name):
            return Manner.MUTE
        return next((manner for kind, manner in MANNERS if world.faults.of(kind, self._name)), Manner.HONEST)

    @manner.setter
    def manner(self, manner: Manner) -> None:
        """The world decides."""
