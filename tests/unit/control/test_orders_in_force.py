"""The highest authority binds first, and within one the tightest."""

import math

import pytest

from fleet_cases import NOW_US, S, order
from headrace.control.authority import LadderRules
from headrace.control.orders import Authority, OrderKind
from headrace.control.orders_in_force import HeldOrder, bind, refuse_restore


def held(*orders, before_mw=100.0):
    return [HeldOrder(order=each, before_mw=before_mw) for each in orders]


def limit(mw, authority=Authority.GRID, **more):
    return order(OrderKind.LIMIT, authority, name=f"l{mw}", mw=mw, **more)


def rise(mw, authority=Authority.GRID, **more):
    return order(OrderKind.RAISE, authority, name=f"r{mw}", mw=mw, **more)


def test_the_tightest_of_one_authority_holds():
    binding = bind(held(limit(80.0), order(mw=30.0)), now_us=NOW_US)
    assert binding.most_mw == 70.0
    assert binding.most_by.kind is OrderKind.SHED


def test_a_lower_authority_never_widens_a_higher_one():
    binding = bind(held(limit(60.0), rise(90.0, Authority.MONEY, within_s=0.0)), now_us=NOW_US)
    assert (binding.most_mw, binding.least_mw) == (60.0, 60.0)
    binding = bind(held(rise(60.0), limit(20.0, Authority.VOLUNTARY, within_s=0.0)), now_us=NOW_US)
    assert (binding.most_mw, binding.least_mw) == (60.0, 60.0)


def test_a_base_point_is_reached_in_a_straight_line_and_an_emergency_at_once():
    half_us = NOW_US + 120 * S
    assert bind(held(limit(40.0, Authority.MONEY, within_s=240.0)), now_us=half_us).most_mw == pytest.approx(70.0)
    assert bind(held(limit(40.0, Authority.GRID, within_s=240.0)), now_us=NOW_US).most_mw == 40.0


def test_an_order_binds_from_its_start_to_its_end():
    programme = limit(40.0, Authority.VOLUNTARY, within_s=0.0, starts_us=NOW_US, ends_us=NOW_US + S)
    assert bind(held(programme), now_us=NOW_US - 1).most_mw == math.inf
    assert bind(held(programme), now_us=NOW_US).most_mw == 40.0
    assert bind(held(programme), now_us=NOW_US + S).most_mw == math.inf


def test_a_grid_order_binds_past_its_end_until_the_grid_permits():
    shed = order(mw=30.0, ends_us=NOW_US + S)
    assert bind(held(shed), now_us=NOW_US + 10 * S).most_mw == 70.0
    assert bind(held(shed), now_us=NOW_US + 10 * S, rules=LadderRules(needs_permission=())).most_mw == math.inf


def test_only_the_authority_that_needs_permission_gives_it():
    def restore(authority):
        return order(OrderKind.RESTORE, authority, name="x", ends="o1")

    assert refuse_restore(restore(Authority.SITE), order()) == "restore.needs_grid"
    assert refuse_restore(restore(Authority.SAFETY), order()) == "restore.needs_grid"
    assert not refuse_restore(restore(Authority.GRID), order())
    assert refuse_restore(restore(Authority.MONEY), order(authority=Authority.SITE)) == "restore.no_authority"
    assert not refuse_restore(restore(Authority.GRID), order(authority=Authority.SITE))
    assert refuse_restore(restore(Authority.GRID), None) == "restore.unknown_order"


def test_an_order_about_a_feeder_binds_the_feeder_alone():
    orders = held(limit(2.0, feeder="f1"))
    assert bind(orders, now_us=NOW_US).most_mw == math.inf
    assert bind(orders, now_us=NOW_US, feeder="f1").most_mw == 2.0


def test_a_hold_is_told_by_whoever_is_highest():
    holds = (order(OrderKind.HOLD, Authority.SITE, name="h2"), order(OrderKind.HOLD, Authority.GRID, name="h1"))
    binding = bind(held(*holds), now_us=NOW_US)
    assert binding.is_held
    assert binding.held_by.id == "h1"
    assert binding.reasons == ("order.grid.hold", "order.site.hold")
