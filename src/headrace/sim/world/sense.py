"""What meters and devices of the simulated world say: the truth, unless a fault comes between."""

from collections.abc import Iterable
from typing import Final

from headrace.control.assets import Asset, AssetKind
from headrace.control.readings import AssetReading, CounterReading, MeterReading
from headrace.sim.world.faults import FaultKind
from headrace.sim.world.world import World

__all__ = ["asset_readings", "counter_readings", "feeder_totals_wh", "meter_readings"]

US_PER_S: Final = 1_000_000
WS_PER_WH: Final = 3600.0
CHIP_ABOVE_AIR_C: Final = 40.0
"""How much hotter a chip at full power is than its hall (assumption)."""
RUNS_ABOVE_RATIO: Final = 0.02
"""Share of its power above standby from which a machine says that it works."""

SILENT: Final = {
    FaultKind.LINK: "no connection",
    FaultKind.DEAF: "no answer",
    FaultKind.MUTE: "no answer",
    FaultKind.GARBLED: "answer is no reply",
}


def asset_readings(world: World, assets: Iterable[Asset]) -> tuple[AssetReading, ...]:
    """What some assets say of themselves."""
    silent = world.faults.kinds & SILENT.keys()
    return tuple(_reading(world, each, silent) for each in assets)


def meter_readings(world: World) -> tuple[MeterReading, ...]:
    """Power of every meter that answers."""
    power_w = world.feeder_w()
    net_w = float(power_w.sum()) - world.generated_w()
    found = {world.inventory.site_meter: net_w}
    found |= {each.meter: float(power_w[i]) for i, each in enumerate(world.layout.feeders) if each is not None}
    soc_ratio = None
    if world.storage is not None and world.inventory.battery_meter:
        found[world.inventory.battery_meter] = world.storage.power_w
        soc_ratio = world.storage.soc_ratio
    readings = []
    for name, watts in found.items():
        if world.faults.of(FaultKind.METER_GAP, name) is not None:
            continue
        reading = MeterReading(
            meter=name,
            at_us=_stamp(world, name),
            power_w=round(watts),
            soc_ratio=soc_ratio if name == world.inventory.battery_meter else None,
        )
        readings.append(world.frozen(name, reading))
    return tuple(readings)


def counter_readings(world: World) -> tuple[CounterReading, ...]:
    """Running totals of every counter that answers."""
    totals = dict(world.totals.counters())
    meter_of = dict.fromkeys(("import_wh", "export_wh"), world.inventory.site_meter)
    if world.storage is not None:
        totals["charge_wh"] = int(world.storage.charged_ws / WS_PER_WH)
        totals["discharge_wh"] = int(world.storage.discharged_ws / WS_PER_WH)
        meter_of |= dict.fromkeys(("charge_wh", "discharge_wh"), world.inventory.battery_meter)
    readings = []
    for name, total in totals.items():
        meter = meter_of.get(name, name)
        if world.faults.of(FaultKind.METER_GAP, meter) is not None:
            continue
        told = world.since_reset(meter, name, total)
        readings.append(CounterReading(name=name, at_us=_stamp(world, meter), total=told))
    return tuple(readings)


def feeder_totals_wh(world: World, meter: str) -> tuple[int, int]:
    """Energy a meter has seen drawn and fed back, Wh; the site's, a battery's or a feeder's."""
    if meter == world.inventory.site_meter:
        drawn_ws, fed_ws = world.totals.import_ws, world.totals.export_ws
    elif meter == world.inventory.battery_meter and world.storage is not None:
        drawn_ws, fed_ws = world.storage.charged_ws, world.storage.discharged_ws
    else:
        i = next(i for i, each in enumerate(world.layout.feeders) if each is not None and each.meter == meter)
        drawn_ws, fed_ws = float(world.totals.feeder_in_ws[i]), float(world.totals.feeder_out_ws[i])
    drawn = world.since_reset(meter, f"{meter} drawn", int(drawn_ws / WS_PER_WH))
    return drawn, world.since_reset(meter, f"{meter} fed", int(fed_ws / WS_PER_WH))


def _reading(world: World, asset: Asset, silent: frozenset[FaultKind]) -> AssetReading:
    for kind in silent:
        if world.faults.of(kind, asset.name) is not None:
            return AssetReading(asset=asset.name, at_us=world.now_us, is_running=None, reason=SILENT[kind])
    at_us = _stamp(world, asset.name)
    if asset.kind is AssetKind.BATTERY and world.storage is not None:
        watts = round(world.storage.power_w)
        return AssetReading(asset=asset.name, at_us=at_us, is_running=watts != 0, power_w=watts)
    i = world.layout.index.get(asset.name)
    if i is None:
        return AssetReading(asset=asset.name, at_us=at_us, is_running=world.circuits.is_on(asset.name))
    machines = world.machines
    if not machines.is_supplied[i]:
        return AssetReading(asset=asset.name, at_us=at_us, is_running=None, reason="no connection")
    watts_claimed, standby_w, span_w = (
        float(machines.power_w[i]),
        float(machines.standby_w[i]),
        float(machines.span_w[i]),
    )
    claimed_w = world.claims.get(asset.name)
    if claimed_w is not None and world.faults.of(FaultKind.LYING, asset.name) is not None:
        watts_claimed = claimed_w
    ratio = min(max((watts_claimed - standby_w) / span_w, 0.0), 1.0)
    hall_c = float(world.circuits.hall_c[world.layout.feeder_of[i]])
    return AssetReading(
        asset=asset.name,
        at_us=at_us,
        is_running=ratio > RUNS_ABOVE_RATIO or world.is_idle_server(i),
        power_w=round(watts_claimed),
        work_ratio=ratio,
        temp_c=hall_c + CHIP_ABOVE_AIR_C * ratio,
        asked_w=round(world.asked_w(i)) if world.is_server(i) else None,
    )


def _stamp(world: World, name: str) -> int:
    """Time by a device's own clock, epoch microseconds."""
    skew = world.faults.of(FaultKind.CLOCK_SKEW, name)
    return world.now_us if skew is None else world.now_us + round(skew.value * US_PER_S)
