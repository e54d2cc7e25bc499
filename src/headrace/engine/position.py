"""What came of each contract over a period: volumes scheduled, and the prices they settle at.

Volumes rest on what was known when they were fixed: the calendar, and for a swing contract the day-ahead prices that
were out before the day began. A missing hub price stands at the site's own (no basis); without a day-ahead price
nothing is bought in the auction. Both are listed as gaps.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import Interval, divide_nearest, iso, micro
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.site import Site
from headrace.energy import DayAheadPurchase, Series, Swing, TakeOrPay
from headrace.energy.contracts import reaches_hub, volume_contracts
from headrace.energy.nominations import nominated_mw, standing_mw
from headrace.engine.calendar import LocalCalendar
from headrace.engine.results import DataGap
from headrace.settlement import PositionFacts

__all__ = ["PositionTruth", "position_truth", "uses_day_ahead", "uses_hub", "uses_hub_day_ahead"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class PositionTruth(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The contracts of a site on the control grid."""

    step_s: int
    """Length of a control step, seconds."""
    scheduled_w: Ints
    """Volume of each contract, mean W, shape (K, T)."""
    hub_ccy_per_mwh: Floats
    """Real-time price of the hub, shape (T,); zero where no contract settles there, likewise the next two."""
    day_ahead_ccy_per_mwh: Floats
    """Day-ahead price at the site's own point, shape (T,)."""
    hub_day_ahead_ccy_per_mwh: Floats
    """Day-ahead price of the hub, shape (T,)."""
    due_wh: Ints
    """Least import of the month that ends with a step, of each take-or-pay contract, shape (P, T); else zero."""

    def facts(self, first: int, last: int) -> PositionFacts:
        """Facts of the settlement interval that holds control steps `first` to `last`."""
        watt_s = self.scheduled_w[:, first : last + 1].sum(axis=1) * self.step_s
        return PositionFacts(
            scheduled_wh=tuple(divide_nearest(each, 3600) for each in watt_s.tolist()),
            hub_micro_per_mwh=micro(float(self.hub_ccy_per_mwh[last])),
            day_ahead_micro_per_mwh=micro(float(self.day_ahead_ccy_per_mwh[last])),
            hub_day_ahead_micro_per_mwh=micro(float(self.hub_day_ahead_ccy_per_mwh[last])),
            due_wh=tuple(self.due_wh[:, last].tolist()),
        )


def uses_hub(site: Site) -> bool:
    """Does any contract or agreement settle at the hub."""
    return any(reaches_hub(each) for each in site.contracts) or any(ppa.at_hub for ppa in site.ppas)


def uses_day_ahead(site: Site) -> bool:
    """Does any contract rest on the day-ahead price of the site's own point."""
    return any(isinstance(each, DayAheadPurchase | Swing) and not each.at_hub for each in site.contracts)


def uses_hub_day_ahead(site: Site) -> bool:
    """Does any contract rest on the day-ahead price of the hub."""
    return any(isinstance(each, DayAheadPurchase | Swing) and each.at_hub for each in site.contracts)


