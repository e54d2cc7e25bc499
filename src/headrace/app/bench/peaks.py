"""`headrace bench peaks`: the highest hour of each June to September, 2020 to 2024, avoided by what was known.

An alarm is a run of clock hours on one local day in which the site is told to stop interruptible load; it is false if
it does not hold the month's highest hour. The system's load is total generation, known when its hour has ended, about
1 % under the official peaks and hourly, where the official interval is a quarter of an hour. The headline rule is
dispatch's own for 1 MW of mining: stop where charge / 4 × P passes the margin at the last price published. The other
rules stop at a stated chance; capped ones give three alarms a month and no more. Parameters of the forecast are
walk-forward from stated priors; its form was chosen with these five summers in view.
"""

from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.app.bench.machine import machine, versions
from headrace.core import Interval, epoch_s, from_epoch_s
from headrace.energy.coincident import PeakCalendar, PeakForecast
from headrace.energy.coincident_days import LoadDays, fold
from headrace.loads.hashprice import hashprice_usd_per_phs_day

__all__ = ["bench_peaks", "print_peaks"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ZONE: Final = "America/Chicago"
YEARS: Final = (2020, 2021, 2022, 2023, 2024)
SUMMER: Final = PeakCalendar(months=(6, 7, 8, 9), is_monthly=True, first_month=1, count=1)
CHARGE_USD_PER_MW_YEAR: Final = 65_000.0
"""Of the right size for ERCOT's postage-stamp transmission charge in these years; an assumption, not a tariff page."""
SUMMER_PEAKS: Final = len(SUMMER.months)
ADDER_USD_PER_MWH: Final = 4.0
"""On import, as at site (a); an assumption."""
EFFICIENCY_J_PER_TH: Final = 17.5
"""Antminer S21, in every year: older machines were in use before 2024 and would cost less to stop."""
FIXED_HOURS: Final = (15, 16, 17)
"""Local hours of the desk that stops every day."""
NEAR_RATIO: Final = 0.98
BANDS: Final = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 1.0)
"""Edges of the bands of chance in which what was said is held against what came."""
CHANCES: Final = (0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002)
FALSE_MOST: Final = 2
"""Fewer than three false alarms: with this many given in a month, the capped rules give one more and no further."""
DAYS_KNOWN: Final = (0, 1, 2, 3, 4, 5, 7)

SERIES: Final = {
    "load": "ercot.system_generation",
    "temperature": "weather.dallas",
    "price": "ercot.real_time.lz_west",
    "bitcoin_price": "bitcoin.price",
    "difficulty": "bitcoin.difficulty",
    "block_reward": "bitcoin.block_reward",
}


