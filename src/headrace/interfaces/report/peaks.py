"""The board's page on coincident peaks: each alarm, right or false, what it cost, and each peak that was missed.

An alarm is a run of clock hours on one local day in which some use that would pay at the market price was held back for
the price of a peak: worth above the cost of import without that price, below it with it. Its cost is a memo, in no
account, because nothing was bought or sold:

    cost = Σ (worth − price settled − adders) × (power it could have taken − power it took)

It is less than nothing where the price turned out above the worth. An alarm is right if it holds a peak. The price
of a peak is what a planner saw; for the bound it is what came; a desk holds by its hours; always-on never holds.

A peak is missed if no alarm holds it and some use ran in it that would not have run at the price of the peak that came:
where the market's price alone had stopped them all, nothing was missed.
"""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl

from headrace.dispatch.peak_terms import HOURS_BY_HAND
from headrace.dispatch.site import Site
from headrace.energy.tariffs import CoincidentPeaks, adder_ccy_per_mwh
from headrace.engine.results import PolicyRun, ReplayResult
from headrace.interfaces.report.margins import headline_run
from headrace.interfaces.report.section import Section, Table
from headrace.interfaces.wording import money, policy_name

__all__ = ["PeakAlarm", "PeakHour", "PeakMemo", "peak_alarms", "peak_hours", "peak_memo", "peak_section"]

SHOWN: Final = 40
"""Most alarms listed one by one."""

HELD_MW: Final = 1e-3
"""A use short of less than this was not held back."""


class PeakAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm."""

    start: datetime
    """Start of its first hour, local time."""
    hours: int
    """Clock hours."""
    is_right: bool
    """It holds a peak."""
    held_mwh: float
    """Energy not taken."""
    cost_ccy: float
    """Margin lost by it."""


class PeakHour(msgspec.Struct, frozen=True, kw_only=True):
    """One peak interval as it turned out."""

    start: datetime
    """Start, local time."""
    import_mw: float
    """Mean import in it."""
    charge_ccy: float
    """What that import is charged."""
    is_avoided: bool
    """An alarm held it, or the market's price alone."""
    missed_ccy: float
    """Of the charge, what uses bear that would not have run at the price of the peak; 0 if avoided."""


class PeakMemo(msgspec.Struct, frozen=True, kw_only=True):
    """What coincident peaks came to under one policy; every amount is already inside its margin."""

    label: str
    """Label of the policy."""
    peaks: int
    """Peak intervals in the window."""
    missed: int
    """Of these, how many no alarm held."""
    missed_ccy: float
    """What uses were charged in those that would not have run at the price of the peak."""
    alarms: int
    """Alarms given."""
    false_alarms: int
    """Of these, how many held no peak."""
    false_alarms_ccy: float
    """Margin lost in those."""


def peak_memo(site: Site, run: PolicyRun) -> PeakMemo | None:
    """Count peaks and alarms of a run; None without coincident peaks."""
    if "peak_seen" not in run.intervals.columns:
        return None
    peaks, alarms = peak_hours(site, run), peak_alarms(site, run)
    missed = [each.missed_ccy for each in peaks if not each.is_avoided]
    false = [each.cost_ccy for each in alarms if not each.is_right]
    return PeakMemo(
        label=run.label,
        peaks=len(peaks),
        missed=len(missed),
        missed_ccy=sum(missed),
        alarms=len(alarms),
        false_alarms=len(false),
        false_alarms_ccy=sum(false),
    )


def peak_alarms(site: Site, run: PolicyRun) -> tuple[PeakAlarm, ...]:
    """Every alarm of a run, in order; none without coincident peaks."""
    if "peak_seen" not in run.intervals.columns:
        return ()
    zone = ZoneInfo(site.time_zone)
    hours: dict[datetime, list[float]] = {}
    for at, held_mwh, cost_ccy, came in _held(site, run).iter_rows():
        local = at.astimezone(zone)
        row = hours.setdefault(local.replace(minute=0, second=0), [0.0, 0.0, 0.0])
        row[0] += held_mwh
        row[1] += cost_ccy
        row[2] = max(row[2], came)
    runs: list[list[datetime]] = []
    for hour in sorted(hours):
        if runs and hour - runs[-1][-1] == timedelta(hours=1) and hour.date() == runs[-1][-1].date():
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return tuple(
        PeakAlarm(
            start=each[0],
            hours=len(each),
            is_right=any(hours[hour][2] > 0.0 for hour in each),
            held_mwh=sum(hours[hour][0] for hour in each),
            cost_ccy=sum(hours[hour][1] for hour in each),
        )
        for each in runs
    )


