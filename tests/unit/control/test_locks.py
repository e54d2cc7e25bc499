"""A locked asset is out of reach, and only the holder of its lock opens the way again."""

import msgspec
import pytest

from fleet_cases import NOW_US, S, asset, feeder, running, site
from headrace.control.assets import AssetKind
from headrace.control.commands import Action, Command, Result
from headrace.control.locks import LockRefused, admit, lock, release
from headrace.control.orders import LockOut


def out(name, holder="ann"):
    return LockOut(asset=name, holder=holder, since_us=NOW_US, reason="fan")


def command(name, action=Action.RUN, *, expires_us=NOW_US + S):
    return Command(id=f"r.{name}", asset=name, action=action, commanded_us=NOW_US, expires_us=expires_us, reason="wake")


def reached(layout, fleet, *names):
    admitted, refused = admit(layout, fleet, [command(name) for name in names], now_us=NOW_US)
    assert {each.asset for each in refused} == set(names) - {each.asset for each in admitted}
    assert all(each.result is Result.LOCKED_OUT for each in refused)
    return [each.asset for each in admitted]


@pytest.fixture
def layout():
    assets = [
        asset("a", "f1"),
        asset("b", "f1"),
        asset("c", "f2"),
        asset("k1", "main", load="", kind=AssetKind.CONTACTOR),
        asset("k0", "main", load="", kind=AssetKind.CONTACTOR),
    ]
    return site(assets, [feeder("f1", contactor="k1"), feeder("f2"), feeder("main", contactor="k0")])


def test_a_locked_asset_takes_every_switch_above_it_out_of_reach(layout):
    fleet = lock(layout, running(layout), out("a"))
    assert reached(layout, fleet, "a", "b", "c", "k1", "k0") == ["b", "c"]


@pytest.mark.parametrize("name", ["f1", "k1"])
def test_a_lock_on_a_feeder_or_its_switch_covers_all_behind_it(layout, name):
    fleet = lock(layout, running(layout), out(name))
    assert reached(layout, fleet, "a", "b", "c", "k1") == ["c"]


def test_a_lock_on_the_main_feeder_covers_the_feeders_that_hang_on_it(layout):
    fleet = lock(layout, running(layout), out("main"))
    assert reached(layout, fleet, "a", "b", "c", "k1", "k0") == ["c"]


def test_only_the_holder_releases_and_every_holder_must(layout):
    fleet = lock(layout, lock(layout, running(layout), out("a")), out("a", "ben"))
    refused = release(layout, fleet, asset="a", holder="eve")
    assert isinstance(refused, LockRefused)
    assert refused.held_by == ("ann", "ben")
    fleet = release(layout, fleet, asset="a", holder="ann")
    assert reached(layout, fleet, "a") == []
    fleet = release(layout, fleet, asset="a", holder="ben")
    assert reached(layout, fleet, "a", "k1", "k0") == ["a", "k1", "k0"]


def test_a_lock_on_nothing_known_is_refused(layout):
    assert isinstance(lock(layout, running(layout), out("nobody")), LockRefused)


def test_a_command_whose_time_has_passed_is_not_sent(layout):
    late = msgspec.structs.replace(command("a"), expires_us=NOW_US)
    admitted, refused = admit(layout, running(layout), [late], now_us=NOW_US)
    assert not admitted
    assert refused[0].result is Result.EXPIRED
