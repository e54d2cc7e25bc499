"""`headrace sim`: the simulated site behind the real protocols, on the addresses of its device file."""

import asyncio
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from headrace.adapters.devicefile import LoadedDevices, load_devices, read_secret
from headrace.adapters.devicefile.schema_equipment import RegisterSection
from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.nodes.line import AgentLine
from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.app.folders import data_folder
from headrace.app.inputs import read_inputs
from headrace.app.sim_channel import SimChannel
from headrace.app.sim_nodes import WorldNode
from headrace.app.sim_telemetry import SimTelemetry
from headrace.app.times import instant, not_negative, within_calendar
from headrace.core import BadInput, Interval, epoch_s
from headrace.engine.clock import Clock, FastClock, WallClock
from headrace.sim.equipment import (
    Field,
    InverterUnit,
    MeterUnit,
    ModbusServer,
    ModbusUnit,
    RegisterUnit,
    SwitchUnit,
    manners_of,
)
from headrace.sim.miners.fleet import Fleet
from headrace.sim.miners.serve import TWINS
from headrace.sim.world import Conditions, Fault, FaultFile, World
from headrace.sim.world.miner import WorldDevice
from headrace.sim.world.sense import feeder_totals_wh, meter_readings

__all__ = ["SimulatedSite", "run_sim"]

AHEAD_S: Final = 8 * 86_400
"""How much of recorded weather and demand is read, seconds."""
DELAYS_S: Final = (0.01, 0.03, 0.02, 0.08, 0.015, 0.04, 0.12, 0.025)
"""Time that miners take to answer, in turn, wall seconds (assumption)."""


def run_sim(
    site: Path,
    *,
    devices: Path,
    speed: float,
    start: str | None,
    anchor_s: float | None,
    seed: int,
    faults: Path | None,
    data: Path | None,
) -> None:
    """Serve a simulated site until SIGTERM or SIGINT; prints one line of JSON when everything listens."""
    loaded = load_site(site)
    read = load_devices(devices, loaded)
    clock = _clock(loaded, speed, start, anchor_s)
    conditions, note = _conditions(loaded, clock, data_folder(data))
    world = World(
        loaded.site,
        read.inventory,
        start_us=clock.now_us(),
        seed=not_negative("--seed", seed),
        conditions=conditions,
        faults=_faults(faults),
        tenants={tenant: feeder.name for feeder in read.file.feeder for tenant in feeder.tenants},
    )
    served = SimulatedSite(world, read, clock, note=note)
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(served))
    else:
        uvloop.run(_serve(served))


async def _serve(served: "SimulatedSite") -> None:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, ended.set)
    try:
        ready = await served.listen()
        sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
        sys.stdout.flush()
        await ended.wait()
    finally:
        await served.close()


