"""How real time leaves its base price: a Markov chain over ranges of the deviation, fitted on trailing data.

The deviation of an interval is its real-time price less its base: the day-ahead price, or where there is none the
price a day earlier. For each hour of the day (UTC) the deviations of the trailing days, pooled with the hours next to
it, are cut into states at fixed quantiles. A state stands for the mean of its deviations; the chain says how often
state i in one interval was followed by state j in the next. Recent days weigh more.

A fit is a pure function of the deviations, so a fit made again after a restart has the same bytes.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.energy import Series
from headrace.energy.forecast_kernel import DAY_S

__all__ = ["DAYS_LEAST", "DAYS_MOST", "REFIT_S", "PriceStates", "fit_states", "trailing_deviations"]

Floats = NDArray[np.float64]

DAYS_MOST: Final = 180
"""Trailing days that a fit reads; the oldest weigh a 64th of the newest."""

HALF_LIFE_DAYS: Final = 30.0
"""Age at which a day weighs half."""

DAYS_LEAST: Final = 14
"""With fewer days of deviations there is no fit."""

REFIT_S: Final = 7 * DAY_S
"""A fit serves from one multiple of this to the next, seconds since the epoch."""

QUANTILES: Final = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.995)
"""Edges of the states: narrow at the top, where the spikes are that pay for a battery."""

POOL_H: Final = 2
"""Hours on either side whose deviations an hour borrows, so that rare states have members."""

PRIOR_RATIO: Final = 0.05
"""Transitions lent to each hour's row from all hours together, for states the hour has not seen."""


class PriceStates(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A fitted chain; N states, rows by hour of the day."""

    deviation_ccy_per_mwh: Floats
    """Mean deviation in each state, shape (24, N), never falling along a row."""
    transition_ratio: Floats
    """Chance that state i of an interval in this hour is followed by state j, shape (24, N, N); rows add up to 1."""

    def deviation_after_ccy_per_mwh(self, intervals: int) -> Floats:
        """Mean deviation so many intervals after each state was seen, by the hour it was seen in, shape (24, N)."""
        after = self.deviation_ccy_per_mwh
        for _ in range(intervals):
            after = (self.transition_ratio @ after[:, :, None])[:, :, 0]
        return after


def trailing_deviations(base: Series, live: Series, until_s: int) -> tuple[Floats, int]:
    """Deviations known at `until_s`, NaN where one is missing, and the start of the first (epoch seconds).

    Parameters
    ----------
    base
        The day-ahead price, or `live` itself where there is none: then the base is the price a day earlier.
    live
        The real-time price.
    until_s
        Nothing known later is read, epoch seconds.
    """
    count = live.known_count(until_s)
    first = max(count - DAYS_MOST * DAY_S // live.step_s, 0)
    starts_s = live.start_s + np.arange(first, count, dtype=np.int64) * live.step_s
    if base is live:
        ahead = live.onto(starts_s - DAY_S)
    else:
        ahead = base.onto(starts_s)
        ahead[base.known_s[np.clip((starts_s - base.start_s) // base.step_s, 0, len(base) - 1)] > until_s] = np.nan
    return live.values[first:count] - ahead, live.start_s + first * live.step_s


def fit_states(deviation_ccy_per_mwh: Floats, start_s: int, step_s: int) -> PriceStates | None:
    """Fit the chain.

    Parameters
    ----------
    deviation_ccy_per_mwh
        Deviations of successive intervals, the newest last, NaN where missing, shape (K,).
    start_s, step_s
        Start of the first interval, and the length of one, seconds; only the hour of the day matters.

    Returns
    -------
    PriceStates | None
        None with fewer than `DAYS_LEAST` days of deviations, or none at all in some hour.
    """
    present = ~np.isnan(deviation_ccy_per_mwh)
    if present.sum() * step_s < DAYS_LEAST * DAY_S:
        return None
    count = len(deviation_ccy_per_mwh)
    hour = (start_s + np.arange(count, dtype=np.int64) * step_s) // 3600 % 24
    weight = np.exp2((np.arange(count) - (count - 1)) * (step_s / DAY_S / HALF_LIFE_DAYS))
    rising = np.argsort(deviation_ccy_per_mwh, kind="stable")[: present.sum()]  # NaN sorts last
    edges = np.empty((24, len(QUANTILES)))
    means = np.empty((24, len(QUANTILES) + 1))
    owner = np.empty(means.shape, np.int64)
    for h in range(24):
        pooled = rising[np.abs((hour[rising] - h + 12) % 24 - 12) <= POOL_H]
        if not len(pooled):
            return None
        edges[h], means[h], owner[h] = _states(deviation_ccy_per_mwh[pooled], weight[pooled])
    state = (deviation_ccy_per_mwh[:, None] > edges[hour]).sum(axis=1)
    follows = present[:-1] & present[1:]
    seen = np.zeros((24, means.shape[1], means.shape[1]))
    np.add.at(seen, (hour[:-1][follows], state[:-1][follows], state[1:][follows]), weight[1:][follows])
    chances = np.take_along_axis(_chances(seen), owner[:, :, None], axis=1)
    return PriceStates(deviation_ccy_per_mwh=means, transition_ratio=chances)


def _states(rising_ccy_per_mwh: Floats, weight: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Upper edges of the states, each a deviation that came; mean of each state's members; whose row each state has.

    Where many deviations tie, edges tie and the states between them are empty: such a state stands for the edge itself,
    which is a member of the lowest of them.
    """
    reached = np.cumsum(weight)
    last = len(weight) - 1
    edges = rising_ccy_per_mwh[np.minimum(np.searchsorted(reached, reached[-1] * np.array(QUANTILES)), last)]
    cuts = np.concatenate(([0], np.searchsorted(rising_ccy_per_mwh, edges, side="right"), [len(weight)]))
    members = np.diff(np.concatenate(([0.0], reached))[cuts])
    sums = np.diff(np.concatenate(([0.0], np.cumsum(weight * rising_ccy_per_mwh)))[cuts])
    empty = np.diff(cuts) == 0
    at = np.append(edges, edges[-1])
    means = np.maximum.accumulate(np.where(empty, at, sums / np.where(empty, 1.0, members)))
    owner = np.where(empty, np.searchsorted(edges, at, side="left"), np.arange(len(at)))
    return edges, means, owner


def _chances(seen: Floats) -> Floats:
    """Counts of transitions by hour to chances: each hour with its neighbours, and a little of all hours."""
    counts = np.zeros_like(seen)
    for shift in range(-POOL_H, POOL_H + 1):
        counts += np.roll(seen, shift, axis=0)
    whole = seen.sum(axis=0)
    rows = whole.sum(axis=1, keepdims=True)
    stays = np.eye(len(whole))
    counts += PRIOR_RATIO * np.where(rows > 0.0, whole / np.where(rows > 0.0, rows, 1.0), stays)
    chances: Floats = counts / counts.sum(axis=2, keepdims=True)
    return chances
