"""Power targets for AI work, by hand."""

import pytest

from flex_cases import CURVES, flex
from headrace.control.assets import Asset, AssetKind
from headrace.control.commands import Action
from headrace.control.targets import Binding, commands_of, meet_target
from headrace.loads.flexibility import Tier, loss_max_ratio


def test_a_target_above_the_load_changes_nothing():
    plan = meet_target([flex()], target_mw=1.0, duration_s=60.0)
    assert (plan.short_mw, plan.lost_ccy_per_h, plan.settings[0].running_ratio) == (0.0, 0.0, 1.0)


def test_flex_0_is_never_touched():
    plan = meet_target([flex(tier=Tier.FLEX_0, pause=True)], target_mw=0.0, duration_s=60.0)
    assert plan.settings[0].throughput_ratio == 1.0
    assert plan.short_mw == pytest.approx(0.1)
    assert plan.settings[0].binding is Binding.TIER


def test_the_class_that_is_worth_less_gives_first():
    plan = meet_target([flex("dear", value=10.0), flex("cheap", value=1.0)], target_mw=0.195, duration_s=60.0)
    assert [s.throughput_ratio == 1.0 for s in plan.settings] == [True, False]
    assert plan.power_mw == pytest.approx(0.195)


def test_a_cap_does_nothing_for_decode_and_a_clock_does():
    capped = meet_target([flex(curve="decode-capped")], target_mw=0.09, duration_s=60.0)
    assert capped.settings[0].binding is Binding.FLOOR
    assert capped.short_mw == pytest.approx(0.01)
    locked = meet_target([flex(curve="decode")], target_mw=0.09, duration_s=60.0)
    assert locked.short_mw == 0.0
    assert locked.settings[0].throughput_ratio > 0.97


def test_a_paused_unit_still_draws_its_fixed_and_idle_power():
    plan = meet_target([flex(curve="serving", tier=Tier.FLEX_3, pause=True)], target_mw=0.0, duration_s=60.0)
    setting = plan.settings[0]
    assert setting.paused_units == 5
    assert setting.power_mw == pytest.approx(5 * 0.01 + 5 * (0.002 + 0.155 * 0.008))
    assert setting.running_ratio == pytest.approx(1.0)


def test_a_shrunken_batch_is_never_better_than_a_paused_instance():
    c = flex(curve="serving", tier=Tier.FLEX_3, units=100, pause=True)
    plan = meet_target([c], target_mw=0.8, duration_s=60.0)
    assert plan.settings[0].paused_units == 30
    assert plan.settings[0].throughput_ratio >= 0.70 - 1e-9


@pytest.mark.parametrize(
    ("more", "binding"),
    [
        ({"pause": True, "pause_notice_s": 600.0}, Binding.NOTICE),
        ({"pause": True, "pauses_left": 0}, Binding.BUDGET),
        ({"pause": False}, Binding.FLOOR),
        ({"pause": True, "duration_max_s": 30.0}, Binding.DURATION),
        ({"pause": True, "units": 0}, Binding.EMPTY),
        ({"pause": True, "lost_s": 43200.0, "loss_window_s": 86400.0}, Binding.TIER),
    ],
)
def test_what_keeps_a_class_from_giving_more_is_said(more, binding):
    plan = meet_target([flex(curve="decode", tier=Tier.FLEX_3, **more)], target_mw=0.0, duration_s=60.0)
    assert plan.settings[0].binding is binding


def test_a_window_lets_a_short_event_go_deeper():
    window = flex(tier=Tier.FLEX_1, loss_window_s=6 * 3600.0)
    assert loss_max_ratio(window, duration_s=3600.0) == pytest.approx(0.6)
    assert loss_max_ratio(flex(tier=Tier.FLEX_1), duration_s=3600.0) == pytest.approx(0.1)
    assert loss_max_ratio(window, duration_s=86400.0) == pytest.approx(0.1)


def test_units_pause_in_the_order_given_and_the_rest_run_at_the_cap():
    c = flex(units=4, tier=Tier.FLEX_3, pause=True, curve="training")
    setting = meet_target([c], target_mw=0.026, duration_s=60.0).settings[0]
    assets = [
        Asset(name=f"n{i}", kind=AssetKind.NODE, load="ai", feeder="f", driver="d", address=f"n{i}", full_mw=0.01)
        for i in range(4)
    ]
    commands = commands_of(setting, c, assets, record="o1", commanded_us=1, expires_us=2)
    assert [x.action for x in commands] == [Action.STOP] * setting.paused_units + [Action.CAP] * (
        4 - setting.paused_units
    )
    assert {x.power_mw for x in commands if x.action is Action.CAP} == {setting.unit_mw}
    assert len({x.id for x in commands}) == 4


def test_curves_say_where_they_come_from():
    assert all(curve.source for curve in CURVES.values())
    assert not CURVES["prefill"].is_measured
