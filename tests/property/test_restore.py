"""Restoration never runs ahead of permission, cooling, ramp, inrush limit or rating."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_cases import NOW_US, S, asset, feeder, order, running, site
from headrace.control.assets import AssetKind
from headrace.control.commands import Action, CommandOutcome, Result
from headrace.control.fleet import absorb, counted_by_feeder, note_commands
from headrace.control.orders_in_force import Binding
from headrace.control.readings import AssetReading
from headrace.control.restore import next_wave

WORTH = {"s21": 60.0, "train": 300.0}


@st.composite
def halls(draw):
    feeders = [
        feeder(
            f"f{f}",
            limit_mw=draw(st.sampled_from((2.0, 4.0, 50.0))),
            ramp_up_max_mw_per_min=draw(st.sampled_from((0.5, 2.0, 10.0))),
            contactor=f"k{f}" if draw(st.booleans()) else "",
            cooling=f"pump{f}" if draw(st.booleans()) else "",
        )
        for f in range(draw(st.integers(1, 3)))
    ]
    assets = [
        asset(
            f"a{f}.{k}",
            each.name,
            load=draw(st.sampled_from(("s21", "train"))),
            full_mw=draw(st.sampled_from((0.1, 0.5, 1.0))),
            min_off_s=draw(st.sampled_from((0.0, 30.0))),
        )
        for f, each in enumerate(feeders)
        for k in range(draw(st.integers(1, 4)))
    ]
    for each in feeders:
        if each.cooling:
            assets.append(asset(each.cooling, "aux", load="", full_mw=0.05, kind=AssetKind.COOLING))
        if each.contactor:
            assets.append(asset(each.contactor, "aux", load="", full_mw=0.0, kind=AssetKind.CONTACTOR))
    layout = site(assets, [*feeders, feeder("aux")], ramp_up_max_mw_per_min=draw(st.sampled_from((1.0, 5.0, 50.0))))
    names = [each.name for each in layout.inventory.assets]
    return layout, running(layout, stopped=draw(st.sets(st.sampled_from(names), min_size=1)))


def follow(layout, fleet, commands, now_us, *, is_read):
    """Every machine does at once what it is told, says so, and is read, or not yet."""
    fleet = note_commands(layout, fleet, commands)
    said = [
        CommandOutcome(
            command=each.id, asset=each.asset, result=Result.ACKNOWLEDGED, commanded_us=now_us, acknowledged_us=now_us
        )
        for each in commands
    ]
    read = [AssetReading(asset=each.asset, at_us=now_us + S, is_running=True) for each in commands]
    return absorb(layout, fleet, said + read if is_read else said)


@pytest.mark.inv("L8")
@given(halls(), st.lists(st.sampled_from((1.0, 5.0, 20.0, 60.0, 300.0)), min_size=1, max_size=12), st.data())
def test_waves_keep_to_ramp_inrush_rating_cooling_and_order(case, steps, data):
    layout, fleet = case
    names = [each.name for each in layout.inventory.assets]
    now_us = NOW_US
    for n, step_s in enumerate(steps):
        now_us += round(step_s * S)
        most_mw = data.draw(st.sampled_from((1.0, 5.0, np.inf)))
        feeder_mw = counted_by_feeder(layout, fleet, now_us=now_us, age_max_s=0.0)
        site_mw = float(feeder_mw.sum())
        wave = next_wave(
            layout, fleet, names, WORTH, is_permitted=True, binding=Binding(most_mw=most_mw, most_by=order()),
            site_mw=site_mw, feeder_mw=feeder_mw, since_wave_s=step_s, record=f"w{n}", now_us=now_us,
        )  # fmt: skip
        assert wave.rise_mw <= layout.inventory.ramp_up_max_mw_per_min * step_s / 60.0 + 1e-6
        assert not wave.commands or site_mw + wave.rise_mw <= most_mw + 1e-6
        rise_mw = np.zeros(len(feeder_mw))
        for command in wave.commands:
            i = layout.position[command.asset]
            if command.action is Action.CLOSE:
                f = layout.contactor_of.index(i)
                rise_mw[f] += layout.full_mw[layout.feeder_of == f].sum()
            else:
                f = int(layout.feeder_of[i])
                rise_mw[f] += layout.full_mw[i] - fleet.drawn_mw[i]
                switch = layout.contactor_of[f]
                assert switch < 0 or fleet.runs[switch] == 1
            cooling = layout.cooling_of[f]
            assert cooling in (-1, i) or (fleet.runs[cooling] == 1 and fleet.is_confirmed[cooling])
            assert now_us - fleet.changed_us[i] >= layout.min_off_us[i]
        for f, each in enumerate(layout.inventory.feeders):
            assert rise_mw[f] <= each.ramp_up_max_mw_per_min * step_s / 60.0 + 1e-6
            assert rise_mw[f] <= 1e-6 or feeder_mw[f] + rise_mw[f] <= each.limit_mw + 1e-6
        fleet = follow(layout, fleet, wave.commands, now_us, is_read=data.draw(st.booleans()))


@pytest.mark.inv("L7")
@given(halls(), st.floats(0.0, 1e6))
def test_nothing_is_started_before_it_is_permitted(case, since_s):
    layout, fleet = case
    wave = next_wave(
        layout, fleet, [each.name for each in layout.inventory.assets], WORTH, is_permitted=False, binding=Binding(),
        site_mw=0.0, feeder_mw=np.zeros(len(layout.inventory.feeders)), since_wave_s=since_s, record="w",
        now_us=NOW_US,
    )  # fmt: skip
    assert wave.commands == ()
