"""Bid curves: they never rise, go through the plan they were made of, and never bid more than a MWh is worth."""

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from headrace.dispatch.offers import BidBlock, CurveRules, bid_curve, drawn_mw

PRICES = st.floats(-100.0, 400.0)
BLOCKS = st.lists(st.builds(BidBlock, mw=st.floats(0.0, 40.0), worth_ccy_per_mwh=PRICES), max_size=25)
RULES = st.builds(
    CurveRules,
    points_max=st.integers(2, 12),
    price_step_ccy_per_mwh=st.sampled_from([0.01, 0.5, 1.0]),
    power_step_mw=st.sampled_from([0.001, 0.1, 1.0]),
)


def demand_mw(blocks, least_mw, most_mw, price):
    return min(least_mw + math.fsum(b.mw for b in blocks if b.worth_ccy_per_mwh >= price), most_mw)


@st.composite
def cases(draw):
    blocks, rules, price = draw(BLOCKS), draw(RULES), draw(PRICES)
    least_mw = draw(st.floats(0.0, 20.0))
    most_mw = least_mw + draw(st.floats(0.0, 150.0))
    return blocks, rules, price, least_mw, most_mw


@given(cases(), st.floats(0.0, 1.0))
def test_a_curve_never_rises_and_is_what_the_market_takes(case, share):
    blocks, rules, price, least_mw, most_mw = case
    planned_mw = least_mw + share * (most_mw - least_mw)
    curve = bid_curve(
        blocks, least_mw=least_mw, most_mw=most_mw, planned_mw=planned_mw, price_ccy_per_mwh=price, rules=rules
    )
    powers = [curve.least_mw, *(point.mw for point in curve.points)]
    prices = [point.ccy_per_mwh for point in curve.points]
    assert all(a < b for a, b in itertools.pairwise(powers))
    assert all(a > b for a, b in itertools.pairwise(prices))
    assert len(curve.points) <= rules.points_max
    for point in curve.points:
        for value, step in ((point.ccy_per_mwh, rules.price_step_ccy_per_mwh), (point.mw, rules.power_step_mw)):
            assert abs(value / step - round(value / step)) < 1e-6
        assert rules.price_min_ccy_per_mwh <= point.ccy_per_mwh <= rules.price_max_ccy_per_mwh


@given(cases(), st.floats(0.0, 1.0))
def test_the_market_that_clears_at_the_planned_price_gives_the_plan(case, share):
    """Whatever the plan held back or took beyond what the blocks' worth alone tells."""
    blocks, rules, price, least_mw, most_mw = case
    planned_mw = least_mw + share * (most_mw - least_mw)
    curve = bid_curve(
        blocks, least_mw=least_mw, most_mw=most_mw, planned_mw=planned_mw, price_ccy_per_mwh=price, rules=rules
    )
    assert abs(drawn_mw(curve, price) - planned_mw) <= 0.5 * rules.power_step_mw + 1e-6


@given(cases(), PRICES)
def test_nothing_is_bought_for_more_than_it_is_worth(case, cleared):
    blocks, rules, price, least_mw, most_mw = case
    cleared = round(cleared / rules.price_step_ccy_per_mwh) * rules.price_step_ccy_per_mwh
    planned_mw = demand_mw(blocks, least_mw, most_mw, price)
    curve = bid_curve(
        blocks, least_mw=least_mw, most_mw=most_mw, planned_mw=planned_mw, price_ccy_per_mwh=price, rules=rules
    )
    # up to one price step above the planned price rounding keeps the plan whole
    worth_at = cleared if abs(cleared - price) > rules.price_step_ccy_per_mwh else price
    assert drawn_mw(curve, cleared) <= demand_mw(blocks, least_mw, most_mw, worth_at - 1e-6) + rules.power_step_mw


@given(cases())
def test_a_curve_with_points_enough_is_the_demand_itself(case):
    blocks, _, price, least_mw, most_mw = case
    rules = CurveRules(points_max=100, price_step_ccy_per_mwh=1e-6, power_step_mw=1e-6)
    planned_mw = demand_mw(blocks, least_mw, most_mw, price)
    curve = bid_curve(
        blocks, least_mw=least_mw, most_mw=most_mw, planned_mw=planned_mw, price_ccy_per_mwh=price, rules=rules
    )
    edges = sorted({b.worth_ccy_per_mwh for b in blocks} | {price})
    for low, high in itertools.pairwise(edges):
        if high - low > 1e-4:
            middle = (low + high) / 2.0
            assert abs(drawn_mw(curve, middle) - demand_mw(blocks, least_mw, most_mw, middle)) < 1e-4
