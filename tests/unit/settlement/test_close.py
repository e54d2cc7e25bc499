"""Each line of a statement, by hand."""

import pytest

from headrace.settlement import LINES, Statement, close, expected_sats, rates_of
from settlement_cases import make_meters, make_prices, make_rates, make_site


def closed(meters=None, prices=None, *, peak_before_w=0, **rates):
    return close(
        make_rates(**rates), make_meters(**meters or {}), make_prices(**prices or {}), peak_before_w=peak_before_w
    )


def test_lines_are_the_fields_of_a_statement_in_order():
    assert Statement.__struct_fields__[-len(LINES) :] == LINES


def test_margin_is_the_sum_of_the_lines():
    statement = closed(
        {"import_wh": 10_000_000, "lease_delivered_gpu_s": (3600, 0)},
        {"energy_micro_per_mwh": 20_000_000},
        lease_price_micro_per_gpu_h=(2_000_000, 0),
    )
    assert statement.margin_micro == 2_000_000 - 200_000_000 == sum(statement.amounts)


def test_import_costs_the_market_price_and_the_adder():
    statement = closed(
        {"import_wh": 2_500_000}, {"energy_micro_per_mwh": 40_000_000}, import_adder_micro_per_mwh=4_000_000
    )
    assert (statement.energy_bought, statement.adders) == (-100_000_000, -10_000_000)


def test_import_at_a_negative_price_is_an_income_in_the_same_line():
    assert closed({"import_wh": 2_500_000}, {"energy_micro_per_mwh": -40_000_000}).energy_bought == 100_000_000


def test_export_earns_the_market_price_less_the_deduction():
    statement = closed(
        {"export_wh": 1_000_000}, {"energy_micro_per_mwh": 40_000_000}, export_deduction_micro_per_mwh=2_000_000
    )
    assert (statement.energy_sold, statement.adders) == (40_000_000, -2_000_000)


@pytest.mark.parametrize(
    ("price_micro_per_mwh", "bought"),
    [(499_999, 0), (500_000, -1), (1_499_999, -1), (-499_999, 0), (-500_000, 1)],
)
def test_market_energy_rounds_to_the_nearest_unit(price_micro_per_mwh, bought):
    assert closed({"import_wh": 1}, {"energy_micro_per_mwh": price_micro_per_mwh}).energy_bought == bought


def test_rent_is_rounded_down_and_a_credit_up_for_the_customer():
    statement = closed(
        {"lease_delivered_gpu_s": (3599, 3599), "lease_short_gpu_s": (1, 1)},
        lease_price_micro_per_gpu_h=(1, 1),
        lease_credit_micro_per_gpu_h=(1, 1),
    )
    assert (statement.ai_firm, statement.ai_curtailable, statement.service_credits) == (0, 0, -2)


def test_firm_and_curtailable_rent_keep_apart():
    statement = closed({"lease_delivered_gpu_s": (3600, 7200)}, lease_price_micro_per_gpu_h=(3_000_000, 1_000_000))
    assert (statement.ai_firm, statement.ai_curtailable) == (3_000_000, 2_000_000)


def test_expected_reward_matches_the_network_by_hand():
    # 1 PH/s for a day at difficulty 75,502,165,623,893: 8.64e19 hashes of 3.24279e23 per block, 6.25 bitcoin a block.
    assert expected_sats(86_400, block_reward_sats=625_000_000, difficulty=75_502_165_623_893) == 166_523


def test_fair_value_less_fees_is_the_fair_value_of_what_is_paid_out():
    statement = closed({"work_ph": (513_000,)}, pool_fee_ppm=(15_000,))
    gross = expected_sats(513_000, block_reward_sats=625_000_000, difficulty=75_502_165_623_893)
    assert statement.mining_sats == gross - -(-gross * 15_000 // 1_000_000)
    assert statement.mining + statement.pool_fees == statement.mining_sats * 430
    assert statement.mining == gross * 430


def test_a_pool_fee_is_rounded_up_so_that_the_payout_is_rounded_down():
    statement = closed({"work_ph": (519,)}, pool_fee_ppm=(1,))
    assert statement.mining == 1000 * 430
    assert statement.mining_sats == 999


def test_requests_and_heat_are_invoiced_rounded_down():
    statement = closed(
        {"requests_served": (1999,), "heat_wh": (1999,)},
        inference_micro_per_million=(1000,),
        heat_micro_per_mwh=(1000,),
    )
    assert (statement.inference, statement.heat) == (1, 1)


@pytest.mark.parametrize(("market", "ppa"), [(50_000_000, 40_000_000), (10_000_000, -40_000_000)])
def test_an_agreement_pays_market_less_strike(market, ppa):
    statement = closed(
        {"ppa_wh": (2_000_000,)}, {"energy_micro_per_mwh": market}, ppa_strike_micro_per_mwh=(30_000_000,)
    )
    assert statement.ppa == ppa


def test_output_and_wear_cost_their_rates():
    statement = closed(
        {"generated_wh": (3_000_000,), "discharge_wh": 500_000},
        generation_micro_per_mwh=(1_500_000,),
        wear_micro_per_mwh=8_000_000,
    )
    assert (statement.generation, statement.wear) == (-4_500_000, -4_000_000)


def test_output_that_earns_a_credit_is_an_income():
    assert closed({"generated_wh": (1_000_000,)}, generation_micro_per_mwh=(-26_000_000,)).generation == 26_000_000


def test_only_a_new_peak_costs():
    rates = {"peak_micro_per_mw": 1_500_000_000}
    assert closed({"import_peak_w": 50_000_000}, peak_before_w=48_000_000, **rates).peak == -3_000_000_000
    assert closed({"import_peak_w": 47_000_000}, peak_before_w=48_000_000, **rates).peak == 0


def test_an_estimated_price_marks_the_statement():
    assert closed({}, {"is_estimated": True}).is_estimated


def test_rates_are_the_site_file_in_micro_units():
    rates = rates_of(make_site())
    assert rates == make_rates(
        import_adder_micro_per_mwh=4_000_000,
        export_deduction_micro_per_mwh=2_000_000,
        peak_micro_per_mw=1_500_000_000,
        wear_micro_per_mwh=8_000_000,
        generation_micro_per_mwh=(1_500_000,),
        ppa_strike_micro_per_mwh=(31_000_000,),
        lease_is_firm=(True, False),
        lease_price_micro_per_gpu_h=(2_250_000, 1_600_000),
        lease_credit_micro_per_gpu_h=(9_000_000, 400_000),
        inference_micro_per_million=(347_500_000,),
        pool_fee_ppm=(15_000,),
        heat_micro_per_mwh=(22_000_000,),
    )