def peak_hours(site: Site, run: PolicyRun) -> tuple[PeakHour, ...]:
    """Every peak interval of a run's window as it turned out."""
    if "peak_came" not in run.intervals.columns:
        return ()
    step_h = site.control_step_s / 3600.0
    inside = run.intervals.filter(pl.col("peak_came") > 0.0)
    inside = inside.with_columns(wasted_mw=pl.Series(_wasted_mw(site, inside)))
    held = set(_held(site, run)["interval_start"].to_list())
    rows: list[list[tuple[datetime, float, float, float]]] = []
    for row in inside.select("interval_start", "import_mw", "peak_came", "wasted_mw").iter_rows():
        if not rows or row[0] - rows[-1][-1][0] > timedelta(seconds=site.control_step_s):
            rows.append([])
        rows[-1].append(row)
    peaks = []
    for each in rows:
        is_held = any(row[0] in held for row in each)
        missed_ccy = 0.0 if is_held else sum(wasted_mw * came for _, _, came, wasted_mw in each) * step_h
        peaks.append(
            PeakHour(
                start=each[0][0].astimezone(ZoneInfo(site.time_zone)),
                import_mw=sum(row[1] for row in each) / len(each),
                charge_ccy=sum(row[1] * row[2] for row in each) * step_h,
                is_avoided=missed_ccy == 0.0,
                missed_ccy=missed_ccy,
            )
        )
    return tuple(peaks)


def peak_section(result: ReplayResult) -> Section | None:
    """Lay out the section; None where the site pays for no coincident peak."""
    site = result.site
    if not any(isinstance(each, CoincidentPeaks) for each in site.charges):
        return None
    headline, currency = headline_run(result), site.currency.value
    alarms, peaks = peak_alarms(site, headline), peak_hours(site, headline)
    false = [alarm for alarm in alarms if not alarm.is_right]
    missed = sum(not peak.is_avoided for peak in peaks)
    words = (
        f"{len(peaks)} peak interval(s) of the system fall in the window; {policy_name(headline)} held load back in "
        f"{len(peaks) - missed} and missed {missed}. Of its {len(alarms)} alarms {len(false)} were false and cost "
        f"{money(sum(alarm.cost_ccy for alarm in false), currency)} of margin; the right ones cost "
        f"{money(sum(alarm.cost_ccy for alarm in alarms if alarm.is_right), currency)}.",
        "An alarm is a run of clock hours on one local day in which a use that pays at the market price is held back "
        "for the price of a peak.",
    )
    return Section(
        key="peaks",
        title="Coincident peaks",
        words=words,
        tables=(_charges(result), _peaks(peaks, currency), _alarms(alarms, currency)),
        source="Peaks are those of the declared series or list, not the operator's settled ones: provisional. Costs of "
        "alarms are a memo and stand in no account; they are already missing from the margin.",
    )


def _charges(result: ReplayResult) -> Table:
    currency = result.site.currency.value
    return Table(
        caption="Charge accrued at the peaks, billed next year",
        columns=("Policy", "Charge"),
        rows=tuple(
            (policy_name(run), money(-run.lines_ccy["transmission"], currency))
            for run in result.runs
            if run.is_headline
        ),
    )


def _peaks(peaks: tuple[PeakHour, ...], currency: str) -> Table:
    return Table(
        caption="Peak intervals as they turned out",
        columns=("Local time", "Import, MW", "Charge", "Load held back"),
        rows=tuple(
            (
                f"{peak.start:%Y-%m-%d %H:%M}",
                f"{peak.import_mw:,.1f}",
                money(peak.charge_ccy, currency),
                "yes" if peak.is_avoided else "missed",
            )
            for peak in peaks
        ),
        words=frozenset({3}),
    )


