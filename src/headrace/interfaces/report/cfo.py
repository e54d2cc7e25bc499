"""The page for whoever signs the accounts: money by source and policy, a year at a time.

Sources are sums of statement lines, but for one split: what the battery bought and sold at the market price is taken
out of energy and shown as the battery's own, so that its wear can be held against it. The split moves money between
two rows and changes no total.
"""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from headrace.core import MICRO, Interval
from headrace.engine.results import LINES, PolicyRun, ReplayResult
from headrace.interfaces.report.bar_picture import waterfall_picture
from headrace.interfaces.report.margins import baseline_run, headline_run, policy_figures
from headrace.interfaces.report.peaks import peak_memo
from headrace.interfaces.report.section import Section, Table
from headrace.interfaces.wording import first_capital, money, policy_name, share, short_money

__all__ = ["SOURCES", "SourceRow", "cfo_section", "money_by_source", "years_of"]

SOURCES: Final[dict[str, tuple[str, ...]]] = {
    "AI, inference and heat": ("ai_firm", "ai_curtailable", "inference", "heat"),
    "batch jobs": ("jobs", "job_penalties"),
    "mining": ("mining", "pool_fees"),
    "hosting and shell": ("hosting", "hosting_payouts", "shell"),
    "service credits": ("service_credits",),
    "energy": ("energy_bought", "energy_sold", "adders"),
    "own generation": ("generation", "starts"),
    "hedges and agreements": ("day_ahead", "hedge", "basis", "ppa"),
    "supply fees": ("supply_fees", "fixed_charges"),
    "peaks": ("peak", "transmission"),
    "reserves": ("reserve", "reserve_penalties"),
    "battery": (),
    "battery wear": ("wear",),
}
"""Rows of the page and the statement lines in each; the battery's row is split out of energy."""


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One source of margin under every headline policy."""

    name: str
    """Source."""
    by_policy_ccy: tuple[float, ...]
    """Its sum under each headline policy, in the order of the result."""


def money_by_source(result: ReplayResult) -> tuple[SourceRow, ...]:
    """Every source that moved under any headline policy; each column adds up to its policy's margin."""
    runs = [run for run in result.runs if run.is_headline]
    traded = [_battery_ccy(result, run) for run in runs]
    rows = []
    for name, lines in SOURCES.items():
        sums = [sum(run.lines_ccy[line] for line in lines) for run in runs]
        if name == "energy":
            sums = [each - battery for each, battery in zip(sums, traded, strict=True)]
        elif name == "battery":
            sums = [battery + run.stored_change_ccy for battery, run in zip(traded, runs, strict=True)]
        if any(sums):
            rows.append(SourceRow(name=name, by_policy_ccy=tuple(sums)))
    return tuple(rows)


def years_of(result: ReplayResult) -> tuple[tuple[int, ReplayResult], ...]:
    """The replay by local calendar year, each with its own margins; a replay within one year is itself."""
    zone = ZoneInfo(result.site.time_zone)
    first, last = (at.astimezone(zone).year for at in (result.window.start, result.window.end))
    if result.window.end.astimezone(zone) == datetime(last, 1, 1, tzinfo=zone):
        last -= 1
    if first == last:
        return ((first, result),)
    return tuple((year, _year(result, year, zone)) for year in range(first, last + 1))


def cfo_section(result: ReplayResult) -> Section:
    """The page's section: a table a year, and where the headline differs from the desk."""
    years = years_of(result)
    source = (
        "Energy is import and export at the settled price with the tariff's adders, without the battery's own trade: "
        "its row is discharge less charge at that price, and the change in stored energy. Best 20 hours: the clock "
        "hours in which the headline policy beat always-on by most, taken out of every policy; charges by peak and "
        "month stay in. A memo is money already inside the rows above it."
    )
    return Section(
        key="money",
        title="The money, by source",
        pictures=_waterfalls(result),
        tables=tuple(_table(part, "" if len(years) == 1 else f"{year}: ") for year, part in years),
        source=source,
    )


