"""The chain of price deviations: what a fit must get right, and what it must not read."""

import numpy as np
import pytest

from headrace.dispatch.price_state import DAYS_LEAST, fit_states, trailing_deviations
from headrace.energy import Series

DAY_S = 86_400
STEP_S = 900
PER_DAY = DAY_S // STEP_S


def _series(values: np.ndarray, known_s: np.ndarray) -> Series:
    return Series(name="price", unit="", step_s=STEP_S, start_s=0, values=values, known_s=known_s, source="test")


def _spells(days: int, seed: int) -> np.ndarray:
    """Deviations of 0, with spells of 200 that end after each interval with a chance of one half."""
    generator = np.random.default_rng(seed)
    high = np.zeros(days * PER_DAY, bool)
    for t in range(1, len(high)):
        high[t] = generator.random() < (0.5 if high[t - 1] else 0.1)
    return np.where(high, 200.0, 0.0)


def test_the_chain_learns_how_long_a_spell_lasts():
    states = fit_states(_spells(60, 0), 0, STEP_S)
    is_high = states.deviation_ccy_per_mwh > 199.0
    for h in range(24):
        stays = states.transition_ratio[h][:, is_high[(h + 1) % 24]].sum(axis=1)
        assert stays[is_high[h]] == pytest.approx(0.5, abs=0.1)


def test_rows_are_chances_and_states_rise():
    generator = np.random.default_rng(1)
    deviation = generator.standard_t(2, 40 * PER_DAY) * 20.0
    deviation[generator.random(len(deviation)) < 0.1] = np.nan
    states = fit_states(deviation, 3600 * 5, STEP_S)
    assert (states.transition_ratio >= 0.0).all()
    assert states.transition_ratio.sum(axis=2) == pytest.approx(1.0)
    assert (np.diff(states.deviation_ccy_per_mwh, axis=1) >= 0.0).all()


def test_too_few_days_give_no_fit():
    enough = _spells(DAYS_LEAST, 2)
    assert fit_states(enough, 0, STEP_S) is not None
    enough[17] = np.nan
    assert fit_states(enough, 0, STEP_S) is None


def test_the_same_deviations_give_the_same_bytes():
    first, second = (fit_states(_spells(30, 3), 0, STEP_S) for _ in range(2))
    assert first.transition_ratio.tobytes() == second.transition_ratio.tobytes()
    assert first.deviation_ccy_per_mwh.tobytes() == second.deviation_ccy_per_mwh.tobytes()


@pytest.mark.inv("F1")
@pytest.mark.parametrize("has_day_ahead", [True, False])
def test_deviations_stop_at_what_is_known(has_day_ahead):
    times_s = np.arange(20 * PER_DAY) * STEP_S
    price = np.random.default_rng(4).normal(50.0, 20.0, len(times_s))
    until_s = 15 * DAY_S + 5 * STEP_S

    def at(real_time: np.ndarray, day_ahead: np.ndarray) -> tuple[np.ndarray, int]:
        live = _series(real_time, times_s + STEP_S)
        base = _series(day_ahead, times_s - times_s % DAY_S) if has_day_ahead else live
        return trailing_deviations(base, live, until_s)

    planted, ahead = price.copy(), np.full(len(price), 40.0)
    planted[times_s + STEP_S > until_s] = 9_000.0
    later = np.where(times_s >= 16 * DAY_S, -9_000.0, ahead)
    (before, start_s), (after, _) = at(price, ahead), at(planted, later)
    np.testing.assert_array_equal(before, after)
    assert (start_s, len(before)) == (0, until_s // STEP_S)
