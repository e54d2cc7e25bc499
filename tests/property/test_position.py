"""What contracts keep for any volumes, meters and prices: S3 and S4."""

from fractions import Fraction

import pytest
from hypothesis import given

from contract_cases import positions
from headrace.settlement.position import settle_position


def nearest(exact):
    """Whole units, halves away from zero: the same rule, written another way."""
    whole = int(abs(exact) + Fraction(1, 2))
    return whole if exact >= 0 else -whole


def amount(wh, micro_per_mwh):
    return nearest(Fraction(wh * micro_per_mwh, 10**6))


def own_price(rate, facts):
    if rate.strike_micro_per_mwh is not None:
        return rate.strike_micro_per_mwh
    return facts.hub_day_ahead_micro_per_mwh if rate.at_hub else facts.day_ahead_micro_per_mwh


def invoice(rates, facts, meters, start_s=0):
    """What the supplier bills, as it would write it: volumes at their price, credits for them, the meter, the fees."""
    market, hub = meters["market_micro_per_mwh"], facts.hub_micro_per_mwh
    bill = amount(meters["import_wh"], market) - amount(meters["export_wh"], market)
    left = meters["import_wh"]
    firm_first = sorted(zip(rates.volumes, facts.scheduled_wh, strict=True), key=lambda pair: pair[0].sells_back)
    for rate, wh in firm_first:
        credited = wh if rate.sells_back else min(wh, left)
        left -= 0 if rate.sells_back else credited
        bill += amount(wh, own_price(rate, facts)) - amount(credited, hub if rate.at_hub else market)
    for is_hub, wh in zip(rates.ppa_at_hub, meters["ppa_wh"], strict=True):
        bill -= amount(wh, hub) - amount(wh, market) if is_hub else 0
    scheduled = sum(facts.scheduled_wh)
    off = abs(meters["import_wh"] - meters["export_wh"] - scheduled)
    for fee in rates.fees:
        band = scheduled * fee.tolerance_ppm // 10**6
        bill += amount(meters["import_wh"], fee.fee_micro_per_mwh)
        bill += amount(max(0, off - band), fee.imbalance_micro_per_mwh)
    taken = meters["taken_before_wh"] + meters["import_wh"]
    for due, charge in zip(facts.due_wh, rates.shortfall_micro_per_mwh, strict=True):
        bill += amount(max(0, due - taken), charge) if due else 0
    return bill


@pytest.mark.inv("S3")
@given(positions())
def test_physical_cost_and_the_position_are_the_suppliers_invoice_to_the_micro_unit(case):
    rates, facts, meters = case
    market = meters["market_micro_per_mwh"]
    lines = settle_position(rates, facts, start_s=0, **meters)
    physical = amount(meters["export_wh"], market) - amount(meters["import_wh"], market)
    ours = physical + lines.day_ahead + lines.hedge + lines.basis + lines.supply_fees
    assert -ours == invoice(rates, facts, meters)


@pytest.mark.inv("S4")
@given(positions())
def test_every_watt_hour_is_bought_once_and_sold_once(case):
    rates, facts, meters = case
    told = settle_position(rates, facts, start_s=0, **meters).position
    assert told.scheduled_wh + told.spot_wh == meters["import_wh"] + told.sold_back_wh + told.lost_wh
    assert min(told.scheduled_wh, told.spot_wh, told.sold_back_wh, told.lost_wh) >= 0
    assert told.spot_wh == 0 or told.sold_back_wh == 0 == told.lost_wh
    imbalance_wh = meters["import_wh"] - meters["export_wh"] - told.scheduled_wh
    assert told.scheduled_wh + imbalance_wh + meters["export_wh"] == meters["import_wh"]


@given(positions())
def test_what_a_hedge_pays_does_not_depend_on_the_meter(case):
    rates, facts, meters = case
    sellable = [rate for rate in rates.volumes if rate.sells_back]
    if len(sellable) < len(rates.volumes):
        return
    idle = meters | {"import_wh": 0, "export_wh": 0}
    one, other = (settle_position(rates, facts, start_s=0, **each) for each in (meters, idle))
    assert (one.hedge, one.day_ahead, one.basis) == (other.hedge, other.day_ahead, other.basis)


@given(positions())
def test_scheduled_volume_at_market_less_its_cost_is_the_gain_at_the_sites_own_price(case):
    rates, facts, meters = case
    lines = settle_position(rates, facts, start_s=0, **meters)
    told = lines.position
    if all(rate.sells_back for rate in rates.volumes):
        assert told.scheduled_at_market - told.scheduled_cost == lines.hedge + lines.day_ahead
