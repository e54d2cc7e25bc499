"""A site's contractual prices as integers, turned once from the floats of its file.

Settlement then divides integers only. A price per request is too small for a micro-unit, so inference is priced per
million requests.
"""

import msgspec

from headrace.core import micro
from headrace.dispatch.site import Site
from headrace.loads import Firmness

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
    )
