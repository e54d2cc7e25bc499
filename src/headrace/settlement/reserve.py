"""Reserve in integers: what was sold, what was really there, what was called and delivered, and what it pays.

Everything follows from meters. Of a reserve that is not called, what is held is the carriers' running power, the
battery's unused discharge power and the energy in store over the product's duration; of one that is called, what is
delivered is the fall from the power metered before the call. Reserves share carriers in the site's order, so a watt is
counted once.

    payment   = capacity sold × clearing price                              to the nearest
    charge    = (not held or not delivered) × clearing price × multiple     up, for the market
"""

from typing import Final

import msgspec

from headrace.control.reserve import Before
from headrace.control.setpoints import Obligation
from headrace.core import divide_nearest, divide_up, micro
from headrace.dispatch.site import Site
from headrace.energy.reserves import product_at
from headrace.settlement.metering import ControlReading
from headrace.settlement.statement import Statement

__all__ = ["ReserveMeter", "before_of", "meter_reserve", "with_reserve"]

WH_PER_MWH: Final = 1_000_000
PPM: Final = 1_000_000
TOLERANCE_WH: Final = 10
"""What rounding every meter to 1 Wh may leave of a reserve that is there in full."""


class ReserveMeter(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Evidence of one reserve in one control interval; capacity in watts times hours."""

    reserve: int
    """Position among the site's reserves."""
    sold_wh: int
    """Capacity sold."""
    held_wh: int
    """Of what was not called, capacity that was there."""
    called_wh: int
    """Capacity called."""
    delivered_wh: int
    """Of it, fall in the site's draw from before the call."""
    short_wh: int
    """Charged: neither held nor delivered; 0 while the site restores it after a call."""
    price_micro_per_mw_h: int
    """Clearing price."""
    penalty_ppm: int
    """Charge as a multiple of the price, millionths."""


def meter_reserve(
    site: Site, owed: tuple[Obligation, ...], reading: ControlReading, before: Before | None
) -> tuple[ReserveMeter, ...]:
    """Read from the meters of one control interval what became of the reserve owed in it."""
    meters = reading.meters
    hours = meters.duration_s / 3600.0
    use_wh = list(reading.use_wh)
    fall_wh = [0] * len(use_wh)
    feed_wh = meters.discharge_wh - meters.charge_wh
    rise_wh = 0
    if before is not None:
        fall_wh = [max(_wh(mw * hours) - wh, 0) for mw, wh in zip(before.use_mw, use_wh, strict=True)]
        rise_wh = max(feed_wh - _wh(before.discharge_mw * hours), 0)
    spare_wh, energy_mwh = 0, 0.0
    if site.battery is not None:
        spare_wh = max(_wh(site.battery.discharge_max_mw * hours) - meters.discharge_wh, 0)
        energy_mwh = (reading.stored_mwh - site.battery.stored_min_mwh) * site.battery.discharge_efficiency_ratio
    lines = []
    for each in owed:
        ready_ratio = 1.0 - each.called_ratio
        held_wh = delivered_wh = 0
        for i, mw in enumerate(each.use_mw):
            if mw <= 0.0:
                continue
            ready, fell = (
                min(use_wh[i], _wh(mw * ready_ratio * hours)),
                min(fall_wh[i], _wh(mw * each.called_ratio * hours)),
            )
            use_wh[i] -= ready
            fall_wh[i] -= fell
            held_wh += ready
            delivered_wh += fell
        spare = max(
            min(spare_wh, _wh(each.battery_mw * ready_ratio * hours), _wh(energy_mwh / each.duration_h * hours)), 0
        )
        rose = min(rise_wh, _wh(each.battery_mw * each.called_ratio * hours))
        spare_wh -= spare
        rise_wh -= rose
        energy_mwh -= spare / WH_PER_MWH / hours * each.duration_h
        lines.append(_line(site, each, meters.interval_start_s, hours, held_wh + spare, delivered_wh + rose))
    return tuple(lines)


def before_of(reading: ControlReading) -> Before:
    """What the carriers were metered at, for a call that may come next."""
    per_mw = WH_PER_MWH * reading.meters.duration_s / 3600.0
    return Before(
        use_mw=tuple(wh / per_mw for wh in reading.use_wh),
        discharge_mw=(reading.meters.discharge_wh - reading.meters.charge_wh) / per_mw,
    )


def with_reserve(statement: Statement, lines: list[ReserveMeter]) -> Statement:
    """The statement of one settlement interval with what its reserve pays and is charged."""
    paid = owed = 0
    for r in sorted({line.reserve for line in lines}):
        own = [line for line in lines if line.reserve == r]
        paid += divide_nearest(sum(line.sold_wh * line.price_micro_per_mw_h for line in own), WH_PER_MWH)
        charged = sum(line.short_wh * line.price_micro_per_mw_h * line.penalty_ppm for line in own)
        owed += divide_up(max(charged, 0), WH_PER_MWH * PPM)
    return msgspec.structs.replace(
        statement, reserve=statement.reserve + paid, reserve_penalties=statement.reserve_penalties - owed
    )


def _line(site: Site, owed: Obligation, at_s: int, hours: float, held_wh: int, delivered_wh: int) -> ReserveMeter:
    product = product_at(site.reserves[owed.reserve], at_s)
    sold_mw = sum(owed.use_mw) + owed.battery_mw
    sold_wh, called_wh = _wh(sold_mw * hours), _wh(sold_mw * owed.called_ratio * hours)
    short_wh = max(sold_wh - called_wh - held_wh, 0) + max(called_wh - delivered_wh, 0)
    return ReserveMeter(
        reserve=owed.reserve,
        sold_wh=sold_wh,
        held_wh=held_wh,
        called_wh=called_wh,
        delivered_wh=delivered_wh,
        short_wh=0 if short_wh <= TOLERANCE_WH or owed.is_resting else short_wh,
        price_micro_per_mw_h=micro(owed.price_ccy_per_mw_h),
        penalty_ppm=0 if product is None else micro(product.penalty_ratio),
    )


def _wh(energy_mwh: float) -> int:
    return round(energy_mwh * WH_PER_MWH)