def _alarms(alarms: tuple[PeakAlarm, ...], currency: str) -> Table:
    rows = [
        (
            f"{alarm.start:%Y-%m-%d %H:%M}",
            str(alarm.hours),
            "right" if alarm.is_right else "false",
            f"{alarm.held_mwh:,.1f}",
            money(alarm.cost_ccy, currency),
        )
        for alarm in alarms
    ]
    total = (
        f"All {len(alarms)}",
        str(sum(alarm.hours for alarm in alarms)),
        f"{sum(not alarm.is_right for alarm in alarms)} false",
        f"{sum(alarm.held_mwh for alarm in alarms):,.1f}",
        money(sum(alarm.cost_ccy for alarm in alarms), currency),
    )
    left = len(rows) - SHOWN
    return Table(
        caption="Alarms" + (f", the first {SHOWN}" if left > 0 else ""),
        columns=("Local time", "Hours", "Verdict", "Held back, MWh", "Cost"),
        rows=(*rows[:SHOWN], total),
        words=frozenset({2}),
        key=frozenset({min(len(rows), SHOWN)}),
        is_folded=len(rows) > 12,
    )


def _held(site: Site, run: PolicyRun) -> pl.DataFrame:
    """Intervals in which a use was held back for a peak: start, energy, cost, price of the peak that came."""
    frame = run.intervals
    starts_s = frame["interval_start"].dt.epoch("s").to_numpy().astype(np.int64)
    settled = frame["price"].to_numpy()
    seen = frame["price_seen"].fill_null(np.nan).to_numpy()
    settled_cost, seen_cost = (
        price + site.tariff.import_adder_ccy_per_mwh + adder_ccy_per_mwh(site.charges, starts_s, price, site.time_zone)
        for price in (settled, seen)
    )
    peak = _price_held_by(site, run)
    step_h = site.control_step_s / 3600.0
    held_mwh, cost_ccy = np.zeros((2, len(frame)))
    for column in frame.columns:
        if not column.startswith("worth:"):
            continue
        name = column.removeprefix("worth:")
        worth = frame[column].to_numpy()
        short_mw = frame[f"want:{name}_mw"].to_numpy() - frame[f"use:{name}_mw"].to_numpy()
        is_held = (worth > seen_cost) & (worth <= seen_cost + peak) & (short_mw > HELD_MW)
        held_mwh += np.where(is_held, short_mw, 0.0) * step_h
        cost_ccy += np.where(is_held, (worth - settled_cost) * short_mw, 0.0) * step_h
    return frame.select(
        "interval_start",
        held_mwh=pl.Series(held_mwh),
        cost_ccy=pl.Series(cost_ccy),
        came=pl.col("peak_came"),
    ).filter(pl.col("held_mwh") > 0.0)


def _wasted_mw(site: Site, frame: pl.DataFrame) -> np.ndarray:
    """Power of uses in peak intervals that are worth less than import costs with the peak that came."""
    starts_s = frame["interval_start"].dt.epoch("s").to_numpy().astype(np.int64)
    price = frame["price"].to_numpy()
    cost = price + site.tariff.import_adder_ccy_per_mwh + frame["peak_came"].to_numpy()
    cost = cost + adder_ccy_per_mwh(site.charges, starts_s, price, site.time_zone)
    wasted_mw = np.zeros(len(frame))
    for column in frame.columns:
        if column.startswith("worth:"):
            use_mw = frame[f"use:{column.removeprefix('worth:')}_mw"].to_numpy()
            wasted_mw += np.where((frame[column].to_numpy() < cost) & (use_mw > HELD_MW), use_mw, 0.0)
    return wasted_mw


def _price_held_by(site: Site, run: PolicyRun) -> np.ndarray:
    """Price of a peak that the policy goes by in each interval, infinite where it stops whatever the price."""
    frame = run.intervals
    match run.policy:
        case "always-on":
            return np.zeros(len(frame))
        case "bound":
            return frame["peak_came"].to_numpy()
        case "desk":
            local = frame["interval_start"].dt.convert_time_zone(site.time_zone)
            months = {m for each in site.charges if isinstance(each, CoincidentPeaks) for m in each.calendar.months}
            hours = site.desk.peak_hours_local or HOURS_BY_HAND
            is_watched = local.dt.hour().is_in(hours) & local.dt.month().is_in(sorted(months))
            return np.where(is_watched.to_numpy(), np.inf, 0.0)
        case _:
            return frame["peak_seen"].to_numpy()
