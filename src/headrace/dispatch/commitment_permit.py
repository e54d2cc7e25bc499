"""What an hour of a unit's permit is worth: run hours of a calendar year are a stock, like a lease's interruptions.

With R hours left of the permit and T hours left of the year, prices coming as they came, ρ is the threshold that only
the dearest R of T hours clear (`headrace.dispatch.allowance.shadow_price`), per hour at full load. It is a rule, not an
optimum: it takes hours singly, where starts tie them together. With hindsight ρ is the lowest at which each year's
chosen runs fit the permit. Control ends a run when the permit ends, whatever ρ was.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from headrace.core import from_epoch_s
from headrace.dispatch.allowance import shadow_price
from headrace.dispatch.plant_terms import source_row
from headrace.dispatch.uses import SiteModel
from headrace.energy import Series
from headrace.energy.local_time import by_local_time
from headrace.energy.plant import Unit, UnitState

__all__ = ["permit_price", "permit_prices_of_years"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

HALVINGS: Final = 24
"""Steps of the bisection for ρ with hindsight: the bracket shrinks by 1e7."""

DAY_S: Final = 86_400

TRAILING_S: Final = 365 * DAY_S
"""Prices that ρ rests on, back from the decision, seconds; fewer where the record is shorter."""


def permit_price(
    model: SiteModel, live: Series, unit: Unit, state: UnitState, *, now_s: int, fuel_ccy_per_gj: float
) -> float:
    """ρ now, from trailing prices, currency per hour.

    Parameters
    ----------
    model, unit, state
        The site, its unit, and what that has used of its permit.
    live
        The price the site settles at; read as of the UTC day's beginning.
    now_s
        Decision time, epoch seconds.
    fuel_ccy_per_gj
        Price of the unit's fuel.
    """
    if unit.run_max_h is None:
        return 0.0
    left_h = unit.run_max_h - unit.run_used_h - state.run_s / 3600.0
    local = from_epoch_s(now_s).astimezone(ZoneInfo(model.site.time_zone))
    year_end = local.replace(year=local.year + 1, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    ahead_h = max((year_end.timestamp() - now_s) / 3600.0, 1.0)
    upkeep = model.site.generators[source_row(model, unit)].marginal_cost_ccy_per_mwh
    fuel = fuel_ccy_per_gj * (unit.fuel_gj_per_mwh + unit.no_load_gj_per_h / unit.maximum_mw)
    cost = _prices_known(live, now_s // DAY_S) + model.site.tariff.import_adder_ccy_per_mwh
    left_ratio = max(left_h, 0.0) / ahead_h
    return unit.maximum_mw * shadow_price(cost, np.array([upkeep + fuel]), np.ones(1), left_ratio)


@lru_cache(maxsize=4)
def _prices_known(live: Series, day: int) -> Floats:
    """Prices that were known when a UTC day began, rising."""
    count = live.known_count(day * DAY_S)
    recent = live.values[max(0, count - TRAILING_S // live.step_s) : count]
    return np.sort(recent[~np.isnan(recent)])


def permit_prices_of_years(
    runs: Callable[[Floats], Flags], bounds_s: Ints, unit: Unit, *, zone: str, most_ccy_per_h: float
) -> Floats:
    """ρ of each step with hindsight: one price for each local calendar year.

    Parameters
    ----------
    runs
        The best runs at prices of each step: when the unit burns fuel, shape (T,).
    bounds_s
        Step boundaries, epoch seconds, shape (T+1,).
    unit
        The unit; hours used before count in the first year.
    zone
        IANA zone of the permit's years.
    most_ccy_per_h
        No hour at work gains more.
    """
    hours = np.diff(bounds_s) / 3600.0
    price = np.zeros(len(hours))
    years = by_local_time(bounds_s[:-1], zone, lambda at: at.year)
    for position, year in enumerate(np.unique(years)):
        inside = years == year
        allowed_h = np.inf if unit.run_max_h is None else unit.run_max_h - (unit.run_used_h if position == 0 else 0.0)
        if hours[inside & runs(price)].sum() <= allowed_h:
            continue
        low, high = 0.0, most_ccy_per_h
        for _ in range(HALVINGS):
            price[inside] = 0.5 * (low + high)
            is_over = hours[inside & runs(price)].sum() > allowed_h
            low, high = (float(price[inside][0]), high) if is_over else (low, float(price[inside][0]))
        price[inside] = high
    return price