def _waterfalls(result: ReplayResult) -> tuple[str, ...]:
    headline, desk = headline_run(result), baseline_run(result)
    labels = [run.label for run in result.runs if run.is_headline]
    ours, theirs = labels.index(headline.label), labels.index(desk.label)
    rows = money_by_source(result)
    own = [(row.name, row.by_policy_ccy[ours]) for row in rows]
    over = [(row.name, row.by_policy_ccy[ours] - row.by_policy_ccy[theirs]) for row in rows]
    pictures = []
    for key, title, total, steps in (
        ("own", "Where the margin comes from", "margin", own),
        ("over", "Where it differs from the desk", "difference", [s for s in over if abs(s[1]) >= 0.5]),
    ):
        currency = result.site.currency.value
        pictures.append(waterfall_picture(steps, total=total, width=430.0, key=key, title=title, currency=currency))
    return tuple(pictures)


def _table(result: ReplayResult, before: str) -> Table:
    runs = [run for run in result.runs if run.is_headline]
    currency = result.site.currency.value
    rows = [(row.name, *(money(each, currency) for each in row.by_policy_ccy)) for row in money_by_source(result)]
    figures = policy_figures(result)
    rows += [
        ("margin", *(money(each.margin_ccy, currency) for each in figures)),
        ("against the desk", *(short_money(each.over_desk_ccy) for each in figures)),
        ("share of gain", *(share(each.share_of_gain_ratio) for each in figures)),
        ("margin without the best 20 h", *(money(each.less_best_hours_ccy, currency) for each in figures)),
        ("its share of gain", *(share(each.less_best_hours_share_of_gain_ratio) for each in figures)),
    ]
    key = len(rows) - 5
    rows += _memos(result, runs)
    return Table(
        caption=first_capital(f"{before}money by source and policy, all on the same assets"),
        columns=("Source", *(policy_name(run) for run in runs)),
        rows=tuple((first_capital(name), *cells) for name, *cells in rows),
        key=frozenset({key}),
    )


def _memos(result: ReplayResult, runs: list[PolicyRun]) -> list[tuple[str, ...]]:
    """Cost of false alarms and of missed peaks: inside the rows above, so in no sum; none without coincident peaks."""
    memos = [memo for run in runs if (memo := peak_memo(result.site, run)) is not None]
    if not memos:
        return []
    currency = result.site.currency.value
    return [
        ("false alarms (memo)", *(money(-each.false_alarms_ccy, currency) for each in memos)),
        ("missed peaks (memo)", *(money(-each.missed_ccy, currency) for each in memos)),
    ]


def _battery_ccy(result: ReplayResult, run: PolicyRun) -> float:
    """What the battery sold less what it bought, at the settled price."""
    step_h = result.site.control_step_s / 3600.0
    traded = (pl.col("discharge_mw") - pl.col("charge_mw")) * pl.col("price")
    return float(run.intervals.select(traded.sum()).item()) * step_h


def _year(result: ReplayResult, year: int, zone: ZoneInfo) -> ReplayResult:
    starts = [datetime(each, 1, 1, tzinfo=zone).astimezone(UTC) for each in (year, year + 1)]
    start, end = max(result.window.start, starts[0]), min(result.window.end, starts[1])
    return msgspec.structs.replace(
        result,
        window=Interval(start=start, end=end),
        runs=tuple(_part(result, run, start, end) for run in result.runs),
    )


def _part(result: ReplayResult, run: PolicyRun, start: datetime, end: datetime) -> PolicyRun:
    """One run's share of a part of the window; stored energy keeps the whole window's value per MWh."""
    at = pl.col("interval_start")
    intervals = run.intervals.filter((at >= start) & (at < end))
    settlements = run.settlements.filter((at >= start) & (at < end))
    lines = {line: float(settlements[line].sum()) / MICRO for line in LINES}
    battery = result.site.battery
    stored_change = 0.0
    if battery is not None and len(intervals):
        before = run.intervals.filter(at < start)["stored_mwh"]
        begun_mwh = float(before[-1]) if len(before) else battery.stored_start_mwh
        moved_mwh = float(run.intervals["stored_mwh"][-1]) - battery.stored_start_mwh
        worth = run.stored_change_ccy / moved_mwh if moved_mwh else 0.0
        stored_change = (float(intervals["stored_mwh"][-1]) - begun_mwh) * worth
    return msgspec.structs.replace(
        run,
        intervals=intervals,
        settlements=settlements,
        lines_ccy=lines,
        stored_change_ccy=stored_change,
        margin_ccy=sum(lines.values()) + stored_change,
        mining_sats=int(settlements["mining_sats"].sum()),
    )
