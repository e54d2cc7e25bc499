"""Targets become switching: as little as it takes, shared fairly, within every ramp."""

import numpy as np
import pytest

from fleet_cases import NOW_US, S, asset, feeder, running, site
from headrace.control.allocate import allocate
from headrace.control.assets import AssetKind
from headrace.control.fleet import absorb, counted_by_feeder
from headrace.control.readings import AssetReading

WORTH = {"s21": 60.0, "s19": 40.0, "train": 300.0}


def move(layout, fleet, targets, *, since_s=60.0, now_us=NOW_US):
    feeder_mw = counted_by_feeder(layout, fleet, now_us=now_us, age_max_s=3600.0)
    return allocate(
        layout, fleet, targets, WORTH, feeder_mw=feeder_mw, since_move_s=since_s, record="p1", now_us=now_us
    )


def told(found):
    return [(command.asset, command.action.value) for command in found.commands]


def test_what_matches_its_target_is_left_alone():
    layout = site([asset(f"a{k}") for k in range(4)])
    fleet = running(layout, stopped=("a3",))
    assert move(layout, fleet, {"s21": 3.0}).commands == ()
    assert move(layout, fleet, {"s21": 3.4}).commands == ()
    assert told(move(layout, fleet, {"s21": 4.0})) == [("a3", "run")]


def test_the_last_of_a_load_is_capped_where_it_can_be():
    layout = site([asset("n0", load="train", kind=AssetKind.NODE, least_mw=0.3), asset("n1", load="train")])
    found = move(layout, running(layout), {"train": 1.5})
    assert told(found) == [("n0", "cap")]
    assert found.commands[0].power_mw == pytest.approx(0.5)


def test_starts_are_shared_and_limited_a_day():
    layout = site([asset(f"a{k}", cycles_per_day_max=2) for k in range(3)])
    fleet = running(layout)
    for k in range(4):
        news = [AssetReading(asset="a0", at_us=NOW_US + k * S, is_running=bool(k % 2))]
        fleet = absorb(layout, fleet, news)
    off = [AssetReading(asset=f"a{k}", at_us=NOW_US + 10 * S, is_running=False) for k in range(3)]
    fleet = absorb(layout, fleet, off)
    found = move(layout, fleet, {"s21": 3.0}, now_us=NOW_US + 20 * S)
    assert told(found) == [("a1", "run"), ("a2", "run")]
    assert found.reasons == ("allocate.short.s21",)
    assert ("a0", "run") in told(move(layout, fleet, {"s21": 3.0}, now_us=NOW_US + 86_410 * S))


def test_money_moves_within_the_registered_ramp_both_ways():
    layout = site([asset(f"a{k}") for k in range(10)])
    fleet = running(layout)
    down = move(layout, fleet, {"s21": 0.0}, since_s=30.0)
    assert down.fall_mw == pytest.approx(3.0)
    assert down.reasons == ("allocate.ramp",)
    none = running(layout, stopped=[f"a{k}" for k in range(10)])
    assert move(layout, none, {"s21": 10.0}, since_s=30.0).rise_mw == pytest.approx(3.0)


def test_mining_that_makes_room_for_ai_is_no_ramp():
    layout = site([asset(f"a{k}", "f1") for k in range(10)] + [asset(f"n{k}", "f2", load="train") for k in range(10)])
    fleet = running(layout, stopped=[f"n{k}" for k in range(10)])
    found = move(layout, fleet, {"s21": 4.0, "train": 6.0}, since_s=1.0)
    assert (found.rise_mw, found.fall_mw) == (0.0, 0.0)  # the feeder's inrush limit holds the rise, and so the fall
    feeders = [feeder("f1"), feeder("f2", ramp_up_max_mw_per_min=1000.0)]
    layout = site(layout.inventory.assets, feeders)
    found = move(layout, running(layout, stopped=[f"n{k}" for k in range(10)]), {"s21": 4.0, "train": 6.0}, since_s=1.0)
    assert (found.rise_mw, found.fall_mw) == (pytest.approx(6.0), pytest.approx(6.0))
    assert [command.action.value for command in found.commands] == ["stop"] * 6 + ["run"] * 6


def test_a_least_time_off_holds_for_money():
    layout = site([asset("a", min_off_s=600.0)])
    fleet = absorb(layout, running(layout), [AssetReading(asset="a", at_us=NOW_US, is_running=False)])
    assert move(layout, fleet, {"s21": 1.0}, now_us=NOW_US + S).commands == ()
    assert told(move(layout, fleet, {"s21": 1.0}, now_us=NOW_US + 600 * S)) == [("a", "run")]


def test_a_full_feeder_takes_nothing_more():
    layout = site([asset("a"), asset("b")], [feeder("f1", limit_mw=1.5)])
    found = move(layout, running(layout, stopped=("b",)), {"s21": 2.0})
    assert (found.commands, found.reasons) == ((), ("allocate.feeder",))


def test_a_load_without_a_target_is_left_alone():
    layout = site([asset("a"), asset("b", load="s19")])
    assert told(move(layout, running(layout), {"s19": 0.0})) == [("b", "stop")]
    assert np.isclose(move(layout, running(layout), {}).rise_mw, 0.0)
