"""Policy `stochastic` over a whole year, compiled: water values once a day, one merge in every control step.

The other policies' year, and what a step sees, are in `headrace.dispatch.kernel.loop`.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from headrace.dispatch.kernel.loop import (
    PriceArrays,
    RunArrays,
    SiteArrays,
    Window,
    blank_window,
    forecast_price,
    forecast_pue,
    lay_out,
    realise,
)
from headrace.dispatch.kernel.merge import split
from headrace.dispatch.kernel.merit import fill_blocks
from headrace.dispatch.kernel.stage import build_stages, powers
from headrace.dispatch.kernel.water import blend, state_weights, water_curves
from headrace.energy.forecast_kernel import fill_forecast

__all__ = ["FitArrays", "stochastic"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class FitArrays(NamedTuple):
    """Chains over the run, F of them."""

    deviation: Floats
    """Mean deviation of each state, shape (F, 24, N)."""
    deviation_after: Floats
    """Mean deviation of the present where the state is that of the newest price seen, shape (F, 24, N)."""
    transition: Floats
    """Shape (F, 24, N, N)."""
    of_step: Ints
    """Which chain a pass made in a step uses, shape (T,)."""


@njit(cache=True, error_model="numpy")
def stochastic(
    site: SiteArrays,
    prices: PriceArrays,
    fits: FitArrays,
    horizon_s: int,
    cells: int,
    price_fade_s: float,
    pue_fade_s: float,
    first: int,
    until: int,
    run: RunArrays,
) -> int:
    """Merge each step with the expected worth of what it leaves in store.

    Parameters
    ----------
    site, prices, run
        See `headrace.dispatch.closed_loop`; `run.stored_mwh[first]` is where the store begins.
    fits
        The chains.
    horizon_s
        How far the water values look from each publication, seconds; more than a day.
    cells
        Slopes of a value function.
    price_fade_s, pue_fade_s
        See `rolling`.
    first, until
        Steps first <= t < `until` are run.

    Returns
    -------
    int
        First step that the firm load does not fit in, or -1.
    """
    uses, states = len(site.use_it_max_mw), fits.deviation.shape[2]
    a_day = 86_400 // site.step_s
    window, now = blank_window(horizon_s // site.step_s, uses), blank_window(1, uses)
    now.step_h[0] = site.step_s / 3600.0
    curve = np.empty((horizon_s // site.step_s, states, cells))
    slope, width = np.empty(cells), np.full(cells, (site.battery[6] - site.battery[5]) / cells)
    fill, wish = np.empty(uses + 2), np.empty(uses)
    anchor = first
    for t in range(first, until):
        if t == first or prices.known_steps[t] != prices.known_steps[t - 1] or t - anchor >= a_day:
            anchor = t
            if _pass(site, prices, fits, t, pue_fade_s, window, curve) >= 0:
                return t
        fit = fits.of_step[anchor]
        seen = max(t - prices.late_steps, 0)
        # Before the first price arrives, all that is known is the day-ahead price: no deviation.
        deviation = prices.settled[seen] - prices.day_ahead[seen] if t >= prices.late_steps else 0.0
        weight = state_weights(
            fits.deviation[fit], fits.transition[fit], deviation, seen * site.step_s // 3600 % 24, window.times_s[:0]
        )
        blend(curve[t - anchor], weight, slope)
        now.times_s[0] = t * site.step_s
        forecast_price(site, prices, t, now.times_s, price_fade_s, now.forecast)
        now.pue[0] = site.pue[t]
        lay_out(site, t, 1, now)
        if build_stages(
            0, 1, now.step_h, now.price, now.width, now.need, now.base, site.battery,
            now.order, now.slope, now.piece, now.piece_count, now.frame,
        ) >= 0:  # fmt: skip
            return t
        after = split(
            slope, width, 0, cells, site.battery[5], site.battery[6],
            now.slope, now.piece, now.piece_count, now.frame, 0, run.stored_mwh[t],
        )  # fmt: skip
        charge, discharge = powers(run.stored_mwh[t] - after, now.step_h[0], now.frame[0, 4], site.battery)
        fill_blocks(now.width, now.order, 0, now.need[0], discharge - charge, fill)
        for n in range(uses):
            wish[n] = fill[n]
        realise(site, prices.settled[t], t, wish, charge, discharge, run)
    return -1


@njit(cache=True, error_model="numpy")
def _pass(
    site: SiteArrays, prices: PriceArrays, fits: FitArrays, t: int, pue_fade_s: float, window: Window, curve: Floats
) -> int:
    """Water values from step t to the horizon's end, with what step t knows."""
    count = curve.shape[0]
    for k in range(count):
        window.times_s[k] = (t + k) * site.step_s
        window.step_h[k] = site.step_s / 3600.0
    fill_forecast(
        window.forecast, window.times_s, t * site.step_s, prices.day_ahead, 0, site.step_s, prices.known_steps[t],
        np.nan, 0, site.step_s, 1.0, 0, 1,
    )  # fmt: skip
    forecast_pue(site, t, window.times_s, pue_fade_s, window.pue)
    end_value = lay_out(site, t, count, window)
    fit = fits.of_step[t]
    return water_curves(
        window.step_h, window.price, window.width, window.need, window.base, len(site.use_it_max_mw), site.battery,
        (window.times_s - prices.late_steps * site.step_s) // 3600 % 24, fits.deviation_after[fit],
        fits.transition[fit], end_value, curve,
    )  # fmt: skip
