"""Records made of a checked device file: the inventory that control knows."""

from typing import Final

from headrace.adapters.devicefile.fields import addresses_of, filled
from headrace.adapters.devicefile.schema import DeviceFile, MinersSection, NodesSection
from headrace.adapters.devicefile.schema_doors import DsxFlexSection
from headrace.control.assets import Asset, AssetKind, Feeder, Inventory, WhenLost
from headrace.dispatch.site import Site

__all__ = [
    "COIL_DRIVER",
    "INVERTER_DRIVER",
    "build_inventory",
    "factory_assets",
    "factory_driver",
    "group_assets",
    "load_power_mw",
]

COIL_DRIVER: Final = "coils"
"""Driver of contactors and cooling: Modbus coils with feedback."""
INVERTER_DRIVER: Final = "inverter"
"""Driver of the battery's inverter."""

MW_PER_KW: Final = 1e-3
S_PER_MIN: Final = 60.0


def build_inventory(file: DeviceFile, site: Site) -> Inventory:
    """Inventory of a device file."""
    assets: list[Asset] = []
    groups: tuple[MinersSection | NodesSection, ...] = (*file.miners, *file.nodes)
    for group in groups:
        assets += group_assets(group, file, site)
    for factory in file.dsx_flex:
        assets += factory_assets(factory)
    if file.battery is not None and site.battery is not None:
        assets.append(_battery(file, site))
    assets += _contactors(file)
    assets += _coolings(file)
    return Inventory(
        assets=tuple(assets),
        feeders=tuple(
            Feeder(
                name=each.name,
                meter=each.meter or each.name,
                limit_mw=each.limit_mw,
                ramp_up_max_mw_per_min=each.ramp_up_max_mw_per_min,
                contactor=each.contactor or "",
                cooling=each.cooling or "",
                base_mw=each.base_mw,
            )
            for each in file.feeder
        ),
        site_meter=file.site.meter,
        ramp_up_max_mw_per_min=file.site.ramp_up_max_mw_per_min,
        ramp_down_max_mw_per_min=file.site.ramp_down_max_mw_per_min,
        battery_meter="" if file.battery is None else file.battery.meter,
    )


def factory_assets(factory: DsxFlexSection) -> tuple[Asset, ...]:
    """Feeds of an AI factory; its driver has the factory's name."""
    return tuple(
        Asset(
            name=feed.asset or f"{factory.name}.{feed.tag}",
            kind=AssetKind.NODE,
            load=factory.load,
            feeder=factory.feeder,
            driver=factory_driver(factory),
            address=feed.tag,
            full_mw=feed.full_kw * MW_PER_KW,
            standby_mw=feed.standby_kw * MW_PER_KW,
            least_mw=feed.standby_kw * MW_PER_KW,
            watchdog_s=feed.watchdog_s,
        )
        for feed in factory.feed
    )


def factory_driver(factory: DsxFlexSection) -> str:
    """Name of the driver that reaches an AI factory."""
    return f"dsx-flex.{factory.name}"


def group_assets(group: MinersSection | NodesSection, file: DeviceFile, site: Site) -> tuple[Asset, ...]:
    """Assets of a group, in the order of their addresses.

    Parameters
    ----------
    group
        One of `file.miners` or `file.nodes`.
    file
        The whole file, for the machines of the same load elsewhere in it.
    site
        The site, for the load's power.
    """
    is_miner = isinstance(group, MinersSection)
    full_mw = _full_mw(group, file, site)
    driver = group.dialect if isinstance(group, MinersSection) else group.path
    port = "" if group.port is None else f":{group.port}"
    return tuple(
        Asset(
            name=filled(group.asset, group=group.name, n=n),
            kind=AssetKind.MINER if is_miner else AssetKind.NODE,
            load=group.load,
            feeder=group.feeder,
            driver=driver,
            address=f"{address}{port}",
            full_mw=full_mw,
            standby_mw=group.standby_kw * MW_PER_KW,
            least_mw=None if group.least_kw is None else group.least_kw * MW_PER_KW,
            watchdog_s=group.watchdog_s,
            when_lost=group.when_lost,
            min_off_s=group.min_off_min * S_PER_MIN,
            cycles_per_day_max=group.cycles_per_day_max,
        )
        for n, address in enumerate(_addresses(group), start=1)
    )


def load_power_mw(site: Site) -> dict[str, float]:
    """IT power of every load that assets may be part of, MW."""
    power_mw = {each.name: each.power_mw[-1] for each in site.miners}
    power_mw |= {each.name: each.it_mw for each in site.leases}
    power_mw |= {each.name: each.it_max_mw for each in site.inference}
    return power_mw | {each.name: each.it_max_mw for each in site.job_clusters}


def _full_mw(group: MinersSection | NodesSection, file: DeviceFile, site: Site) -> float:
    if group.full_kw is not None:
        return group.full_kw * MW_PER_KW
    groups: tuple[MinersSection | NodesSection, ...] = (*file.miners, *file.nodes)
    others = [each for each in groups if each.load == group.load]
    left_mw = load_power_mw(site)[group.load]
    left_mw -= sum(each.full_kw * MW_PER_KW * len(_addresses(each)) for each in others if each.full_kw is not None)
    return left_mw / sum(len(_addresses(each)) for each in others if each.full_kw is None)


def _addresses(group: MinersSection | NodesSection) -> tuple[str, ...]:
    return tuple(address for text in group.addresses for address in addresses_of(text))


def _battery(file: DeviceFile, site: Site) -> Asset:
    assert file.battery is not None
    assert site.battery is not None
    battery = file.battery
    return Asset(
        name=battery.name,
        kind=AssetKind.BATTERY,
        load="",
        feeder=battery.feeder,
        driver=INVERTER_DRIVER,
        address=f"{battery.host}:{battery.port}",
        full_mw=max(site.battery.charge_max_mw, site.battery.discharge_max_mw),
        least_mw=0.0,
        watchdog_s=battery.revert_s,
        when_lost=battery.when_lost,
    )


def _contactors(file: DeviceFile) -> list[Asset]:
    switched = {each.contactor: each.name for each in file.feeder}
    return [
        Asset(
            name=each.name,
            kind=AssetKind.CONTACTOR,
            load="",
            feeder=switched.get(each.name, ""),
            driver=COIL_DRIVER,
            address=f"{each.host}:{each.port}",
            full_mw=0.0,
            watchdog_s=each.watchdog_s,
            when_lost=WhenLost.KEEPS,
        )
        for each in file.contactor
    ]


def _coolings(file: DeviceFile) -> list[Asset]:
    return [
        Asset(
            name=each.name,
            kind=AssetKind.COOLING,
            load="",
            feeder=each.feeder,
            driver=COIL_DRIVER,
            address=f"{each.host}:{each.port}",
            full_mw=each.full_kw * MW_PER_KW,
            watchdog_s=each.watchdog_s,
            when_lost=each.when_lost,
        )
        for each in file.cooling
    ]
