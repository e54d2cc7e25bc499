"""What a price, a temperature or a demand is expected to be: a base shape plus the present deviation, which fades.

For an instant u, seen at `now` from values known at `now` only,

    f(u) = b(u) + (x − b(ℓ)) · exp(−(u − now) / fade)

    f(u) = x    inside ℓ's own interval, and inside the present one if ℓ is the interval just before it: a price that is
                published late by one interval stands for the one that runs

- b(u): base value of the interval that holds u if it is known and present, else of the same time one day earlier, and
  so on (24 h of elapsed time, whatever the clocks do); at least `lag_days_min` days back; with `base_days` > 1 the mean
  of so many days from there;
- x, ℓ: newest live value known and present, and the interval it is about.

Two uses. Real-time price: base = day-ahead price, `lag_days_min` 0: before 13:30 the next day borrows the last known
day. Temperature, demand, wind: base = the live series itself, `lag_days_min` 1: the shape of the days before at today's
level. Their mean is the better shape: one day's accidents are not repeated.
Where the base has nothing, the newest live value stands; where nothing is known at all, the forecast is NaN.
"""

import numpy as np
from numpy.typing import NDArray

from headrace.energy.forecast_kernel import forecast_at
from headrace.energy.series import Series

__all__ = ["forecast"]


def forecast(
    times_s: NDArray[np.int64],
    now_s: int,
    *,
    base: Series,
    live: Series,
    fade_s: float,
    lag_days_min: int,
    base_days: int = 1,
) -> NDArray[np.float64]:
    """Forecast a live series at given instants.

    Parameters
    ----------
    times_s
        Instants to forecast, epoch seconds, shape (T,). For steps longer than the base's own, give their midpoints.
    now_s
        Present instant, epoch seconds; nothing known later is read.
    base
        Series that gives the shape; its step divides a day.
    live
        Series that is forecast, in the same unit.
    fade_s
        Time in which the present deviation fades to 1/e, seconds > 0.
    lag_days_min
        Least number of days that the base looks back: 0 for a day-ahead base, 1 where the base is `live` itself.
    base_days
        Days whose mean at the same time is the base, counted back from there.

    Returns
    -------
    NDArray[np.float64]
        Forecast in the series' unit, shape (T,); NaN where nothing is known.
    """
    return forecast_at(
        times_s,
        now_s,
        base.values,
        base.known_s,
        base.start_s,
        base.step_s,
        live.values,
        live.known_s,
        live.start_s,
        live.step_s,
        fade_s,
        lag_days_min,
        base_days,
    )
