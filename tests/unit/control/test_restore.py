"""What was taken off comes back with permission, cooling first, in waves."""

import msgspec
import numpy as np
import pytest

from fleet_cases import NOW_US, S, asset, feeder, metered, order, running, site
from headrace.control.assets import AssetKind
from headrace.control.commands import CommandOutcome, Result
from headrace.control.fleet import absorb, counted_by_feeder, note_commands
from headrace.control.orders import Authority
from headrace.control.orders_in_force import Binding
from headrace.control.readings import AssetReading
from headrace.control.restore import next_wave

WORTH = {"s21": 60.0, "train": 300.0}
FREE = Binding()


def wave(layout, fleet, *, is_permitted=True, binding=FREE, since_s=60.0, now_us=NOW_US, **more):
    return next_wave(
        layout,
        fleet,
        [each.name for each in layout.inventory.assets],
        WORTH,
        is_permitted=is_permitted,
        binding=binding,
        site_mw=float(fleet.drawn_mw.sum()),
        feeder_mw=counted_by_feeder(layout, fleet, now_us=now_us, age_max_s=5.0),
        since_wave_s=since_s,
        record="w1",
        now_us=now_us,
        **more,
    )


def told(found):
    return [(command.asset, command.action.value) for command in found.commands]


def off(layout, *running_names):
    stopped = [each.name for each in layout.inventory.assets if each.name not in running_names]
    return running(layout, stopped=stopped)


def test_nothing_starts_without_permission():
    layout = site([asset("a")])
    found = wave(layout, off(layout), is_permitted=False)
    assert (found.commands, found.reasons) == ((), ("restore.awaits_permission",))


def test_nothing_starts_while_an_order_leaves_no_room_or_says_hold():
    layout = site([asset("a")])
    for binding in (Binding(most_mw=0.0, most_by=order()), Binding(is_held=True)):
        assert wave(layout, off(layout), binding=binding).reasons == ("restore.held",)


def test_the_best_worth_starts_first_within_the_ramp():
    layout = site([asset("m1", "f1"), asset("m2", "f1"), asset("ai", "f2", load="train", kind=AssetKind.NODE)])
    found = wave(layout, off(layout), since_s=20.0)
    assert told(found) == [("ai", "run"), ("m1", "run")]
    assert found.rise_mw == pytest.approx(2.0)
    assert found.reasons == ("restore.awaits_ramp",)


def test_an_inrush_limit_holds_one_feeder_and_not_the_other():
    feeders = [feeder("f1", ramp_up_max_mw_per_min=1.0), feeder("f2", ramp_up_max_mw_per_min=2.0)]
    layout = site([asset("a", "f1"), asset("b", "f1"), asset("c", "f2"), asset("d", "f2")], feeders)
    assert told(wave(layout, off(layout))) == [("a", "run"), ("c", "run"), ("d", "run")]


def test_what_is_larger_than_a_wave_waits_until_the_ramp_has_had_the_time():
    layout = site([asset("big", full_mw=12.0)])
    assert wave(layout, off(layout), since_s=119.0).commands == ()
    assert told(wave(layout, off(layout), since_s=120.0)) == [("big", "run")]


def test_cooling_runs_first_and_its_acknowledgement_is_not_enough():
    layout = site(
        [asset("a"), asset("pump", "aux", load="", full_mw=0.1, kind=AssetKind.COOLING)],
        [feeder("f1", cooling="pump"), feeder("aux")],
    )
    fleet = off(layout)
    first = wave(layout, fleet)
    assert told(first) == [("pump", "run")]
    fleet = note_commands(layout, fleet, first.commands)
    said = CommandOutcome(
        command="w1.0", asset="pump", result=Result.ACKNOWLEDGED, commanded_us=NOW_US, acknowledged_us=NOW_US + 1
    )
    fleet = absorb(layout, fleet, [said])
    assert wave(layout, fleet, now_us=NOW_US + 2).commands == ()
    fleet = absorb(layout, fleet, [AssetReading(asset="pump", at_us=NOW_US + S, is_running=True)])
    assert told(wave(layout, fleet, now_us=NOW_US + S)) == [("a", "run")]


def test_a_least_time_off_is_kept_but_for_people_and_equipment():
    layout = site([asset("a", min_off_s=600.0)])
    fleet = running(layout)
    fleet = absorb(layout, fleet, [AssetReading(asset="a", at_us=NOW_US, is_running=False)])
    assert wave(layout, fleet, now_us=NOW_US + S).reasons == ("restore.min_off",)
    assert told(wave(layout, fleet, now_us=NOW_US + S, authority=Authority.SAFETY)) == [("a", "run")]
    assert told(wave(layout, fleet, now_us=NOW_US + 600 * S)) == [("a", "run")]


def test_a_switch_closes_alone_and_counts_for_all_behind_it():
    layout = site(
        [asset("a"), asset("b"), asset("c", "f2"), asset("k1", "f2", load="", full_mw=0.0, kind=AssetKind.CONTACTOR)],
        [feeder("f1", contactor="k1"), feeder("f2")],
    )
    fleet = off(layout, "c")
    assert told(wave(layout, fleet, since_s=19.0)) == []
    found = wave(layout, fleet, since_s=20.0)
    assert told(found) == [("k1", "close")]
    assert found.rise_mw == pytest.approx(2.0)
    assert "restore.awaits_switch" in found.reasons


def test_what_nobody_can_reach_stays_as_it_is_and_keeps_no_restoration_open():
    layout = site([asset("a"), asset("b"), asset("c")])
    fleet = off(layout)
    fleet = msgspec.structs.replace(
        fleet,
        is_locked=fleet.is_locked | [True, False, False],
        is_lost=fleet.is_lost | [False, True, False],
        doubt=np.array([0, 0, 1], np.int8),
    )
    found = wave(layout, fleet)
    assert (found.commands, found.is_done) == ((), True)
    assert found.reasons == ("restore.locked_out", "restore.not_heard")


def test_what_was_told_is_not_told_again_while_it_starts():
    layout = site([asset("a")])
    fleet = off(layout)
    fleet = note_commands(layout, fleet, wave(layout, fleet).commands)
    assert wave(layout, fleet).reasons == ("restore.under_way",)


def test_a_restoration_is_done_when_everything_runs():
    layout = site([asset("a")])
    assert wave(layout, running(layout)).is_done
    assert not wave(layout, metered(layout, off(layout), NOW_US)).is_done


def test_what_is_waking_already_takes_the_room_that_no_meter_shows_yet():
    layout = site([asset("a"), asset("b")])
    fleet = off(layout)
    first = wave(layout, fleet, since_s=10.0)
    fleet = note_commands(layout, fleet, first.commands)
    feeder_mw = np.array([0.0])
    found = next_wave(
        layout, fleet, ["a", "b"], WORTH, is_permitted=True, binding=Binding(most_mw=1.5, most_by=order()),
        site_mw=0.0, feeder_mw=feeder_mw, since_wave_s=60.0, record="w2", now_us=NOW_US,
    )  # fmt: skip
    assert (told(first), told(found)) == ([("a", "run")], [])
