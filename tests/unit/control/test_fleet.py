"""Belief errs to the side of more power, and takes in every kind of news."""

import pytest

from fleet_cases import NOW_US, S, asset, running, site
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.fleet import Doubt, absorb, counted_by_feeder, first_belief, note_commands
from headrace.control.readings import AssetReading, MeterReading
from headrace.control.watch import watch

LAYOUT = site([asset("a", standby_mw=0.05), asset("b")])
STOP = Command(id="r.0", asset="a", action=Action.STOP, commanded_us=NOW_US, expires_us=NOW_US + S, reason="t")


def became(result, *, command="r.0", at_us=NOW_US + 1):
    return CommandOutcome(command=command, asset="a", result=result, commanded_us=NOW_US, acknowledged_us=at_us)


def test_nothing_known_counts_at_full():
    state = first_belief(LAYOUT).of(LAYOUT, "a")
    assert (state.is_running, state.drawn_mw) == (None, 1.0)


def test_a_stop_counts_when_it_is_acknowledged_and_a_start_when_it_is_told():
    fleet = note_commands(LAYOUT, running(LAYOUT), [STOP])
    assert fleet.of(LAYOUT, "a").drawn_mw == 1.0
    fleet = absorb(LAYOUT, fleet, [became(Result.ACKNOWLEDGED)])
    assert fleet.of(LAYOUT, "a").drawn_mw == 0.05
    assert fleet.of(LAYOUT, "a").is_running is False
    run = Command(id="r.1", asset="a", action=Action.RUN, commanded_us=NOW_US, expires_us=NOW_US + S, reason="t")
    fleet = note_commands(LAYOUT, fleet, [run])
    assert fleet.of(LAYOUT, "a").drawn_mw == 1.0
    fleet = absorb(LAYOUT, fleet, [became(Result.ACKNOWLEDGED, command="r.1", at_us=NOW_US + S)])
    assert fleet.of(LAYOUT, "a").starts == 1


def test_a_reading_from_before_the_last_word_changes_nothing():
    fleet = absorb(LAYOUT, note_commands(LAYOUT, running(LAYOUT), [STOP]), [became(Result.ACKNOWLEDGED)])
    fleet = absorb(LAYOUT, fleet, [AssetReading(asset="a", at_us=NOW_US, is_running=True, power_w=1_000_000)])
    assert fleet.of(LAYOUT, "a").is_running is False


def test_a_mute_asset_is_trusted_again_when_heard_and_one_that_refuses_is_not():
    heard = AssetReading(asset="a", at_us=NOW_US + S, is_running=True)
    told = note_commands(LAYOUT, running(LAYOUT), [STOP])
    assert absorb(LAYOUT, told, [became(Result.MUTE), heard]).of(LAYOUT, "a").doubt is Doubt.NONE
    assert absorb(LAYOUT, told, [became(Result.REFUSED), heard]).of(LAYOUT, "a").doubt is Doubt.REFUSES
    later = AssetReading(asset="a", at_us=NOW_US + 600 * S, is_running=True)
    assert absorb(LAYOUT, told, [became(Result.REFUSED), later]).of(LAYOUT, "a").doubt is Doubt.NONE


def test_a_liar_counts_at_full_until_a_meter_confirms_it():
    told = note_commands(LAYOUT, running(LAYOUT), [STOP])
    claims = AssetReading(asset="a", at_us=NOW_US + S, is_running=False, power_w=0)
    fleet = absorb(LAYOUT, told, [became(Result.ACKNOWLEDGED), became(Result.LYING), claims])
    assert fleet.of(LAYOUT, "a").drawn_mw == 1.0
    fleet = absorb(LAYOUT, fleet, [became(Result.ACKNOWLEDGED, at_us=NOW_US + 2 * S)])
    assert fleet.of(LAYOUT, "a").doubt is Doubt.LIES
    fleet = absorb(LAYOUT, fleet, [became(Result.METERED, at_us=NOW_US + 3 * S)])
    assert fleet.of(LAYOUT, "a").drawn_mw == 0.05


def test_a_lost_asset_counts_at_full_until_its_feeders_meter_says_otherwise():
    fleet = running(LAYOUT, stopped=("a",))
    later_us = NOW_US + 120 * S
    found = watch(LAYOUT, fleet, fleet, now_us=later_us)
    assert found.lost == ("a", "b")
    assert counted_by_feeder(LAYOUT, found.fleet, now_us=later_us, age_max_s=5.0)[0] == pytest.approx(2.0)
    seen = absorb(LAYOUT, found.fleet, [MeterReading(meter="f1.meter", at_us=later_us, power_w=1_050_000)])
    assert counted_by_feeder(LAYOUT, seen, now_us=later_us, age_max_s=5.0)[0] == pytest.approx(1.05)
    back = absorb(LAYOUT, seen, [AssetReading(asset="a", at_us=later_us, is_running=False)])
    assert watch(LAYOUT, back, seen, now_us=later_us).back == ("a",)


def test_a_reading_that_only_says_why_it_failed_is_no_sign_of_life():
    silent = AssetReading(asset="a", at_us=NOW_US + S, is_running=None, reason="timeout")
    assert absorb(LAYOUT, running(LAYOUT), [silent]).of(LAYOUT, "a").heard_us == NOW_US - S
