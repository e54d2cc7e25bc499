"""Margin by policy, hour and day, and the two shares that go with every dollar figure.

    share of margin = margin / margin of the bound        share of gain = (margin − always-on) / (bound − always-on)

Margin is the sum of the statement lines plus the change in stored energy's worth. The best 20 hours are the 20 clock
hours (UTC) in which the headline policy beat always-on by most, by statement lines; they are taken out of every
policy alike. Hours and days leave charges by peak and month out: the hour in which one is accrued says who reached the
peak first, not who did well. 13 to 19 February 2021 (local days) is taken out too, whole, where
the window holds it.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from headrace.engine.results import LINES, PolicyRun, ReplayResult
from headrace.interfaces.wording import policy_name

__all__ = [
    "BEST_HOURS",
    "DayFigures",
    "PolicyFigures",
    "SensitivityFigures",
    "baseline_run",
    "best_and_worst_day",
    "best_hours",
    "headline_run",
    "policy_figures",
    "sensitivity_figures",
]

BEST_HOURS: Final = 20
"""How many best hours are taken out."""

NOT_HOURLY: Final = ("peak", "transmission", "fixed_charges")
"""Lines that belong to a month or a year: the hour that books them earned or lost nothing by them."""

STORM: Final = (date(2021, 2, 13), date(2021, 2, 19))
"""First and last local day of the one extreme week in the ERCOT record (winter storm, prices at the cap)."""


class PolicyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One policy's margin, whole and without what a sceptic would take out."""

    label: str
    """Label of the run."""
    name: str
    """Name for people."""
    margin_ccy: float
    """Margin over the window."""
    over_desk_ccy: float
    """Margin less the competent desk's."""
    share_of_margin_ratio: float | None
    """Margin over the bound's margin; None where the bound's is not positive."""
    share_of_gain_ratio: float | None
    """Gain over the bound's gain; None where the bound gains nothing over always-on."""
    less_best_hours_ccy: float
    """Margin without the best 20 hours."""
    less_best_hours_share_of_gain_ratio: float | None
    """Share of gain without them."""
    less_storm_ccy: float | None
    """Margin without 13-19 February 2021; None where the window does not touch it."""
    less_storm_share_of_gain_ratio: float | None
    """Share of gain without it."""
    mined_btc: float
    """Bitcoin mined."""


class SensitivityFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is no headline, beside the policy it varies."""

    label: str
    """What makes it a sensitivity."""
    margin_ccy: float
    """Its margin."""
    over_headline_ccy: float
    """Its margin less that of the headline run of the same policy."""


class DayFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One local day against the desk."""

    day: str
    """Local date, ISO."""
    margin_ccy: float
    """Headline policy's statement lines of that day (no peak charge, no change in stored energy)."""
    over_desk_ccy: float
    """The same less the desk's."""


def headline_run(result: ReplayResult) -> PolicyRun:
    """The run the headline speaks of: rolling, or the last planned policy there is."""
    headline = [run for run in result.runs if run.is_headline]
    planned = [run for run in headline if run.policy != "bound"]
    return next((run for run in headline if run.policy == "rolling"), (planned or headline)[-1])


def baseline_run(result: ReplayResult) -> PolicyRun:
    """The run it is compared with: the competent desk, else the first there is."""
    headline = [run for run in result.runs if run.is_headline]
    return next((run for run in headline if run.policy == "desk"), headline[0])


def policy_figures(result: ReplayResult) -> tuple[PolicyFigures, ...]:
    """Figures of every headline policy, in the order of the result."""
    runs = [run for run in result.runs if run.is_headline]
    best = _best_hours_ccy(result, runs)
    storm = [_storm_ccy(run, result.site.time_zone) for run in runs]
    whole = _shares(runs, [0.0] * len(runs))
    less_best = _shares(runs, best)
    less_storm = _shares(runs, [lost or 0.0 for lost in storm])
    desk_ccy = baseline_run(result).margin_ccy
    bound_ccy = _of_policy(runs, "bound")
    return tuple(
        PolicyFigures(
            label=run.label,
            name=policy_name(run),
            margin_ccy=run.margin_ccy,
            over_desk_ccy=run.margin_ccy - desk_ccy,
            share_of_margin_ratio=run.margin_ccy / bound_ccy if bound_ccy is not None and bound_ccy > 0.0 else None,
            share_of_gain_ratio=whole[i],
            less_best_hours_ccy=run.margin_ccy - best[i],
            less_best_hours_share_of_gain_ratio=less_best[i],
            less_storm_ccy=None if storm[i] is None else run.margin_ccy - (storm[i] or 0.0),
            less_storm_share_of_gain_ratio=None if storm[i] is None else less_storm[i],
            mined_btc=run.mining_sats / 1e8,
        )
        for i, run in enumerate(runs)
    )


