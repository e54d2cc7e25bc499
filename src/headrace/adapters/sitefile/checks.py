"""What must fit together across tables: names, references, steps, limits, feeds.

Each check takes the whole file and yields findings; all of them run, so that every contradiction is named at once.
"""

from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from headrace.adapters.sitefile.asics import asic_models
from headrace.adapters.sitefile.contracts import contract_findings
from headrace.adapters.sitefile.errors import Finding, Findings
from headrace.adapters.sitefile.explain import did_you_mean
from headrace.adapters.sitefile.jobs import job_findings
from headrace.adapters.sitefile.lines import KeyPath
from headrace.adapters.sitefile.moment import instant
from headrace.adapters.sitefile.owners import owner_findings
from headrace.adapters.sitefile.period import window_of
from headrace.adapters.sitefile.plant import plant_findings
from headrace.adapters.sitefile.reserves import reserve_findings
from headrace.adapters.sitefile.roles import feed_findings
from headrace.adapters.sitefile.schema import SiteFile
from headrace.adapters.sitefile.schema_loads import LeaseSection, MinerSection
from headrace.adapters.sitefile.tariffs import charge_findings
from headrace.core import Currency
from headrace.loads import Firmness

__all__ = ["findings"]

MINUTES_PER_DAY: Final = 24 * 60


def findings(file: SiteFile) -> Findings:
    """Everything that does not fit together in a file whose single fields are right."""
    for check in _CHECKS:
        yield from check(file)


def _time_zone(file: SiteFile) -> Findings:
    zone = file.site.time_zone
    if zone not in available_timezones():
        do = did_you_mean(zone, sorted(available_timezones()))
        yield Finding(
            path=("site", "time_zone"),
            found=f'must be an IANA time zone, was "{zone}"',
            do=do if do.startswith("Did") else 'Write one like "America/Chicago"',
        )
    elif file.replay is not None and window_of(file.replay, ZoneInfo(zone)) is None:
        yield Finding(
            path=("replay", "end"),
            found=f"must be after start, was {file.replay.end} with start {file.replay.start}",
            do="Correct either",
        )


def _steps(file: SiteFile) -> Findings:
    control_min, settlement_min = file.site.control_step_min, file.market.settlement_step_min
    if settlement_min % control_min:
        yield Finding(
            path=("market", "settlement_step_min"),
            found=f"must be a whole number of control steps of {control_min} min, was {settlement_min}",
            do="Change it or site.control_step_min",
        )
    if MINUTES_PER_DAY % settlement_min:
        yield Finding(
            path=("market", "settlement_step_min"),
            found=f"must divide the day, was {settlement_min} min",
            do="Give the market's billing interval, e.g. 5, 15, 30 or 60",
        )


def _names(file: SiteFile) -> Findings:
    """Loads, generators and agreements share one set of names; so do the cooling plants."""
    yield from _repeated(_named(file))
    yield from _repeated([(("cooling", i, "name"), each.name) for i, each in enumerate(file.cooling)])


def _named(file: SiteFile) -> list[tuple[KeyPath, str]]:
    names: list[tuple[KeyPath, str]] = [(("miner", i, "name"), each.name) for i, each in enumerate(file.miner)]
    names += [(("inference", i, "name"), each.name) for i, each in enumerate(file.inference)]
    names += [(("generator", i, "name"), each.name) for i, each in enumerate(file.generator)]
    names += [(("job_cluster", i, "name"), each.name) for i, each in enumerate(file.job_cluster)]
    names += [(("contract", i, "name"), each.name) for i, each in enumerate(file.contract)]
    names += [(("ppa", i, "name"), each.name) for i, each in enumerate(file.ppa)]
    names += [(("hosting", i, "name"), each.name) for i, each in enumerate(file.hosting)]
    names += [(("tenant", i, "name"), each.name) for i, each in enumerate(file.tenant)]
    names += [
        (("cluster", i, "lease", j, "name"), lease.name)
        for i, cluster in enumerate(file.cluster)
        for j, lease in enumerate(cluster.lease)
    ]
    return names


def _repeated(names: list[tuple[KeyPath, str]]) -> Findings:
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            yield Finding(path=path, found=f'must be unique at the site, "{name}" is taken', do="Choose another name")
        seen.add(name)


def _coolings(file: SiteFile) -> Findings:
    for i, plant in enumerate(file.cooling):
        if any(b[0] <= a[0] for a, b in pairwise(plant.pue)):
            found = f"temperatures must rise from point to point, were {[point[0] for point in plant.pue]}"
            yield Finding(path=("cooling", i, "pue"), found=found, do="Sort the points by temperature")
    known = [plant.name for plant in file.cooling]
    asked: list[tuple[KeyPath, str]] = [(("miner", i, "cooling"), each.cooling) for i, each in enumerate(file.miner)]
    asked += [(("cluster", i, "cooling"), each.cooling) for i, each in enumerate(file.cluster)]
    asked += [(("inference", i, "cooling"), each.cooling) for i, each in enumerate(file.inference)]
    for path, name in asked:
        if name not in known:
            do = did_you_mean(name, known) if known else "Add a [[cooling]] table with this name"
            yield Finding(path=path, found=f'must name a [[cooling]] table, was "{name}"', do=do)


