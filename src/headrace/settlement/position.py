"""The commercial position of one settlement interval: contracts settled against the market, in integers.

The site pays the market for everything it meters (`energy_bought`, `energy_sold`); a contract of volume V pays the
difference on V, whatever is metered. With N(x) = x / 10⁶ to the nearest, site price P, hub price H, contract price K:

    hedge, day_ahead   N(V·P) - N(V·K)          at the site's own price
    basis              N(V·H) - N(V·P)          only where the contract settles at the hub
    supply_fees        - N(import·fee) - N(beyond band·fee) - N(short of the month's least·charge)

Differences of rounded amounts telescope, so physical cost, day-ahead, hedge, basis and fees add up to the supplier's
own invoice (volumes at K, volumes credited at P or H, meters at P) with no remainder.

What became of each Wh is told beside the money:

    scheduled + bought at spot  =  imported + sold back + lost         net import  =  scheduled + imbalance
"""

from typing import Final

import msgspec

from headrace.core import divide_down, divide_nearest, micro
from headrace.energy.contracts import (
    Contract,
    DayAheadPurchase,
    SupplyFees,
    TakeOrPay,
    is_sold_back,
    volume_contracts,
)

__all__ = [
    "NO_POSITION",
    "FeeRate",
    "Position",
    "PositionFacts",
    "PositionLines",
    "PositionRates",
    "VolumeRate",
    "position_rates",
    "settle_position",
]

WH_PER_MWH: Final = 1_000_000
PPM: Final = 1_000_000


class VolumeRate(msgspec.Struct, frozen=True, kw_only=True):
    """How one contract of volume settles."""

    strike_micro_per_mwh: int | None
    """Its own price; None if it is bought at the day-ahead price."""
    at_hub: bool
    """Settles at the hub."""
    sells_back: bool
    """Volume not consumed is credited."""


class FeeRate(msgspec.Struct, frozen=True, kw_only=True):
    """A supplier's fees, in force between two instants."""

    start_s: int
    """First instant, epoch seconds."""
    end_s: int
    """First instant after it."""
    fee_micro_per_mwh: int
    """On import."""
    imbalance_micro_per_mwh: int
    """On imbalance beyond the band."""
    tolerance_ppm: int
    """Half-width of the band, parts per million of the scheduled volume."""


class PositionRates(msgspec.Struct, frozen=True, kw_only=True):
    """A site's contracts as integers."""

    volumes: tuple[VolumeRate, ...]
    """Contracts with a volume, in the site's order."""
    fees: tuple[FeeRate, ...]
    """Suppliers' fees; one at most is in force at a time."""
    shortfall_micro_per_mwh: tuple[int, ...]
    """Charge of each take-or-pay contract on what was not taken."""
    ppa_at_hub: tuple[bool, ...] = ()
    """Which power purchase agreements settle at the hub; empty for none."""


class PositionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one settlement interval's position is settled on."""

    scheduled_wh: tuple[int, ...]
    """Volume of each contract; zero outside its dates."""
    hub_micro_per_mwh: int = 0
    """Real-time price of the hub; 0 where no contract settles there, likewise the next two."""
    day_ahead_micro_per_mwh: int = 0
    """Day-ahead price at the site's own settlement point."""
    hub_day_ahead_micro_per_mwh: int = 0
    """Day-ahead price of the hub."""
    due_wh: tuple[int, ...] = ()
    """Least import of the month that ends with this interval, of each take-or-pay contract; zero inside a month."""


