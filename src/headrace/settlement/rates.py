"""A site's contractual prices as integers, turned once from the floats of its file.

Settlement then divides integers only. A price per request is too small for a micro-unit, so inference is priced per
million requests.
"""

import msgspec

from headrace.core import micro
from headrace.dispatch.site import Site
from headrace.loads import Firmness, Hosting, PowerPrice, ShellTenant
from headrace.settlement.jobs import JobRate
from headrace.settlement.owners import HostingRate, ShellRate
from headrace.settlement.position import PositionRates, position_rates

__all__ = ["Rates", "rates_of"]


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What each metered unit is billed at, micro-units of the site's currency; tuples follow the site's order."""

    import_adder_micro_per_mwh: int
    """Added to the market price of every imported MWh."""
    export_deduction_micro_per_mwh: int
    """Taken off the market price of every exported MWh."""
    peak_micro_per_mw: int
    """Charge on each MW of the local month's highest control-interval import."""
    wear_micro_per_mwh: int
    """Battery wear per MWh fed to the bus."""
    generation_micro_per_mwh: tuple[int, ...]
    """Marginal cost of each on-site generator; negative where output earns a credit."""
    ppa_strike_micro_per_mwh: tuple[int, ...]
    """Strike of each power purchase agreement."""
    lease_is_firm: tuple[bool, ...]
    """Which lines a lease's rent belongs to."""
    lease_price_micro_per_gpu_h: tuple[int, ...]
    """Rent of each lease per delivered GPU-hour."""
    lease_credit_micro_per_gpu_h: tuple[int, ...]
    """Service credit of each lease per GPU-hour not delivered."""
    inference_micro_per_million: tuple[int, ...]
    """Revenue of each service per million served requests."""
    pool_fee_ppm: tuple[int, ...]
    """Pool's share of each miner class's revenue, parts per million."""
    heat_micro_per_mwh: tuple[int, ...]
    """Price of each off-take per MWh of heat."""
    hosting: tuple[HostingRate, ...] = ()
    """Prices of each hosting contract."""
    host_of: tuple[int | None, ...] = ()
    """Hosting contract of each miner class; None, or nothing at all, for the site's own."""
    shell: tuple[ShellRate, ...] = ()
    """Prices of each powered-shell tenant."""
    start_micro: tuple[int, ...] = ()
    """Cost of a start of each unit, fuel aside."""
    position: PositionRates | None = None
    """Supply contracts; None without any."""
    jobs: tuple[JobRate, ...] = ()
    """Worth of each batch job of the run, in the order of its list."""


def rates_of(site: Site) -> Rates:
    """Turn a site's prices into integers, each half to even; make them once per run."""
    tariff, battery = site.tariff, site.battery
    return Rates(
        import_adder_micro_per_mwh=micro(tariff.import_adder_ccy_per_mwh),
        export_deduction_micro_per_mwh=micro(tariff.export_deduction_ccy_per_mwh),
        peak_micro_per_mw=micro(tariff.peak_charge_ccy_per_mw_month),
        wear_micro_per_mwh=0 if battery is None else micro(battery.wear_ccy_per_mwh),
        generation_micro_per_mwh=tuple(micro(g.marginal_cost_ccy_per_mwh) for g in site.generators),
        ppa_strike_micro_per_mwh=tuple(micro(p.strike_ccy_per_mwh) for p in site.ppas),
        lease_is_firm=tuple(lease.firmness is Firmness.FIRM for lease in site.leases),
        lease_price_micro_per_gpu_h=tuple(micro(lease.price_ccy_per_gpu_h) for lease in site.leases),
        lease_credit_micro_per_gpu_h=tuple(micro(lease.credit_ccy_per_gpu_h) for lease in site.leases),
        inference_micro_per_million=tuple(micro(s.value_ccy_per_request * 1e6) for s in site.inference),
        pool_fee_ppm=tuple(micro(m.pool_fee_ratio) for m in site.miners),
        heat_micro_per_mwh=tuple(micro(h.price_ccy_per_mwh) for h in site.heat),
        hosting=tuple(_hosting(each, site) for each in site.hosting),
        host_of=_host_of(site),
        shell=tuple(_shell(each) for each in site.tenants),
        start_micro=() if site.plant is None else tuple(micro(unit.start_ccy) for unit in site.plant.units),
        position=position_rates(site.contracts, tuple(each.at_hub for each in site.ppas)),
    )


def _host_of(site: Site) -> tuple[int | None, ...]:
    """Hosting contract of each miner class; empty where nothing is hosted."""
    host = {each.miner: i for i, each in enumerate(site.hosting)}
    return tuple(host.get(miner.name) for miner in site.miners) if host else ()


def _hosting(contract: Hosting, site: Site) -> HostingRate:
    miner = next(each for each in site.miners if each.name == contract.miner)
    return HostingRate(
        is_fixed=contract.power_price is PowerPrice.FIXED,
        price_micro_per_mwh=micro(contract.price_ccy_per_mwh),
        profit_share_ppm=micro(contract.profit_share_ratio),
        curtailment_share_ppm=micro(contract.curtailment_share_ratio),
        credit_micro_per_mwh=micro(contract.credit_ccy_per_mwh),
        full_w=round(miner.power_mw[-1] * 1e6),
        guaranteed_ppm=micro(contract.guaranteed_uptime_ratio),
        free_s=round(contract.free_curtailment_h * 3600.0),
    )


def _shell(tenant: ShellTenant) -> ShellRate:
    return ShellRate(
        is_fixed=tenant.power_price is PowerPrice.FIXED,
        price_micro_per_mwh=micro(tenant.price_ccy_per_mwh),
        rent_micro_per_mw_h=micro(tenant.rent_ccy_per_mw_h),
        contracted_w=round(tenant.contracted_mw * 1e6),
        take_or_pay_ppm=micro(tenant.take_or_pay_ratio),
        credit_micro_per_mwh=micro(tenant.availability_credit_ccy_per_mwh),
    )
