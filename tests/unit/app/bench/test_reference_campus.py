"""The reference campus is the input that published shares of gain were measured on."""

import numpy as np
import pytest

from headrace.app.bench.reference_campus import campus, hashprice_walk, margin_offset_usd, pue_walk
from headrace.dispatch.closed_loop import loop_problem

# First, second, one inner and last value of each walk, from the sketch that the published figures were measured with.
PUE = {
    (35136, 0.25): {0: 1.0641752044713553, 1: 1.0623831136204769, 12345: 1.1779103225450713, 35135: 1.0696966210715295},
    (105120, 1 / 12): {
        0: 1.0641752044713553,
        1: 1.0635639938001396,
        12345: 1.0847872896585622,
        105119: 1.047926389326513,
    },
}
BEST_CLASS_USD_PER_MWH = {
    (35136, 0.25): {0: 147.64578268056462, 12345: 163.91396136608472, 35135: 155.04910801747215},
    (105120, 1 / 12): {0: 147.64578268056462, 12345: 158.64199874915298, 105119: 152.91291355193212},
}


@pytest.mark.parametrize("grid", PUE)
def test_the_walks_are_the_published_ones(grid):
    steps, step_h = grid
    pue, site = pue_walk(steps, step_h), campus(steps, step_h)
    assert {step: pue[step] for step in PUE[grid]} == PUE[grid]
    best = BEST_CLASS_USD_PER_MWH[grid]
    assert {step: site.use_known_ccy_per_mwh[1, step] for step in best} == pytest.approx(best, rel=1e-14)


def test_pue_and_hashprice_stay_within_their_stated_ranges():
    pue, hashprice = pue_walk(35136, 0.25), hashprice_walk(35136, 0.25)
    assert pue.min() >= 1.04
    assert pue.max() <= 1.35
    assert np.abs(np.log(hashprice / 52.0)).max() <= 0.35
    assert (hashprice.reshape(-1, 96) == hashprice[::96, None]).all(), "one hashprice a day"


def test_a_j_per_th_class_earns_hashprice_over_its_energy():
    site = campus(96, 0.25)
    # 1 MW at 20 J/TH is 50 PH/s; a day of it uses 24 MWh.
    hashprice = hashprice_walk(96, 0.25)[0]
    assert site.use_known_ccy_per_mwh[2, 0] == pytest.approx(50.0 * hashprice / 24.0)


def test_recorded_hashprice_keeps_known_and_earned_apart():
    known, earned = np.full(96, 40.0), np.full(96, 60.0)
    site = campus(96, 0.25, (known, earned))
    assert site.use_earned_ccy_per_mwh[1:, 0] == pytest.approx(1.5 * site.use_known_ccy_per_mwh[1:, 0])
    assert site.use_earned_ccy_per_mwh[0, 0] == site.use_known_ccy_per_mwh[0, 0] == 500.0


def test_a_window_is_stated_at_the_bus():
    site = campus(96, 0.25)
    problem = loop_problem(site, np.full(96, 30.0), first=8, steps=4, stored_mwh=20.0, end_value_ccy_per_mwh=25.0)
    pue = site.pue_ratio[8:12]
    assert problem.firm_mw == pytest.approx(40.0 * pue)
    assert problem.use_max_mw[0] == pytest.approx(20.0 * pue)
    assert problem.use_value_ccy_per_mwh[0] == pytest.approx(500.0 / pue)
    assert problem.import_cost_ccy_per_mwh[0] == 34.0
    assert problem.export_value_ccy_per_mwh[0] == 28.0


def test_the_offset_is_compensation_for_all_curtailable_energy():
    assert margin_offset_usd(8760 * 4, 0.25) == pytest.approx(20.0 * 150.0 * 8760.0)
