"""What must fit together in electrical plant, and the records made of it."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from headrace.adapters.sitefile.errors import Finding, Findings
from headrace.adapters.sitefile.explain import did_you_mean
from headrace.adapters.sitefile.lines import KeyPath
from headrace.adapters.sitefile.moment import instant
from headrace.adapters.sitefile.schema import SiteFile
from headrace.adapters.sitefile.schema_energy import BatterySection, GeneratorSection
from headrace.adapters.sitefile.schema_plant import NonFirmSection, UnitSection
from headrace.energy.plant import (
    Curtailment,
    Feeder,
    NonFirm,
    Outage,
    Plant,
    Transformer,
    Unit,
    Ups,
    active_limit_mw,
    fuel_line,
)

__all__ = ["build_plant", "dispatched_battery", "plant_findings", "plant_notes", "plant_roles", "plant_units"]

BURNS_FUEL: Final = ("gas", "diesel")
"""Kinds of generator that are units, started and stopped."""

FUEL_UNIT: Final = "usd_per_mmbtu"

ROUNDING_MW: Final = 1e-6
"""Two limits closer than this are one."""


def build_plant(file: SiteFile) -> Plant | None:
    """Plant of a site; None where the file declares none."""
    connection = file.connection
    units = tuple(_unit(each, each.unit) for each in file.generator if each.unit is not None)
    ups = _ups(file)
    if not (units or ups or file.transformer or file.feeder or file.outage or connection.non_firm):
        return None
    zone = ZoneInfo(file.site.time_zone)
    total_mva = sum(each.rating_mva for each in file.transformer)
    return Plant(
        units=units,
        transformers=tuple(
            Transformer(
                name=each.name,
                limit_mw=active_limit_mw(
                    each.rating_mva,
                    connection.power_factor_ratio,
                    connection.correction_mvar * each.rating_mva / total_mva,
                ),
            )
            for each in file.transformer
        ),
        is_n_minus_1=connection.security == "n-1",
        feeders=tuple(
            Feeder(name=each.name, limit_mw=active_limit_mw(each.rating_mva, each.power_factor_ratio), loads=each.loads)
            for each in file.feeder
        ),
        outages=tuple(
            Outage(
                element=each.element,
                start_s=_epoch_s(each.start, zone),
                end_s=_epoch_s(each.end, zone),
                known_s=None if each.known is None else _epoch_s(each.known, zone),
            )
            for each in file.outage
        ),
        non_firm=None if connection.non_firm is None else _non_firm(connection.non_firm, zone),
        ups=ups,
    )


def dispatched_battery(file: SiteFile) -> BatterySection | None:
    """The battery that dispatch may use: none that is a UPS, unless its owner says so."""
    battery = file.battery
    return None if battery is None or (battery.kind == "ups" and not battery.dispatchable) else battery


def _epoch_s(moment: date, zone: ZoneInfo) -> int:
    return int(instant(moment, zone).timestamp())


def _unit(generator: GeneratorSection, unit: UnitSection) -> Unit:
    no_load, slope = fuel_line(
        minimum_mw=unit.minimum_mw,
        maximum_mw=generator.capacity_mw,
        min_load_gj_per_mwh=unit.heat_rate_minimum_gj_per_mwh,
        full_load_gj_per_mwh=unit.heat_rate_full_gj_per_mwh,
    )
    return Unit(
        generator=generator.name,
        minimum_mw=unit.minimum_mw,
        maximum_mw=generator.capacity_mw,
        fuel_gj_per_mwh=slope,
        no_load_gj_per_h=no_load,
        fuel_ccy_per_gj=unit.fuel_ccy_per_gj or 0.0,
        fuel_price=unit.fuel_price,
        start_ccy=unit.cost_ccy_per_start,
        start_gj=unit.fuel_gj_per_start,
        start_s=round(unit.start_min * 60),
        up_min_s=round(unit.least_up_min * 60),
        down_min_s=round(unit.least_down_min * 60),
        run_max_h=unit.run_hours_per_year,
        run_used_h=unit.run_hours_used,
    )


def _ups(file: SiteFile) -> tuple[Ups, ...]:
    found = [
        Ups(
            name=each.name,
            discharge_max_mw=each.discharge_max_mw,
            deliverable_mwh=each.capacity_mwh * each.discharge_efficiency_ratio,
        )
        for each in file.ups
    ]
    battery = file.battery
    if battery is not None and battery.kind == "ups":
        kept_ratio = battery.soc_min_ratio if battery.dispatchable else battery.soc_max_ratio
        kept_mwh = battery.capacity_mwh * kept_ratio * battery.discharge_efficiency_ratio
        found.append(Ups(name="battery", discharge_max_mw=battery.discharge_max_mw, deliverable_mwh=kept_mwh))
    return tuple(found)


def _non_firm(section: NonFirmSection, zone: ZoneInfo) -> NonFirm:
    orders = [
        Curtailment(
            start_s=_epoch_s(each.start, zone),
            end_s=_epoch_s(each.end, zone),
            known_s=(
                _epoch_s(each.start, zone) - round(section.notice_min * 60)
                if each.known is None
                else _epoch_s(each.known, zone)
            ),
            granted_mw=each.granted_mw,
        )
        for each in section.order
    ]
    return NonFirm(
        firm_mw=section.firm_mw,
        hours_per_year_h=section.hours_per_year,
        series=section.series,
        orders=tuple(sorted(orders, key=lambda order: order.start_s)),
    )


def plant_notes(file: SiteFile) -> tuple[str, ...]:
    """What a reader of the results should know of the plant."""
    said = []
    connection = file.connection
    if connection.rating_mva is not None:
        said.append(
            f"connection of {connection.rating_mva:g} MVA at power factor {connection.power_factor_ratio:g}: "
            f"import limit {connection.import_max_mw:.2f} MW"
        )
    if file.battery is not None and file.battery.kind == "ups" and not file.battery.dispatchable:
        said.append("the battery is a UPS: not dispatched, counted for no reserve")
    if any(each.unit is not None for each in file.generator):
        said.append(
            "with units that are started and stopped, `bound` is the best commitment found with hindsight, "
            "not a proven maximum"
        )
    return tuple(said)


def plant_units(file: SiteFile) -> dict[str, str]:
    """Unit of each series that plant names."""
    units = {each.unit.fuel_price: FUEL_UNIT for each in file.generator if each.unit and each.unit.fuel_price}
    non_firm = file.connection.non_firm
    return units | ({non_firm.series: "ratio"} if non_firm is not None and non_firm.series else {})


def plant_roles(file: SiteFile) -> dict[str, tuple[KeyPath, str]]:
    """Each series that plant can't do without: the key that asks for it, and what it is."""
    asked: dict[str, tuple[KeyPath, str]] = {}
    for i, each in enumerate(file.generator):
        if each.unit is not None and each.unit.fuel_price is not None:
            asked[each.unit.fuel_price] = (("generator", i, "unit", "fuel_price"), "US dollars per MMBtu")
    non_firm = file.connection.non_firm
    if non_firm is not None and non_firm.series is not None:
        asked[non_firm.series] = (("connection", "non_firm", "series"), "share of non-firm power granted, 0..1")
    return asked


