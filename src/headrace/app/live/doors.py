"""The doors of a live site: real ones by its device file, simulated ones in this process, or both for shadow mode."""

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from headrace.adapters.devicefile.build import COIL_DRIVER, INVERTER_DRIVER
from headrace.adapters.devicefile.checks import DRIVER_PACK
from headrace.adapters.devicefile.schema import CredentialsSection, NodesSection
from headrace.adapters.devicefile.secrets import read_secret, secret_path
from headrace.app.live.factories import factory_drivers
from headrace.app.live.plan import LivePlan
from headrace.control.orders import Order
from headrace.control.ports import Driver, Meters, Signals
from headrace.core import BadInput
from headrace.energy import Series
from headrace.engine.clock import Clock
from headrace.engine.live.measured import OutdoorReading
from headrace.sim.world.conditions import Conditions
from headrace.sim.world.doors import SimMeters, sim_drivers
from headrace.sim.world.world import World

if TYPE_CHECKING:
    from headrace.adapters.equipment.bms import Bms
    from headrace.adapters.equipment.mqtt_telemetry import MqttTelemetry

__all__ = ["Doors", "real_doors", "simulated_doors", "twinned"]


class Doors(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Everything a live site reaches through."""

    drivers: Mapping[str, Driver]
    """Doors to assets, by the name that assets give."""
    meters: Meters
    """Door to meters and counters."""
    signals: tuple[Signals, ...] = ()
    """Where orders come from."""
    observed: Meters | None = None
    """In shadow: the real site's meters, read beside what is decided."""
    world: World | None = None
    """The simulated world behind simulated doors."""
    outdoor: Callable[[], Awaitable[OutdoorReading]] | None = None
    """Asks the outdoor temperature's sensor; None without building management."""


def simulated_doors(plan: LivePlan, clock: Clock, *, series: Mapping[str, Series], seed: int) -> Doors:
    """Doors to a simulated site in this process.

    Parameters
    ----------
    plan, clock
        The site, and its time.
    series
        Its surroundings, by feed role; constants stand in for what is not there.
    seed
        Of everything drawn at random.
    """
    world = World(
        plan.loaded.site,
        plan.devices.inventory,
        start_us=clock.now_us(),
        seed=seed,
        conditions=Conditions(temperature=series.get("temperature"), profiles=dict(series)),
    )
    return Doors(drivers=sim_drivers(world, clock), meters=SimMeters(world, clock), world=world)


def twinned(simulated: Doors, real: Doors) -> Doors:
    """Simulated doors to act through, the real site's meters to look at."""
    return msgspec.structs.replace(simulated, observed=real.meters, outdoor=real.outdoor)


def real_doors(plan: LivePlan, clock: Clock, known: tuple[Order, ...] = ()) -> Doors:
    """Doors to the devices that the device file names.

    Parameters
    ----------
    plan, clock
        The site, and its time.
    known
        Orders in force already, by the journal: doors must not bring them again.

    Raises
    ------
    headrace.core.BadInput
        If packages or secrets are missing, or a path to nodes is not driven by the engine itself.
    """
    try:
        return _real_doors(plan, clock.now_us, known)
    except ModuleNotFoundError as error:
        raise BadInput(
            f"package {error.name}", "is not installed", "pip install 'headrace[live]' brings what real devices need"
        ) from error


def _real_doors(plan: LivePlan, now_us: Callable[[], int], known: tuple[Order, ...]) -> Doors:
    from headrace.adapters.equipment.bms import Bms
    from headrace.adapters.equipment.coils import CoilDriver
    from headrace.adapters.equipment.inverter import InverterDriver
    from headrace.adapters.equipment.meters import EquipmentMeters
    from headrace.adapters.equipment.modbus import ModbusLinks
    from headrace.adapters.grid.doors import grid_doors

    file, links = plan.devices.file, ModbusLinks()
    drivers: dict[str, Driver] = _miners(plan, now_us) | _nodes(plan, now_us) | factory_drivers(plan, now_us)
    if file.contactor or file.cooling:
        drivers[COIL_DRIVER] = CoilDriver(COIL_DRIVER, (*file.contactor, *file.cooling), links, now_us)
    if file.battery is not None:
        drivers[INVERTER_DRIVER] = InverterDriver(INVERTER_DRIVER, file.battery, links, now_us)
    signals = grid_doors(
        file,
        folder=plan.devices.path.parent,
        environ=os.environ,
        now_us=now_us,
        most_mw=plan.loaded.site.connection.import_max_mw,
        known=known,
    )
    telemetry = _telemetry(plan, now_us)
    meters = EquipmentMeters(file, links, now_us, telemetry)
    outdoor = None if file.bms is None else _outdoor(Bms(file.bms, links, now_us, telemetry))
    return Doors(drivers=drivers, meters=meters, signals=signals, outdoor=outdoor)


def _outdoor(bms: "Bms") -> Callable[[], Awaitable[OutdoorReading]]:
    async def read() -> OutdoorReading:
        found = await bms.outdoor()
        return OutdoorReading(temp_c=found.temp_c, reason=found.reason)

    return read


def _telemetry(plan: LivePlan, now_us: Callable[[], int]) -> "MqttTelemetry | None":
    """What the site's broker brings, if it has one."""
    section = plan.devices.file.mqtt
    if section is None:
        return None
    from headrace.adapters.equipment.mqtt_telemetry import MqttTelemetry
    from headrace.adapters.mqtt import MqttEndpoint, MqttLink

    folder = plan.devices.path.parent
    password = "" if section.password is None else str(secret_path(section.password, folder=folder))
    endpoint = MqttEndpoint(
        host=section.host,
        port=section.port,
        client_id=f"headrace-live-{os.getpid()}",
        username=section.user or "",
        password_file=password,
    )
    return MqttTelemetry(MqttLink(endpoint), section.prefix, now_us)


def _miners(plan: LivePlan, now_us: Callable[[], int]) -> dict[str, Driver]:
    """One fleet a dialect."""
    if not plan.devices.miner_groups:
        return {}
    from headrace.adapters.miners.codec import Credentials
    from headrace.adapters.miners.driver_pack import DriverPack
    from headrace.adapters.miners.fleet import FleetLimits, MinerAccess, MinerFleet

    limits = FleetLimits(answer_s=plan.devices.file.limits.send_timeout_s)
    access: dict[str, dict[str, MinerAccess]] = {}
    for section, assets in plan.devices.miner_groups:
        credentials = Credentials(user=section.credentials.user, password=_password(plan, section.credentials))
        each = MinerAccess(dialect=section.dialect, credentials=credentials)
        access.setdefault(section.dialect, {}).update({asset.name: each for asset in assets})
    pack = {name: each.credentials for name, each in access.pop(DRIVER_PACK, {}).items()}
    others = {DRIVER_PACK: DriverPack(pack, now_us=now_us)} if pack else {}
    return others | {
        dialect: MinerFleet(
            of_dialect,
            now_us=now_us,
            monotonic=time.monotonic,  # noqa: TID251  composition: what an adapter's timeouts are told by
            limits=limits,
            name=dialect,
            device_s=lambda: time.time_ns() // 1_000_000_000,
        )
        for dialect, of_dialect in access.items()
    }


def _nodes(plan: LivePlan, now_us: Callable[[], int]) -> dict[str, Driver]:
    """The agents on the nodes: the path that a second's order takes; one driver with one token for all of them."""
    sections = [section for section, _ in plan.devices.node_groups]
    for section in sections:
        if section.path != "agent" or section.token is None:
            raise BadInput(
                f"nodes {section.name!r}",
                f"path {section.path!r}" + ("" if section.token else " without a token"),
                'The engine reaches nodes by their agents: set path = "agent" and token = "file:...", and '
                'scheduler = "slurm" for the accounts that follow',
            )
        if section.token != sections[0].token:
            raise BadInput(f"nodes {section.name!r}", "another token than the group before", "Give all agents one key")
    if not sections or sections[0].token is None:
        return {}
    from headrace.adapters.nodes.fleet import NodeFleet

    secret = read_secret(sections[0].token, folder=plan.devices.path.parent, environ=os.environ)
    fleet = NodeFleet(key=secret.reveal().encode(), now_us=now_us)
    return {sections[0].path: _accounted(sections, fleet)}


def _accounted(sections: list[NodesSection], fleet: Driver) -> Driver:
    """The nodes, with the scheduler that is told afterwards if a group names one."""
    told = [each for each in sections if each.scheduler is not None]
    if not told:
        return fleet
    from headrace.adapters.nodes.accounted import AccountedNodes
    from headrace.adapters.schedulers.slurm import SlurmScheduler

    env = {"PATH": os.environ.get("PATH", os.defpath)}
    conf = next((each.slurm_conf for each in told if each.slurm_conf is not None), None)
    env |= {} if conf is None else {"SLURM_CONF": conf}
    tiers = {name: tier for each in told for name, _, tier in (text.partition("=") for text in each.partitions)}
    return AccountedNodes(fleet, SlurmScheduler(name=told[0].name, tier_of_partition=tiers, env=env))


def _password(plan: LivePlan, section: CredentialsSection) -> str:
    if section.password is None:
        return ""
    return read_secret(section.password, folder=plan.devices.path.parent, environ=os.environ).reveal()
