"""Dated parts of a tariff: what they cost, and when the cash falls.

    energy adder, uplift      import × rate, in the months and hours it names
    losses                    import × loss ratio × market price: what is lost on the way is bought too
    fixed                     a sum a month, accrued by the second
    coincident peaks          rate × mean import over the system's peak intervals, each of which counts rate / count
    monthly peak              rate × highest mean import over one measuring interval of the month, aligned to the clock

A component may be declared in several versions, each with its dates; the door refuses a gap or an overlap.
"""

from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import epoch_s, from_epoch_s
from headrace.energy.coincident import PeakCalendar
from headrace.energy.local_time import by_local_time

__all__ = [
    "CashFall",
    "Charge",
    "CoincidentPeaks",
    "FixedCharge",
    "MonthlyPeak",
    "PriceAdder",
    "adder_ccy_per_mwh",
    "dues_s",
    "month_end_s",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALL_MONTHS = tuple(range(1, 13))
ALL_HOURS = tuple(range(24))


class CashFall(StrEnum):
    """When what is accrued is paid."""

    SAME_MONTH = "same-month"
    NEXT_MONTH = "next-month"
    NEXT_YEAR = "next-year"


class _Dated(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What every component says of itself."""

    name: str
    """Component; versions of one share it."""
    start_s: int
    """First instant it holds, epoch seconds."""
    end_s: int
    """First instant it no longer holds."""
    source: str
    """Tariff page, order or contract, with its date."""
    cash: CashFall
    """When what is accrued is paid."""


class PriceAdder(_Dated, frozen=True, kw_only=True, tag=True):
    """Energy adder, uplift or losses: a price on every imported MWh."""

    adder_ccy_per_mwh: float
    """Added to the market price."""
    loss_ratio: float
    """Share of the market price added for losses, >= 0."""
    months: tuple[int, ...] = ALL_MONTHS
    """Local months (1..12) in which it applies."""
    hours_local: tuple[int, ...] = ALL_HOURS
    """Local hours (0..23) in which it applies."""


class FixedCharge(_Dated, frozen=True, kw_only=True, tag=True):
    """A sum a month, whatever is drawn."""

    month_ccy: float
    """Charge of one local calendar month."""


class CoincidentPeaks(_Dated, frozen=True, kw_only=True, tag=True):
    """A charge on the mean import over a system's peak intervals."""

    peak_ccy_per_mw_year: float
    """Charge on each MW of that mean."""
    interval_s: int
    """Length of a peak interval, seconds."""
    calendar: PeakCalendar
    """Which days compete, and for how many peaks."""
    load: str | None
    """Feed role of the system's load, which tells the peaks; None where they are listed."""
    temperature: str | None
    """Feed role of a temperature that the load's forecast may use."""
    peaks_s: tuple[int, ...]
    """Starts of the peak intervals, where they are listed; known after the fact, so nothing is forecast from them."""

    @property
    def peak_ccy_per_mw(self) -> float:
        """What one MW in one peak interval costs."""
        return self.peak_ccy_per_mw_year / self.count

    @property
    def count(self) -> int:
        """Peak intervals of a year."""
        return self.calendar.count * (len(self.calendar.months) if self.calendar.is_monthly else 1)


class MonthlyPeak(_Dated, frozen=True, kw_only=True, tag=True):
    """A charge on the site's own highest import of a local calendar month.

    A month that its dates hold in part is charged in full, or by the share of its seconds if `is_pro_rata`.
    """

    peak_ccy_per_mw_month: float
    """Charge of one month on each MW of its highest mean import."""
    interval_s: int
    """Length of a measuring interval, seconds; it begins on a multiple of it after the hour."""
    months: tuple[int, ...] = ALL_MONTHS
    """Local months (1..12) that are charged."""
    is_pro_rata: bool = False
    """Charge a part of a month by its share."""


Charge = PriceAdder | FixedCharge | CoincidentPeaks | MonthlyPeak


def adder_ccy_per_mwh(charges: tuple[Charge, ...], starts_s: Ints, price_ccy_per_mwh: Floats, time_zone: str) -> Floats:
    """What the price adders in force come to on each step, at this market price, shape of `starts_s`."""
    total = np.zeros(len(starts_s))
    for each in charges:
        if isinstance(each, PriceAdder):
            applies = (starts_s >= each.start_s) & (starts_s < each.end_s)
            if each.months != ALL_MONTHS or each.hours_local != ALL_HOURS:
                applies &= _in_class(each, starts_s, time_zone)
            total[applies] += each.adder_ccy_per_mwh + each.loss_ratio * price_ccy_per_mwh[applies]
    return total


def dues_s(charge: Charge, at_s: int, time_zone: str) -> tuple[int, ...]:
    """When what is accrued at an instant is paid, in equal parts, epoch seconds.

    Parameters
    ----------
    charge
        The component.
    at_s
        Instant of the accrual, epoch seconds.
    time_zone
        IANA zone of the months.

    Returns
    -------
    tuple of int
        End of the month, end of the next one, or the ends of all twelve months of the next calendar year.
    """
    zone = ZoneInfo(time_zone)
    local = from_epoch_s(at_s).astimezone(zone)
    month = local.year * 12 + local.month - 1
    match charge.cash:
        case CashFall.SAME_MONTH:
            months: tuple[int, ...] = (month,)
        case CashFall.NEXT_MONTH:
            months = (month + 1,)
        case CashFall.NEXT_YEAR:
            months = tuple(range((local.year + 1) * 12, (local.year + 2) * 12))
    return tuple(month_end_s(each, zone) for each in months)


def month_end_s(month: int, zone: ZoneInfo) -> int:
    """End of a local month, counted year × 12 + month − 1, epoch seconds."""
    year, index = divmod(month + 1, 12)
    return epoch_s(datetime(year, index + 1, 1, tzinfo=zone))


def _in_class(each: PriceAdder, starts_s: Ints, time_zone: str) -> NDArray[np.bool_]:
    def applies(at: datetime) -> bool:
        return at.month in each.months and at.hour in each.hours_local

    return by_local_time(starts_s, time_zone, applies, np.bool_)
