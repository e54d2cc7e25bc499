"""How a late price moves on: fitted on what was known, small where little was seen."""

import msgspec
import numpy as np
import pytest

from headrace.dispatch.inputs import Inputs, in_time
from headrace.dispatch.price_change import PRIOR_INTERVALS, PriceChange, change_of, fit_changes
from headrace.energy import Series

STEP_S = 900
WEEK = 7 * 96
NOW_S = 3 * WEEK * STEP_S


def swinging(steps: int) -> Series:
    """A price that is 40 above its base of zero in every second interval, published when its interval ends."""
    values = np.where(np.arange(steps) % 2 == 0, 0.0, 40.0)
    known_s = (np.arange(steps, dtype=np.int64) + 1) * STEP_S
    return Series(name="p", unit="", step_s=STEP_S, start_s=0, values=values, known_s=known_s, source="test")


def inputs_of(live: Series) -> Inputs:
    base = msgspec.structs.replace(live, values=np.zeros(len(live)), known_s=np.zeros(len(live), np.int64))
    return Inputs(
        real_time=live, day_ahead=base, temperature=None, bitcoin_price=None, difficulty=None, block_reward=None,
        carbon=None, profiles={},
    )  # fmt: skip


def test_a_price_that_always_comes_back_is_expected_to():
    inputs = inputs_of(swinging(4 * WEEK))
    up, down = (PriceChange().expected_ccy_per_mwh(inputs, NOW_S + k * STEP_S) for k in (1, 0))
    assert 35.0 < up < 40.0
    assert -40.0 < down < -35.0


def test_a_price_in_time_or_older_than_one_interval_is_left_alone():
    live = swinging(4 * WEEK)
    assert PriceChange().expected_ccy_per_mwh(inputs_of(in_time(live)), NOW_S) == 0.0
    older = msgspec.structs.replace(live, known_s=live.known_s + STEP_S)
    assert PriceChange().expected_ccy_per_mwh(inputs_of(older), NOW_S) == 0.0


@pytest.mark.inv("F2")
def test_nothing_that_comes_later_moves_it():
    live = swinging(4 * WEEK)
    planted = live.values.copy()
    planted[live.known_count(NOW_S) :] = 4_000.0
    later = msgspec.structs.replace(live, values=planted)
    before, after = (PriceChange().expected_ccy_per_mwh(inputs_of(seen), NOW_S) for seen in (live, later))
    assert before == after != 0.0


def test_a_band_seen_once_hardly_speaks_and_one_spike_is_clipped():
    deviation = np.array([0.0, 3_000.0, 0.0])
    changes = change_of(fit_changes(deviation, STEP_S), deviation[:2])
    np.testing.assert_allclose(changes, [200.0 / (1 + PRIOR_INTERVALS), -200.0 / (1 + PRIOR_INTERVALS)], rtol=1e-3)


def test_without_any_past_nothing_is_expected():
    assert not fit_changes(np.empty(0), STEP_S).any()
    assert change_of(fit_changes(np.array([1.0, np.nan, 2.0]), STEP_S), np.array([np.nan, 1.0])).tolist() == [0.0, 0.0]