def plant_findings(file: SiteFile) -> Findings:
    """Plant that contradicts itself or names what is not there."""
    yield from _connection(file)
    yield from _units(file)
    yield from _elements(file)
    yield from _feeders(file)
    yield from _outages(file)
    if file.battery is not None and file.battery.dispatchable is not None and file.battery.kind != "ups":
        found = 'has a meaning for kind = "ups" only: any other battery is dispatched'
        yield Finding(path=("battery", "dispatchable"), found=found, do='Leave it out, or write kind = "ups"')


def _connection(file: SiteFile) -> Findings:
    connection, non_firm = file.connection, file.connection.non_firm
    if connection.rating_mva is not None:
        most_mw = active_limit_mw(connection.rating_mva, connection.power_factor_ratio, connection.correction_mvar)
        for key in ("import_max_mw", "export_max_mw"):
            limit_mw = getattr(connection, key)
            if limit_mw > most_mw + ROUNDING_MW:
                found = (
                    f"must be at most {most_mw:.3f} MW, what {connection.rating_mva:g} MVA carry at power factor "
                    f"{connection.power_factor_ratio:g}, was {limit_mw:g}"
                )
                yield Finding(path=("connection", key), found=found, do="Lower it, or correct rating_mva")
    if non_firm is None:
        return
    path: KeyPath = ("connection", "non_firm")
    if non_firm.firm_mw > connection.import_max_mw:
        found = f"must be at most import_max_mw {connection.import_max_mw:g}, was {non_firm.firm_mw:g}"
        yield Finding(path=(*path, "firm_mw"), found=found, do="Correct either")
    if non_firm.series is None and not non_firm.order:
        yield Finding(
            path=path,
            found="says neither by series nor by order when the network curtails",
            do="Give series, or one [[connection.non_firm.order]] for each curtailment",
        )
    for i, order in enumerate(non_firm.order):
        yield from _period((*path, "order", i), order.start, order.end, order.known, file)
        if order.granted_mw > connection.import_max_mw - non_firm.firm_mw + ROUNDING_MW:
            found = (
                f"must be at most the non-firm {connection.import_max_mw - non_firm.firm_mw:g} MW, "
                f"was {order.granted_mw:g}"
            )
            yield Finding(path=(*path, "order", i, "granted_mw"), found=found, do="Correct either")


