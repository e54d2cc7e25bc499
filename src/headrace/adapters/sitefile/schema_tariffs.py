"""The `[[charge]]` tables of the site file: dated parts of a tariff."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from headrace.adapters.sitefile.fields import Count, Flag, Magnitude, Money, Name, PositiveMagnitude, Section
from headrace.adapters.sitefile.moment import Moment
from headrace.energy.tariffs import CashFall

__all__ = ["ChargeSection"]

Month = Annotated[int, Strict(), Field(ge=1, le=12)]
Hour = Annotated[int, Strict(), Field(ge=0, le=23)]


class ChargeSection(Section):
    """One version of a part of the tariff; versions of one part share its name and follow each other without a gap."""

    kind: Literal["energy", "losses", "uplift", "fixed", "four-peaks", "five-peaks", "monthly-peak"]
    """energy, losses, uplift, fixed, four-peaks, five-peaks or monthly-peak."""
    name: Name
    """Part of the tariff."""
    start: Moment
    """First instant: a date (midnight in the site's zone) or a time with its offset."""
    end: Moment
    """First instant after it, likewise."""
    source: Annotated[str, Field(min_length=1, max_length=200)]
    """Tariff page, order or contract it comes from, or "assumed"."""
    cash: CashFall | None = None
    """When it is paid: same-month, next-month (of peaks: next-year) if left out."""
    adder_ccy_per_mwh: Money | None = None
    """Of energy and uplift: added to the price of every imported MWh."""
    months: Annotated[tuple[Month, ...], Field(min_length=1)] | None = None
    """Of energy and uplift: local months it applies in, all if left out. Of four-peaks and
    monthly-peak: months that have a peak."""
    hours_local: Annotated[tuple[Hour, ...], Field(min_length=1)] | None = None
    """Of energy and uplift: local hours (0..23) it applies in, all if left out."""
    loss_ratio: Magnitude | None = None
    """Of losses: share of the market price added to it."""
    fixed_ccy_per_month: Money | None = None
    """Of fixed: charge of each local calendar month."""
    peak_ccy_per_mw_year: PositiveMagnitude | None = None
    """Of four-peaks: charge on each MW of the mean import over the year's peaks."""
    peak_ccy_per_mw_month: PositiveMagnitude | None = None
    """Of monthly-peak: charge on each MW of the site's own highest mean import over a measuring interval."""
    is_pro_rata: Flag | None = None
    """Of monthly-peak: a month that the dates hold in part is charged by its share; in full if left out."""
    interval_min: Count | None = None
    """Of peaks: length of a peak or measuring interval, minutes; 60 of five-peaks, else 15 if left out."""
    load: str | None = None
    """Of peaks: role in [feeds] of the system's load, MW, which tells the peaks."""
    temperature: str | None = None
    """Of peaks: role in [feeds] of a temperature in the system, degrees C, for the load's forecast."""
    peaks: Annotated[tuple[Moment, ...], Field(min_length=1)] | None = None
    """Of peaks: starts of the peak intervals, where no load is declared; known after the fact, nothing is forecast."""
    pool_ccy_per_year: PositiveMagnitude | None = None
    """Of five-peaks: cost shared by the peaks of a base period."""
    system_peak_mw: PositiveMagnitude | None = None
    """Of five-peaks: mean load of the system in its peaks, MW."""
    class_a_min_mw: Magnitude | None = None
    """Of five-peaks: least connection that pays by peaks, MW; 5 if left out. A smaller one pays per MWh."""
    class_b_ccy_per_mwh: Money | None = None
    """Of five-peaks: what it then pays on every imported MWh."""
