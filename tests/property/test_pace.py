from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.engine.live.pace import Pace

UP, DOWN = 6.0, 12.0


def paced():
    site = SimpleNamespace(
        clock=SimpleNamespace(now_us=lambda: site.now_us),
        now_us=0,
        state=SimpleNamespace(
            layout=SimpleNamespace(inventory=SimpleNamespace(ramp_up_max_mw_per_min=UP, ramp_down_max_mw_per_min=DOWN))
        ),
    )
    return site, Pace(site)


@pytest.mark.inv("L9")
@given(st.lists(st.tuples(st.integers(1, 120), st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=40))
def test_no_minute_moves_more_than_a_minutes_ramp(steps):
    site, pace = paced()
    moves = []
    for wait_s, share, is_up in steps:
        site.now_us += wait_s * 1_000_000
        by_mw = share * pace.since_s() / 60.0 * (UP if is_up else -DOWN)
        pace.moved(by_mw)
        moves.append((site.now_us, by_mw))
    for end_us, _ in moves:
        minute = [mw for at_us, mw in moves if end_us - 60_000_000 < at_us <= end_us]
        assert sum(mw for mw in minute if mw > 0.0) <= UP + 1e-9
        assert sum(mw for mw in minute if mw < 0.0) >= -DOWN - 1e-9
