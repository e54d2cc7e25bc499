"""Meters and prices in, one statement out: the arithmetic of what is owed, in integers.

Energy lines   amount = Wh × micro-units per MWh / 10⁶
Leases         amount = GPU-seconds × micro-units per GPU-hour / 3600
Mining         sats   = floor(work × 10¹⁵ × block reward / (difficulty × 2³²)), the expected reward of that many hashes;
               the fee is rounded up, so the payout is rounded down; both are valued at the interval's fair price
Peak           accrual = P(highest so far) − P(highest before), with P(W) = W × micro-units per MW / 10⁶ to the nearest,
               so that a month's accruals add up to P(month's highest) with no remainder

What a division rounds to, and so who gains by less than one unit:
    market energy, adders, agreements, peak, generation, wear    nearest     nobody
    rent, inference, heat (each contract, each interval)         down        the customer
    service credits (each lease, each interval)                  up          the customer
    expected reward and payout (each miner class)                down        the pool
    fair value of satoshis                                       nearest     nobody
    owners and tenants: see `headrace.settlement.owners`; batch jobs: see `headrace.settlement.jobs`
"""

from typing import Final

from headrace.core import SATS_PER_BTC, divide_down, divide_nearest, divide_up
from headrace.settlement.charges import fixed_micro, transmission_micro
from headrace.settlement.jobs import settle_jobs
from headrace.settlement.metering import MeteredInterval, SettlementPrices
from headrace.settlement.owners import OwnerLine, settle_hosting, settle_shell
from headrace.settlement.plant import fuel_micro, starts_micro
from headrace.settlement.position import NO_POSITION, PositionLines, settle_position
from headrace.settlement.rates import Rates
from headrace.settlement.statement import Statement

__all__ = ["close", "expected_sats"]

WH_PER_MWH: Final = 1_000_000
W_PER_MW: Final = 1_000_000
S_PER_H: Final = 3600
PPM: Final = 1_000_000
HASHES_PER_PH: Final = 10**15
HASHES_PER_DIFFICULTY: Final = 2**32
"""Expected hashes per block at difficulty 1 (Bitcoin developer reference, "target nBits"; 2³² within 1.6e-5)."""


def close(
    rates: Rates,
    meters: MeteredInterval,
    prices: SettlementPrices,
    *,
    peak_before_w: int,
    hosted_left_wh: tuple[int | None, ...] = (),
    taken_before_wh: int = 0,
) -> Statement:
    """Settle one interval.

    Parameters
    ----------
    rates
        The site's prices, from `rates_of`.
    meters
        What was metered; its tuples follow the site's order.
    prices
        Market price, network facts and fair value of the interval.
    peak_before_w
        Highest control-interval import of the local month before this interval, W.
    hosted_left_wh
        What is left of each hosting contract's allowance for the local month, IT Wh; None where nothing is guaranteed.
    taken_before_wh
        Import of the local month before this interval.
    """
    market = prices.energy_micro_per_mwh
    firm, curtailable, credits_owed = _leases(rates, meters)
    gross_sats, net_sats = _mining(rates, meters, prices)
    gross_value = divide_nearest(gross_sats * prices.btc_micro, SATS_PER_BTC)
    net_value = divide_nearest(net_sats * prices.btc_micro, SATS_PER_BTC)
    peak_w = max(meters.import_peak_w, peak_before_w)
    hosts = _hosts(rates, meters, prices, hosted_left_wh)
    tenants = tuple(
        settle_shell(rate, meter, energy_micro_per_mwh=_all_in(rates, prices), duration_s=meters.duration_s)
        for rate, meter in zip(rates.shell, meters.shell, strict=True)
    )
    bought = _position(rates, meters, prices, taken_before_wh)
    jobs, job_penalties = settle_jobs(rates.jobs, meters.jobs)
    return Statement(
        interval_start_s=meters.interval_start_s,
        duration_s=meters.duration_s,
        is_estimated=prices.is_estimated,
        import_wh=meters.import_wh,
        export_wh=meters.export_wh,
        mining_sats=net_sats,
        owners=hosts + tenants,
        energy_bought=-divide_nearest(meters.import_wh * market, WH_PER_MWH),
        energy_sold=divide_nearest(meters.export_wh * market, WH_PER_MWH),
        adders=-divide_nearest(
            meters.import_wh * (rates.import_adder_micro_per_mwh + prices.charges.adder_micro_per_mwh)
            + meters.export_wh * rates.export_deduction_micro_per_mwh,
            WH_PER_MWH,
        ),
        mining=gross_value,
        pool_fees=net_value - gross_value,
        ai_firm=firm,
        ai_curtailable=curtailable,
        inference=_invoiced(meters.requests_served, rates.inference_micro_per_million),
        heat=_invoiced(meters.heat_wh, rates.heat_micro_per_mwh),
        service_credits=-credits_owed,
        ppa=sum(
            divide_nearest(wh * (market - strike), WH_PER_MWH)
            for wh, strike in zip(meters.ppa_wh, rates.ppa_strike_micro_per_mwh, strict=True)
        ),
        peak=_peak_charge(rates, prices, peak_before_w) - _peak_charge(rates, prices, peak_w),
        generation=-sum(
            divide_nearest(wh * cost, WH_PER_MWH)
            for wh, cost in zip(meters.generated_wh, rates.generation_micro_per_mwh, strict=True)
        )
        - fuel_micro(meters.units, prices.fuel_micro_per_gj),
        starts=-starts_micro(meters.units, rates.start_micro),
        wear=-divide_nearest(meters.discharge_wh * rates.wear_micro_per_mwh, WH_PER_MWH),
        hosting=sum(each.power + each.further for each in hosts),
        hosting_payouts=-sum(each.credits for each in hosts),
        shell=sum(each.power + each.further - each.credits for each in tenants),
        day_ahead=bought.day_ahead,
        hedge=bought.hedge,
        basis=bought.basis,
        supply_fees=bought.supply_fees,
        jobs=jobs,
        job_penalties=-job_penalties,
        fixed_charges=-fixed_micro(prices.charges),
        transmission=-transmission_micro(prices.charges, meters.import_wh),
        position=bought.position,
    )


