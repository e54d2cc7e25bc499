"""The target planner against a linear programme that knows nothing of hulls or merit orders."""

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flex_cases import random_class
from headrace.control.targets import Binding, meet_target
from headrace.loads.flexibility import LOSS_ALLOWED_RATIO


def relaxed_optimum(classes, target_mw: float, *, least_power: bool = False) -> float | None:
    """Least value lost (or least power) with fractions of units at every raw point; None if the target can't be met."""
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    inf = highspy.kHighsInf
    columns = []  # (class, power, throughput, is_pause)
    for number, c in enumerate(classes):
        for power, throughput in zip(c.curve.power_ratio, c.curve.throughput_ratio, strict=True):
            columns.append((number, c.unit_mw(power), throughput, False))
        if c.can_pause:
            columns.append((number, c.unit_mw(c.curve.idle_ratio), 0.0, True))
    for number, power, throughput, _ in columns:
        cost = power if least_power else classes[number].unit_value_ccy_per_h * (1.0 - throughput)
        model.addCol(cost, 0.0, inf, 0, np.array([], np.int32), np.array([], np.float64))

    def row(low, high, values):
        index = np.array([i for i, v in enumerate(values) if v != 0.0], np.int32)
        model.addRow(low, high, len(index), index, np.array([values[i] for i in index], np.float64))

    for number, c in enumerate(classes):
        mine = [float(col[0] == number) for col in columns]
        row(c.units, c.units, mine)
        row(
            -inf, LOSS_ALLOWED_RATIO[c.tier] * c.units, [m * (1 - col[2]) for m, col in zip(mine, columns, strict=True)]
        )
        if c.can_pause and c.pauses_left is not None:
            row(-inf, c.pauses_left, [m * col[3] for m, col in zip(mine, columns, strict=True)])
    if not least_power:
        row(-inf, target_mw, [col[1] for col in columns])
    model.run()
    if model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return model.getInfo().objective_function_value


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), pause=st.booleans())
def test_the_plan_is_the_programmes_optimum_but_for_whole_units(seed, pause):
    rng = np.random.default_rng(seed)
    classes = [random_class(rng, i, pause=None if pause else False) for i in range(int(rng.integers(1, 5)))]
    full_mw = sum(c.full_mw for c in classes)
    target_mw = full_mw * float(rng.uniform(0.4, 1.0))
    plan = meet_target(classes, target_mw=target_mw, duration_s=3600.0)
    optimum = relaxed_optimum(classes, target_mw)
    one_unit = max((c.unit_value_ccy_per_h for c in classes if c.can_pause), default=0.0)
    unit_mw = sum(c.unit_full_mw for c in classes if c.can_pause)
    if plan.short_mw == 0.0:
        assert optimum is not None
        assert plan.lost_ccy_per_h >= optimum - 1e-6
        assert plan.lost_ccy_per_h <= optimum + one_unit + 1e-6
    else:  # at its floor, up to the fraction of a unit that no class can pause
        floor_mw = relaxed_optimum(classes, target_mw, least_power=True)
        assert floor_mw - 1e-9 <= plan.power_mw <= floor_mw + unit_mw + 1e-9
        assert all(s.binding is not Binding.NONE for s in plan.settings)


@pytest.mark.inv("L14")
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_class_loses_more_than_its_tier_and_budget_allow(seed):
    rng = np.random.default_rng(seed)
    classes = [random_class(rng, i) for i in range(int(rng.integers(1, 5)))]
    plan = meet_target(classes, target_mw=0.0, duration_s=60.0)
    for c, s in zip(classes, plan.settings, strict=True):
        assert 1.0 - s.throughput_ratio <= LOSS_ALLOWED_RATIO[c.tier] + 1e-9
        assert s.paused_units <= (c.units if c.pauses_left is None else c.pauses_left)
        assert c.can_pause or s.paused_units == 0
        running = c.units - s.paused_units
        idle_mw = c.unit_mw(c.curve.idle_ratio)
        assert s.power_mw == pytest.approx(running * s.unit_mw + s.paused_units * idle_mw, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_tighter_target_never_loses_less_and_never_draws_more(seed):
    rng = np.random.default_rng(seed)
    classes = [random_class(rng, i, pause=False) for i in range(3)]
    full_mw = sum(c.full_mw for c in classes)
    loose, tight = sorted(rng.uniform(0.3, 1.0, 2), reverse=True)
    a = meet_target(classes, target_mw=full_mw * loose, duration_s=60.0)
    b = meet_target(classes, target_mw=full_mw * tight, duration_s=60.0)
    assert b.lost_ccy_per_h >= a.lost_ccy_per_h - 1e-9
    assert b.power_mw <= a.power_mw + 1e-9
