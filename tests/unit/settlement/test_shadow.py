"""Each cause of a difference by hand: 10 MWh at 25 a MWh, bought, unless said."""

import pytest

from headrace.core import BadInput
from headrace.settlement.shadow import Cause, OwnCharge, shadow_settle
from settlement_cases import START_S
from statement_records import billed, row

MWH = 1_000_000
UNIT = 1_000_000
"""Micro-units of one unit of currency."""


def own(i=0, *, mwh=10, price=25, is_estimated=False, **more):
    return OwnCharge(
        start_s=START_S + 900 * i,
        end_s=START_S + 900 * (i + 1),
        quantity=mwh * MWH,
        price_micro_per_mwh=-price * UNIT,
        amount=-mwh * price * UNIT,
        is_estimated=is_estimated,
        **more,
    )


def bill(i=0, *, mwh=10, price=25, amount=None, **more):
    amount = -mwh * price if amount is None else amount
    return row(i, amount=round(amount * UNIT), quantity=round(mwh * MWH), price=round(-price * UNIT), **more)


def explained(ours, *rows, **about):
    found = shadow_settle(billed(*rows, **about), {"energy_bought": ours}, ("energy_bought",))
    return {cause: amount / UNIT for cause, amount in found.parts.items()}, found.residual / UNIT


def test_equal_statements_have_nothing_to_explain():
    assert explained([own()], bill()) == ({}, 0)


def test_a_larger_quantity_is_valued_at_our_own_price():
    assert explained([own()], bill(mwh=11)) == ({Cause.QUANTITY: -25}, 0)


def test_another_price_is_valued_at_the_billed_quantity():
    assert explained([own()], bill(mwh=11, price=30)) == ({Cause.QUANTITY: -25, Cause.PRICE: -55}, 0)


def test_a_price_where_ours_was_estimated_replaces_it():
    assert explained([own(is_estimated=True)], bill(price=40)) == ({Cause.ESTIMATE_REPLACED: -150}, 0)


def test_cents_are_rounding_and_more_is_residual():
    assert explained([own()], bill(amount=-250.01)) == ({Cause.ROUNDING: pytest.approx(-0.01)}, 0)
    assert explained([own()], bill(amount=-250.02)) == ({}, pytest.approx(-0.02))


def test_cents_beside_another_quantity_and_price_are_still_rounding():
    parts, residual = explained([own()], bill(mwh=11, price=30, amount=-330.01))
    assert (parts, residual) == ({Cause.QUANTITY: -25, Cause.PRICE: -55, Cause.ROUNDING: pytest.approx(-0.01)}, 0)


def test_a_price_printed_to_cents_is_the_same_price():
    ours = OwnCharge(
        start_s=START_S,
        end_s=START_S + 900,
        quantity=10 * MWH,
        price_micro_per_mwh=-25_004_000,
        amount=-250_040_000,
        is_estimated=False,
    )
    as_printed = bill(price=25.0, amount=-250.04)
    assert explained([ours], as_printed, price_unit=10_000) == ({}, 0)
    assert explained([ours], bill(price=25.0), price_unit=10_000) == ({Cause.ROUNDING: 0.04}, 0)
    parts, residual = explained([ours], bill(price=25.0), price_unit=1)
    assert (parts, residual) == ({Cause.PRICE: 0.04}, 0)


def test_an_interval_left_out_is_not_billed_and_one_too_many_not_in_our_books():
    assert explained([own(0), own(1), own(2)], bill(0), bill(2)) == ({Cause.NOT_BILLED: 250}, 0)
    assert explained([own(0)], bill(0), bill(1)) == ({Cause.NOT_IN_BOOKS: -250}, 0)


def test_what_lies_outside_the_statement_is_left_aside():
    assert explained([own(0), own(1), own(2)], bill(1)) == ({}, 0)


def test_a_charge_that_nobody_declared_is_named():
    assert explained([own()], bill(), row(0, amount=-7 * UNIT, line=None)) == ({Cause.UNKNOWN_CHARGE: -7}, 0)


def test_an_hour_is_compared_with_its_quarters_at_their_mean_price():
    ours = [own(0, price=20), own(1, price=30), own(2, price=20), own(3, price=30)]
    hour = bill(0, mwh=44, price=25, end_s=START_S + 3600)
    assert explained(ours, hour) == ({Cause.QUANTITY: -100}, 0)


def test_the_meter_comes_before_the_statement():
    ours = own(meter_quantity=12 * MWH)
    assert explained([ours], bill(mwh=13, price=26)) == ({Cause.METER: -50, Cause.QUANTITY: -25, Cause.PRICE: -13}, 0)


def test_without_quantity_only_amounts_are_compared():
    assert explained([own()], row(0, amount=-251 * UNIT)) == ({}, -1)
    assert explained([own()], row(0, amount=-250 * UNIT - 5000)) == ({Cause.ROUNDING: -0.005}, 0)


def test_a_quantity_where_we_had_none_and_so_no_price_is_valued_as_billed():
    ours = OwnCharge(
        start_s=START_S, end_s=START_S + 900, quantity=0, price_micro_per_mwh=None, amount=0, is_estimated=False
    )
    assert explained([ours], bill(mwh=2)) == ({Cause.QUANTITY: -50}, 0)


def test_residuals_of_two_signs_do_not_hide_each_other():
    found = shadow_settle(
        billed(bill(0, amount=-240), bill(1, amount=-260)), {"energy_bought": [own(0), own(1)]}, ("energy_bought",)
    )
    assert (found.residual, found.unexplained) == (0, 20 * UNIT)


def test_a_row_that_cuts_our_interval_is_refused():
    cut = bill(0, start_s=START_S + 300, end_s=START_S + 1200)
    with pytest.raises(BadInput, match="cuts our settlement interval"):
        explained([own(0), own(1)], cut)
