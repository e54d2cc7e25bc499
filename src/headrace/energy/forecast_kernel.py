"""The forecast rule as compiled loops over raw arrays, so that a Python cycle and a year-long kernel run one function.

`headrace.energy.forecast` states the rule. Times are epoch seconds; a missing value is NaN; `known` counts the leading
values that could be known at `now_s`, and no loop here reads beyond it.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["DAY_S", "base_mean", "base_value", "fill_forecast", "forecast_at", "known_count", "latest_index"]

DAY_S = 86_400
"""How far back the forecast looks for a value that is not known yet, seconds."""


@numba.njit(cache=True)
def known_count(known_s: NDArray[np.int64], now_s: int) -> int:
    """How many leading values could be known at `now_s`; `known_s` never decreases."""
    low, high = 0, len(known_s)
    while low < high:
        middle = (low + high) // 2
        if known_s[middle] <= now_s:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(cache=True)
def latest_index(values: NDArray[np.float64], known: int) -> int:
    """Position of the newest present value among the first `known`; -1 if there is none."""
    i = known - 1
    while i >= 0 and math.isnan(values[i]):
        i -= 1
    return i


@numba.njit(cache=True)
def base_value(
    values: NDArray[np.float64], start_s: int, step_s: int, known: int, lag_days_min: int, at_s: int
) -> float:
    """Known and present value of the interval that holds `at_s`, or of the same time on the nearest earlier day.

    Looks at least `lag_days_min` days back; NaN if no earlier day has a value. `step_s` divides a day.
    """
    per_day = DAY_S // step_s
    i = (at_s - start_s) // step_s - lag_days_min * per_day
    if i >= known:
        i -= (i - known + per_day) // per_day * per_day
    while i >= 0:
        if not math.isnan(values[i]):
            return float(values[i])
        i -= per_day
    return math.nan


@numba.njit(cache=True)
def base_mean(
    values: NDArray[np.float64], start_s: int, step_s: int, known: int, lag_days_min: int, days: int, at_s: int
) -> float:
    """Mean of the values that `base_value` finds and of the same time on the days before them, `days` in all.

    A day without a value gives way to the one before it; NaN if no day has one.
    """
    if days == 1:
        return base_value(values, start_s, step_s, known, lag_days_min, at_s)
    per_day = DAY_S // step_s
    i = (at_s - start_s) // step_s - lag_days_min * per_day
    if i >= known:
        i -= (i - known + per_day) // per_day * per_day
    total, found = 0.0, 0
    while i >= 0 and found < days:
        if not math.isnan(values[i]):
            total += values[i]
            found += 1
        i -= per_day
    return total / found if found else math.nan


@numba.njit(cache=True)
def fill_forecast(
    out: NDArray[np.float64],
    times_s: NDArray[np.int64],
    now_s: int,
    base_values: NDArray[np.float64],
    base_start_s: int,
    base_step_s: int,
    base_known: int,
    live_value: float,
    live_start_s: int,
    live_step_s: int,
    fade_s: float,
    lag_days_min: int,
    base_days: int,
) -> None:
    """Write the forecast of each of `times_s` to `out`.

    Parameters
    ----------
    out
        Where the forecast goes, shape (T,).
    times_s
        Instants to forecast, epoch seconds, shape (T,).
    now_s
        Present instant, epoch seconds.
    base_values, base_start_s, base_step_s, base_known
        Base series: values, start of its first interval, length of one, leading values known at `now_s`.
    live_value, live_start_s, live_step_s
        Newest live value known and present at `now_s` (NaN if there is none), start of its interval, length of one.
    fade_s
        Time in which the present deviation fades to 1/e, seconds > 0.
    lag_days_min
        0 if the base may be read at the time itself, 1 if it is the live series.
    base_days
        Days whose mean at the same time is the base.
    """
    has_live = not math.isnan(live_value)
    stands_until_s = live_start_s + live_step_s
    if stands_until_s <= now_s < stands_until_s + live_step_s:
        stands_until_s += live_step_s
    deviation = 0.0
    if has_live:
        base_live = base_mean(base_values, base_start_s, base_step_s, base_known, lag_days_min, base_days, live_start_s)
        if not math.isnan(base_live):
            deviation = live_value - base_live
    for t in range(len(times_s)):
        at_s = times_s[t]
        if has_live and live_start_s <= at_s < stands_until_s:
            out[t] = live_value
            continue
        base = base_mean(base_values, base_start_s, base_step_s, base_known, lag_days_min, base_days, at_s)
        if math.isnan(base):
            out[t] = live_value
        else:
            out[t] = base + deviation * math.exp(-max(at_s - now_s, 0) / fade_s)


@numba.njit(cache=True)
def forecast_at(
    times_s: NDArray[np.int64],
    now_s: int,
    base_values: NDArray[np.float64],
    base_known_s: NDArray[np.int64],
    base_start_s: int,
    base_step_s: int,
    live_values: NDArray[np.float64],
    live_known_s: NDArray[np.int64],
    live_start_s: int,
    live_step_s: int,
    fade_s: float,
    lag_days_min: int,
    base_days: int,
) -> NDArray[np.float64]:
    """Forecast from whole series: find what is known at `now_s`, then `fill_forecast`."""
    out = np.empty(len(times_s))
    latest = latest_index(live_values, known_count(live_known_s, now_s))
    live_value = live_values[latest] if latest >= 0 else math.nan
    fill_forecast(
        out,
        times_s,
        now_s,
        base_values,
        base_start_s,
        base_step_s,
        known_count(base_known_s, now_s),
        live_value,
        live_start_s + latest * live_step_s,
        live_step_s,
        fade_s,
        lag_days_min,
        base_days,
    )
    return out
