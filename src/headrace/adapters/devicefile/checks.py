"""What must fit together in a device file, and with its site file: names, references, powers, doors.

Each check takes everything and yields findings; all of them run, so that every contradiction is named at once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import Final

import msgspec

from headrace.adapters.devicefile.build import factory_assets, group_assets, load_power_mw
from headrace.adapters.devicefile.schema import DeviceFile, MinersSection, NodesSection
from headrace.adapters.miners.dialects import DIALECTS
from headrace.adapters.sitefile.errors import Finding, Findings
from headrace.adapters.sitefile.explain import did_you_mean
from headrace.adapters.sitefile.lines import KeyPath
from headrace.control.assets import Asset
from headrace.dispatch.site import Site

__all__ = ["COUNTED_BY_METERS", "LOAD_TOLERANCE_RATIO", "device_findings", "device_notes"]

DRIVER_PACK: Final = "driver-pack"
"""Dialect of miners that pyasic-rs drives, in a process of its own."""

LOAD_TOLERANCE_RATIO: Final = 0.02
"""How far the power of a load's assets may be from the site file's: nameplates are rounded."""

COUNTED_BY_METERS: Final = ("import_wh", "export_wh", "charge_wh", "discharge_wh", "it_wh", "generated_wh")
"""Counters that a meter may be; one per generator is followed by a dot and its name."""

COUNTERS: Final = (
    *COUNTED_BY_METERS,
    "use_wh",
    "lease_delivered_gpu_s",
    "lease_short_gpu_s",
    "requests_served",
    "requests_asked",
    "work_ph",
    "heat_wh",
    "ppa_wh",
    "shell_wh",
)
"""Running totals that settlement knows, without the name that follows."""

LOAD_MW: Final = 1e-9
"""Two powers closer than this are one, MW."""


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a check looks at."""

    file: DeviceFile
    site: Site
    feeds: frozenset[str]
    made: dict[MinersSection | NodesSection, tuple[Asset, ...]]
    """Assets of each group, made once: every check asks for them."""

    def groups(self) -> Iterator[tuple[KeyPath, MinersSection | NodesSection]]:
        """Every group of assets with its place in the file."""
        yield from ((("miners", i), each) for i, each in enumerate(self.file.miners))
        yield from ((("nodes", i), each) for i, each in enumerate(self.file.nodes))

    def assets(self, group: MinersSection | NodesSection) -> tuple[Asset, ...]:
        """Assets of a group whose load exists; none otherwise."""
        if group not in self.made:
            is_known = group.load in load_power_mw(self.site)
            self.made[group] = group_assets(group, self.file, self.site) if is_known else ()
        return self.made[group]


def device_findings(file: DeviceFile, site: Site, feeds: Iterable[str]) -> Findings:
    """Everything that does not fit together in a device file whose single fields are right."""
    known = _Known(file=file, site=site, feeds=frozenset(feeds), made={})
    for check in _CHECKS:
        yield from check(known)


def device_notes(file: DeviceFile, site: Site) -> tuple[str, ...]:
    """What a reader should know of a file that is right: loads that nothing here reaches."""
    reached = {each.load for each in (*file.miners, *file.nodes)} | {each.load for each in file.dsx_flex}
    missing = sorted(set(load_power_mw(site)) - reached)
    return (f"no device of {', '.join(missing)}: control can't move it",) if missing else ()


def _names(known: _Known) -> Findings:
    file = known.file
    assets = [(path, name) for path, group in known.groups() for name in (a.name for a in known.assets(group))]
    for i, factory in enumerate(file.dsx_flex):
        assets += [(("dsx_flex", i, "feed", j), each.name) for j, each in enumerate(factory_assets(factory))]
    assets += [] if file.battery is None else [(("battery", "name"), file.battery.name)]
    assets += [(("contactor", i, "name"), each.name) for i, each in enumerate(file.contactor)]
    assets += [(("cooling", i, "name"), each.name) for i, each in enumerate(file.cooling)]
    feeders = [(("feeder", i, "name"), each.name) for i, each in enumerate(file.feeder)]
    meters = [(("meter", i, "name"), each.name) for i, each in enumerate(file.meter)]
    # A lock-out names an asset or a feeder, so these share one set of names; meters have their own.
    for names in ([*assets, *feeders], meters):
        seen: set[str] = set()
        told: set[KeyPath] = set()
        for path, name in names:
            if name in seen and path not in told:
                told.add(path)
                yield Finding(path=path, found=f'must be unique, "{name}" is taken', do="Choose another name")
            seen.add(name)