class Month(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One month of the load, by position in `LoadDays`."""

    label: str
    """Like 2023-08."""
    hours: NDArray[np.int64]
    """Its hours."""
    peak: int
    """Its highest hour."""


def bench_peaks(data: Path) -> dict[str, Any]:
    """Measure which monthly maxima are avoided, and at what cost.

    Parameters
    ----------
    data
        Folder that holds `energy/` (system generation, weather of Dallas, prices of LZ_WEST) and `bitcoin/`.
    """
    feed = RecordedFeed(data, SERIES, ZONE)
    whole = Interval.from_epoch(
        epoch_s(from_epoch_s(feed.span("load").start_s)), min(feed.span(role).end_s for role in SERIES)
    )
    load, temperature = (feed.series(role, whole) for role in ("load", "temperature"))
    days = fold(load, temperature, ZONE)
    months = _months(days)
    margin = _margin_usd_per_mwh(feed, days, whole)
    chance = _chances(PeakForecast(days, SUMMER), months)
    alone = _chances(PeakForecast(fold(load, None, ZONE), SUMMER), months)
    seeing = _chances(PeakForecast(days, SUMMER, is_weather_known=True), months)
    own = (margin[0] > 0.0) & (chance * CHARGE_USD_PER_MW_YEAR / SUMMER_PEAKS > margin[0])
    headline = _score(days, months, own, margin[1], is_off=margin[0] <= 0.0)
    return {
        "months": len(months),
        **{key: headline[key] for key in ("avoided", "false_alarms_max", "false_alarms_total", "hours_curtailed")},
        "false_alarms_cost_usd_per_mw": headline["false_alarms_cost_usd_per_mw"],
        "lost_margin_usd_per_mw": headline["lost_margin_usd_per_mw"],
        "total_cost_usd_per_mw": headline["total_cost_usd_per_mw"],
        "months_within_bar": headline["months_within_bar"],
        "per_month": headline["per_month"],
        "baselines": {
            "fixed_hours": _brief(_score(days, months, _fixed(days), margin[1])),
            "within_2_percent": _brief(_score(days, months, _near(days, months), margin[1])),
        },
        "frontier": [_row(days, months, chance, at, margin[1]) for at in CHANCES],
        "frontier_capped": [_row(days, months, chance, at, margin[1], cap=FALSE_MOST + 1) for at in CHANCES],
        "frontier_without_temperature": [_row(days, months, alone, at, margin[1]) for at in CHANCES],
        "weather_forecast_perfect": {
            "frontier": [_row(days, months, seeing, at, margin[1]) for at in CHANCES],
            "frontier_capped": [_row(days, months, seeing, at, margin[1], cap=FALSE_MOST + 1) for at in CHANCES],
        },
        "load_forecast_perfect": [_days_known(days, months, ahead) for ahead in DAYS_KNOWN],
        "calibration": _calibration(months, chance),
        "charge_usd_per_mw_year": CHARGE_USD_PER_MW_YEAR,
        "versions": versions(),
        "machine": machine(),
    }


def _months(days: LoadDays) -> list[Month]:
    found = []
    for year in YEARS:
        for month in SUMMER.months:
            a = days.dates.index(date(year, month, 1))
            b = days.dates.index(date(year, month + 1, 1))
            hours = np.arange(days.first_hour[a], days.first_hour[b])
            peak = int(hours[np.argmax(days.hour_log_mw[hours])])
            found.append(Month(label=f"{year}-{month:02d}", hours=hours, peak=peak))
    return found


def _chances(forecast: PeakForecast, months: list[Month]) -> Floats:
    """P of each hour as it begins, shape (H,); 0 outside the months."""
    days = forecast.days
    chance = np.zeros(len(days.hour_log_mw))
    for month in months:
        for hour in month.hours.tolist():
            start_s = days.start_s + 3600 * hour
            chance[hour] = forecast.at(start_s, np.array([start_s], np.int64))[0]
    return chance


def _margin_usd_per_mwh(feed: RecordedFeed, days: LoadDays, whole: Interval) -> tuple[Floats, Floats]:
    """Margin of a MWh mined in each hour, at the last price published and at the prices settled."""
    starts_s = days.start_s + 3600 * np.arange(len(days.hour_log_mw), dtype=np.int64)
    price = feed.series("price", whole)
    quarters = np.stack([price.onto(starts_s + 900 * i) for i in range(4)])
    network = {role: feed.series(role, whole) for role in ("bitcoin_price", "difficulty", "block_reward")}
    known = {
        role: each.values[np.maximum(np.searchsorted(each.known_s, starts_s, side="right") - 1, 0)]
        for role, each in network.items()
    }
    hashprice = hashprice_usd_per_phs_day(
        block_reward_btc=known["block_reward"],
        price_usd_per_btc=known["bitcoin_price"],
        difficulty=known["difficulty"],
    )
    worth = hashprice / 24.0 * (1e3 / EFFICIENCY_J_PER_TH)
    seen = worth - ADDER_USD_PER_MWH - np.nan_to_num(price.onto(starts_s - 900))
    return seen, np.asarray(worth - ADDER_USD_PER_MWH - np.nanmean(quarters, axis=0))


def _fixed(days: LoadDays) -> Flags:
    told = np.zeros(len(days.hour_log_mw), np.bool_)
    for hour in FIXED_HOURS:
        told[np.minimum(days.first_hour[:-1] + hour, len(told) - 1)] = True
    return told


def _near(days: LoadDays, months: list[Month]) -> Flags:
    """The last hour known is within 2 % of the month's highest so far."""
    told = np.zeros(len(days.hour_log_mw), np.bool_)
    for month in months:
        log = days.hour_log_mw[month.hours]
        highest = np.maximum.accumulate(log)
        told[month.hours[1:]] = log[:-1] >= highest[:-1] + np.log(NEAR_RATIO)
    return told


def _alarms(days: LoadDays, month: Month, told: Flags, is_off: Flags, cap: int | None) -> list[list[int]]:
    """Runs of hours told on one local day; with a cap, the first so many of the month.

    Hours in which the price alone stops the load join the runs beside them.
    """
    runs: list[list[int]] = []
    for hour in month.hours[(told | is_off)[month.hours]].tolist():
        if runs and hour == runs[-1][-1] + 1 and days.hour_day[hour] == days.hour_day[hour - 1]:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return [run for run in runs if told[run].any()][:cap]


def _score(
    days: LoadDays,
    months: list[Month],
    told: Flags,
    margin_usd_per_mwh: Floats,
    *,
    cap: int | None = None,
    is_off: Flags | None = None,
) -> dict[str, Any]:
    off = np.zeros(len(told), np.bool_) if is_off is None else is_off
    rows: list[dict[str, Any]] = []
    for month in months:
        alarms = _alarms(days, month, told, off, cap)
        false = [run for run in alarms if month.peak not in run]
        cost = [round(_lost(margin_usd_per_mwh, [run]), 2) for run in false]
        rows.append(
            {
                "month": month.label,
                "peak": from_epoch_s(days.start_s + 3600 * month.peak).strftime("%Y-%m-%dT%H:%MZ"),
                "is_avoided": len(false) < len(alarms) or bool(off[month.peak]),
                "false_alarms": len(false),
                "hours_curtailed": sum(len(run) for run in alarms),
                "false_alarm_costs_usd_per_mw": cost,
                "lost_margin_usd_per_mw": round(_lost(margin_usd_per_mwh, alarms), 2),
            }
        )
    avoided = sum(row["is_avoided"] for row in rows)
    lost = sum(row["lost_margin_usd_per_mw"] for row in rows)
    return {
        "avoided": avoided,
        "false_alarms_max": max(row["false_alarms"] for row in rows),
        "false_alarms_total": sum(row["false_alarms"] for row in rows),
        "months_within_bar": sum(row["is_avoided"] and row["false_alarms"] <= FALSE_MOST for row in rows),
        "hours_curtailed": sum(row["hours_curtailed"] for row in rows),
        "false_alarms_cost_usd_per_mw": round(sum(sum(row["false_alarm_costs_usd_per_mw"]) for row in rows), 2),
        "lost_margin_usd_per_mw": round(lost, 2),
        "total_cost_usd_per_mw": round((len(rows) - avoided) * CHARGE_USD_PER_MW_YEAR / SUMMER_PEAKS + lost, 2),
        "per_month": rows,
    }


def _lost(margin_usd_per_mwh: Floats, alarms: list[list[int]]) -> float:
    """Margin of the hours that alarms stopped."""
    return sum(float(np.maximum(margin_usd_per_mwh[run], 0.0).sum()) for run in alarms)


def _brief(score: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in score.items() if key != "per_month"}


def _row(
    days: LoadDays, months: list[Month], chance: Floats, at: float, margin: Floats, cap: int | None = None
) -> dict[str, Any]:
    return {"chance": at} | _brief(_score(days, months, chance >= at, margin, cap=cap))


def _days_known(days: LoadDays, months: list[Month], ahead: int) -> dict[str, Any]:
    """Alarm on every day that is the month's highest so far and above the days that follow, loads known exactly."""
    false = []
    for month in months:
        first, last = int(days.hour_day[month.hours[0]]), int(days.hour_day[month.hours[-1]])
        most = days.most_log_mw[first : last + 1]
        given = [k for k in range(len(most)) if most[k] >= most[: k + 1 + ahead].max()]
        false.append(len(given) - 1)
    return {
        "days": ahead,
        "avoided": len(months),
        "false_alarms_max": max(false),
        "false_alarms_total": sum(false),
        "months_within_bar": sum(count <= FALSE_MOST for count in false),
    }


def _calibration(months: list[Month], chance: Floats) -> dict[str, Any]:
    """How well P was: its sum a month (1 would be right), at the peak, its Brier score against an even one, by band."""
    is_peak = np.concatenate([month.hours == month.peak for month in months])
    said = np.concatenate([chance[month.hours] for month in months])
    even = np.concatenate([np.full(len(month.hours), 1.0 / len(month.hours)) for month in months])
    return {
        "sum_per_month": float(said.sum() / len(months)),
        "at_peak_mean": float(said[is_peak].mean()),
        "brier_skill_ratio": float(1.0 - ((said - is_peak) ** 2).mean() / ((even - is_peak) ** 2).mean()),
        "bands": [
            {"from": low, "to": high, "hours": int(held.sum()), "said": float(said[held].sum()), "came": int(came)}
            for low, high in pairwise(BANDS)
            for held in ((said >= low) & (said < high),)
            for came in (is_peak[held].sum(),)
        ],
    }


def print_peaks(figures: dict[str, Any], terminal: Console) -> None:
    """Show the figures."""
    table = Table(title=f"Monthly maxima of {figures['months']} summer months")
    for column in ("Rule", "Avoided", "False, worst month", "False in all", "Hours", "False, USD/MW", "In all, USD/MW"):
        table.add_column(column, justify="left" if column == "Rule" else "right")
    rows = [("dispatch's own", figures)]
    rows += [(name.replace("_", " "), row) for name, row in figures["baselines"].items()]
    rows += [(f"chance {row['chance']:g}", row) for row in figures["frontier"]]
    rows += [(f"chance {row['chance']:g}, three alarms at most", row) for row in figures["frontier_capped"]]
    rows += [
        (f"chance {row['chance']:g}, weather known", row) for row in figures["weather_forecast_perfect"]["frontier"]
    ]
    for name, row in rows:
        keys = (
            "avoided",
            "false_alarms_max",
            "false_alarms_total",
            "hours_curtailed",
            "false_alarms_cost_usd_per_mw",
            "total_cost_usd_per_mw",
        )
        table.add_row(name, *(f"{row[key]:,.0f}" for key in keys))
    terminal.print(table)
