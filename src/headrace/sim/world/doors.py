"""In-process doors to the simulated world: the twins of the real drivers and meters."""

from collections.abc import Sequence
from typing import Final, Protocol

from headrace.control.assets import Asset, AssetKind
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.readings import AssetReading, CounterReading, MeterReading
from headrace.sim.world.faults import FaultKind
from headrace.sim.world.sense import asset_readings, counter_readings, meter_readings
from headrace.sim.world.world import World

__all__ = ["Clock", "SimDriver", "SimMeters", "sim_drivers"]

US_PER_S: Final = 1_000_000
DELAY_LEAST_S: Final = 0.02
"""Least time a device takes to act and answer, seconds (assumption)."""
DELAY_MEAN_EXTRA_S: Final = 0.05
"""Mean of the exponential time it takes on top, seconds (assumption)."""

TAKEN: Final = {
    AssetKind.MINER: {Action.STOP, Action.RUN, Action.CAP},
    AssetKind.NODE: {Action.STOP, Action.RUN, Action.CAP},
    AssetKind.BATTERY: {Action.CHARGE, Action.DISCHARGE, Action.STOP},
    AssetKind.CONTACTOR: {Action.OPEN, Action.CLOSE},
    AssetKind.COOLING: {Action.RUN, Action.STOP},
}
"""What each kind of asset can be told."""


class Clock(Protocol):
    """What time it is, and how to wait for another."""

    def now_us(self) -> int:
        """Now, epoch microseconds."""
        ...

    async def sleep_until(self, at_s: float) -> None:
        """Wait until `at_s`, epoch seconds."""
        ...


class SimDriver:
    """Reaches simulated assets in process.

    Parameters
    ----------
    name
        As `Asset.driver` names it.
    world
        The world.
    clock
        Tells the time and waits.
    timeout_s
        Longest wait for an answer, seconds.
    """

    def __init__(self, name: str, world: World, clock: Clock, *, timeout_s: float = 1.0) -> None:
        self.name = name
        self._world = world
        self._clock = clock
        self._timeout_us = round(timeout_s * US_PER_S)
        self._assets = {each.name: each for each in world.inventory.assets if each.driver == name}

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Nothing needs to be made ready."""

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Carry out commands as the devices would, faults included."""
        now_us = self._clock.now_us()
        self._world.advance(now_us)
        self._world.hear(each.asset for each in commands)
        drawn_s = DELAY_LEAST_S + self._world.rng.exponential(DELAY_MEAN_EXTRA_S, len(commands))
        outcomes = [self._one(each, now_us, extra) for each, extra in zip(commands, drawn_s.tolist(), strict=True)]
        waited_us = [self._until_us(each, now_us) for each in outcomes]
        if waited_us:
            await self._clock.sleep_until(max(waited_us) / US_PER_S)
        return tuple(outcomes)

    async def read(self) -> tuple[AssetReading, ...]:
        """What the assets say of themselves now."""
        self._world.advance(self._clock.now_us())
        self._world.hear(self._assets)
        return asset_readings(self._world, self._assets.values())

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _until_us(self, outcome: CommandOutcome, now_us: int) -> int:
        """When its caller knew."""
        if outcome.result is Result.MUTE:
            return now_us + self._timeout_us
        return outcome.acknowledged_us or now_us

    def _one(self, command: Command, now_us: int, delay_s: float) -> CommandOutcome:
        world, name = self._world, command.asset
        at_us = now_us + round(US_PER_S * (delay_s + _further_s(world, name)))
        result, reason = self._refusal(command, now_us) or (None, "")
        if result is None:
            power_w = None if command.power_mw is None else command.power_mw * 1e6
            at_us = world.tell(name, command.action, power_w, at_us=at_us, command=command.id)
            result, reason = self._answer(name, is_late=at_us > now_us + self._timeout_us)
        answered = {Result.ACKNOWLEDGED, Result.GARBLED, Result.REFUSED}
        return CommandOutcome(
            command=command.id,
            asset=name,
            result=result,
            commanded_us=command.commanded_us,
            sent_us=None if result in {Result.UNREACHABLE, Result.EXPIRED} else now_us,
            acknowledged_us=at_us if result in answered else None,
            reason=reason,
        )

    def _refusal(self, command: Command, now_us: int) -> tuple[Result, str] | None:
        """Why a device does nothing; None if it acts."""
        faults, name = self._world.faults, command.asset
        asset = self._assets.get(name)
        if command.expires_us <= now_us:
            return Result.EXPIRED, "its time had passed"
        if asset is None or faults.of(FaultKind.LINK, name) is not None or not _is_alive(self._world, asset):
            return Result.UNREACHABLE, "no connection"
        if command.action not in TAKEN[asset.kind] or (command.action is Action.CAP and asset.least_mw is None):
            return Result.REFUSED, f"a {asset.kind.value} can't {command.action.value}"
        if faults.of(FaultKind.REFUSING, name) is not None:
            return Result.REFUSED, "not permitted"
        return (Result.MUTE, "no answer in time") if faults.of(FaultKind.DEAF, name) is not None else None

    def _answer(self, name: str, *, is_late: bool) -> tuple[Result, str]:
        """What a device that acts says."""
        faults = self._world.faults
        if is_late or faults.of(FaultKind.MUTE, name) is not None:
            return Result.MUTE, "no answer in time"
        if faults.of(FaultKind.GARBLED, name) is not None:
            return Result.GARBLED, "answer is no reply"
        return Result.ACKNOWLEDGED, ""


class SimMeters:
    """Reads the simulated site's meters in process.

    Parameters
    ----------
    world
        The world.
    clock
        Tells the time.
    """

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock

    async def power(self) -> tuple[MeterReading, ...]:
        """Power of every meter that answers."""
        self._world.advance(self._clock.now_us())
        return meter_readings(self._world)

    async def counters(self) -> tuple[CounterReading, ...]:
        """Running totals."""
        self._world.advance(self._clock.now_us())
        return counter_readings(self._world)

    async def close(self) -> None:
        """There is nothing to let go of."""


def sim_drivers(world: World, clock: Clock, *, timeout_s: float = 1.0) -> dict[str, SimDriver]:
    """A simulated driver for every driver that the inventory names."""
    names = sorted({each.driver for each in world.inventory.assets})
    return {name: SimDriver(name, world, clock, timeout_s=timeout_s) for name in names}


def _is_alive(world: World, asset: Asset) -> bool:
    """Has its controller voltage? Contactors, cooling and inverters have supplies of their own."""
    return asset.kind not in {AssetKind.MINER, AssetKind.NODE} or world.supplied(asset.name)


def _further_s(world: World, name: str) -> float:
    """What faults add to a device's delay, seconds."""
    delay, jitter = world.faults.of(FaultKind.DELAY, name), world.faults.of(FaultKind.JITTER, name)
    later_s = 0.0 if delay is None else delay.value
    return later_s + (0.0 if jitter is None else float(world.rng.exponential(jitter.value)))