def expected_sats(work_ph: int, *, block_reward_sats: int, difficulty: int) -> int:
    """Expected reward of `work_ph` petahashes, satoshis, rounded down."""
    return divide_down(work_ph * HASHES_PER_PH * block_reward_sats, difficulty * HASHES_PER_DIFFICULTY)


def _position(rates: Rates, meters: MeteredInterval, prices: SettlementPrices, taken_before_wh: int) -> PositionLines:
    """What the supply contracts add."""
    if rates.position is None or prices.position is None:
        return NO_POSITION
    return settle_position(
        rates.position,
        prices.position,
        start_s=meters.interval_start_s,
        import_wh=meters.import_wh,
        export_wh=meters.export_wh,
        ppa_wh=meters.ppa_wh,
        market_micro_per_mwh=prices.energy_micro_per_mwh,
        taken_before_wh=taken_before_wh,
    )


def _mining(rates: Rates, meters: MeteredInterval, prices: SettlementPrices) -> tuple[int, int]:
    """Satoshis before and after pool fees of the site's own machines."""
    gross = net = 0
    hosts = rates.host_of or (None,) * len(meters.work_ph)
    for miner, host in enumerate(hosts):
        if host is None:
            before, after = _sats(rates, meters, prices, miner)
            gross += before
            net += after
    return gross, net


def _sats(rates: Rates, meters: MeteredInterval, prices: SettlementPrices, miner: int) -> tuple[int, int]:
    """Satoshis of one miner class before and after its pool's fee."""
    gross = expected_sats(
        meters.work_ph[miner], block_reward_sats=prices.block_reward_sats, difficulty=prices.difficulty
    )
    return gross, gross - divide_up(gross * rates.pool_fee_ppm[miner], PPM)


def _hosts(
    rates: Rates, meters: MeteredInterval, prices: SettlementPrices, left_wh: tuple[int | None, ...]
) -> tuple[OwnerLine, ...]:
    """Each hosting contract's part of the interval."""
    lines = []
    for contract, (rate, meter) in enumerate(zip(rates.hosting, meters.hosted, strict=True)):
        _, sats = _sats(rates, meters, prices, rates.host_of.index(contract))
        left = left_wh[contract] if left_wh else None
        lines.append(
            settle_hosting(
                rate,
                meter,
                energy_micro_per_mwh=_all_in(rates, prices),
                mining_micro=divide_down(sats * prices.btc_micro, SATS_PER_BTC),
                sats=sats,
                beyond_it_wh=0 if left is None else max(0, meter.short_it_wh - max(0, left)),
            )
        )
    return tuple(lines)


def _all_in(rates: Rates, prices: SettlementPrices) -> int:
    """What a MWh at the bus costs the site, micro-units: passed through to owners and tenants."""
    return prices.energy_micro_per_mwh + rates.import_adder_micro_per_mwh + prices.charges.adder_micro_per_mwh


def _leases(rates: Rates, meters: MeteredInterval) -> tuple[int, int, int]:
    """Rent of firm and of curtailable leases, and service credits owed, micro-units."""
    firm = curtailable = owed = 0
    for delivered, short, is_firm, price, credit in zip(
        meters.lease_delivered_gpu_s,
        meters.lease_short_gpu_s,
        rates.lease_is_firm,
        rates.lease_price_micro_per_gpu_h,
        rates.lease_credit_micro_per_gpu_h,
        strict=True,
    ):
        rent = divide_down(delivered * price, S_PER_H)
        if is_firm:
            firm += rent
        else:
            curtailable += rent
        owed += divide_up(short * credit, S_PER_H)
    return firm, curtailable, owed


def _invoiced(quantities: tuple[int, ...], prices_micro_per_million: tuple[int, ...]) -> int:
    """Invoices at a price per million units (requests, Wh), each rounded down for the customer, micro-units."""
    return sum(
        divide_down(quantity * price, PPM) for quantity, price in zip(quantities, prices_micro_per_million, strict=True)
    )


def _peak_charge(rates: Rates, prices: SettlementPrices, peak_w: int) -> int:
    """P(W), micro-units: a month's charge for this highest import."""
    return divide_nearest(peak_w * (rates.peak_micro_per_mw + prices.charges.peak_micro_per_mw), W_PER_MW)
