"""Ratings, fuel lines, transformer security and what a unit may do."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.energy.plant import Unit, UnitState, active_limit_mw, advance_unit, fuel_line, may_be_on, secure_mw

RATING = st.floats(1.0, 500.0)
FACTOR = st.floats(0.3, 1.0)
STEP_S = 300
UNIT = Unit(
    generator="g",
    minimum_mw=3.0,
    maximum_mw=8.0,
    fuel_gj_per_mwh=8.0,
    no_load_gj_per_h=6.0,
    fuel_ccy_per_gj=3.0,
    fuel_price=None,
    start_ccy=100.0,
    start_gj=5.0,
    start_s=600,
    up_min_s=3600,
    down_min_s=1800,
    run_max_h=2.0,
    run_used_h=1.0,
)


@given(RATING, FACTOR, st.floats(0.0, 200.0))
def test_the_active_limit_fills_the_rating_and_no_more(rating_mva, factor, correction_mvar):
    most_mw = active_limit_mw(rating_mva, factor, correction_mvar)
    drawn_mvar = most_mw * math.tan(math.acos(factor))
    apparent = math.hypot(most_mw, max(0.0, drawn_mvar - correction_mvar))
    assert apparent == pytest.approx(rating_mva, rel=1e-9)


@given(st.lists(st.tuples(st.floats(0.0, 50.0), FACTOR), min_size=1, max_size=6), RATING)
def test_the_lowest_power_factor_is_safe_for_any_mix_of_loads(loads, rating_mva):
    total_mw = sum(mw for mw, _ in loads)
    most_mw = active_limit_mw(rating_mva, min(factor for _, factor in loads))
    scale = min(1.0, most_mw / total_mw) if total_mw else 1.0
    drawn_mvar = sum(scale * mw * math.tan(math.acos(factor)) for mw, factor in loads)
    assert math.hypot(scale * total_mw, drawn_mvar) <= rating_mva * (1 + 1e-9)


@given(st.floats(1.0, 10.0), st.floats(11.0, 30.0), st.floats(8.0, 9.5), st.floats(9.5, 12.0))
def test_a_fuel_line_meets_both_heat_rates(least_mw, most_mw, full, at_least):
    no_load, slope = fuel_line(
        minimum_mw=least_mw, maximum_mw=most_mw, min_load_gj_per_mwh=at_least, full_load_gj_per_mwh=full
    )
    assert no_load + slope * most_mw == pytest.approx(full * most_mw)
    assert no_load + slope * least_mw == pytest.approx(at_least * least_mw)


def test_n_minus_1_counts_on_all_but_the_largest():
    assert secure_mw((40.0, 60.0, 30.0), is_n_minus_1=True) == 70.0
    assert secure_mw((40.0, 60.0, 30.0), is_n_minus_1=False) == 130.0
    assert secure_mw((40.0,), is_n_minus_1=True) == 40.0
    assert secure_mw((), is_n_minus_1=True) == 0.0


@given(st.lists(st.floats(1.0, 100.0), min_size=3, max_size=6))
def test_losing_a_transformer_while_two_are_left_never_raises_the_limit(in_service):
    for i in range(len(in_service)):
        rest = tuple(in_service[:i] + in_service[i + 1 :])
        assert secure_mw(rest, is_n_minus_1=True) <= secure_mw(tuple(in_service), is_n_minus_1=True) + 1e-9


def test_a_unit_stops_only_after_its_minimum_time():
    on = UnitState(is_on=True, since_s=10_000)
    assert may_be_on(UNIT, on, False, 12_000, STEP_S) == (True, "unit.up_time")
    assert may_be_on(UNIT, on, False, 13_600, STEP_S) == (False, "")
    off = UnitState(is_on=False, since_s=10_000)
    assert may_be_on(UNIT, off, True, 11_000, STEP_S) == (False, "unit.down_time")
    assert may_be_on(UNIT, off, True, 11_800, STEP_S) == (True, "")


def test_a_permit_ends_a_run_whatever_is_wanted():
    state = UnitState(is_on=True, since_s=10_000, run_s=3400)
    assert may_be_on(UNIT, state, True, 20_000, STEP_S) == (False, "unit.run_hours")
    free = msgspec.structs.replace(UNIT, run_max_h=None)
    assert may_be_on(free, state, True, 20_000, STEP_S) == (True, "")


def test_a_units_state_follows_its_meters():
    state = advance_unit(UnitState(), 300, 600)
    assert state == UnitState(is_on=True, since_s=600, run_s=300)
    assert not state.is_ready(UNIT, 900)
    state = advance_unit(state, 300, 900)
    assert state == UnitState(is_on=True, since_s=600, run_s=600)
    assert state.is_ready(UNIT, 1200)
    assert advance_unit(state, 0, 1200) == UnitState(is_on=False, since_s=1200, run_s=600)