def _heat(file: SiteFile) -> Findings:
    loads = [miner.name for miner in file.miner] + [service.name for service in file.inference]
    loads += [lease.name for cluster in file.cluster for lease in cluster.lease]
    for i, heat in enumerate(file.heat):
        if heat.load not in loads:
            found = f'must name a lease, an inference service or a miner, was "{heat.load}"'
            yield Finding(path=("heat", i, "load"), found=found, do=did_you_mean(heat.load, loads))
        if len(set(heat.months)) < len(heat.months):
            found = f"names a month twice: {list(heat.months)}"
            yield Finding(path=("heat", i, "months"), found=found, do="Name each month once")


def _miners(file: SiteFile) -> Findings:
    for i, miner in enumerate(file.miner):
        if (miner.model is None) == (miner.curve is None):
            found = f"must have either model or curve, had {'neither' if miner.model is None else 'both'}"
            yield Finding(path=("miner", i), found=found, do="Give one: a model of the catalogue, or its own points")
        elif miner.model is not None and miner.model not in asic_models():
            found = f'is not in the built-in catalogue: "{miner.model}"'
            do = did_you_mean(miner.model, asic_models())
            yield Finding(path=("miner", i, "model"), found=found, do=f"{do} Or give its `curve`")


def _service(file: SiteFile) -> Findings:
    """Machines and leases that would be gone before they come."""
    if file.site.time_zone not in available_timezones():
        return
    zone = ZoneInfo(file.site.time_zone)
    dated: list[tuple[KeyPath, MinerSection | LeaseSection]] = [
        (("miner", i), each) for i, each in enumerate(file.miner)
    ]
    dated += [
        (("cluster", i, "lease", j), each) for i, of in enumerate(file.cluster) for j, each in enumerate(of.lease)
    ]
    for path, each in dated:
        start, end = each.start, each.end
        if start is not None and end is not None and instant(end, zone) <= instant(start, zone):
            yield Finding(path=(*path, "end"), found=f"must be after start {start}, was {end}", do="Correct either")


def _clusters(file: SiteFile) -> Findings:
    for i, cluster in enumerate(file.cluster):
        let = sum(lease.gpus for lease in cluster.lease)
        if let > cluster.gpus:
            found = f"leases let {let} GPUs, of {cluster.gpus} installed"
            yield Finding(path=("cluster", i, "gpus"), found=found, do="Let fewer or install more")


def _battery(file: SiteFile) -> Findings:
    battery = file.battery
    if battery is None:
        return
    low, high, start = battery.soc_min_ratio, battery.soc_max_ratio, battery.soc_start_ratio
    if low >= high:
        found = f"must be above soc_min_ratio {low:g}, was {high:g}"
        yield Finding(path=("battery", "soc_max_ratio"), found=found, do="Correct either")
    elif not low <= start <= high:
        found = f"must lie within {low:g} to {high:g}, was {start:g}"
        yield Finding(path=("battery", "soc_start_ratio"), found=found, do="Start within the battery's own limits")


def _fx(file: SiteFile) -> Findings:
    if file.site.currency is Currency.USD:
        if file.fx is not None and file.fx.usd_rate_ratio != 1.0:
            found = f"must be 1 at a site in USD, was {file.fx.usd_rate_ratio:g}"
            yield Finding(path=("fx", "usd_rate_ratio"), found=found, do="Leave [fx] out")
    elif file.fx is None:
        yield Finding(
            path=("fx",),
            found="is missing",
            do=f"Add an [fx] table with usd_rate_ratio, {file.site.currency} per US dollar",
        )


def _firm_load(file: SiteFile) -> Findings:
    """Load that may never be cut must fit under the connection and generation at the worst PUE."""
    pue = {plant.name: plant.worst_pue_ratio for plant in file.cooling}
    need_mw = sum(_firm_it_mw(file, cooling) * ratio for cooling, ratio in pue.items())
    need_mw += sum(each.contracted_mw for each in file.tenant)
    generation_mw = sum(generator.capacity_mw for generator in file.generator)
    have_mw = file.connection.import_max_mw + generation_mw
    if need_mw > have_mw:
        yield Finding(
            path=("connection", "import_max_mw"),
            found=(
                f"firm leases and idle GPUs need {need_mw:.3f} MW with cooling at its worst, "
                f"connection and generation give {have_mw:.3f} MW"
            ),
            do="Raise the connection, add generation, or let fewer firm GPUs",
        )


def _firm_it_mw(file: SiteFile, cooling: str) -> float:
    """IT power under one cooling plant that is drawn whatever the price: firm leases, and the rest idle."""
    watts = 0.0
    for cluster in file.cluster:
        if cluster.cooling == cooling:
            for lease in cluster.lease:
                share = 1.0 if lease.firmness is Firmness.FIRM else cluster.idle_ratio
                watts += lease.gpus * cluster.kw_per_gpu * 1e3 * share
    for service in file.inference:
        if service.cooling == cooling:
            watts += service.gpus * service.kw_per_gpu * 1e3 * service.idle_ratio
    return watts / 1e6


_CHECKS: Final = (
    _time_zone,
    _steps,
    _names,
    _coolings,
    _heat,
    _miners,
    _service,
    _clusters,
    _battery,
    _fx,
    owner_findings,
    charge_findings,
    contract_findings,
    reserve_findings,
    plant_findings,
    job_findings,
    feed_findings,
    _firm_load,
)
