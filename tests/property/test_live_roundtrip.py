"""Any stretch of any live series, with any intervals lost, comes back from the operator's format as it was."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.adapters.feeds.live.feed import LiveFeed
from headrace.adapters.feeds.live.sources import source_of
from headrace.core import Interval, epoch_s
from live_replies import Operator

NOW = datetime(2026, 1, 10, tzinfo=UTC)
CLOCK_CHANGES = [datetime(2024, 3, 10, tzinfo=UTC), datetime(2024, 3, 31, tzinfo=UTC)]
CLOCK_CHANGES += [
    datetime(2024, 10, 27, tzinfo=UTC),
    datetime(2024, 11, 3, tzinfo=UTC),
    datetime(2025, 10, 1, tzinfo=UTC),
]


@st.composite
def stretches(draw):
    """A window of some hours near a change of the clock or of the auction, prices, and which of them are lost."""
    start_s = epoch_s(draw(st.sampled_from(CLOCK_CHANGES))) + draw(st.integers(-30, 30)) * 3600
    hours = draw(st.integers(1, 60))
    seed = draw(st.integers(0, 2**32 - 1))
    return start_s, hours, seed, draw(st.sampled_from([0.0, 0.02, 0.5]))


@pytest.mark.parametrize(
    "name", ["ercot.real_time.lz_west", "ercot.day_ahead.hb_pan", "caiso.real_time.zp26", "entsoe.day_ahead.nl"]
)
@given(stretches())
@settings(max_examples=25, deadline=None)
def test_prices_come_back_to_the_last_digit(name, stretch):
    start_s, hours, seed, lost = stretch
    random = np.random.default_rng(seed)
    step_s = source_of(name)[1].declaration.step_s
    starts_s = np.arange(start_s - 2 * 86_400, start_s + hours * 3600 + 2 * 86_400, step_s, dtype=np.int64)
    values = np.round(random.normal(30.0, 400.0, len(starts_s)), 2)
    values[random.random(len(values)) < lost] = np.nan
    if name.startswith("entsoe"):  # an auction by the hour has one price for its four quarters
        hourly = np.repeat(values[::4], 4)[: len(values)]
        values = np.where(starts_s < epoch_s(datetime(2025, 9, 30, 22, tzinfo=UTC)), hourly, values)
    window = Interval.from_epoch(start_s, start_s + hours * 3600)
    series = LiveFeed({name: name}, Operator(name, starts_s, values), lambda: NOW).series(name, window)
    np.testing.assert_array_equal(series.values, values[(starts_s >= window.start_s) & (starts_s < window.end_s)])


@given(stretches())
@settings(max_examples=40, deadline=None)
def test_a_price_of_new_york_comes_back_or_is_missing_and_is_never_anothers(stretch):
    start_s, hours, seed, lost = stretch
    name = "nyiso.real_time.west"
    random = np.random.default_rng(seed)
    starts_s = np.arange(start_s - 86_400, start_s + hours * 3600 + 86_400, 300, dtype=np.int64)
    values = np.arange(len(starts_s)) + 1.0
    values[random.random(len(values)) < lost] = np.nan
    window = Interval.from_epoch(start_s, start_s + hours * 3600)
    series = LiveFeed({name: name}, Operator(name, starts_s, values), lambda: NOW).series(name, window)
    expected = values[(starts_s >= window.start_s) & (starts_s < window.end_s)]
    told = ~np.isnan(series.values)
    np.testing.assert_array_equal(series.values[told], expected[told])
    unsure = (~np.isnan(expected) & ~told).sum()
    assert unsure <= (24 if lost else 0), "only the hour that the clock shows twice can be in doubt"