def position_truth(
    site: Site,
    inputs: Inputs,
    calendar: LocalCalendar,
    price_ccy_per_mwh: Floats,
    *,
    gaps: list[DataGap],
    window: Interval,
) -> PositionTruth | None:
    """Lay a site's contracts on the control grid; None for a site that has none.

    Parameters
    ----------
    site, inputs
        The site and its series.
    calendar
        Local time of each step.
    price_ccy_per_mwh
        Settled price at the site's own point, shape (T,).
    gaps
        Where substitutes are listed.
    window
        The period.
    """
    if not site.contracts and not uses_hub(site):
        return None
    starts_s = np.arange(window.start_s, window.end_s, site.control_step_s, dtype=np.int64)
    nothing = np.zeros(len(starts_s))
    hub = ahead = hub_ahead = nothing
    if uses_hub(site):
        came = inputs.further["hub_real_time"].onto(starts_s)
        hub = np.where(np.isnan(came), price_ccy_per_mwh, came)
        _note(gaps, inputs.further["hub_real_time"], "hub_real_time", window, "the site's own price: no basis")
    none_bought = "nothing is bought in the auction; a swing contract takes its least volume"
    if uses_day_ahead(site) and inputs.day_ahead is not None:
        ahead = inputs.day_ahead.onto(starts_s)
        _note(gaps, inputs.day_ahead, "day_ahead", window, none_bought)
    if uses_hub_day_ahead(site):
        hub_ahead = inputs.further["hub_day_ahead"].onto(starts_s)
        _note(gaps, inputs.further["hub_day_ahead"], "hub_day_ahead", window, none_bought)
    return PositionTruth(
        step_s=site.control_step_s,
        scheduled_w=_scheduled_w(site, inputs, calendar, starts_s, ahead, hub_ahead),
        hub_ccy_per_mwh=hub,
        day_ahead_ccy_per_mwh=np.nan_to_num(ahead),
        hub_day_ahead_ccy_per_mwh=np.nan_to_num(hub_ahead),
        due_wh=_due_wh(site, calendar, starts_s),
    )


def _scheduled_w(
    site: Site, inputs: Inputs, calendar: LocalCalendar, starts_s: Ints, ahead: Floats, hub_ahead: Floats
) -> Ints:
    week_hour = calendar.weekday * 24 + calendar.hour
    step_h = site.control_step_s / 3600.0
    rows = []
    for each in volume_contracts(site.contracts):
        if isinstance(each, Swing):
            series = inputs.further["hub_day_ahead"] if each.at_hub else inputs.day_ahead
            price = _known_before_the_day(series, starts_s, calendar.day_end_s)
            rows.append(nominated_mw(each, starts_s, step_h, calendar.day_end_s, price))
            continue
        volume_mw = standing_mw(each, starts_s, week_hour)
        if isinstance(each, DayAheadPurchase):
            volume_mw = np.where(np.isnan(hub_ahead if each.at_hub else ahead), 0.0, volume_mw)
        rows.append(volume_mw)
    return np.rint(np.array(rows).reshape(len(rows), len(starts_s)) * 1e6).astype(np.int64)


def _known_before_the_day(series: Series | None, starts_s: Ints, day_end_s: Ints) -> Floats:
    """Prices of each step that were out when its local day began; NaN else."""
    if series is None:
        return np.full(len(starts_s), np.nan)
    position = np.clip((starts_s - series.start_s) // series.step_s, 0, len(series) - 1)
    _, first, which = np.unique(day_end_s, return_index=True, return_inverse=True)
    is_known = series.known_s[position] <= starts_s[first][which]
    return np.where(is_known, series.onto(starts_s), np.nan)


def _due_wh(site: Site, calendar: LocalCalendar, starts_s: Ints) -> Ints:
    """Least import due at the last step of each local month, a month cut short owing its share."""
    contracts = [each for each in site.contracts if isinstance(each, TakeOrPay)]
    due = np.zeros((len(contracts), len(starts_s)), np.int64)
    for month_end_s in np.unique(calendar.month_end_s).tolist():
        steps = np.flatnonzero(calendar.month_end_s == month_end_s)
        month_s = month_end_s - int(calendar.month_start_s[steps[0]])
        for row, each in enumerate(contracts):
            in_force = (starts_s[steps] >= each.start_s) & (starts_s[steps] < each.end_s)
            covered_s = int(in_force.sum()) * site.control_step_s
            due[row, steps[-1]] = divide_nearest(round(each.month_min_mwh * 1e6) * covered_s, month_s)
    return due


def _note(gaps: list[DataGap], series: Series, role: str, window: Interval, substitute: str) -> None:
    gaps.extend(
        DataGap(role=role, start=iso(gap.start_s), intervals=gap.steps(series.step_s), substitute=substitute)
        for gap in series.gaps(window)
    )
