"""Which intervals turned out to be a system's peaks: hindsight, for settlement and the bound alone."""

from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from headrace.core import from_epoch_s
from headrace.energy.coincident import PeakForecast
from headrace.energy.coincident_days import fold
from headrace.energy.series import Series
from headrace.energy.tariffs import CoincidentPeaks

__all__ = ["forecast_of", "peak_share", "peaks_of"]

Ints = NDArray[np.int64]

CACHED = 8
"""Systems kept: a replay asks the same one at every step."""


@lru_cache(maxsize=CACHED)
def forecast_of(charge: CoincidentPeaks, load: Series, temperature: Series | None, time_zone: str) -> PeakForecast:
    """The forecast behind a charge; worked out from the series alone, so the same whenever it is asked for."""
    return PeakForecast(fold(load, temperature, time_zone), charge.calendar)


@lru_cache(maxsize=CACHED)
def peaks_of(charge: CoincidentPeaks, load: Series | None, time_zone: str) -> tuple[tuple[int, int], ...]:
    """Start and length (s) of every peak interval within the charge's dates: listed, or the load's highest.

    A load on a coarser step than the charge's interval gives the whole step. A period on record in part gives its
    highest so far.
    """
    if load is None:
        return tuple((at_s, charge.interval_s) for at_s in charge.peaks_s if charge.start_s <= at_s < charge.end_s)
    length_s = max(charge.interval_s, load.step_s)
    block = length_s // load.step_s
    skip = -load.start_s // load.step_s % block
    count = (len(load) - skip) // block
    mean_mw = load.values[skip : skip + count * block].reshape(count, block).mean(axis=1)
    starts_s = load.start_s + (skip + block * np.arange(count)) * load.step_s
    inside = np.isfinite(mean_mw) & (starts_s >= charge.start_s) & (starts_s < charge.end_s)
    zone = ZoneInfo(time_zone)
    best: dict[int, dict[object, tuple[float, int]]] = {}
    for mw, at_s in zip(mean_mw[inside].tolist(), starts_s[inside].tolist(), strict=True):
        day = from_epoch_s(at_s).astimezone(zone).date()
        period = charge.calendar.period(day)
        if period >= 0:
            days = best.setdefault(period, {})
            days[day] = max(days.get(day, (0.0, 0)), (mw, at_s), key=lambda pair: pair[0])
    chosen = [
        at_s for days in best.values() for _, at_s in sorted(days.values(), reverse=True)[: charge.calendar.count]
    ]
    return tuple((at_s, length_s) for at_s in sorted(chosen))


def peak_share(charge: CoincidentPeaks, load: Series | None, time_zone: str, starts_s: Ints) -> NDArray[np.float64]:
    """Peaks per hour of each step: 1 / length inside a peak interval, else 0; `peak_ccy_per_mw` times it is a price."""
    share = np.zeros(len(starts_s))
    for at_s, length_s in peaks_of(charge, load, time_zone):
        share[(starts_s >= at_s) & (starts_s < at_s + length_s)] = 3600.0 / length_s
    return share