def _references(known: _Known) -> Findings:
    file, site = known.file, known.site
    feeders = [each.name for each in file.feeder]
    meters = [each.name for each in file.meter]
    asked: list[tuple[KeyPath, str, list[str], str]] = [(("site", "meter"), file.site.meter, meters, "[[meter]]")]
    for i, feeder in enumerate(file.feeder):
        at: KeyPath = ("feeder", i)
        asked.append(((*at, "meter"), feeder.meter or feeder.name, meters, "[[meter]]"))
        if feeder.contactor is not None:
            asked.append(((*at, "contactor"), feeder.contactor, [c.name for c in file.contactor], "[[contactor]]"))
        if feeder.cooling is not None:
            asked.append(((*at, "cooling"), feeder.cooling, [c.name for c in file.cooling], "[[cooling]]"))
        tenants = [each.name for each in site.tenants]
        asked += [((*at, "tenants"), name, tenants, "[[tenant]] of the site file") for name in feeder.tenants]
    loads = sorted(load_power_mw(site))
    for path, group in known.groups():
        asked.append(((*path, "load"), group.load, loads, "load of the site file"))
        asked.append(((*path, "feeder"), group.feeder, feeders, "[[feeder]]"))
    for i, miners in enumerate(file.miners):
        asked.append((("miners", i, "dialect"), miners.dialect, [*DIALECTS, DRIVER_PACK], "dialect"))
    for i, factory in enumerate(file.dsx_flex):
        asked.append((("dsx_flex", i, "load"), factory.load, loads, "load of the site file"))
        asked.append((("dsx_flex", i, "feeder"), factory.feeder, feeders, "[[feeder]]"))
    for i, cooling in enumerate(file.cooling):
        plants = [each.name for each in site.coolings]
        asked.append((("cooling", i, "feeder"), cooling.feeder, feeders, "[[feeder]]"))
        asked.append((("cooling", i, "cooling"), cooling.cooling, plants, "[[cooling]] of the site file"))
    if file.battery is not None:
        asked.append((("battery", "feeder"), file.battery.feeder, feeders, "[[feeder]]"))
        asked.append((("battery", "meter"), file.battery.meter, meters, "[[meter]]"))
    if file.bms is not None and not file.bms.over_mqtt:
        asked.append((("bms", "outdoor"), file.bms.outdoor, [each.name for each in file.bms.sensor], "[[bms.sensor]]"))
    for path, name, among, what in asked:
        if name not in among:
            do = did_you_mean(name, among) if among else f"Add a {what} with this name"
            yield Finding(path=path, found=f'must name a {what}, was "{name}"', do=do)
    for role in sorted(set(file.limits.feed_age_max_min) - known.feeds):
        path = ("limits", "feed_age_max_min", role)
        yield Finding(path=path, found="is no role in [feeds] of the site file", do=did_you_mean(role, known.feeds))


def _contactors(known: _Known) -> Findings:
    switched = Counter(each.contactor for each in known.file.feeder if each.contactor is not None)
    for i, each in enumerate(known.file.contactor):
        if switched[each.name] != 1:
            found = f"must switch one feeder, {switched[each.name]} feeders name it"
            yield Finding(path=("contactor", i, "name"), found=found, do="Name it in one [[feeder]]")


def _battery(known: _Known) -> Findings:
    if (known.file.battery is None) != (known.site.battery is None):
        found = f"is missing in the {'site' if known.file.battery is not None else 'device'} file"
        yield Finding(path=("battery",), found=found, do="Declare it in both, or in neither")


def _powers(known: _Known) -> Findings:
    """A group's own figures, and each load's sum against the site file."""
    power_mw = load_power_mw(known.site)
    of_load: dict[str, float] = {}
    last: dict[str, KeyPath] = {}
    for path, group in known.groups():
        assets = known.assets(group)
        if not assets:
            continue
        full_mw, standby_mw, least_mw = assets[0].full_mw, assets[0].standby_mw, assets[0].least_mw
        if not standby_mw < full_mw:
            found = f"must be below the full power of {full_mw * 1e3:g} kW, was {standby_mw * 1e3:g}"
            yield Finding(path=(*path, "standby_kw"), found=found, do="Correct either")
        if least_mw is not None and not standby_mw < least_mw <= full_mw + LOAD_MW:
            found = f"must lie above standby_kw, at most at full power, was {least_mw * 1e3:g}"
            yield Finding(path=(*path, "least_kw"), found=found, do="Correct either")
        of_load[group.load] = of_load.get(group.load, 0.0) + full_mw * len(assets)
        last[group.load] = path
    for i, factory in enumerate(known.file.dsx_flex):
        if factory.load not in power_mw:
            continue
        for j, feed in enumerate(factory.feed):
            if not feed.standby_kw < feed.full_kw:
                found = f"must be below the full power of {feed.full_kw:g} kW, was {feed.standby_kw:g}"
                yield Finding(path=("dsx_flex", i, "feed", j, "standby_kw"), found=found, do="Correct either")
            of_load[factory.load] = of_load.get(factory.load, 0.0) + feed.full_kw * 1e-3
            last[factory.load] = ("dsx_flex", i, "feed", j)
    for load, have_mw in of_load.items():
        want_mw = power_mw[load]
        if abs(have_mw - want_mw) > LOAD_TOLERANCE_RATIO * want_mw:
            found = f'assets of "{load}" draw {have_mw:.4g} MW, the site file gives it {want_mw:.4g} MW'
            do = f"Correct full_kw or the addresses; they may differ by {LOAD_TOLERANCE_RATIO:.0%}"
            yield Finding(path=(*last[load], "full_kw"), found=found, do=do)


