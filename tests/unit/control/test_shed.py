"""A shed takes the least worth first, feeder by feeder, and no more than it needs."""

import math

import msgspec
import pytest

from fleet_cases import NOW_US, asset, order, running, site
from headrace.control.assets import AssetKind
from headrace.control.authority import LadderException, LadderRules
from headrace.control.commands import Action
from headrace.control.orders import Authority
from headrace.control.shed import shed

WORTH = {"s19": 40.0, "s21": 60.0, "train": 300.0, "llm": 2000.0, "battery": 500.0}
RULES = LadderRules(firm=("llm",))


def take(layout, fleet, mw, authority=Authority.GRID, *, rules=RULES, **more):
    return shed(
        layout, fleet, WORTH, mw, order=order(authority=authority, mw=mw, **more), record="o1", now_us=NOW_US,
        rules=rules,
    )  # fmt: skip


def told(shedding):
    return [(command.asset, command.action.value) for command in shedding.commands]


def test_the_least_worth_gives_way_first():
    layout = site([asset("ai", load="train"), asset("new"), asset("old", load="s19")])
    assert told(take(layout, running(layout), 2.0)) == [("old", "stop"), ("new", "stop")]


def test_assets_of_one_worth_are_taken_feeder_by_feeder():
    layout = site([asset(f"{f}.{k}", f) for k in range(3) for f in ("f1", "f2")] + [asset("f2.3", "f2")])
    shedding = take(layout, running(layout), 5.0)
    assert [command.asset[:2] for command in shedding.commands] == ["f2"] * 4 + ["f1"]
    assert shedding.expected_mw == pytest.approx(5.0)


def test_the_last_asset_is_capped_where_it_can_be():
    layout = site([asset("a", full_mw=2.0), asset("b", full_mw=2.0, least_mw=0.5)])
    shedding = take(layout, running(layout), 3.0)
    assert told(shedding) == [("a", "stop"), ("b", "cap")]
    assert shedding.commands[1].power_mw == pytest.approx(1.0)
    assert shedding.expected_mw == pytest.approx(3.0)


def test_what_the_last_asset_makes_superfluous_is_spared():
    layout = site([asset("small", load="s19", full_mw=0.5), asset("big", full_mw=5.0)])
    shedding = take(layout, running(layout), 5.0)
    assert told(shedding) == [("big", "stop")]
    assert shedding.commands[0].id == "o1.1"


def test_in_an_emergency_the_battery_feeds_first():
    layout = site([asset("a"), asset("bess", load="battery", kind=AssetKind.BATTERY, full_mw=3.0)])
    shedding = take(layout, running(layout), 3.5)
    assert told(shedding) == [("bess", "discharge"), ("a", "stop")]
    low = take(layout, running(layout, soc_ratio=0.05), 1.0)
    assert told(low) == [("a", "stop")]


def test_for_a_programme_the_battery_stands_at_its_worth():
    layout = site([asset("a"), asset("bess", load="battery", kind=AssetKind.BATTERY, full_mw=3.0)])
    assert told(take(layout, running(layout), 1.0, Authority.VOLUNTARY)) == [("a", "stop")]


@pytest.mark.parametrize("authority", [Authority.FIRM, Authority.VOLUNTARY, Authority.MONEY])
def test_a_firm_lease_is_out_of_reach_for_programme_and_price(authority):
    layout = site([asset("n", load="llm", kind=AssetKind.NODE)])
    shedding = take(layout, running(layout), 1.0, authority)
    assert (shedding.commands, shedding.short_mw) == ((), 1.0)


def test_called_reserve_takes_a_firm_lease_last_unless_the_site_says_otherwise():
    layout = site([asset("n", load="llm", kind=AssetKind.NODE), asset("a")])
    fleet = running(layout)
    assert told(take(layout, fleet, 2.0, Authority.RESERVE)) == [("a", "stop"), ("n", "stop")]
    spared = LadderRules(firm=("llm",), exceptions=(LadderException(load="llm", yields_to=Authority.GRID),))
    assert told(take(layout, fleet, 2.0, Authority.RESERVE, rules=spared)) == [("a", "stop")]
    assert told(take(layout, fleet, 2.0, Authority.GRID, rules=spared)) == [("a", "stop"), ("n", "stop")]


def test_in_an_emergency_that_falls_short_the_doubtful_are_told_and_not_counted():
    layout = site([asset("a"), asset("lost"), asset("locked")])
    fleet = running(layout)
    fleet = msgspec.structs.replace(
        fleet, is_lost=fleet.is_lost | [False, True, False], is_locked=fleet.is_locked | [False, False, True]
    )
    shedding = take(layout, fleet, 3.0)
    assert told(shedding) == [("a", "stop"), ("lost", "stop")]
    assert (shedding.expected_mw, shedding.short_mw) == (1.0, 2.0)
    assert shedding.reasons == ("order.grid.shed.short", "order.grid.shed.uncounted")


def test_an_order_about_a_feeder_stays_on_it():
    layout = site([asset("a", "f1"), asset("b", "f2")])
    shedding = take(layout, running(layout), math.inf, feeder="f2")
    assert told(shedding) == [("b", "stop")]
    assert shedding.short_mw == 0.0


def test_cooling_and_switches_are_not_shed():
    layout = site([asset("pump", load="", kind=AssetKind.COOLING), asset("k1", load="", kind=AssetKind.CONTACTOR)])
    assert take(layout, running(layout), math.inf, Authority.SAFETY).commands == ()


def test_the_same_record_makes_the_same_commands():
    layout = site([asset(f"a{k}") for k in range(5)])
    fleet = running(layout)
    assert take(layout, fleet, 3.0).commands == take(layout, fleet, 3.0).commands
    assert all(command.action is Action.STOP for command in take(layout, fleet, 3.0).commands)


def test_what_is_spared_is_not_expected():
    layout = site([asset("small", load="s19", full_mw=1.0), asset("large", load="s21", full_mw=3.0)])
    shedding = take(layout, running(layout), 3.0)
    assert told(shedding) == [("large", "stop")]
    assert shedding.expected_mw == pytest.approx(3.0)
    assert shedding.short_mw == 0.0
