"""The board's page: figures and pictures laid out in one file that needs nothing else, the same bytes every time."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import jinja2
import numpy as np
import polars as pl

from headrace.core import MICRO
from headrace.engine.results import LINES, PolicyRun, ReplayResult
from headrace.interfaces.families import Family, source_bands, use_bands
from headrace.interfaces.gaps import shortened
from headrace.interfaces.moments import ChosenMoment
from headrace.interfaces.report.bar_picture import gain_picture
from headrace.interfaces.report.cfo import cfo_section
from headrace.interfaces.report.commercial import commercial_section
from headrace.interfaces.report.duration_picture import SHARES, Curve, duration_picture, quantiles
from headrace.interfaces.report.figures import BoardFigures, board_figures
from headrace.interfaces.report.jobs import job_section
from headrace.interfaces.report.ladder_picture import ladder_picture, rung_fills
from headrace.interfaces.report.margins import DayFigures, baseline_run, headline_run
from headrace.interfaces.report.owners import owner_section
from headrace.interfaces.report.palette import DESK, HEADLINE, fill_of
from headrace.interfaces.report.peaks import peak_section
from headrace.interfaces.report.reserve import reserve_section
from headrace.interfaces.report.section import Section
from headrace.interfaces.report.stack_picture import Stack, stack_by_price, stack_over_time, stack_picture
from headrace.interfaces.wording import energy, first_capital, money, policy_name, price, share, signed_money

__all__ = ["render"]

WIDE, NARROW = 880.0, 350.0
"""Widths of a picture on a desk and on a phone; the page shows the one that fits."""

SECTIONS: Final[tuple[Callable[[ReplayResult], Section | None], ...]] = (
    commercial_section,
    owner_section,
    job_section,
    reserve_section,
    peak_section,
)
"""Sections that only some sites have, in the order of the page; None where the site has nothing to show."""


def render(result: ReplayResult, path: Path | None = None) -> str:
    """Lay out the page.

    Parameters
    ----------
    result
        A replay with at least one headline run.
    path
        Where to write it; None writes nothing.

    Returns
    -------
    str
        The page.
    """
    figures = board_figures(result)
    html = (
        _environment()
        .get_template("board.html.j2")
        .render(
            f=figures,
            sections=[s for make in SECTIONS if (s := make(result)) is not None],
            **_pictures(result, figures),
        )
    )
    if path is not None:
        path.write_text(html, encoding="utf-8")
    return html


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("headrace.interfaces.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "money": money,
        "signed": signed_money,
        "price": price,
        "share": share,
        "capital": first_capital,
        "books": lambda micro: f"{micro / MICRO:,.2f}" if micro else "",
        "value": _value,
    }
    return environment


def _value(value: float | None) -> str:
    """Three or four significant figures, whole numbers above a thousand; n/a for None."""
    if value is None:
        return "n/a"
    if abs(value) < 5e-4:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:,.3g}"


def _pictures(result: ReplayResult, figures: BoardFigures) -> dict[str, Any]:
    site, headline, desk = result.site, headline_run(result), baseline_run(result)
    currency = figures.currency
    over_time = stack_over_time(site, headline.intervals)
    by_price = stack_by_price(site, headline.intervals)
    return {
        "gain": _gain(figures),
        "moments": [_moment(result, figures, i, moment) for i, moment in enumerate(figures.moments)],
        "over_time": _both(over_time, "time", "Where each megawatt went, against price", currency),
        "by_price": _both(by_price, "rank", "Where each megawatt went, dearest power first", currency),
        "energy_rows": _energy_rows(result, headline),
        "durations": _durations(result, headline, desk),
        "duration_shares": SHARES,
        "cfo": cfo_section(result),
        "days": [_day(result, headline, i, day) for i, day in enumerate(figures.best_and_worst_day)],
        "books_total": sum(row.debit_micro for row in figures.books),
        "baseline": policy_name(desk),
        "headline_name": policy_name(headline),
        "local_window": _local_window(result),
        "last_day": f"{(result.window.end - timedelta(seconds=1)).astimezone(ZoneInfo(site.time_zone)):%Y-%m-%d}",
        "has_mining": bool(site.miners),
        "gaps": shortened(result.gaps),
        "reproduce": _reproduce(figures),
    }


def _gain(figures: BoardFigures) -> tuple[str, str] | None:
    floor = next((p.margin_ccy for p in figures.policies if p.label == "always-on"), None)
    if floor is None or len(figures.policies) < 2:
        return None
    rows = [
        (p.name, p.margin_ccy - floor, p.share_of_gain_ratio, p.label == figures.headline)
        for p in figures.policies
        if p.label != "always-on"
    ]
    wide = gain_picture(rows, width=WIDE, key="gain-w", currency=figures.currency)
    return wide, gain_picture(rows, width=NARROW, key="gain-n", currency=figures.currency)


def _moment(result: ReplayResult, figures: BoardFigures, number: int, moment: ChosenMoment) -> dict[str, Any]:
    ladder, site = moment.ladder, result.site
    fills = rung_fills(site, ladder)
    seen, settled = moment.price_seen_ccy_per_mwh, moment.price_ccy_per_mwh
    late = "" if abs(seen - settled) < 0.005 else f"decided on {seen:,.2f}, the last published price"
    return {
        "title": first_capital(moment.title),
        "at": moment.at,
        "price": price(settled, figures.currency),
        "late": late,
        "wide": ladder_picture(site, ladder, width=WIDE, key=f"ladder{number}-w"),
        "narrow": ladder_picture(site, ladder, width=NARROW, key=f"ladder{number}-n"),
        "sentences": ladder.sentences,
        "uses": list(zip(ladder.rungs, fills, strict=True)),
        "sources": [(r, fill_of(Family(r.kind.value), 0)) for r in ladder.sources],
    }


def _both(stack: Stack, key: str, title: str, currency: str) -> tuple[str, str]:
    wide = stack_picture(stack, width=WIDE, key=f"{key}-w", title=title, currency=currency)
    return wide, stack_picture(stack, width=NARROW, key=f"{key}-n", title=title, currency=currency)


def _energy_rows(result: ReplayResult, run: PolicyRun) -> list[dict[str, Any]]:
    """Energy of every band over the window, uses then sources, and the residual."""
    site, step_h = result.site, result.site.control_step_s / 3600.0
    bands = (("taken", use_bands(site, run.intervals)), ("given", source_bands(site, run.intervals)))
    rows = []
    totals = {}
    for side, group in bands:
        totals[side] = step_h * float(sum(band.mw.sum() for band in group))
        for band in group:
            mwh = step_h * float(band.mw.sum())
            rows.append(
                {
                    "name": first_capital(band.name),
                    "side": side,
                    "fill": fill_of(band.family, band.shade),
                    "energy": energy(mwh),
                    "mean": f"{band.mw.mean():,.1f}",
                    "share": share(mwh / totals[side] if totals[side] else None),
                }
            )
    residual_mwh = totals["given"] - totals["taken"]
    rows.append(
        {
            "name": "Residual",
            "side": "given less taken",
            "fill": "",
            "energy": energy(residual_mwh + 0.0),
            "mean": "",
            "share": "",
        }
    )
    return rows


def _durations(result: ReplayResult, headline: PolicyRun, desk: PolicyRun) -> list[dict[str, Any]]:
    currency = result.site.currency.value

    def pair(values: dict[str, np.ndarray[Any, np.dtype[np.float64]]]) -> list[Curve]:
        strokes = dict(zip(values, (DESK, HEADLINE) if len(values) > 1 else (HEADLINE,), strict=True))
        return [Curve(name=name, values=v, stroke=strokes[name]) for name, v in values.items()]

    ours, theirs = "rolling" if headline.policy == "rolling" else headline.label, desk.label
    sets = [
        (f"Price, {currency}/MWh", True, pair({"price": headline.intervals["price"].to_numpy()})),
        (
            "Import, MW",
            False,
            pair({theirs: desk.intervals["import_mw"].to_numpy(), ours: headline.intervals["import_mw"].to_numpy()}),
        ),
        (f"Margin, {currency}/h", True, pair({theirs: _margin_per_h(desk), ours: _margin_per_h(headline)})),
    ]
    return [
        {
            "svg": duration_picture(curves, width=290.0, key=f"duration{i}", title=title, is_money=is_money),
            "title": title,
            "rows": [(curve.name, [f"{level:,.1f}" for level in quantiles(curve.values)]) for curve in curves],
        }
        for i, (title, is_money, curves) in enumerate(sets)
    ]


def _margin_per_h(run: PolicyRun) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Margin of each clock hour without the month's peak charge, which belongs to no hour."""
    hours = run.settlements.group_by(hour=pl.col("interval_start").dt.truncate("1h"), maintain_order=True).agg(
        micro=pl.sum_horizontal(pl.col(line) for line in LINES if line != "peak").sum()
    )
    return hours["micro"].to_numpy() / MICRO


