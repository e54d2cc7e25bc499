"""A small site whose battery, meters and contactor are reached in process or over real Modbus on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from headrace.adapters.devicefile import LoadedDevices, parse_devices
from headrace.adapters.equipment import CoilDriver, EquipmentMeters, InverterDriver, ModbusLinks
from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.control.commands import Action, Command
from headrace.control.ports import Driver, Meters
from headrace.control.readings import MeterReading
from headrace.sim.equipment import InverterUnit, MeterUnit, ModbusServer, SwitchUnit, manners_of
from headrace.sim.world import Fault, SimMeters, World, sim_drivers

SITES = Path(__file__).resolve().parents[1] / "src/headrace/app/sites"
START_S = 1_700_000_000.0


@dataclass
class SteppedClock:
    """Time that passes when a test says so, or when somebody waits."""

    at_s: float = START_S

    def now_us(self) -> int:
        return round(self.at_s * 1e6)

    async def sleep_until(self, at_s: float) -> None:
        self.at_s = max(self.at_s, at_s)

    async def sleep(self, for_s: float) -> None:
        self.at_s += for_s


@dataclass
class Rig:
    """The doors to one site."""

    world: World
    clock: SteppedClock
    battery: Driver
    coils: Driver
    meters: Meters
    servers: list[ModbusServer] = field(default_factory=list)
    number: int = 0

    def command(self, asset: str, action: Action, power_mw: float | None = None, *, life_s: float = 60.0) -> Command:
        self.number += 1
        return Command(
            id=f"o1.{self.number}",
            asset=asset,
            action=action,
            power_mw=power_mw,
            commanded_us=self.clock.now_us(),
            expires_us=self.clock.now_us() + round(life_s * 1e6),
            reason="test",
        )

    async def meter(self, name: str) -> MeterReading:
        return next(each for each in await self.meters.power() if each.meter == name)

    async def counter(self, name: str) -> int:
        return next(each.total for each in await self.meters.counters() if each.name == name)


def edge_site() -> LoadedSite:
    return load_site(SITES / "edge_500kw.toml")


def edge_text() -> str:
    return (SITES / "edge_500kw.devices.toml").read_text(encoding="utf-8")


def edge_devices(text: str | None = None) -> LoadedDevices:
    return parse_devices(edge_text() if text is None else text, SITES / "edge_500kw.devices.toml", edge_site())


@asynccontextmanager
async def rig(how: str, faults: tuple[Fault, ...] = ()) -> AsyncIterator[Rig]:
    """Doors to the edge site, "in process" or "over Modbus"."""
    clock = SteppedClock()
    devices = edge_devices()
    world = World(edge_site().site, devices.inventory, start_us=clock.now_us(), seed=3, faults=faults)
    if how == "in process":
        drivers = sim_drivers(world, clock)
        yield Rig(world, clock, drivers["inverter"], drivers["coils"], SimMeters(world, clock))
        return
    text, servers = edge_text(), []
    units = {
        '"poi"': MeterUnit(world, "poi", clock.now_us),
        '"rack"': MeterUnit(world, "rack", clock.now_us),
        '"storage"': MeterUnit(world, "storage", clock.now_us),
        "battery": InverterUnit(world, clock.now_us),
        "rack.k1": SwitchUnit(world, {0: "rack.k1"}, {0: "rack.k1"}, clock.now_us),
    }
    for (name, unit), last in zip(units.items(), (1, 2, 3, 4, 5), strict=True):
        server = ModbusServer({1: unit}, lambda name=name: manners_of(world, name.strip('"')))
        _, port = await server.listen("127.0.0.1", 0)
        text = text.replace(f'host = "127.12.0.{last}"\nport = 15020', f'host = "127.0.0.1"\nport = {port}')
        servers.append(server)
    file, links = edge_devices(text).file, ModbusLinks()
    assert file.battery is not None
    short = {"timeout_s": 0.2}
    battery = file.battery.model_copy(update=short)
    coils = [each.model_copy(update=short) for each in file.contactor]
    file = file.model_copy(update={"meter": tuple(each.model_copy(update=short) for each in file.meter)})
    try:
        yield Rig(
            world,
            clock,
            InverterDriver("inverter", battery, links, clock.now_us),
            CoilDriver("coils", coils, links, clock.now_us, clock.sleep),
            EquipmentMeters(file, links, clock.now_us),
            servers,
        )
    finally:
        links.close()
        for server in servers:
            await server.close()
