"""The board's page on coincident peaks: each alarm, right or false, what it cost, and each peak that was missed.

An alarm is a run of clock hours on one local day in which some use that would pay at the market price was held back for
the price of a peak: worth above the cost of import without that price, below it with it. Its cost is a memo, in no
account, because nothing was bought or sold:

    cost = Σ (worth − price settled − adders) × (power it could have taken − power it took)

It is less than nothing where the price turned out above the worth. An alarm is right if it holds a peak.
"""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl

from headrace.dispatch.site import Site
from headrace.energy.tariffs import CoincidentPeaks, adder_ccy_per_mwh
from headrace.engine.results import PolicyRun, ReplayResult
from headrace.interfaces.report.margins import headline_run
from headrace.interfaces.report.section import Section, Table
from headrace.interfaces.wording import money, policy_name

__all__ = ["PeakAlarm", "PeakHour", "peak_alarms", "peak_hours", "peak_section"]

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
    """An alarm held it."""


def peak_alarms(site: Site, run: PolicyRun) -> tuple[PeakAlarm, ...]:
    """Every alarm of a run, in order; none without coincident peaks."""
    if "peak_seen" not in run.intervals.columns:
        return ()
    zone = ZoneInfo(site.time_zone)
    hours: dict[datetime, list[float]] = {}
    for at, held_mwh, cost_ccy, came in _held(site, run.intervals).iter_rows():
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
    held = set(_held(site, run.intervals)["interval_start"].to_list())
    rows: list[list[tuple[datetime, float, float]]] = []
    for at, import_mw, came in inside.select("interval_start", "import_mw", "peak_came").iter_rows():
        if not rows or at - rows[-1][-1][0] > timedelta(seconds=site.control_step_s):
            rows.append([])
        rows[-1].append((at, import_mw, came))
    return tuple(
        PeakHour(
            start=each[0][0].astimezone(ZoneInfo(site.time_zone)),
            import_mw=sum(row[1] for row in each) / len(each),
            charge_ccy=sum(row[1] * row[2] for row in each) * step_h,
            is_avoided=any(row[0] in held for row in each),
        )
        for each in rows
    )


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


def _held(site: Site, frame: pl.DataFrame) -> pl.DataFrame:
    """Intervals in which a use was held back for a peak: start, energy, cost, price of the peak that came."""
    starts_s = frame["interval_start"].dt.epoch("s").to_numpy().astype(np.int64)
    settled = frame["price"].to_numpy()
    seen = frame["price_seen"].fill_null(np.nan).to_numpy()
    settled_cost, seen_cost = (
        price + site.tariff.import_adder_ccy_per_mwh + adder_ccy_per_mwh(site.charges, starts_s, price, site.time_zone)
        for price in (settled, seen)
    )
    peak = frame["peak_seen"].to_numpy()
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
