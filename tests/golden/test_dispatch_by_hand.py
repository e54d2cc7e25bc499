"""Dispatch problems an operator can check with pencil and paper.

The site of `small_problem`: firm load 30 MW, AI 10 MW worth 300 per MWh, mining 20 MW worth 60, import at the price up
to 100 MW, export up to 20 MW for the price less 2; one-hour steps. The battery, where there is one, is lossless: 10 MW,
20 MWh.
"""

import numpy as np
import pytest

from dispatch_cases import lossless_battery, small_problem
from headrace.dispatch.problem import Peak
from headrace.dispatch.solve import solve


def test_at_an_ordinary_price_everything_runs_from_the_grid():
    plan = solve(small_problem())
    assert plan.import_mw.tolist() == [60.0] * 4
    assert plan.use_mw.tolist() == [[10.0] * 4, [20.0] * 4]
    assert plan.objective_ccy == pytest.approx(4 * (10 * 300 + 20 * 60 - 60 * 40))
    assert plan.bid_ccy_per_mwh.tolist() == plan.ask_ccy_per_mwh.tolist() == [40.0] * 4


def test_in_a_spike_mining_stops_and_the_battery_discharges():
    plan = solve(
        small_problem(import_cost_ccy_per_mwh=[40.0, 200.0, 40.0, 40.0], battery=lossless_battery(), stored_mwh=10.0)
    )
    assert plan.use_mw[1].tolist() == [20.0, 0.0, 20.0, 20.0]
    assert plan.use_mw[0].tolist() == [10.0] * 4
    assert plan.discharge_mw.tolist()[1] == 10.0
    assert plan.import_mw[1] == 30.0  # 30 firm + 10 AI - 10 from the battery


def test_at_a_kink_the_bid_is_the_export_price_and_the_ask_what_mining_earns():
    firm_and_ai_mw, mining_mw = 40.0, 20.0
    problem = small_problem(
        import_cost_ccy_per_mwh=[100.0],
        export_value_ccy_per_mwh=np.array([58.0]),
        import_max_mw=np.array([0.0]),
        source_names=("nuclear",),
        source_cost_ccy_per_mwh=np.array([[9.0]]),
        source_min_mw=np.array([[0.0]]),
        source_max_mw=np.array([[firm_and_ai_mw + mining_mw]]),
    )
    plan = solve(problem)
    assert plan.export_mw.tolist() == [0.0]
    assert (plan.bid_ccy_per_mwh[0], plan.ask_ccy_per_mwh[0]) == (58.0, 60.0)


def test_a_full_island_that_can_give_nothing_asks_for_infinity():
    plan = solve(small_problem(import_cost_ccy_per_mwh=[50.0], import_max_mw=np.array([30.0])))
    assert plan.use_mw.tolist() == [[0.0], [0.0]]
    assert plan.bid_ccy_per_mwh[0] == 300.0
    assert plan.ask_ccy_per_mwh[0] == np.inf


def test_energy_is_carried_from_the_cheap_hour_to_the_dear_one():
    plan = solve(small_problem(import_cost_ccy_per_mwh=[10.0, 50.0], battery=lossless_battery()))
    assert plan.charge_mw.tolist() == [10.0, 0.0]
    assert plan.discharge_mw.tolist() == [0.0, 10.0]
    assert plan.stored_mwh.tolist() == [0.0, 10.0, 0.0]


def test_a_spread_that_does_not_pay_for_losses_and_wear_is_left_alone():
    battery = lossless_battery(charge_efficiency_ratio=0.9, discharge_efficiency_ratio=0.9, wear_ccy_per_mwh=8.0)
    prices = [40.0, 57.0]  # 40 / 0.81 + 8 = 57.4 is the price at which it would pay
    plan = solve(small_problem(import_cost_ccy_per_mwh=prices, battery=battery))
    assert not plan.charge_mw.any()
    plan = solve(small_problem(import_cost_ccy_per_mwh=[40.0, 58.0], battery=battery))
    assert plan.charge_mw[0] == 10.0
    assert plan.discharge_mw[1] == pytest.approx(8.1)


def test_at_deeply_negative_prices_the_battery_burns_energy_through_its_losses():
    battery = lossless_battery(charge_efficiency_ratio=0.8, stored_max_mwh=4.0)
    plan = solve(small_problem(import_cost_ccy_per_mwh=[-200.0], battery=battery, stored_mwh=4.0))
    assert plan.charge_mw.tolist() == [10.0]
    assert plan.discharge_mw.tolist() == [8.0]
    assert plan.stored_mwh.tolist() == [4.0, 4.0]


def test_a_peak_charge_shaves_the_spike_with_the_battery_and_then_mining():
    battery = lossless_battery(charge_max_mw=0.0, discharge_max_mw=5.0)
    peak = Peak(charge_ccy_per_mw=100.0, period=np.zeros(4, np.int64), so_far_mw=np.array([0.0]))
    firm_mw = np.array([30.0, 50.0, 30.0, 30.0])
    plan = solve(small_problem(firm_mw=firm_mw, battery=battery, stored_mwh=5.0, peak=peak))
    # A MW of peak costs 100. Less mining in the tall hour loses 20 per MW, down to 50 + 10 MW; the battery covers 5 MW
    # more there, while less mining in the other three hours loses 60 per MW. Then only AI is left, which loses 260.
    assert plan.peak_mw[0] == pytest.approx(plan.import_mw.max())
    assert plan.use_mw[0].tolist() == [10.0] * 4
    assert plan.peak_mw[0] == pytest.approx(55.0)


def test_a_peak_already_paid_for_is_used_up_to_its_height():
    peak = Peak(charge_ccy_per_mw=1000.0, period=np.zeros(4, np.int64), so_far_mw=np.array([52.0]))
    plan = solve(small_problem(peak=peak))
    assert plan.import_mw.tolist() == [52.0] * 4
    assert plan.use_mw[1].tolist() == [12.0] * 4
    assert plan.peak_mw.tolist() == [52.0]
