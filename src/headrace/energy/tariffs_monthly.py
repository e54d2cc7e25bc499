"""The monthly peak in force, what it charges, and its meter: mean import over measuring intervals of the clock."""

from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from headrace.core import from_epoch_s
from headrace.energy.tariffs import Charge, MonthlyPeak, month_end_s

__all__ = ["measured", "month_peak_ccy_per_mw", "month_peaks_ccy_per_mw", "monthly_peak_at"]

S_PER_H = 3600


def monthly_peak_at(charges: tuple[Charge, ...], at_s: int, month: int) -> MonthlyPeak | None:
    """The charge in force at an instant of a local month (1..12); a site has one part of this kind."""
    for each in charges:
        if isinstance(each, MonthlyPeak) and each.start_s <= at_s < each.end_s and month in each.months:
            return each
    return None


def month_peak_ccy_per_mw(charges: tuple[Charge, ...], at_s: int, month: int, time_zone: str) -> float:
    """Charge on each MW of the peak of the local month (1..12) that holds an instant; 0 where none is in force."""
    each = monthly_peak_at(charges, at_s, month)
    if each is None or not each.is_pro_rata:
        return 0.0 if each is None else each.peak_ccy_per_mw_month
    zone = ZoneInfo(time_zone)
    local = from_epoch_s(at_s).astimezone(zone)
    count = local.year * 12 + local.month - 1
    first_s, last_s = month_end_s(count - 1, zone), month_end_s(count, zone)
    return each.peak_ccy_per_mw_month * (min(last_s, each.end_s) - max(first_s, each.start_s)) / (last_s - first_s)


def month_peaks_ccy_per_mw(
    charges: tuple[Charge, ...], starts_s: NDArray[np.int64], month: NDArray[np.int64], time_zone: str
) -> NDArray[np.float64]:
    """The same for every step, by its local month (1..12), shape of `starts_s`."""
    rate = np.zeros(len(starts_s))
    for each in charges:
        if not isinstance(each, MonthlyPeak):
            continue
        inside = np.flatnonzero((starts_s >= each.start_s) & (starts_s < each.end_s))
        turns = np.flatnonzero(np.diff(month[inside], prepend=-1))
        for part in np.split(inside, turns[1:]):
            if len(part):
                first = int(part[0])
                rate[part] = month_peak_ccy_per_mw((each,), int(starts_s[first]), int(month[first]), time_zone)
    return rate


def measured(
    charge: MonthlyPeak | None, *, before_wh: int, import_wh: int, start_s: int, duration_s: int
) -> tuple[int, int]:
    """Move the meter of a monthly peak on by one control interval.

    Parameters
    ----------
    charge
        The charge in force; None for none.
    before_wh
        Import of the measuring interval before this one.
    import_wh
        Import now.
    start_s, duration_s
        When the control interval begins, epoch seconds, and how long it is.

    Returns
    -------
    tuple
        (mean import of the measuring interval that ends here, W rounded down, 0 if none does; import carried on, Wh).
    """
    if charge is None:
        return 0, 0
    sum_wh = import_wh + (before_wh if start_s % charge.interval_s else 0)
    if (start_s + duration_s) % charge.interval_s:
        return 0, sum_wh
    return sum_wh * S_PER_H // charge.interval_s, 0
