"""The volume of each contract on a grid of steps: a week of local hours laid out, or a swing contract nominated.

Swing is nominated once a day, after the day-ahead prices of the delivery day are out, by one rule: the dearest hours
first, at full power, while the price is above the strike and the day's and the year's limits allow; then on, still the
dearest first, to the day's least volume. A day without prices takes its least volume evenly. The year's limit keeps the
least volume of every day left of the contract year. It is spent as days come, never saved for dearer ones.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.energy.contracts import HOURS_PER_WEEK, Swing, VolumeContract

__all__ = ["nominated_mw", "standing_mw"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

S_PER_YEAR: Final = 365 * 86_400
"""Length of a contract year."""

SHORTEST_DAY_H: Final = 23.0
"""A local day of so many hours is whole: it is the one on which clocks go forward."""


def standing_mw(contract: VolumeContract, starts_s: Ints, week_hour: Ints) -> Floats:
    """Volume of a contract with a weekly profile, MW, shape (T,); zero outside its dates.

    Parameters
    ----------
    contract
        Any but a swing contract.
    starts_s, week_hour
        Start of each step, epoch seconds, and its local hour of the week (0 is Monday 00:00), shape (T,).
    """
    if isinstance(contract, Swing):
        raise TypeError("a swing contract has no standing volume")
    week_mw = np.asarray(contract.hour_mw)
    if week_mw.size != HOURS_PER_WEEK:
        raise ValueError(f"{contract.name} must have {HOURS_PER_WEEK} hours, had {week_mw.size}")
    return np.where(_in_force(contract, starts_s), week_mw[week_hour], 0.0)


def nominated_mw(contract: Swing, starts_s: Ints, step_h: float, day_end_s: Ints, price_ccy_per_mwh: Floats) -> Floats:
    """Volume nominated for each step, MW, shape (T,).

    Parameters
    ----------
    contract
        The swing contract.
    starts_s, day_end_s
        Start of each step and end of its local day, epoch seconds, shape (T,).
    step_h
        Length of a step, hours.
    price_ccy_per_mwh
        Day-ahead price of each step, NaN where there is none, shape (T,).
    """
    volume_mw = np.zeros(len(starts_s))
    left_mwh = contract.year_max_mwh
    year = 0
    for day_end in np.unique(day_end_s).tolist():
        of_day = np.flatnonzero((day_end_s == day_end) & _in_force(contract, starts_s))
        if not of_day.size:
            continue
        now_year = (int(starts_s[of_day[0]]) - contract.start_s) // S_PER_YEAR
        if now_year != year:
            year, left_mwh = now_year, contract.year_max_mwh
        volume_mw[of_day] = _of_day(contract, price_ccy_per_mwh[of_day], step_h, _room_mwh(contract, day_end, left_mwh))
        if left_mwh is not None:
            left_mwh -= float(volume_mw[of_day].sum()) * step_h
    return volume_mw


def _room_mwh(contract: Swing, day_end_s: int, left_mwh: float | None) -> float:
    """Most that a day may take: its own limit, and what the year's leaves once later days have their least."""
    if left_mwh is None:
        return contract.day_max_mwh
    year_end_s = contract.start_s + ((day_end_s - 1 - contract.start_s) // S_PER_YEAR + 1) * S_PER_YEAR
    days_after = max(0.0, (min(year_end_s, contract.end_s) - day_end_s) / 86_400)
    spare_mwh = left_mwh - days_after * contract.day_min_mwh
    return min(contract.day_max_mwh, max(contract.day_min_mwh, spare_mwh))


def _of_day(contract: Swing, price_ccy_per_mwh: Floats, step_h: float, room_mwh: float) -> Floats:
    """Volume of one local day, MW."""
    steps = len(price_ccy_per_mwh)
    step_mwh = contract.power_max_mw * step_h
    # A day at the edge of a period or of the contract owes and may take its share.
    share_ratio = min(1.0, steps * step_h / SHORTEST_DAY_H)
    least_mwh = min(contract.day_min_mwh * share_ratio, step_mwh * steps)
    most_mwh = max(room_mwh * share_ratio, least_mwh)
    if np.isnan(price_ccy_per_mwh).any():
        return np.full(steps, least_mwh / (steps * step_h))
    order = np.argsort(-price_ccy_per_mwh, kind="stable")
    worth_mwh = min(most_mwh, step_mwh * int((price_ccy_per_mwh > contract.strike_ccy_per_mwh).sum()))
    wanted_mwh = max(least_mwh, worth_mwh)
    taken_mwh = np.clip(wanted_mwh - step_mwh * np.arange(steps), 0.0, step_mwh)
    volume_mw = np.zeros(steps)
    volume_mw[order] = taken_mwh / step_h
    return volume_mw


def _in_force(contract: VolumeContract, starts_s: Ints) -> NDArray[np.bool_]:
    return (starts_s >= contract.start_s) & (starts_s < contract.end_s)
