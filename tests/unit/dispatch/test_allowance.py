"""The shadow price of an allowance: what an hour of it is worth, and how a stock runs down."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dispatch.allowance import StockState, advance, shadow_price, shadow_price_of_month

ONE = np.array([1.0])


def best_by_dynamic_programme(gains, hours, allowed):
    """Most that `allowed` stops can earn over `hours`, each gain equally likely and seen only when it comes."""
    worth = np.zeros(allowed + 1)
    for _ in range(hours):
        after = worth.copy()
        for left in range(allowed + 1):
            stop = gains + worth[left - 1] if left else np.full(len(gains), -np.inf)
            after[left] = np.maximum(stop, worth[left]).mean()
        worth = after
    return worth[allowed]


def earned_at(threshold, gains, hours, allowed):
    """What stopping above a fixed threshold earns on average, until the allowance is used up."""
    worth = np.zeros(allowed + 1)
    for _ in range(hours):
        stop = np.append(-np.inf, worth[:-1])
        worth = np.array([
            np.where((gains > threshold) & (left > 0), gains + stop[left], worth[left]).mean()
            for left in range(allowed + 1)
        ])  # fmt: skip
    return worth[allowed]


def test_a_threshold_at_the_shadow_price_earns_nearly_what_the_exact_rule_does():
    gains = np.sort(np.random.default_rng(7).pareto(1.2, 400) * 50.0 - 40.0)
    for allowed in (2, 10, 40):
        price = shadow_price(gains, np.zeros(1), ONE, allowed / 400)
        exact = best_by_dynamic_programme(gains, 400, allowed)
        assert 0.85 * exact < earned_at(price, gains, 400, allowed) <= exact + 1e-9
        assert earned_at(0.0, gains, 400, allowed) < earned_at(price, gains, 400, allowed)


costs = st.lists(st.floats(-200.0, 5000.0), min_size=1, max_size=60).map(lambda v: np.sort(np.array(v)))


@given(costs, st.floats(-50.0, 3000.0), st.floats(0.0, 1.0))
def test_at_its_price_no_more_is_used_than_is_left(cost, worth, left):
    price = shadow_price(cost, np.array([worth]), ONE, left)
    assert price >= 0.0
    assert np.mean(cost - worth > price + 1e-6) <= left + 1e-12


@given(costs, st.floats(-50.0, 3000.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_less_is_left_the_dearer_an_hour(cost, worth, one, other):
    low, high = sorted((one, other))
    by_left = [shadow_price(cost, np.array([worth]), ONE, left) for left in (low, high)]
    assert by_left[0] >= by_left[1]


@given(costs, st.floats(-50.0, 3000.0), st.floats(0.0, 1.0))
def test_hindsight_agrees_with_the_same_prices_seen_as_a_distribution(cost, worth, left):
    ahead = shadow_price(cost, np.array([worth]), ONE, left)
    assert shadow_price_of_month((cost - worth)[None, :], ONE, left) == pytest.approx(ahead, abs=1e-6)


def test_a_stock_that_pays_a_credit_is_never_dearer_than_the_credit():
    assert shadow_price(np.array([5000.0]), np.zeros(1), ONE, 0.0, most_ccy_per_mwh=150.0) == 150.0


def test_a_stock_runs_down_by_what_was_missing_and_remembers_when_it_began():
    state = advance(StockState(), 150, 1000, 300)
    assert (state.used_s, state.is_cut, state.since_s) == (150, True, 1000)
    state = advance(state, 300, 1300, 300)
    assert (state.used_s, state.since_s) == (450, 1000)
    state = advance(state, 1, 1600, 300)  # rounding of a meter is no interruption
    assert (state.used_s, state.is_cut, state.since_s) == (451, False, 1600)