def _units(file: SiteFile) -> Findings:
    for i, each in enumerate(file.generator):
        path: KeyPath = ("generator", i, "unit")
        if (each.kind in BURNS_FUEL) != (each.unit is not None):
            found = f"is missing for kind {each.kind}" if each.unit is None else f"has no meaning for kind {each.kind}"
            do = "Add a [generator.unit] table" if each.unit is None else "Leave it out, or correct the kind"
            yield Finding(path=path, found=found, do=do)
        if each.unit is None:
            continue
        unit = each.unit
        if unit.minimum_mw > each.capacity_mw:
            found = f"must be at most capacity_mw {each.capacity_mw:g}, was {unit.minimum_mw:g}"
            yield Finding(path=(*path, "minimum_mw"), found=found, do="Correct either")
        elif unit.heat_rate_full_gj_per_mwh * each.capacity_mw < unit.heat_rate_minimum_gj_per_mwh * unit.minimum_mw:
            found = (
                f"gives less fuel at full output than at minimum: {unit.heat_rate_full_gj_per_mwh:g} GJ/MWh at "
                f"{each.capacity_mw:g} MW, {unit.heat_rate_minimum_gj_per_mwh:g} at {unit.minimum_mw:g} MW"
            )
            yield Finding(path=(*path, "heat_rate_full_gj_per_mwh"), found=found, do="Correct either heat rate")
        if unit.fuel_ccy_per_gj is None and unit.fuel_price is None:
            yield Finding(
                path=path, found="has no price of fuel", do="Give fuel_ccy_per_gj, or fuel_price with a series"
            )
        if each.profile is not None or each.must_run_ratio:
            found = "has no meaning for a unit that is started and stopped"
            key = "profile" if each.profile is not None else "must_run_ratio"
            yield Finding(path=("generator", i, key), found=found, do="Leave it out; minimum_mw is its least output")
        if unit.run_hours_per_year is not None and unit.run_hours_used > unit.run_hours_per_year:
            found = f"must be at most run_hours_per_year {unit.run_hours_per_year:g}, was {unit.run_hours_used:g}"
            yield Finding(path=(*path, "run_hours_used"), found=found, do="Correct either")


def _elements(file: SiteFile) -> Findings:
    seen: set[str] = {each.name for each in file.generator}
    named: list[tuple[KeyPath, str]] = [(("transformer", i, "name"), e.name) for i, e in enumerate(file.transformer)]
    named += [(("feeder", i, "name"), each.name) for i, each in enumerate(file.feeder)]
    for path, name in named:
        if name in seen:
            found = f'must be unique among transformers, feeders and generators, "{name}" is taken'
            yield Finding(path=path, found=found, do="Choose another name")
        seen.add(name)
    if len(file.transformer) == 1 and file.connection.security == "n-1":
        yield Finding(
            path=("connection", "security"),
            found="is n-1, but one transformer has no other to take over",
            do='Add the second, or write security = "n"',
        )


def _feeders(file: SiteFile) -> Findings:
    loads = [lease.name for cluster in file.cluster for lease in cluster.lease]
    loads += [each.name for each in file.inference] + [each.name for each in file.miner]
    loads += [each.name for each in file.tenant]
    behind: dict[str, str] = {}
    for i, feeder in enumerate(file.feeder):
        for load in feeder.loads:
            if load not in loads:
                found = f'must name leases, inference services, miners and tenants, named "{load}"'
                yield Finding(path=("feeder", i, "loads"), found=found, do=did_you_mean(load, loads))
            elif load in behind:
                found = f'"{load}" is behind feeder "{behind[load]}" already'
                yield Finding(path=("feeder", i, "loads"), found=found, do="Name each load on one feeder")
            behind.setdefault(load, feeder.name)


def _outages(file: SiteFile) -> Findings:
    known = [each.name for each in file.transformer] + [each.name for each in file.feeder]
    known += [each.name for each in file.generator]
    for i, outage in enumerate(file.outage):
        if outage.element not in known:
            found = f'must name a transformer, a feeder or a generator, was "{outage.element}"'
            do = did_you_mean(outage.element, known) if known else "Declare the element first"
            yield Finding(path=("outage", i, "element"), found=found, do=do)
        yield from _period(("outage", i), outage.start, outage.end, outage.known, file)


def _period(path: KeyPath, start: date, end: date, known: date | None, file: SiteFile) -> Findings:
    """An end before the start, or an announcement after it."""
    if file.site.time_zone not in available_timezones():
        return
    zone = ZoneInfo(file.site.time_zone)
    if instant(end, zone) <= instant(start, zone):
        yield Finding(
            path=(*path, "end"), found=f"must be after start {_told(start)}, was {_told(end)}", do="Correct either"
        )
    if known is not None and instant(known, zone) > instant(start, zone):
        found = f"must not be after start {_told(start)}, was {_told(known)}"
        yield Finding(path=(*path, "known"), found=found, do="Leave it out where nothing was announced")


def _told(moment: date) -> str:
    return moment.isoformat(sep=" ") if isinstance(moment, datetime) else moment.isoformat()