def _day(result: ReplayResult, run: PolicyRun, number: int, day: DayFigures) -> dict[str, Any]:
    zone = ZoneInfo(result.site.time_zone)
    first = date.fromisoformat(day.day)
    inside = run.intervals.filter(
        pl.col("interval_start").dt.convert_time_zone(zone.key).dt.date() == first,
    )
    title = ("Best day against the desk", "Worst day against the desk")[number]
    wide, narrow = _both(stack_over_time(result.site, inside), f"day{number}", title, result.site.currency.value)
    return {"title": title, "day": f"{first:%A %-d %B %Y}", "figures": day, "wide": wide, "narrow": narrow}


def _local_window(result: ReplayResult) -> str:
    zone = ZoneInfo(result.site.time_zone)

    def told(at: datetime) -> str:
        return f"{at.astimezone(zone):%-d %B %Y %H:%M}"

    end = result.window.end
    midnight = end.astimezone(zone).strftime("%H:%M") == "00:00"
    start = result.window.start.astimezone(zone)
    if midnight and start.strftime("%H:%M") == "00:00":
        return f"{start:%-d %B %Y} to {(end - timedelta(seconds=1)).astimezone(zone):%-d %B %Y}, whole local days"
    return f"{told(result.window.start)} to {told(end)}, local time"


def _reproduce(figures: BoardFigures) -> list[tuple[str, str]]:
    rows = []
    if "site_file" in figures.meta:
        command = f"headrace replay {figures.meta['site_file']} --from {figures.start} --to {figures.end}"
        rows.append(("Command", command))
    for key, value in figures.meta.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        rows.append((first_capital(key.replace("_", " ")), text))
    return rows
