"""Price moves keep to the registered ramps both ways, and to every machine's own limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_cases import NOW_US, fleets
from headrace.control.allocate import allocate
from headrace.control.commands import Action
from headrace.control.fleet import counted_by_feeder
from headrace.control.ramps import shaped_mw, trimmed_mw

WORTH = {"s19": 40.0, "s21": 60.0, "train": 300.0}
TARGETS = st.dictionaries(st.sampled_from(("s19", "s21", "train")), st.floats(0.0, 30.0))


@pytest.mark.inv("L9")
@given(fleets(), TARGETS, st.sampled_from((0.0, 1.0, 10.0, 60.0, 300.0)))
def test_price_moves_keep_to_ramps_and_ask_only_those_who_follow(case, targets, since_s):
    layout, fleet = case
    feeder_mw = counted_by_feeder(layout, fleet, now_us=NOW_US, age_max_s=0.0)
    found = allocate(
        layout, fleet, targets, WORTH, feeder_mw=feeder_mw, since_move_s=since_s, record="p", now_us=NOW_US
    )
    net_mw = found.rise_mw - found.fall_mw
    assert net_mw <= layout.inventory.ramp_up_max_mw_per_min * since_s / 60.0 + 1e-6
    assert -net_mw <= layout.inventory.ramp_down_max_mw_per_min * since_s / 60.0 + 1e-6
    moved_mw = 0.0
    for command in found.commands:
        i = layout.position[command.asset]
        asset = layout.asset(i)
        assert asset.load in targets
        assert fleet.is_trusted()[i]
        if command.action is Action.CAP:
            assert asset.least_mw <= command.power_mw <= asset.full_mw
        to_mw = {Action.RUN: asset.full_mw, Action.STOP: asset.standby_mw}.get(command.action, command.power_mw)
        if to_mw > fleet.drawn_mw[i]:
            assert NOW_US - fleet.changed_us[i] >= layout.min_off_us[i]
        moved_mw += to_mw - fleet.drawn_mw[i]
    assert moved_mw == pytest.approx(net_mw, abs=1e-6)


@pytest.mark.inv("L9")
@given(fleets(), TARGETS, st.floats(0.0, 300.0))
def test_a_move_never_makes_a_miss_larger(case, targets, since_s):
    layout, fleet = case
    feeder_mw = counted_by_feeder(layout, fleet, now_us=NOW_US, age_max_s=0.0)
    found = allocate(
        layout, fleet, targets, WORTH, feeder_mw=feeder_mw, since_move_s=since_s, record="p", now_us=NOW_US
    )
    for load, target_mw in targets.items():
        if load not in layout.load_names:
            continue
        own = layout.is_load & (layout.load_of == layout.load_names.index(load))
        before_mw = after_mw = float(fleet.drawn_mw[own].sum())
        for command in found.commands:
            i = layout.position[command.asset]
            if own[i]:
                asset = layout.asset(i)
                to_mw = {Action.RUN: asset.full_mw, Action.STOP: asset.standby_mw}.get(command.action, command.power_mw)
                after_mw += to_mw - float(fleet.drawn_mw[i])
        assert abs(target_mw - after_mw) <= abs(target_mw - before_mw) + 1e-6


POWER = st.floats(0.0, 1000.0)


@pytest.mark.inv("L9")
@given(POWER, POWER, st.floats(0.0, 1000.0), POWER, POWER)
def test_a_shaped_target_never_runs_ahead_of_its_ramp(now_mw, wanted_mw, elapsed_s, up, down):
    shaped = shaped_mw(now_mw, wanted_mw, elapsed_s=elapsed_s, up_max_mw_per_min=up, down_max_mw_per_min=down)
    assert now_mw - down * elapsed_s / 60.0 - 1e-6 <= shaped <= now_mw + up * elapsed_s / 60.0 + 1e-6
    assert min(now_mw, wanted_mw) - 1e-6 <= shaped <= max(now_mw, wanted_mw) + 1e-6


@pytest.mark.inv("L9")
@given(POWER, POWER, st.floats(0.0, 1000.0), POWER, POWER)
def test_rises_and_falls_trimmed_together_differ_by_the_ramp_at_most(up_mw, down_mw, elapsed_s, up, down):
    rise_mw, fall_mw = trimmed_mw(up_mw, down_mw, elapsed_s=elapsed_s, up_max_mw_per_min=up, down_max_mw_per_min=down)
    assert rise_mw <= up_mw
    assert fall_mw <= down_mw
    assert rise_mw - fall_mw <= up * elapsed_s / 60.0 + 1e-6
    assert fall_mw - rise_mw <= down * elapsed_s / 60.0 + 1e-6