def _feeder_limits(known: _Known) -> Findings:
    file, site = known.file, known.site
    tenants_mw = {each.name: each.contracted_mw for each in site.tenants}
    for i, feeder in enumerate(file.feeder):
        parts = [feeder.base_mw, *(tenants_mw.get(name, 0.0) for name in feeder.tenants)]
        parts += [a.full_mw for _, group in known.groups() if group.feeder == feeder.name for a in known.assets(group)]
        parts += [f.full_kw * 1e-3 for each in file.dsx_flex if each.feeder == feeder.name for f in each.feed]
        if file.battery is not None and file.battery.feeder == feeder.name and site.battery is not None:
            parts.append(site.battery.charge_max_mw)
        if sum(parts) > feeder.limit_mw + LOAD_MW:
            found = f"must carry what hangs on it, {sum(parts):.4g} MW, was {feeder.limit_mw:g}"
            yield Finding(path=("feeder", i, "limit_mw"), found=found, do="Move devices off it, or correct it")


def _addresses(known: _Known) -> Findings:
    seen: set[str] = set()
    for path, group in known.groups():
        taken = next((a.address for a in known.assets(group) if a.address in seen), None)
        seen |= {a.address for a in known.assets(group)}
        if taken is not None:
            yield Finding(path=(*path, "addresses"), found=f"{taken} is taken by another group", do="Correct either")


def _meters(known: _Known) -> Findings:
    generators = {f"generated_wh.{each.name}" for each in known.site.generators}
    counters = (*COUNTED_BY_METERS[:-1], *sorted(generators))
    for i, meter in enumerate(known.file.meter):
        path: KeyPath = ("meter", i)
        if meter.protocol == "mqtt" and known.file.mqtt is None:
            yield Finding(path=(*path, "protocol"), found="is mqtt, and there is no [mqtt] table", do="Add one")
        if meter.protocol != "mqtt" and meter.host is None:
            yield Finding(path=(*path, "host"), found="is missing", do="Add host: the meter's address")
        if meter.protocol == "modbus" and meter.power is None:
            yield Finding(path=(*path, "power"), found="is missing", do="Add power: where its net power lies")
        for key, counter in (("counts_imported", meter.counts_imported), ("counts_exported", meter.counts_exported)):
            if counter is not None and counter not in counters:
                found = f'is no counter: "{counter}"'
                yield Finding(path=(*path, key), found=found, do=did_you_mean(counter, counters))


def _doors(known: _Known) -> Findings:
    file = known.file
    if not (_is_loopback(file.api.bind) or file.api.allow_remote):
        found = f'must be a loopback address, was "{file.api.bind}"'
        yield Finding(path=("api", "bind"), found=found, do="Set api.allow_remote = true if others may reach it")
    if file.mqtt is not None and file.mqtt.password is not None and not file.mqtt.password.startswith("file:"):
        yield Finding(path=("mqtt", "password"), found="must be kept in a file", do='Write "file:PATH"')
    for i, counter in enumerate(file.counter):
        if counter.name.partition(".")[0] not in COUNTERS:
            yield Finding(
                path=("counter", i, "name"),
                found=f'is no counter of settlement: "{counter.name}"',
                do=did_you_mean(counter.name.partition(".")[0], COUNTERS),
            )
    if file.mqtt is None and (file.dsx_flex or (file.bms is not None and file.bms.over_mqtt)):
        path: KeyPath = ("dsx_flex",) if file.dsx_flex else ("bms", "over_mqtt")
        yield Finding(path=path, found="needs a broker, and there is no [mqtt] table", do="Add one")


def _is_loopback(host: str) -> bool:
    try:
        return IPv4Address(host).is_loopback
    except ValueError:
        return host == "localhost"


_CHECKS: Final = (
    _names,
    _references,
    _contactors,
    _battery,
    _powers,
    _feeder_limits,
    _addresses,
    _meters,
    _doors,
)