def sensitivity_figures(result: ReplayResult) -> tuple[SensitivityFigures, ...]:
    """Figures of every run that is no headline."""
    headline = {run.policy: run.margin_ccy for run in result.runs if run.is_headline}
    fallback_ccy = headline_run(result).margin_ccy
    return tuple(
        SensitivityFigures(
            label=run.label,
            margin_ccy=run.margin_ccy,
            over_headline_ccy=run.margin_ccy - headline.get(run.policy, fallback_ccy),
        )
        for run in result.runs
        if not run.is_headline
    )


def best_hours(result: ReplayResult) -> tuple[datetime, ...]:
    """Starts (UTC) of the clock hours in which the headline policy beat always-on by most, best first."""
    always_on = next((run for run in result.runs if run.is_headline and run.policy == "always-on"), None)
    if always_on is None:
        return ()
    gain = (
        _by_hour(headline_run(result))
        .join(_by_hour(always_on), on="hour", suffix="_always_on")
        .select("hour", gain=pl.col("ccy") - pl.col("ccy_always_on"))
        .sort("gain", "hour", descending=[True, False])
        .head(BEST_HOURS)
    )
    return tuple(gain["hour"].to_list())


def best_and_worst_day(result: ReplayResult) -> tuple[DayFigures, ...]:
    """Local days on which the headline policy beat the desk by most and by least (or lost to it); the same may be both.

    Days that the window cuts short are passed over, unless there is no whole one (a day of 23 hours is whole). A day's
    lines hold no change in stored energy, so a battery carried over midnight moves worth from one to the next.
    """
    zone = result.site.time_zone
    days = (
        _by_day(headline_run(result), zone)
        .join(_by_day(baseline_run(result), zone), on="day", suffix="_desk")
        .filter(pl.col("count") > 0.9 * pl.col("count").max())
        .with_columns(over=pl.col("ccy") - pl.col("ccy_desk"))
        .sort("over", "day", descending=[True, False])
    )
    rows = [days.row(0, named=True), days.row(-1, named=True)] if days.height else []
    return tuple(
        DayFigures(day=row["day"].isoformat(), margin_ccy=row["ccy"], over_desk_ccy=row["over"]) for row in rows
    )


def _of_policy(runs: list[PolicyRun], policy: str) -> float | None:
    return next((run.margin_ccy for run in runs if run.policy == policy), None)


def _shares(runs: list[PolicyRun], taken_out_ccy: list[float]) -> list[float | None]:
    """Share of gain of each run once an amount is taken out of each."""
    left_ccy = [run.margin_ccy - out for run, out in zip(runs, taken_out_ccy, strict=True)]
    place = {run.policy: i for i, run in enumerate(runs)}
    if "always-on" not in place or "bound" not in place:
        return [None] * len(runs)
    floor_ccy, top_ccy = left_ccy[place["always-on"]], left_ccy[place["bound"]]
    if top_ccy - floor_ccy <= 1e-6 * max(1.0, abs(top_ccy)):
        return [None] * len(runs)
    return [(ccy - floor_ccy) / (top_ccy - floor_ccy) for ccy in left_ccy]


def _margin() -> pl.Expr:
    return pl.sum_horizontal(pl.col(line) for line in LINES)


def _margin_but_peak() -> pl.Expr:
    return pl.sum_horizontal(pl.col(line) for line in LINES if line not in NOT_HOURLY)


def _by_hour(run: PolicyRun) -> pl.DataFrame:
    return (
        run.settlements.group_by(hour=pl.col("interval_start").dt.truncate("1h"), maintain_order=True)
        .agg(micro=_margin_but_peak().sum())
        .select("hour", ccy=pl.col("micro") / 1e6)
    )


def _by_day(run: PolicyRun, zone: str) -> pl.DataFrame:
    return (
        run.settlements.group_by(day=pl.col("interval_start").dt.convert_time_zone(zone).dt.date(), maintain_order=True)
        .agg(micro=_margin_but_peak().sum(), count=pl.len())
        .select("day", "count", ccy=pl.col("micro") / 1e6)
    )


def _best_hours_ccy(result: ReplayResult, runs: list[PolicyRun]) -> list[float]:
    hours = pl.Series("hour", best_hours(result), dtype=pl.Datetime("us", "UTC"))
    return [
        float(_by_hour(run).filter(pl.col("hour").dt.cast_time_unit("us").is_in(hours.implode()))["ccy"].sum())
        for run in runs
    ]


def _storm_ccy(run: PolicyRun, zone: str) -> float | None:
    tz = ZoneInfo(zone)
    first = datetime(STORM[0].year, STORM[0].month, STORM[0].day, tzinfo=tz).astimezone(UTC)
    last_day = STORM[1] + timedelta(days=1)
    end = datetime(last_day.year, last_day.month, last_day.day, tzinfo=tz).astimezone(UTC)
    inside = run.settlements.filter((pl.col("interval_start") >= first) & (pl.col("interval_start") < end))
    return float(inside.select(_margin().sum()).item()) / 1e6 if inside.height else None
