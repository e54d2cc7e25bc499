"""Conditions over a grid of steps: what can be expected at a time, or what really came.

`expected` reads a series only through what was known at `now` (energy.forecast). What really came is laid out by the
engine, for the simulated world and the perfect-foresight bound alone.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.inputs import Inputs
from headrace.dispatch.uses import SiteModel
from headrace.energy import Series
from headrace.energy.forecast import forecast
from headrace.loads.cooling import REFERENCE_TEMP_C
from headrace.loads.hashprice import hashprice_usd_per_phs_day

__all__ = ["Outlook", "expected"]

Floats = NDArray[np.float64]

PRICE_FADE_S: Final = 2 * 3600.0
"""A price's deviation from day-ahead fades with two hours."""

BASE_DAYS: Final = 14
"""Days whose mean at the same time is the shape of temperature and demand."""

WEATHER_FADE_S: Final = 24 * 3600.0
"""A temperature's deviation from that shape fades with a day."""

DEMAND_FADE_S: Final = 6 * 3600.0
"""A demand's deviation from that shape fades with six hours."""

OUTPUT_FADE_S: Final = 4 * 3600.0
"""A wind or solar output's deviation from yesterday's fades with four hours."""


class Outlook(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Conditions on T steps."""

    starts_s: NDArray[np.int64]
    """Start of each step, epoch seconds, shape (T,)."""
    step_h: Floats
    """Length of each step, hours, shape (T,)."""
    price_ccy_per_mwh: Floats
    """Market price, shape (T,)."""
    temp_c: Floats
    """Outdoor temperature, shape (T,)."""
    hashprice_ccy_per_phs_day: Floats
    """Gross mining revenue of one PH/s for a day, shape (T,)."""
    demand_per_s: Floats
    """Requests per second of each inference service, shape (I, T)."""
    available_ratio: Floats
    """Available share of each generator's capacity, shape (M, T)."""


def expected(
    model: SiteModel,
    inputs: Inputs,
    now_s: int,
    starts_s: NDArray[np.int64],
    step_h: Floats,
    *,
    price_change_ccy_per_mwh: float = 0.0,
) -> Outlook:
    """Forecast every condition from what was known at `now_s`.

    Parameters
    ----------
    model, inputs
        The site and its series.
    now_s
        Decision time, epoch seconds.
    starts_s, step_h
        Grid, shape (T,): starts in epoch seconds, lengths in hours.
    price_change_ccy_per_mwh
        Change expected of the price from the last one published to the present interval; it fades like the deviation.

    Raises
    ------
    ValueError
        If no price at all is known at `now_s`.
    """

    def persist(series: Series | None, fade_s: float, absent: float, base_days: int) -> Floats:
        if series is None:
            return np.full(len(starts_s), absent)
        ahead = forecast(starts_s, now_s, base=series, live=series, fade_s=fade_s, lag_days_min=1, base_days=base_days)
        return np.where(np.isnan(ahead), absent, ahead) if np.isnan(ahead[0]) else ahead

    site = model.site
    base = inputs.day_ahead if inputs.day_ahead is not None else inputs.real_time
    price = forecast(
        starts_s,
        now_s,
        base=base,
        live=inputs.real_time,
        fade_s=PRICE_FADE_S,
        lag_days_min=0 if inputs.day_ahead is not None else 1,
    )
    if price_change_ccy_per_mwh:
        present_end_s = inputs.real_time.start_s + (inputs.real_time.index(now_s) + 1) * inputs.real_time.step_s
        ahead_s = np.where(starts_s < present_end_s, 0, starts_s - now_s)
        price += price_change_ccy_per_mwh * np.exp(-ahead_s / PRICE_FADE_S)
    price = _overlay_known(price, inputs.real_time, now_s, starts_s)
    if np.isnan(price).any():
        raise ValueError(f"no price of {inputs.real_time.name} was known at {now_s}")
    profiles = inputs.profiles
    demand = [persist(profiles[s.demand], DEMAND_FADE_S, 0.0, BASE_DAYS) * s.demand_scale_ratio for s in site.inference]
    output = [
        np.ones(len(starts_s)) if g.profile is None else persist(profiles[g.profile], OUTPUT_FADE_S, 0.0, 1)
        for g in site.generators
    ]
    return Outlook(
        starts_s=starts_s,
        step_h=step_h,
        price_ccy_per_mwh=price,
        temp_c=persist(inputs.temperature, WEATHER_FADE_S, REFERENCE_TEMP_C, BASE_DAYS),
        hashprice_ccy_per_phs_day=np.full(len(starts_s), _hashprice_known(model, inputs, now_s)),
        demand_per_s=np.array(demand).reshape(len(demand), len(starts_s)),
        available_ratio=np.array(output).reshape(len(output), len(starts_s)),
    )


def _overlay_known(ahead: Floats, live: Series, now_s: int, starts_s: NDArray[np.int64]) -> Floats:
    """Put the price itself where it is already known: a day-ahead market, or a price published in time."""
    known = live.known_count(now_s)
    position = (starts_s - live.start_s) // live.step_s
    if position[0] >= known:
        return ahead
    certain = live.values[position[position < known]]
    ahead[: len(certain)] = np.where(np.isnan(certain), ahead[: len(certain)], certain)
    return ahead


def _hashprice_known(model: SiteModel, inputs: Inputs, now_s: int) -> float:
    if inputs.bitcoin_price is None or inputs.difficulty is None or inputs.block_reward is None:
        return 0.0
    price, difficulty, reward = (
        series.latest(now_s) for series in (inputs.bitcoin_price, inputs.difficulty, inputs.block_reward)
    )
    if price is None or difficulty is None or reward is None:
        return 0.0
    usd = hashprice_usd_per_phs_day(
        block_reward_btc=reward.value, price_usd_per_btc=price.value, difficulty=difficulty.value
    )
    return float(usd * model.site.usd_rate_ratio)
