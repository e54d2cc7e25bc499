"""The forecast rule against a slow twin, and what it may never do: read ahead."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headrace.energy import Series
from headrace.energy.forecast import forecast
from headrace.energy.forecast_kernel import fill_forecast, known_count, latest_index

NAN = float("nan")
HOUR, DAY = 3600, 86_400


def series(values: list[float], known_s: list[int], step_s: int = HOUR, start_s: int = 0) -> Series:
    return Series(
        name="s",
        unit="usd_per_mwh",
        step_s=step_s,
        start_s=start_s,
        values=np.array(values, float),
        known_s=np.array(known_s, np.int64),
        source="test",
    )


def ended(values: list[float], step_s: int = HOUR) -> Series:
    """Each value known when its interval has ended."""
    return series(values, [step_s * (i + 1) for i in range(len(values))], step_s)


def twin(times_s: list[int], now_s: int, base: Series, live: Series, fade_s: float, lag_days_min: int) -> list[float]:
    """The rule as its docstring says it, over dictionaries of what can be seen."""

    def seen(s: Series) -> dict[int, float]:
        rows = zip(range(s.start_s, s.end_s, s.step_s), s.values.tolist(), s.known_s.tolist(), strict=True)
        return {start: value for start, value, known in rows if known <= now_s and not math.isnan(value)}

    shape, recent = seen(base), seen(live)

    def b(u: int) -> float | None:
        start = base.start_s + (u - base.start_s) // base.step_s * base.step_s - lag_days_min * DAY
        while start >= base.start_s:
            if start in shape:
                return shape[start]
            start -= DAY
        return None

    newest = max(recent, default=None)
    stands_until = -1 if newest is None else newest + live.step_s
    if newest is not None and stands_until <= now_s < stands_until + live.step_s:
        stands_until += live.step_s
    out = []
    for u in times_s:
        expected, there = b(u), None if newest is None else b(newest)
        if newest is not None and newest <= u < stands_until:
            out.append(recent[newest])
        elif expected is None:
            out.append(NAN if newest is None else recent[newest])
        elif newest is None or there is None:
            out.append(expected)
        else:
            out.append(expected + (recent[newest] - there) * math.exp(-max(u - now_s, 0) / fade_s))
    return out


@st.composite
def any_series(draw: st.DrawFn) -> Series:
    step_s = draw(st.sampled_from([3 * HOUR, 6 * HOUR, DAY]))
    present = (st.floats(-250, 5000), st.floats(-250, 0), st.floats(0, 100))
    values = draw(st.lists(st.one_of(st.just(NAN), *present), min_size=draw(st.sampled_from([0, 8, 20])), max_size=40))
    delays_s = draw(st.lists(st.integers(0, 2 * step_s), min_size=len(values), max_size=len(values)))
    return series(values, np.cumsum(delays_s).tolist(), step_s, draw(st.integers(-2, 2)) * HOUR)


times = st.lists(st.integers(-DAY, 3 * DAY), min_size=1, max_size=8)
"""Instants, counted from now."""
nows = st.integers(-HOUR, 8 * DAY)


@settings(max_examples=300, deadline=None)
@given(any_series(), any_series(), times, nows, st.floats(60, 1e6), st.integers(0, 2))
def test_kernel_agrees_with_its_slow_twin(
    base: Series, live: Series, times_s: list[int], now_s: int, fade_s: float, lag_days_min: int
) -> None:
    times_s = [now_s + after_s for after_s in times_s]
    at = np.array(times_s, np.int64)
    fast = forecast(at, now_s, base=base, live=live, fade_s=fade_s, lag_days_min=lag_days_min)
    np.testing.assert_allclose(fast, twin(times_s, now_s, base, live, fade_s, lag_days_min), rtol=1e-12, atol=1e-9)


@pytest.mark.inv("F1")
@settings(max_examples=300, deadline=None)
@given(any_series(), any_series(), times, nows, st.floats(-1e6, 1e6), st.integers(0, 2))
def test_planting_a_future_value_never_moves_a_forecast(
    base: Series, live: Series, times_s: list[int], now_s: int, planted: float, lag_days_min: int
) -> None:
    def with_another_future(s: Series) -> Series:
        values = np.where(s.known_s <= now_s, s.values, planted)
        return series(values.tolist(), s.known_s.tolist(), s.step_s, s.start_s)

    def seen_from(base: Series, live: Series) -> NDArray[np.float64]:
        at = now_s + np.array(times_s, np.int64)
        return forecast(at, now_s, base=base, live=live, fade_s=3600.0, lag_days_min=lag_days_min)

    true = seen_from(base, live)
    assert true.tobytes() == seen_from(with_another_future(base), with_another_future(live)).tobytes()


def test_present_deviation_fades_onto_the_day_ahead_price() -> None:
    day_ahead = series([20.0] * 24 + [50.0] * 24, [-1] * 48)
    live = ended([26.0] * 4, 900)
    got = forecast(np.array([3600, 7200, 25 * 3600]), 3600, base=day_ahead, live=live, fade_s=3600.0, lag_days_min=0)
    np.testing.assert_allclose(got, [26.0, 20 + 6 * math.exp(-1), 50 + 6 * math.exp(-24)])


def test_an_instant_just_past_carries_the_whole_deviation_and_no_more() -> None:
    base, live = series([20.0] * 48, [-1] * 48), ended([30.0, 30.0, 26.0])
    at = np.array([3 * HOUR + 300, 4 * HOUR, 4 * HOUR + 300])
    got = forecast(at, 4 * HOUR + 300, base=base, live=live, fade_s=60.0, lag_days_min=0)
    assert got.tolist() == [26, 26, 26]


def test_before_publication_tomorrow_borrows_the_last_known_day() -> None:
    today, tomorrow = [float(h) for h in range(24)], [100.0] * 24
    noon, published = 12 * HOUR, int(13.5 * HOUR)
    day_ahead = series(today + tomorrow, [-1] * 24 + [published] * 24)
    silent = ended([NAN] * 48)
    at = np.array([20 * HOUR, 30 * HOUR])
    assert forecast(at, noon, base=day_ahead, live=silent, fade_s=3600.0, lag_days_min=0).tolist() == [20, 6]
    assert forecast(at, published, base=day_ahead, live=silent, fade_s=3600.0, lag_days_min=0).tolist() == [20, 100]


def test_the_newest_value_stands_inside_its_own_interval() -> None:
    live = series([10.0, 77.0], [0, 0], 900)
    base = series([10.0] * 48, [-1] * 48)
    got = forecast(np.array([900, 1799, 1800]), 0, base=base, live=live, fade_s=3600.0, lag_days_min=0)
    assert got[:2].tolist() == [77, 77]
    assert 10 < got[2] < 77


def test_a_value_published_one_interval_late_stands_for_the_present_interval_and_no_longer() -> None:
    live = ended([10.0, 77.0], 900)
    base = series([10.0, 20.0] * 24, [-1] * 48, 900)
    got = forecast(np.array([1800, 2699, 2700]), 1800, base=base, live=live, fade_s=3600.0, lag_days_min=0)
    assert got[:2].tolist() == [77, 77]
    np.testing.assert_allclose(got[2], 20 + 57 * math.exp(-0.25))
    later = forecast(np.array([2700]), 2700, base=base, live=live, fade_s=3600.0, lag_days_min=0)
    assert later.tolist() == [77.0]


def test_demand_repeats_yesterdays_shape_at_todays_level() -> None:
    yesterday = [100.0 + h for h in range(24)]
    live = ended(yesterday + [v + 30 for v in yesterday[:6]])
    got = forecast(np.array([8, 20]) * HOUR + DAY, 6 * HOUR + DAY, base=live, live=live, fade_s=1e12, lag_days_min=1)
    np.testing.assert_allclose(got, [138, 150])


def test_a_missing_day_falls_back_on_the_day_before_it() -> None:
    live = ended([float(h) for h in range(24)] + [NAN] * 24 + [NAN] * 24)
    at = np.array([2 * DAY + 5 * HOUR])
    assert forecast(at, 2 * DAY, base=live, live=live, fade_s=1.0, lag_days_min=1).tolist() == [5]


def test_nothing_known_is_nan_and_without_a_base_the_newest_value_stands() -> None:
    nothing, live = ended([NAN] * 48), ended([42.0, NAN])
    at = np.array([DAY, 2 * DAY])
    assert np.isnan(forecast(at, DAY, base=nothing, live=nothing, fade_s=60.0, lag_days_min=0)).all()
    assert forecast(at, DAY, base=nothing, live=live, fade_s=60.0, lag_days_min=0).tolist() == [42, 42]


def test_filling_in_place_gives_the_same_numbers() -> None:
    base, live = series([5.0, 6.0, NAN, 8.0] * 12, list(range(48))), ended([7.0, NAN, 9.0])
    at, now_s = np.arange(0, DAY, 777), 3 * HOUR
    latest = latest_index(live.values, known_count(live.known_s, now_s))
    out = np.empty(len(at))
    fill_forecast(
        out,
        at,
        now_s,
        base.values,
        0,
        HOUR,
        base.known_count(now_s),
        live.values[latest],
        latest * HOUR,
        HOUR,
        600.0,
        0,
        1,
    )
    np.testing.assert_array_equal(out, forecast(at, now_s, base=base, live=live, fade_s=600.0, lag_days_min=0))


def test_the_shape_of_several_days_is_their_mean_and_skips_a_day_without_a_value() -> None:
    live = ended([float(day) if (hour, day) != (5, 1) else NAN for day in range(4) for hour in range(24)])
    at = np.array([5, 6]) * HOUR + 4 * DAY
    got = forecast(at, 4 * DAY, base=live, live=live, fade_s=1.0, lag_days_min=1, base_days=3)
    assert got.tolist() == [(3 + 2 + 0) / 3, (3 + 2 + 1) / 3]


def test_fewer_days_than_asked_still_make_a_shape() -> None:
    live = ended([4.0] * 24 + [8.0] * 24)
    got = forecast(np.array([2 * DAY + HOUR]), 2 * DAY, base=live, live=live, fade_s=1.0, lag_days_min=1, base_days=14)
    assert got.tolist() == [6.0]
