"""What dated charges change in the cost of import: price adders as they stand, coincident peaks as a price.

    adder(step) = Σ price adders in force + Σ peak charges  rate / count × P(the step's hour becomes a peak) per hour

A MW drawn in an hour that becomes a peak with chance P costs rate / count × P on average, so the price is exact for
whoever minds the average. With hindsight P is 1 in the intervals that were the peaks. A rule of thumb sees the price
adders alone; for the peaks the desk has `desk_avoids`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.asked import Asked
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.site import Site
from headrace.dispatch.terms import Terms
from headrace.dispatch.uses import SiteModel
from headrace.energy import Series
from headrace.energy.tariffs import CoincidentPeaks, MonthlyPeak, adder_ccy_per_mwh
from headrace.energy.tariffs_monthly import month_peak_ccy_per_mw
from headrace.energy.tariffs_peaks import forecast_of, peak_share

__all__ = [
    "HOURS_BY_HAND",
    "bills_month_peak",
    "charge_terms",
    "desk_avoids",
    "month_peak_charge_ccy_per_mw",
    "peak_adder_ccy_per_mwh",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOURS_BY_HAND: Final = (15, 16, 17)
"""Local hours the desk watches where its file names none: a summer system peaks in the late afternoon."""

NEAR_RATIO: Final = 0.95
"""The desk acts on days whose load, or the day before's highest, comes this near to the period's highest so far."""


def charge_terms(terms: Terms, model: SiteModel, asked: Asked) -> None:
    """Add dated charges to the cost of import."""
    site, outlook = model.site, asked.outlook
    adder = adder_ccy_per_mwh(site.charges, outlook.starts_s, outlook.price_ccy_per_mwh, site.time_zone)
    if not asked.by_hand:
        adder = adder + peak_adder_ccy_per_mwh(site, asked.inputs, outlook.starts_s, asked.now_s)
    terms.import_adder_ccy_per_mwh[:] += adder


def peak_adder_ccy_per_mwh(site: Site, inputs: Inputs, starts_s: Ints, now_s: int | None) -> Floats:
    """Price of import for the sake of coincident peaks, by what was known at `now_s`, or with hindsight for None."""
    total = np.zeros(len(starts_s))
    for charge in site.charges:
        if not isinstance(charge, CoincidentPeaks):
            continue
        load, temperature = _series(charge, inputs)
        if now_s is None:
            share = peak_share(charge, load, site.time_zone, starts_s)
        elif load is None:
            continue
        else:
            share = forecast_of(charge, load, temperature, site.time_zone).at(now_s, starts_s)
            share = share * ((starts_s >= charge.start_s) & (starts_s < charge.end_s))
        total += charge.peak_ccy_per_mw * share
    return total


def bills_month_peak(site: Site) -> bool:
    """Does the site ever pay for its own highest import of a month."""
    dated = any(isinstance(each, MonthlyPeak) for each in site.charges)
    return dated or site.tariff.peak_charge_ccy_per_mw_month > 0.0


def month_peak_charge_ccy_per_mw(site: Site, at_s: int, month: int) -> float:
    """Charge on each MW of the site's highest import of the local month (1..12) that holds an instant."""
    dated = month_peak_ccy_per_mw(site.charges, at_s, month, site.time_zone) if site.charges else 0.0
    return site.tariff.peak_charge_ccy_per_mw_month + dated


def desk_avoids(site: Site, inputs: Inputs, now_s: int, hour_local: int) -> bool:
    """Does the desk stop its miners for a coincident peak: at its hours, on days of high load as known then."""
    if hour_local not in (site.desk.peak_hours_local or HOURS_BY_HAND):
        return False
    for charge in site.charges:
        if not isinstance(charge, CoincidentPeaks) or not charge.start_s <= now_s < charge.end_s:
            continue
        load, temperature = _series(charge, inputs)
        if load is not None and forecast_of(charge, load, temperature, site.time_zone).is_high(now_s, NEAR_RATIO):
            return True
    return False


def _series(charge: CoincidentPeaks, inputs: Inputs) -> tuple[Series | None, Series | None]:
    load = None if charge.load is None else inputs.further[charge.load]
    return load, None if charge.temperature is None else inputs.further[charge.temperature]
