"""From the checked file to the records of the rooms: machines become megawatts, points become curves."""

from datetime import date
from zoneinfo import ZoneInfo

from headrace.adapters.sitefile.asics import asic_models
from headrace.adapters.sitefile.contracts import build_contracts, contract_notes
from headrace.adapters.sitefile.jobs import build_job_clusters
from headrace.adapters.sitefile.moment import instant
from headrace.adapters.sitefile.owners import build_owners
from headrace.adapters.sitefile.plant import build_plant, dispatched_battery, plant_notes
from headrace.adapters.sitefile.reserves import build_reserves
from headrace.adapters.sitefile.schema import SiteFile
from headrace.adapters.sitefile.schema_energy import BatterySection
from headrace.adapters.sitefile.schema_loads import MinerSection
from headrace.adapters.sitefile.tariffs import build_charges, charge_notes
from headrace.core import epoch_s
from headrace.dispatch.site import DeskRules, Site
from headrace.energy import Battery, Connection, Generator, Market, Ppa, Tariff
from headrace.loads import AiLease, Cooling, HeatOfftake, InferenceService, MinerClass, concave_hull

__all__ = ["build", "notes"]


def build(file: SiteFile) -> Site:
    """Site of a file that has passed every check."""
    return Site(
        name=file.site.name,
        currency=file.site.currency,
        time_zone=file.site.time_zone,
        control_step_s=file.site.control_step_min * 60,
        market=Market(
            name=file.market.name,
            settlement_point=file.market.settlement_point,
            settlement_step_s=file.market.settlement_step_min * 60,
            is_hub=file.market.is_hub,
        ),
        connection=Connection(**file.connection.model_dump(include={"import_max_mw", "export_max_mw"})),
        tariff=Tariff(**file.tariff.model_dump()),
        battery=None if (battery := dispatched_battery(file)) is None else _battery(battery),
        generators=tuple(Generator(**each.model_dump(exclude={"unit"})) for each in file.generator),
        ppas=tuple(Ppa(**each.model_dump()) for each in file.ppa),
        coolings=tuple(
            Cooling(name=each.name, temp_c=tuple(p[0] for p in each.pue), pue_ratio=tuple(p[1] for p in each.pue))
            for each in file.cooling
        ),
        miners=tuple(_miner(each, ZoneInfo(file.site.time_zone)) for each in file.miner),
        leases=_leases(file, ZoneInfo(file.site.time_zone)),
        inference=_inference(file),
        heat=tuple(HeatOfftake(**each.model_dump()) for each in file.heat),
        desk=DeskRules(hold_s=round(file.desk.hold_min * 60), peak_hours_local=file.desk.peak_hours_local),
        usd_rate_ratio=1.0 if file.fx is None else file.fx.usd_rate_ratio,
        **build_owners(file),
        **build_contracts(file),
        reserves=build_reserves(file),
        charges=build_charges(file),
        plant=build_plant(file),
        job_clusters=build_job_clusters(file),
    )


def _battery(battery: BatterySection) -> Battery:
    return Battery(
        charge_max_mw=battery.charge_max_mw,
        discharge_max_mw=battery.discharge_max_mw,
        stored_min_mwh=battery.soc_min_ratio * battery.capacity_mwh,
        stored_max_mwh=battery.soc_max_ratio * battery.capacity_mwh,
        stored_start_mwh=battery.soc_start_ratio * battery.capacity_mwh,
        charge_efficiency_ratio=battery.charge_efficiency_ratio,
        discharge_efficiency_ratio=battery.discharge_efficiency_ratio,
        wear_ccy_per_mwh=battery.wear_ccy_per_mwh,
    )


def _points(miner: MinerSection) -> tuple[tuple[float, float], ...]:
    """Operating points of one machine, W and TH/s."""
    if miner.curve is not None:
        return miner.curve
    return asic_models()[miner.model or ""].curve


def _at(moment: date | None, zone: ZoneInfo) -> int | None:
    return None if moment is None else epoch_s(instant(moment, zone))


def _miner(miner: MinerSection, zone: ZoneInfo) -> MinerClass:
    hull = concave_hull(_points(miner))
    return MinerClass(
        name=miner.name,
        power_mw=tuple(power_w * miner.machines / 1e6 for power_w, _ in hull),
        hashrate_phs=tuple(hashrate_ths * miner.machines / 1e3 for _, hashrate_ths in hull),
        pool_fee_ratio=miner.pool_fee_ratio,
        cooling=miner.cooling,
        start_s=_at(miner.start, zone),
        end_s=_at(miner.end, zone),
    )


def _leases(file: SiteFile, zone: ZoneInfo) -> tuple[AiLease, ...]:
    return tuple(
        AiLease(
            name=lease.name,
            firmness=lease.firmness,
            gpus=lease.gpus,
            it_mw=lease.gpus * cluster.kw_per_gpu / 1e3,
            idle_ratio=cluster.idle_ratio,
            price_ccy_per_gpu_h=lease.price_ccy_per_gpu_h,
            credit_ccy_per_gpu_h=lease.credit_ccy_per_gpu_h,
            cooling=cluster.cooling,
            start_s=_at(lease.start, zone),
            end_s=_at(lease.end, zone),
        )
        for cluster in file.cluster
        for lease in cluster.lease
    )


def _inference(file: SiteFile) -> tuple[InferenceService, ...]:
    return tuple(
        InferenceService(
            name=service.name,
            it_max_mw=service.gpus * service.kw_per_gpu / 1e3,
            idle_ratio=service.idle_ratio,
            wh_per_request=service.wh_per_request,
            value_ccy_per_request=service.value_ccy_per_request,
            demand=service.demand,
            demand_scale_ratio=service.demand_scale_ratio,
            cooling=service.cooling,
        )
        for service in file.inference
    )


def notes(file: SiteFile) -> tuple[str, ...]:
    """What the loader did that a reader of the results should know."""
    said = charge_notes(file)
    for miner in file.miner:
        points = _points(miner)
        kept = len(concave_hull(points)) - 1
        curve = f"the concave hull keeps {kept} of {len(points)} operating points" if kept < len(points) else ""
        source = f"{miner.model} ({asic_models()[miner.model].source})" if miner.model else ""
        if curve or source:
            said.append(f"miner {miner.name}: {'; '.join(part for part in (source, curve) if part)}")
    if file.fx is not None:
        said.append(f"exchange rate held at {file.fx.usd_rate_ratio:g} {file.site.currency} per US dollar")
    said += contract_notes(file)
    said += plant_notes(file)
    return tuple(said)