class SimulatedSite:
    """All servers of one world.

    Parameters
    ----------
    world
        The world.
    devices
        Where everything listens.
    clock
        The site's time.
    note
        What a reader of the ready line should know.
    """

    def __init__(self, world: World, devices: LoadedDevices, clock: Clock, *, note: str = "") -> None:
        self.world = world
        self.channel = SimChannel(world, clock.now_us)
        self._devices = devices
        self._now_us = clock.now_us
        self._note = note
        self._modbus: list[ModbusServer] = []
        self._fleets: list[Fleet] = []
        self._nodes: list[WorldNode] = []
        self._servers: list[asyncio.Server] = []
        self._telemetry: SimTelemetry | None = None

    async def listen(self) -> dict[str, Any]:
        """Open every door; returns what the ready line says.

        Raises
        ------
        BadInput
            If an address can't be listened on, or is no loopback address.
        """
        _allow_sockets()
        places = _places(self.world, self._devices, self._now_us)
        try:
            for (host, port), (units, name) in places.items():
                server = ModbusServer(units, lambda name=name: manners_of(self.world, name))  # type: ignore[misc]
                self._modbus.append(server)
                await server.listen(_loopback(host), port)
            miners = await self._listen_miners()
            nodes = await self._listen_nodes()
        except OSError as error:
            found = f"can't listen: {error.strerror or error}"
            raise BadInput(str(self._devices.path), found, "Free the port, or change the device file") from error
        if self._devices.file.mqtt is not None:
            self._telemetry = SimTelemetry(self.world, self._devices, self._now_us)
            self._telemetry.start()
        return {
            "ready": True,
            "site": self.world.site.name,
            "at_us": self._now_us(),
            "channel": {"port": await self.channel.listen(), "token": self.channel.token},
            "modbus": sorted(f"{host}:{port}" for host, port in places),
            "miners": miners,
            "nodes": nodes,
            "mqtt": self._telemetry is not None,
            "note": self._note,
        }

    async def close(self) -> None:
        """Close every door."""
        self.channel.close()
        if self._telemetry is not None:
            await self._telemetry.close()
        for node in self._nodes:
            node.close()
        for server in self._servers:
            server.close()
        for fleet in self._fleets:
            await fleet.close()
        for each in self._modbus:
            await each.close()

    async def _listen_miners(self) -> dict[str, int]:
        """Open the miners' sockets; how many of each dialect."""
        found: dict[str, int] = {}
        for section, assets in self._devices.miner_groups:
            if section.dialect not in TWINS:
                where = f"miners {section.name!r}"
                raise BadInput(where, f"no simulated {section.dialect!r}", f"Simulated are: {', '.join(TWINS)}")
            make, port = TWINS[section.dialect]
            fleet = Fleet(
                [WorldDevice(i, make(), self.world, asset.name, self._now_us) for i, asset in enumerate(assets)],
                delays_s=DELAYS_S,
                now_s=_wall_s,  # firmware keeps its own time, however fast the site's runs
            )
            self._fleets.append(fleet)
            await fleet.listen([_address(asset.address, section.port or port) for asset in assets])
            found[section.dialect] = found.get(section.dialect, 0) + len(assets)
        return found

    async def _listen_nodes(self) -> int:
        """Open the agents' sockets; how many."""
        loop, folder = asyncio.get_running_loop(), self._devices.path.parent
        for section, assets in self._devices.node_groups:
            if section.token is None:
                continue
            key = read_secret(section.token, folder=folder, environ=os.environ).reveal().encode()
            for asset in assets:
                node = WorldNode(asset, key, self.world, self._now_us)
                host, port = _address(asset.address, section.port)
                self._nodes.append(node)
                self._servers.append(await loop.create_server(_line_of(node), host, port))
        return len(self._nodes)


def _line_of(node: WorldNode) -> Callable[[], AgentLine]:
    return lambda: AgentLine(node)


def _places(
    world: World, devices: LoadedDevices, now_us: Callable[[], int]
) -> dict[tuple[str, int], tuple[dict[int, ModbusUnit], str]]:
    """Modbus units by address, each address with the name whose faults it shows."""
    file = devices.file
    places: dict[tuple[str, int], tuple[dict[int, ModbusUnit], str]] = {}

    def put(host: str, port: int, unit: int, device: ModbusUnit, name: str) -> None:
        places.setdefault((host, port), ({}, name))[0][unit] = device

    for meter in file.meter:
        if meter.protocol == "sunspec" and meter.host is not None:
            device = MeterUnit(world, meter.name, now_us, is_export_positive=meter.positive == "export")
            put(meter.host, meter.port, meter.unit, device, meter.name)
        elif meter.protocol == "modbus" and meter.host is not None:
            fields = _meter_fields(
                world, meter.name, meter.positive == "export", meter.power, meter.imported, meter.exported
            )
            put(meter.host, meter.port, meter.unit, RegisterUnit(fields, _looker(world, now_us)), meter.name)
    if file.battery is not None:
        battery = file.battery
        put(battery.host, battery.port, battery.unit, InverterUnit(world, now_us), battery.name)
    switches: dict[tuple[str, int, int], list[Any]] = {}
    for each in (*file.contactor, *file.cooling):
        switches.setdefault((each.host, each.port, each.unit), []).append(each)
    for (host, port, unit), behind in switches.items():
        coils, feedbacks = {e.coil: e.name for e in behind}, {e.feedback: e.name for e in behind}
        put(host, port, unit, SwitchUnit(world, coils, feedbacks, now_us), behind[0].name)
    registers: dict[tuple[str, int, int], list[tuple[str, Field]]] = {}
    for counter in file.counter:
        field = _field(counter.register_, _counter(world, counter.name))
        registers.setdefault((counter.host, counter.port, counter.unit), []).append((counter.name, field))
    for sensor in () if file.bms is None else file.bms.sensor:
        field = _field(sensor.register_, world.temp_c)
        registers.setdefault((sensor.host, sensor.port, sensor.unit), []).append((sensor.name, field))
    for (host, port, unit), named in registers.items():
        put(host, port, unit, RegisterUnit(tuple(f for _, f in named), _looker(world, now_us)), named[0][0])
    return places