class Position(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What became of the scheduled volume, and its worth: told beside the statement's lines, not part of the margin."""

    scheduled_wh: int
    """Volume of all contracts."""
    scheduled_at_market: int
    """Its worth at the site's market price, micro-units."""
    scheduled_cost: int
    """What the contracts charge for it, micro-units."""
    sold_back_wh: int
    """Volume that the site did not consume and was credited for."""
    sold_back: int
    """Proceeds of it at the site's market price, micro-units."""
    sold_back_cost: int
    """What that volume had cost, at the mean price of the volume that can be sold back, micro-units."""
    lost_wh: int
    """Volume neither consumed nor credited."""
    spot_wh: int
    """Import beyond the scheduled volume."""


class PositionLines(msgspec.Struct, frozen=True, kw_only=True):
    """What the contracts add to a statement, micro-units."""

    day_ahead: int
    """As in `Statement`, likewise the next three."""
    hedge: int
    """Contracts with a strike."""
    basis: int
    """Those of all kinds that settle at the hub."""
    supply_fees: int
    """Fees, imbalance, volume not taken."""
    position: Position | None
    """What became of the volume; None without contracts."""


NO_POSITION: Final = PositionLines(day_ahead=0, hedge=0, basis=0, supply_fees=0, position=None)
"""What a site without contracts adds: nothing."""


def position_rates(contracts: tuple[Contract, ...], ppa_at_hub: tuple[bool, ...] = ()) -> PositionRates | None:
    """Turn contracts into integers, each price half to even; None for a site that has none."""
    if not contracts and not any(ppa_at_hub):
        return None
    return PositionRates(
        volumes=tuple(
            VolumeRate(
                strike_micro_per_mwh=None if isinstance(each, DayAheadPurchase) else micro(each.strike_ccy_per_mwh),
                at_hub=each.at_hub,
                sells_back=is_sold_back(each),
            )
            for each in volume_contracts(contracts)
        ),
        fees=tuple(
            FeeRate(
                start_s=each.start_s,
                end_s=each.end_s,
                fee_micro_per_mwh=micro(each.fee_ccy_per_mwh),
                imbalance_micro_per_mwh=micro(each.imbalance_fee_ccy_per_mwh),
                tolerance_ppm=micro(each.tolerance_ratio),
            )
            for each in contracts
            if isinstance(each, SupplyFees)
        ),
        shortfall_micro_per_mwh=tuple(
            micro(each.shortfall_ccy_per_mwh) for each in contracts if isinstance(each, TakeOrPay)
        ),
        ppa_at_hub=ppa_at_hub,
    )


def settle_position(
    rates: PositionRates,
    facts: PositionFacts,
    *,
    start_s: int,
    import_wh: int,
    export_wh: int,
    ppa_wh: tuple[int, ...],
    market_micro_per_mwh: int,
    taken_before_wh: int,
) -> PositionLines:
    """Settle the contracts over one interval.

    Parameters
    ----------
    rates, facts
        The contracts, and what this interval's volumes and prices are.
    start_s
        Start of the interval, epoch seconds.
    import_wh, export_wh, ppa_wh
        Meters.
    market_micro_per_mwh
        The site's own real-time price.
    taken_before_wh
        Import of the local month before this interval.
    """
    day_ahead = hedge = basis = at_market = cost = 0
    back_wh = back_cost = lost_wh = 0
    left_wh = import_wh
    hub = facts.hub_micro_per_mwh
    # What can't be sold back is consumed first, so that as little as possible is lost.
    for rate, volume_wh in sorted(zip(rates.volumes, facts.scheduled_wh, strict=True), key=lambda x: x[0].sells_back):
        price = _own_price(rate, facts)
        credited_wh = volume_wh if rate.sells_back else min(volume_wh, left_wh)
        gain = _amount(credited_wh, market_micro_per_mwh) - _amount(volume_wh, price)
        if rate.strike_micro_per_mwh is None:
            day_ahead += gain
        else:
            hedge += gain
        if rate.at_hub:
            basis += _amount(credited_wh, hub) - _amount(credited_wh, market_micro_per_mwh)
        at_market += _amount(volume_wh, market_micro_per_mwh)
        cost += _amount(volume_wh, price)
        if rate.sells_back:
            back_wh += volume_wh
            back_cost += _amount(volume_wh, price)
        else:
            left_wh -= credited_wh
            lost_wh += volume_wh - credited_wh
    for at_hub, wh in zip(rates.ppa_at_hub, ppa_wh, strict=False):
        basis += _amount(wh, hub) - _amount(wh, market_micro_per_mwh) if at_hub else 0
    scheduled_wh = sum(facts.scheduled_wh)
    sold_wh = max(0, back_wh - left_wh)
    return PositionLines(
        day_ahead=day_ahead,
        hedge=hedge,
        basis=basis,
        supply_fees=_fees(rates, start_s, import_wh, import_wh - export_wh, scheduled_wh)
        - _shortfall(rates, facts, taken_before_wh + import_wh),
        position=Position(
            scheduled_wh=scheduled_wh,
            scheduled_at_market=at_market,
            scheduled_cost=cost,
            sold_back_wh=sold_wh,
            sold_back=_amount(sold_wh, market_micro_per_mwh),
            sold_back_cost=divide_nearest(sold_wh * back_cost, back_wh) if sold_wh else 0,
            lost_wh=lost_wh,
            spot_wh=max(0, left_wh - back_wh),
        ),
    )


def _own_price(rate: VolumeRate, facts: PositionFacts) -> int:
    """What the contract charges per MWh."""
    if rate.strike_micro_per_mwh is not None:
        return rate.strike_micro_per_mwh
    return facts.hub_day_ahead_micro_per_mwh if rate.at_hub else facts.day_ahead_micro_per_mwh


def _fees(rates: PositionRates, start_s: int, import_wh: int, net_wh: int, scheduled_wh: int) -> int:
    """Fees on import and on what lies beyond the band, as a cost."""
    fees = 0
    for rate in rates.fees:
        if rate.start_s <= start_s < rate.end_s:
            band_wh = divide_down(scheduled_wh * rate.tolerance_ppm, PPM)
            beyond_wh = max(0, abs(net_wh - scheduled_wh) - band_wh)
            fees -= _amount(import_wh, rate.fee_micro_per_mwh) + _amount(beyond_wh, rate.imbalance_micro_per_mwh)
    return fees


def _shortfall(rates: PositionRates, facts: PositionFacts, taken_wh: int) -> int:
    """Charge on what a month that is over fell short of."""
    return sum(
        _amount(max(0, due_wh - taken_wh), charge) if due_wh else 0
        for due_wh, charge in zip(facts.due_wh, rates.shortfall_micro_per_mwh, strict=False)
    )


def _amount(wh: int, price_micro_per_mwh: int) -> int:
    """N(wh · price), micro-units."""
    return divide_nearest(wh * price_micro_per_mwh, WH_PER_MWH)
