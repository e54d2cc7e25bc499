"""`headrace bench reserve`: what selling reserve is worth on recorded prices of 2024, month by month.

One site, 30 MW of mining and a battery at ERCOT's West hub, replayed with its reserves and without them. The value of
reserve is the difference of the two margins: payments, less what holding cost in energy and in work.
"""

from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.app.bench.machine import machine, versions
from headrace.app.replaying import prepare, replay
from headrace.core import MICRO, BadInput, Interval
from headrace.dispatch.reserve_hindsight import SEEN_S, sell_in_hindsight
from headrace.engine.results import LINES, PolicyRun

__all__ = ["bench_reserve", "months_of", "print_reserve"]

Floats = NDArray[np.float64]

POLICIES: Final = ("desk", "rolling", "stochastic", "bound")
"""Policies that sell reserve, in order."""
BEST_HOURS: Final = 20
"""Hours left out of the second figure: those in which reserve was worth most."""
WHOLE_STEP_S: Final = 900
"""Step of the programme that sees a whole month, the strict bound on its steps, seconds."""


def bench_reserve(data: Path, *, months: tuple[int, ...] = tuple(range(1, 13))) -> dict[str, Any]:
    """Replay the months with reserve and without.

    Parameters
    ----------
    data
        Folder that holds `energy/`, `weather` and `bitcoin/`.
    months
        Months of 2024, 1..12.

    Returns
    -------
    dict
        `months.<YYYY-MM>.<policy>.value_usd`, `.value_less_best_20_h_usd`, `.capacity_usd`, `.penalties_usd`,
        `.short_mwh`; `months.<YYYY-MM>.hindsight_gap_ratio`; `sum.<policy>` of the same money.
    """
    with resources.as_file(resources.files("headrace.app.bench") / "reserve_site.toml") as path:
        loaded = load_site(path)
    rows = {f"2024-{month:02d}": _month(loaded, data, month) for month in months}
    keys = ("value_usd", "value_less_best_20_h_usd", "capacity_usd", "penalties_usd", "short_mwh")
    return {
        "months": rows,
        "sum": {policy: {key: sum(row[policy][key] for row in rows.values()) for key in keys} for policy in POLICIES},
        "versions": versions(),
        "machine": machine(),
    }


def months_of(asked: str) -> tuple[int, ...]:
    """Months that `--months` names: "all", or numbers from 1 to 12."""
    if asked == "all":
        return tuple(range(1, 13))
    parts = [part.strip() for part in asked.split(",")]
    if not all(part.isdigit() and 1 <= int(part) <= 12 for part in parts):
        raise BadInput("--months", f"must be all, or months from 1 to 12, was {asked!r}", "Write for example 1,8")
    return tuple(int(part) for part in parts)


def _month(loaded: LoadedSite, data: Path, month: int) -> dict[str, Any]:
    zone = ZoneInfo(loaded.site.time_zone)
    start = datetime(2024, month, 1, tzinfo=zone)
    end = datetime(2024 + month // 12, month % 12 + 1, 1, tzinfo=zone)
    window = Interval(start=start, end=end)
    sold = _runs(loaded, data, window)
    bare = msgspec.structs.replace(
        loaded,
        site=msgspec.structs.replace(loaded.site, reserves=()),
        feeds={role: feed for role, feed in loaded.feeds.items() if role not in _roles(loaded)},
    )
    without = _runs(bare, data, window)
    row: dict[str, Any] = {policy: _figures(sold[policy], without[policy]) for policy in POLICIES}
    return row | {"hindsight_gap_ratio": _gap(loaded, data, window)}


def _roles(loaded: LoadedSite) -> set[str]:
    return {reserve.price for reserve in loaded.site.reserves}


def _runs(loaded: LoadedSite, data: Path, window: Interval) -> dict[str, PolicyRun]:
    result = replay(
        loaded,
        data_dir=data,
        window=window,
        labels=POLICIES,
        journals=None,
        resume=False,
        progress=lambda _label: lambda _done, _total: None,
    )
    return {run.policy: run for run in result.runs}


def _figures(sold: PolicyRun, without: PolicyRun) -> dict[str, float]:
    """What the reserve of one policy was worth in one month, USD."""
    value = sold.margin_ccy - without.margin_ccy
    hourly = [
        run.settlements.group_by(pl.col("interval_start").dt.truncate("1h"), maintain_order=True)
        .agg(pl.sum_horizontal(pl.col(line).sum() for line in LINES).alias("micro"))["micro"]
        .to_numpy()
        for run in (sold, without)
    ]
    gains = np.sort(hourly[0] - hourly[1]) / MICRO
    short = [name for name in sold.intervals.columns if name.startswith("reserve:") and name.endswith("_short_mw")]
    return {
        "value_usd": value,
        "value_less_best_20_h_usd": value - float(gains[-BEST_HOURS:].sum()),
        "capacity_usd": sold.lines_ccy["reserve"],
        "penalties_usd": sold.lines_ccy["reserve_penalties"],
        "short_mwh": float(sold.intervals.select(short).to_numpy().sum()) / 12.0,
    }


def _gap(loaded: LoadedSite, data: Path, window: Interval) -> float:
    """How much more of reserve's worth a programme over the whole month finds than the chained ones of the bound."""
    world = prepare(loaded, RecordedFeed(data, loaded.feeds, loaded.site.time_zone), window)
    hours = np.arange(window.start_s, window.end_s, 3600, dtype=np.int64)
    prices = {r: world.inputs.further[each.price].onto(hours) for r, each in enumerate(loaded.site.reserves)}
    span_s = window.end_s - window.start_s

    def worth(sold: dict[int, Floats], seen_s: int) -> float:
        found = sell_in_hindsight(
            world.model, world.truth.problem, window.start_s, sold, step_s=WHOLE_STEP_S, seen_s=seen_s
        )
        return float("nan") if found is None else found.objective_ccy

    none, chained, whole = worth({}, span_s), worth(prices, SEEN_S), worth(prices, span_s)
    return (whole - chained) / (whole - none)


def print_reserve(figures: dict[str, Any], console: Console) -> None:
    """Print a row per month: what reserve was worth, and without its best hours."""
    table = Table(title="Value of reserve, USD: whole month / without its best 20 hours")
    for column in ("month", *POLICIES, "gap of the bound"):
        table.add_column(column, justify="left" if column == "month" else "right")
    for name, row in figures["months"].items():
        table.add_row(name, *[_cell(row[policy]) for policy in POLICIES], f"{100 * row['hindsight_gap_ratio']:.2f} %")
    table.add_row("sum", *[_cell(figures["sum"][policy]) for policy in POLICIES], "")
    console.print(table)
    short = {policy: figures["sum"][policy]["short_mwh"] for policy in POLICIES}
    console.print(f"reserve sold and not held, MWh of capacity: {short}")


def _cell(row: dict[str, float]) -> str:
    return f"{row['value_usd']:,.0f} / {row['value_less_best_20_h_usd']:,.0f}"
