"""A live site's hands: write first, then do. Every record, every command and every reading passes here."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import numpy as np

from headrace.control.assets import Asset
from headrace.control.commands import Command, CommandOutcome, Result
from headrace.control.fleet import absorb
from headrace.control.layout import US_PER_S
from headrace.control.locks import admit
from headrace.control.ports import Driver, Meters
from headrace.control.readings import AssetReading, CounterReading, MeterReading
from headrace.core import BadInput, ExitCode, HeadraceError
from headrace.engine.clock import Clock
from headrace.engine.live.journal import LiveJournal
from headrace.engine.live.records import Alarmed, Attested, Closed, Commanded, LiveRecord, Observed, Outcomes
from headrace.engine.live.state import LiveState
from headrace.engine.spare import Spare
from headrace.settlement.telemetry import IntervalRoot

__all__ = ["Engine", "JournalLost"]

OnClosed = Callable[[Closed, tuple[CounterReading, ...]], Awaitable[IntervalRoot | None]]
"""Called with every closed interval and the counters it was read from: where telemetry is signed."""

OnNoted = Callable[[LiveRecord], None]
"""Called with every record once it is written: where a log is kept."""


class JournalLost(HeadraceError):
    """The journal can't be written: nothing more is done, for what is not written down must not happen."""

    exit_code = ExitCode.REFUSED


