"""A series: which value is about which time, and which could be known when."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import Interval
from headrace.energy import Datum, Series

NAN = float("nan")


def hourly(values: list[float], known_s: list[int] | None = None, start_s: int = 0) -> Series:
    ends_s = [start_s + 3600 * (i + 1) for i in range(len(values))]
    return Series(
        name="price",
        unit="usd_per_mwh",
        step_s=3600,
        start_s=start_s,
        values=np.array(values, float),
        known_s=np.array(known_s if known_s is not None else ends_s, np.int64),
        source="test",
    )


def test_a_value_holds_from_its_start_up_to_its_end() -> None:
    series = hourly([1, 2, 3], start_s=7200)
    assert [series.at(s) for s in (7200, 10_799, 10_800, 17_999)] == [1, 1, 2, 3]
    assert np.isnan([series.at(7199), series.at(18_000)]).all()
    assert series.end_s == 18_000


def test_onto_other_times_is_at_for_each() -> None:
    series = hourly([1, NAN, 3])
    times_s = np.array([-1, 0, 3599, 3600, 7200, 10_800])
    np.testing.assert_array_equal(series.onto(times_s), [series.at(int(s)) for s in times_s])


def test_latest_skips_missing_values_and_sees_nothing_unknown() -> None:
    series = hourly([5, 6, NAN, NAN, 9])
    assert series.latest(3599) is None
    assert series.latest(3600) == Datum(value=5, interval_start_s=0, known_s=3600)
    assert series.latest(4 * 3600) == Datum(value=6, interval_start_s=3600, known_s=7200)
    assert series.latest(5 * 3600) == Datum(value=9, interval_start_s=4 * 3600, known_s=5 * 3600)
    assert hourly([NAN, NAN]).latest(10**9) is None
    assert hourly([]).latest(10**9) is None


@given(
    values=st.lists(st.one_of(st.just(NAN), st.floats(-100, 100)), max_size=30),
    delays_s=st.lists(st.integers(0, 9000), min_size=30, max_size=30),
    now_s=st.integers(-1000, 300_000),
)
def test_latest_is_the_last_known_and_present_value(values: list[float], delays_s: list[int], now_s: int) -> None:
    series = hourly(values, np.cumsum(delays_s[: len(values)]).tolist())
    seen = [i for i, v in enumerate(values) if series.known_s[i] <= now_s and not np.isnan(v)]
    latest = series.latest(now_s)
    assert (latest is None) == (not seen)
    if latest is not None:
        assert (latest.value, latest.interval_start_s) == (values[seen[-1]], 3600 * seen[-1])
    assert series.known_count(now_s) == sum(int(k) <= now_s for k in series.known_s)


def test_gaps_are_runs_of_missing_values_inside_the_window() -> None:
    series = hourly([1, NAN, NAN, 4, NAN, 6])
    gaps = series.gaps(Interval.from_epoch(3600 * 2, 3600 * 8))
    assert [(gap.start_s // 3600, gap.end_s // 3600) for gap in gaps] == [(2, 3), (4, 5), (6, 8)]
    assert series.gaps(Interval.from_epoch(0, 3600)) == ()


def test_a_series_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="finite or NaN"):
        hourly([1, float("inf")])
    with pytest.raises(ValueError, match="one length"):
        hourly([1, 2], [3600])
    with pytest.raises(ValueError, match="never decrease"):
        hourly([1, 2], [7200, 3600])


def test_describe_names_span_and_source() -> None:
    start_s = int(datetime(2024, 11, 4, 6, tzinfo=UTC).timestamp())
    assert hourly([1, 2], start_s=start_s).describe() == (
        "price [usd_per_mwh] 2024-11-04T06:00:00Z to 2024-11-04T08:00:00Z from test"
    )
