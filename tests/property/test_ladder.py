"""The ladder is one total order, and no order below ever widens what one above has left."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_cases import NOW_US, order
from govern_cases import cases
from headrace.control.authority import LadderException, LadderRules, may_take
from headrace.control.govern import govern
from headrace.control.orders import Authority, OrderKind
from headrace.control.orders_in_force import Binding, HeldOrder, bind, narrow, refuse_restore

AUTHORITIES = st.sampled_from(Authority)
LOADS = ("s21", "train", "firm")
RULES = st.builds(
    LadderRules,
    firm=st.sampled_from(((), ("firm",))),
    exceptions=st.lists(st.builds(LadderException, load=st.sampled_from(LOADS), yields_to=AUTHORITIES), max_size=3).map(
        tuple
    ),
    needs_permission=st.sets(AUTHORITIES).map(lambda some: tuple(sorted(some))),
)


@st.composite
def held(draw):
    kinds = (OrderKind.SHED, OrderKind.LIMIT, OrderKind.RAISE, OrderKind.HOLD)
    return [
        HeldOrder(
            order=order(
                draw(st.sampled_from(kinds)),
                draw(AUTHORITIES),
                name=f"o{k}",
                mw=draw(st.floats(0.0, 100.0)),
                within_s=draw(st.sampled_from((0.0, 240.0))),
                starts_us=NOW_US + draw(st.sampled_from((-300, -60, 0, 60))) * 1_000_000,
                ends_us=draw(st.none() | st.just(NOW_US) | st.just(NOW_US + 10_000_000)),
            ),
            before_mw=draw(st.floats(0.0, 100.0)),
        )
        for k in range(draw(st.integers(0, 5)))
    ]


@pytest.mark.inv("L1")
@given(RULES, st.sampled_from(LOADS))
def test_whatever_one_authority_may_take_every_higher_one_may(rules, load):
    may = [may_take(rules, authority, load) for authority in Authority]
    assert may == sorted(may, reverse=True)


@pytest.mark.inv("L5")
@given(held(), RULES)
def test_orders_leave_a_band_that_exists(orders, rules):
    binding = bind(orders, now_us=NOW_US, rules=rules)
    assert binding.least_mw <= binding.most_mw


@pytest.mark.inv("L5")
@given(held(), RULES, AUTHORITIES)
def test_an_order_below_never_widens_what_those_above_have_left(orders, rules, floor):
    above = bind([each for each in orders if each.order.authority <= floor], now_us=NOW_US, rules=rules)
    every = bind(orders, now_us=NOW_US, rules=rules)
    assert above.least_mw <= every.least_mw <= every.most_mw <= above.most_mw
    assert every.is_held or not above.is_held


@pytest.mark.inv("L5")
@given(held(), RULES, st.randoms(use_true_random=False))
def test_the_order_in_which_orders_came_changes_nothing(orders, rules, chance):
    shuffled = list(orders)
    chance.shuffle(shuffled)
    first, again = (bind(each, now_us=NOW_US, rules=rules) for each in (orders, shuffled))
    assert (first.most_mw, first.least_mw, first.is_held) == (again.most_mw, again.least_mw, again.is_held)


@pytest.mark.inv("L7")
@given(RULES, AUTHORITIES, AUTHORITIES)
def test_nobody_below_ends_an_order_and_permission_is_its_own_authoritys(rules, asked, ended):
    refused = refuse_restore(order(OrderKind.RESTORE, asked, name="x"), order(authority=ended), rules)
    if ended in rules.needs_permission:
        assert bool(refused) == (asked is not ended)
    else:
        assert bool(refused) == (asked > ended)


@given(held())
def test_a_limit_of_an_emergency_holds_at_once(orders):
    most = [
        each.order.mw if each.order.kind is OrderKind.LIMIT else each.before_mw - each.order.mw
        for each in orders
        if each.order.authority is Authority.SAFETY
        and each.order.kind in (OrderKind.LIMIT, OrderKind.SHED)
        and each.order.starts_us <= NOW_US
    ]
    assert bind(orders, now_us=NOW_US).most_mw <= min(most, default=math.inf)


ABOVE_FIRM = st.sampled_from([Authority.SAFETY, Authority.GRID, Authority.SITE, Authority.RESERVE])


@pytest.mark.inv("L5")
@given(cases(), st.floats(0.0, 120.0), ABOVE_FIRM)
def test_import_stays_below_an_order_from_above_firm_leases(case, most_mw, authority):
    setpoints, bus = case
    binding = Binding(most_mw=most_mw, most_by=order(OrderKind.LIMIT, authority))
    flows = govern(narrow(setpoints, binding, expected_mw=govern(setpoints, bus).import_mw), bus)
    assert flows.import_mw <= most_mw + 1e-6


@pytest.mark.inv("L2")
@given(cases(), st.floats(0.0, 120.0), st.sampled_from([Authority.VOLUNTARY, Authority.MONEY]))
def test_a_programme_or_a_price_sheds_no_firm_load(case, most_mw, authority):
    setpoints, bus = case
    plain = govern(setpoints, bus)
    binding = Binding(most_mw=most_mw, most_by=order(OrderKind.LIMIT, authority))
    flows = govern(narrow(setpoints, binding, expected_mw=plain.import_mw), bus)
    assert flows.shed_mw <= plain.shed_mw + 1e-6


@pytest.mark.inv("L5")
@given(cases(), st.floats(0.0, 120.0))
def test_a_raise_never_lowers_what_is_drawn(case, least_mw):
    setpoints, bus = case
    setpoints = msgspec.structs.replace(setpoints, charge_mw=0.0)  # feeding would otherwise make room to charge
    plain = govern(setpoints, bus)
    binding = Binding(least_mw=least_mw, least_by=order(OrderKind.RAISE))
    raised = govern(narrow(setpoints, binding, expected_mw=plain.import_mw - plain.export_mw), bus)
    assert raised.import_mw - raised.export_mw >= min(plain.import_mw - plain.export_mw, least_mw) - 1e-6
