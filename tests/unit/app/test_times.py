"""Times that a person types."""

import math

import pytest

from headrace.app.times import within_calendar
from headrace.core import BadInput
from headrace.engine.clock import FastClock, SimulatedClock


@pytest.mark.parametrize("anchor_s", [math.nan, math.inf, -math.inf, 1e300, -1e300])
def test_a_clock_with_a_senseless_zero_is_refused(anchor_s):
    with pytest.raises(BadInput, match="--anchor"):
        within_calendar(FastClock(start_s=1.7e9, speed_ratio=60.0, anchor_wall_s=anchor_s))


def test_a_year_that_no_site_is_run_in_is_refused():
    with pytest.raises(BadInput, match="1970 to 2100"):
        within_calendar(SimulatedClock(253_402_300_799.0))
    assert within_calendar(SimulatedClock(1.7e9)).now_s() == 1.7e9
