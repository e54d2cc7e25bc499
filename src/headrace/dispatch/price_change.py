"""How far a price moves on before it is published: the expected change from one price interval to the next.

A price published late by one interval stands for the one that runs. Far from its base it tends to come back: the
change from an interval to the next, as a mean over the trailing days by how far the interval stood from its base,

    c(band) = Σ w · min(max(d_next − d, −200), 200) / (Σ w + 30)          d = real-time price less base

is added to the last price seen. The 30 are intervals without any change, so a band with few members hardly speaks; the
clip keeps one spike from speaking for months. Recent days weigh more. Fitted, like the chain of
`headrace.dispatch.price_state`, on what was known at the last multiple of `REFIT_S`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.inputs import Inputs
from headrace.dispatch.price_state import REFIT_S, trailing_deviations
from headrace.energy.forecast_kernel import DAY_S, base_value

__all__ = ["PriceChange", "change_of", "fit_changes"]

Floats = NDArray[np.float64]

EDGES_CCY_PER_MWH: Final = np.array([3.0, 9.0, 18.0, 32.0, 56.0, 95.0, 160.0, 270.0, 450.0])
"""Edges of the bands on either side of 0: narrow where prices are dense."""

BAND_EDGES_CCY_PER_MWH: Final = np.concatenate((-EDGES_CCY_PER_MWH[::-1], np.zeros(1), EDGES_CCY_PER_MWH))

HALF_LIFE_DAYS: Final = 90.0
"""Age at which a day weighs half."""

CLIP_CCY_PER_MWH: Final = 200.0
"""A change counts as no larger than this."""

PRIOR_INTERVALS: Final = 30.0
"""Intervals without a change that each band starts from."""


class PriceChange:
    """Expected change of the price since the last one published; keeps its fit only to save work."""

    def __init__(self) -> None:
        self._fits: dict[int, Floats] = {}

    def expected_ccy_per_mwh(self, inputs: Inputs, now_s: int) -> float:
        """Change from the newest known price to the interval that runs; 0 unless that is the one just after it."""
        live = inputs.real_time
        last = live.known_count(now_s) - 1
        if last < 0 or live.index(now_s) != last + 1 or np.isnan(live.values[last]):
            return 0.0
        base = live if inputs.day_ahead is None else inputs.day_ahead
        lag_days = 1 if inputs.day_ahead is None else 0
        at_s = live.start_s + last * live.step_s
        before = base_value(base.values, base.start_s, base.step_s, base.known_count(now_s), lag_days, at_s)
        fit_s = now_s // REFIT_S * REFIT_S
        if fit_s not in self._fits:
            deviation, _ = trailing_deviations(base, live, fit_s)
            self._fits = {fit_s: fit_changes(deviation, live.step_s)}
        deviation_now = float(live.values[last]) - before
        if np.isnan(deviation_now):
            return 0.0
        return float(self._fits[fit_s][BAND_EDGES_CCY_PER_MWH.searchsorted(deviation_now)])


def fit_changes(deviation_ccy_per_mwh: Floats, step_s: int) -> Floats:
    """Mean change to the next interval, by band of the deviation.

    Parameters
    ----------
    deviation_ccy_per_mwh
        Deviations of successive intervals, the newest last, NaN where missing, shape (K,).
    step_s
        Length of an interval, seconds.

    Returns
    -------
    NDArray[np.float64]
        Currency per MWh, one for each band.
    """
    count = len(deviation_ccy_per_mwh)
    change = np.clip(np.diff(deviation_ccy_per_mwh), -CLIP_CCY_PER_MWH, CLIP_CCY_PER_MWH)
    weight = np.exp2((np.arange(1, count) - (count - 1)) * (step_s / DAY_S / HALF_LIFE_DAYS))
    both = ~np.isnan(change)
    band = np.searchsorted(BAND_EDGES_CCY_PER_MWH, deviation_ccy_per_mwh[:-1][both])
    bands = len(BAND_EDGES_CCY_PER_MWH) + 1
    moved = np.bincount(band, weight[both] * change[both], bands)
    means: Floats = moved / (np.bincount(band, weight[both], bands) + PRIOR_INTERVALS)
    return means


def change_of(change_ccy_per_mwh: Floats, deviation_ccy_per_mwh: Floats) -> Floats:
    """Change that goes with each deviation, shape (K,); 0 where the deviation is missing."""
    band = np.searchsorted(BAND_EDGES_CCY_PER_MWH, deviation_ccy_per_mwh)
    changes: Floats = np.where(np.isnan(deviation_ccy_per_mwh), 0.0, np.append(change_ccy_per_mwh, 0.0)[band])
    return changes