class Engine:
    """State, journal and doors of a live site.

    Parameters
    ----------
    state, journal
        What is carried, and where every change of it is written first.
    clock
        The site's time.
    drivers
        Doors to assets, by the name that assets give.
    meters
        Door to meters and counters.
    on_closed
        Called when an interval is closed; None for nobody.
    observed
        In shadow: the real site's meters, read beside and never acted on.
    spare
        Reserve of disk beside the journal; None for none.
    """

    def __init__(
        self,
        *,
        state: LiveState,
        journal: LiveJournal,
        clock: Clock,
        drivers: Mapping[str, Driver],
        meters: Meters,
        on_closed: OnClosed | None = None,
        observed: Meters | None = None,
        spare: Spare | None = None,
    ) -> None:
        self.state = state
        self.clock = clock
        self.meters = meters
        self._on_closed = on_closed
        self.on_noted: OnNoted | None = None
        """Whoever else is told of every record."""
        self.under_way: set[str] = set()
        """Orders that the desk is at."""
        self.shedding = 0
        """Orders whose commands have left and are not answered: until then nothing else is told."""
        self._observed = observed
        self._spare = spare
        self._lost = ""
        self._unarmed = set(drivers)
        self._load_mws = np.zeros(len(state.layout.load_names))
        self._counted_us = clock.now_us()
        self._journal = journal
        self._drivers = drivers

    def note(self, record: LiveRecord) -> int:
        """Write a record and take it in; its sequence number."""
        seq = self._written(lambda: self._journal.append(record))
        self.state.absorb(seq, record)
        if self.on_noted is not None:
            self.on_noted(record)
        return seq

    def settle_disk(self) -> None:
        """Put everything written so far on disk."""
        self._written(self._flushed)

    def _flushed(self) -> int:
        self._journal.flush()
        return self._journal.seq

    def _written(self, write: Callable[[], int]) -> int:
        if self._lost:
            raise JournalLost(self._lost)
        try:
            return write()
        except BadInput as error:
            self._lost = str(error)
            raise JournalLost(self._lost) from error

    def alarm(self, code: str, text: str, *, is_up: bool) -> None:
        """Raise or clear an alarm; one that is up already, or was not, changes nothing."""
        if is_up != (code in self.state.alarms):
            self.note(Alarmed(at_us=self.clock.now_us(), code=code, is_up=is_up, text=text))

    def look_after_disk(self) -> None:
        """Take the reserve of disk again where there is space for it; an alarm while it is not held."""
        if self._spare is not None:
            text = f"the disk is full: a reserve of {self._spare.size_bytes / 1e6:.0f} MB is not held"
            self.alarm("journal.disk", text, is_up=not self._spare.keep())

    async def arm(self) -> None:
        """Do now what need not wait for a command; a door that can't start is an alarm, and tried at each read."""
        doors = [(name, driver, assets) for name, driver, assets in self._by_driver() if name in self._unarmed]
        done = await asyncio.gather(*(driver.arm(assets) for _, driver, assets in doors), return_exceptions=True)
        for (name, _, _), failed in zip(doors, done, strict=True):
            if isinstance(failed, BaseException):
                self.alarm(f"door.{name}", f"can't start: {type(failed).__name__}: {failed}", is_up=True)
            else:
                self._unarmed.discard(name)

    async def carry_out(
        self,
        commands: Sequence[Command],
        *,
        expected_mw: float = 0.0,
        short_mw: float = 0.0,
        reasons: tuple[str, ...] = (),
    ) -> tuple[CommandOutcome, ...]:
        """Write commands to disk, send what no lock forbids to all drivers at once, and write what became of them."""
        if not commands and not short_mw:
            return ()
        now_us = self.clock.now_us()
        admitted, refused = admit(self.state.layout, self.state.fleet, commands, now_us=now_us)
        self.note(
            Commanded(at_us=now_us, commands=admitted, expected_mw=expected_mw, short_mw=short_mw, reasons=reasons)
        )
        self.settle_disk()
        outcomes = (*refused, *await self._send(admitted))
        if outcomes:
            self.note(Outcomes(at_us=self.clock.now_us(), outcomes=outcomes))
        return outcomes

    async def read_meters(self) -> tuple[MeterReading, ...]:
        """Read every meter's power; belief follows."""
        try:
            readings = await self.meters.power()
        except Exception as error:  # noqa: BLE001  a broken door must not stop the watch
            self.alarm("door.meters", f"meters: {type(error).__name__}: {error}", is_up=True)
            return ()
        self.alarm("door.meters", "", is_up=False)
        ahead_us = self.clock.now_us() + round(self.state.rules.meter_age_max_s * US_PER_S)
        believed = tuple(each for each in readings if each.at_us <= ahead_us)  # a time to come would never grow old
        self.state.fleet = absorb(self.state.layout, self.state.fleet, believed)
        self._watch_meters()
        return believed

    async def read_counters(self) -> tuple[CounterReading, ...]:
        """Read every running total that answers."""
        try:
            readings = await self.meters.counters()
        except Exception as error:  # noqa: BLE001  counters that are silent are estimated, whatever silenced them
            self.alarm("door.counters", f"counters: {type(error).__name__}: {error}", is_up=True)
            return ()
        self.alarm("door.counters", "", is_up=False)
        return readings

    async def attest(self, closed: Closed, counters: tuple[CounterReading, ...]) -> None:
        """Have a closed interval signed, and write down what was; one that can't be is an alarm until the next is."""
        if self._on_closed is None:
            return
        try:
            root = await self._on_closed(closed, counters)
        except Exception as error:  # noqa: BLE001  a gateway's fault must not keep the site from being run
            self.alarm("telemetry.unsigned", f"{type(error).__name__}: {error}", is_up=True)
            return
        self.alarm("telemetry.unsigned", "", is_up=False)
        if root is not None:
            self.note(
                Attested(
                    at_us=self.clock.now_us(),
                    interval_s=root.interval_start_s,
                    root=root.root.hex(),
                    sequence=root.sequence,
                    readings=root.count,
                    absent=root.absent,
                    missing=root.missing,
                    refused=root.refused,
                )
            )

    async def observe(self) -> None:
        """In shadow: write down what the real site draws and has counted, beside what was decided."""
        if self._observed is None:
            return
        try:
            power, counters = await self._observed.power(), await self._observed.counters()
        except Exception as error:  # noqa: BLE001  the real site's door must not stop its shadow
            self.alarm("door.observed", f"real meters: {type(error).__name__}: {error}", is_up=True)
            return
        self.alarm("door.observed", "", is_up=False)
        self.note(
            Observed(
                at_us=self.clock.now_us(),
                power_w={each.meter: each.power_w for each in power},
                counters={each.name: each.total for each in counters},
            )
        )

    async def read_assets(self, drivers: Sequence[str] | None = None) -> tuple[AssetReading, ...]:
        """Ask the assets of some drivers, or all, what they do; belief follows."""
        if self._unarmed:
            await self.arm()
        asked = {name: door for name, door in self._drivers.items() if drivers is None or name in drivers}
        found = await asyncio.gather(*(driver.read() for driver in asked.values()), return_exceptions=True)
        heard: list[AssetReading] = []
        for name, readings in zip(asked, found, strict=True):
            if isinstance(readings, BaseException):
                self.alarm(f"door.{name}", f"{type(readings).__name__}: {readings}", is_up=True)
                continue
            self.alarm(f"door.{name}", "", is_up=name in self._unarmed)
            self.state.fleet = absorb(self.state.layout, self.state.fleet, readings)
            heard += readings
        return tuple(heard)

    def count_loads(self) -> None:
        """Add up what each load drew since the last time, as believed: it explains the interval, it settles nothing."""
        layout, now_us = self.state.layout, self.clock.now_us()
        passed_s = max(0, now_us - self._counted_us) / US_PER_S
        self._counted_us = now_us
        by_load = np.bincount(layout.load_of, self.state.fleet.drawn_mw, len(layout.load_names))
        self._load_mws += by_load * passed_s

    def take_load_wh(self) -> dict[str, int]:
        """Energy of each load since this was last asked, Wh."""
        taken = {name: round(mws / 3600.0 * 1e6) for name, mws in self._loads_counted()}
        self._load_mws[:] = 0.0
        return taken

    def site_mw(self) -> float | None:
        """Net import at the connection by a reading that is young enough to prove anything, MW."""
        return self._fresh_mw(self.state.fleet.site)

    def feeder_mw(self, feeder: str) -> float | None:
        """Power of one feeder, likewise."""
        return self._fresh_mw(self.state.fleet.feeders[self.state.layout.feeder_position[feeder]])

    async def close(self) -> None:
        """Let go of every door, and of the journal last."""
        doors = [driver.close() for driver in self._drivers.values()]
        doors += [] if self._observed is None else [self._observed.close()]
        await asyncio.gather(*doors, self.meters.close(), return_exceptions=True)
        if not self._lost:
            self._journal.close()

    def _watch_meters(self) -> None:
        """Raise an alarm where no reading is young enough: no limit is kept and no order proven there."""
        feeders = self.state.layout.inventory.feeders
        places = {"site": self.site_mw()} | {each.name: self.feeder_mw(each.name) for each in feeders}
        for place, mw in places.items():
            self.alarm(f"meter.silent.{place}", "no reading young enough to keep a limit by", is_up=mw is None)

    def _loads_counted(self) -> list[tuple[str, float]]:
        self.count_loads()
        return list(zip(self.state.layout.load_names, self._load_mws.tolist(), strict=True))

    def _fresh_mw(self, reading: MeterReading | None) -> float | None:
        if reading is None:
            return None
        age_us = self.clock.now_us() - reading.at_us
        return reading.power_w * 1e-6 if age_us <= self.state.rules.meter_age_max_s * US_PER_S else None

    def _by_driver(self) -> list[tuple[str, Driver, list[Asset]]]:
        assets = self.state.layout.inventory.assets
        return [(name, door, [each for each in assets if each.driver == name]) for name, door in self._drivers.items()]

    async def _send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        layout = self.state.layout
        of_driver: dict[str, list[Command]] = {}
        for command in commands:
            of_driver.setdefault(layout.asset(layout.position[command.asset]).driver, []).append(command)
        answers = await asyncio.gather(*(self._send_by(name, part) for name, part in of_driver.items()))
        return tuple(outcome for part in answers for outcome in part)

    async def _send_by(self, name: str, commands: list[Command]) -> tuple[CommandOutcome, ...]:
        driver = self._drivers.get(name)
        if driver is None:
            return _unsent(commands, f"no driver {name!r}")
        try:
            return await driver.send(tuple(commands))
        except Exception as error:  # noqa: BLE001  one driver's fault must not keep the others from sending
            self.alarm(f"door.{name}", f"{type(error).__name__}: {error}", is_up=True)
            return _unsent(commands, f"the driver failed: {type(error).__name__}")


def _unsent(commands: Sequence[Command], reason: str) -> tuple[CommandOutcome, ...]:
    return tuple(
        CommandOutcome(
            command=each.id,
            asset=each.asset,
            result=Result.UNREACHABLE,
            commanded_us=each.commanded_us,
            reason=reason,
        )
        for each in commands
    )