def _meter_fields(
    world: World,
    meter: str,
    is_export_positive: bool,
    power: RegisterSection | None,
    imported: RegisterSection | None,
    exported: RegisterSection | None,
) -> tuple[Field, ...]:
    """Register map of a meter of another make."""
    sign = -1.0 if is_export_positive else 1.0
    first, second = (1, 0) if is_export_positive else (0, 1)

    def power_w() -> float:
        return sign * next((float(each.power_w) for each in meter_readings(world) if each.meter == meter), 0.0)

    pairs = (
        (power, power_w),
        (imported, lambda: float(feeder_totals_wh(world, meter)[first])),
        (exported, lambda: float(feeder_totals_wh(world, meter)[second])),
    )
    return tuple(_field(register, value) for register, value in pairs if register is not None)


def _field(register: RegisterSection, value: Callable[[], float]) -> Field:
    return Field(
        address=register.address,
        table=register.table,
        kind=register.type,
        is_little=register.words == "little",
        unit_per_count=register.scale,
        value=value,
    )


def _counter(world: World, name: str) -> Callable[[], float]:
    return lambda: float(dict(world.totals.counters()).get(name, 0))


def _looker(world: World, now_us: Callable[[], int]) -> Callable[[], None]:
    return lambda: world.advance(now_us())


def _clock(loaded: LoadedSite, speed: float, start: str | None, anchor_s: float | None) -> Clock:
    """The wall's clock, or one that both this process and the engine can be given."""
    if not 0.0 < speed <= 1e4:
        raise BadInput(f"--speed {speed:g}", "not between 0 and 10,000", "Give site seconds per second")
    start_s = None if start is None else float(epoch_s(instant(start, loaded.site.time_zone)))
    if start_s is None and speed == 1.0 and anchor_s is None:
        return WallClock()
    wall_s = anchor_s if anchor_s is not None else _wall_s()
    if start_s is None:
        start_s = wall_s if loaded.window is None else float(loaded.window.start_s)
    return within_calendar(FastClock(start_s=start_s, speed_ratio=speed, anchor_wall_s=wall_s))


def _conditions(loaded: LoadedSite, clock: Clock, data: Path | None) -> tuple[Conditions, str]:
    """Recorded surroundings, or constants where there is no record; with a note which."""
    now_s = int(clock.now_s()) // 900 * 900
    try:
        feed = RecordedFeed(data, loaded.feeds, loaded.site.time_zone)
        span = feed.span("real_time")
        window = Interval.from_epoch(now_s, min(now_s + AHEAD_S, span.end_s))
        inputs = read_inputs(feed, loaded.site, set(loaded.feeds), window)
    except (BadInput, ValueError) as error:
        return Conditions(), f"constant surroundings: {error}"
    profiles: Mapping[str, Any] = inputs.profiles
    return Conditions(temperature=inputs.temperature, profiles=profiles), "recorded surroundings"


def _faults(path: Path | None) -> tuple[Fault, ...]:
    if path is None:
        return ()
    try:
        return msgspec.toml.decode(path.read_bytes(), type=FaultFile).fault
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadInput(str(path), f"is no file of faults: {error}", "docs/simulated-site.md shows one") from error


def _address(address: str, port: int) -> tuple[str, int]:
    host, _, given = address.partition(":")
    return _loopback(host), int(given or port)


def _loopback(host: str) -> str:
    if not host.startswith("127."):
        raise BadInput(f"address {host}", "is not loopback", "A simulated site listens on 127.x.y.z only")
    return host


def _wall_s() -> float:
    return time.time_ns() * 1e-9


def _allow_sockets() -> None:
    """Take as many sockets as the system lets us: one per machine and connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
