"""The rolling window's grid."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headrace.dispatch.telescope import window_grid

HOUR_S = 3600


def test_two_fine_hours_from_a_full_hour_are_24_steps_then_hours():
    starts_s, step_h = window_grid(now_s=0, step_s=300, fine_s=7200, horizon_s=36 * HOUR_S, end_s=10**9)
    assert len(step_h) == 24 + 34
    assert starts_s[24] == 7200
    assert step_h.sum() == 36.0


def test_fine_steps_go_on_to_the_next_full_hour():
    starts_s, step_h = window_grid(now_s=2100, step_s=300, fine_s=7200, horizon_s=36 * HOUR_S, end_s=10**9)
    hours = starts_s[step_h == 1.0]
    assert hours[0] == 3 * HOUR_S
    assert (hours % HOUR_S == 0).all()


def test_the_end_of_the_period_cuts_the_last_step():
    _, step_h = window_grid(now_s=0, step_s=300, fine_s=7200, horizon_s=36 * HOUR_S, end_s=4 * HOUR_S + 1500)
    assert step_h[-1] == 1500 / HOUR_S
    _, step_h = window_grid(now_s=0, step_s=300, fine_s=7200, horizon_s=36 * HOUR_S, end_s=300)
    assert step_h.tolist() == [300 / HOUR_S]


@given(
    now=st.integers(0, 10_000),
    fine_s=st.integers(0, 4 * HOUR_S),
    horizon_s=st.integers(300, 48 * HOUR_S),
    left=st.integers(1, 2000),
)
def test_steps_join_without_gap_and_cover_the_horizon_or_the_period(now, fine_s, horizon_s, left):
    now_s = 300 * now
    end_s = now_s + 300 * left
    starts_s, step_h = window_grid(now_s=now_s, step_s=300, fine_s=fine_s, horizon_s=horizon_s, end_s=end_s)
    ends_s = starts_s + np.rint(step_h * HOUR_S).astype(np.int64)
    assert starts_s[0] == now_s
    assert (step_h > 0.0).all()
    assert (starts_s[1:] == ends_s[:-1]).all()
    assert min(end_s, now_s + horizon_s) <= ends_s[-1] <= end_s
