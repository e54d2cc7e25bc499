"""`headrace bench value`: what each policy captures of the gain between always-on and perfect foresight.

The reference campus on every series of the table, with its own hashprice walk (`reference`) and with the recorded one
(`reference_hist`); the control step is the market's settlement step. Arrival `published` is one settlement step late,
`known` in time. A cell that needs a missing series is None. Money is in the series' own currency, per 8,760 h.
"""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from headrace.app.bench.machine import machine, versions
from headrace.app.bench.reference_campus import campus, margin_offset_usd
from headrace.app.bench.series import PriceYear, all_series, hashprice_daily, read_series, spec_named
from headrace.app.bench.site_a import SITE_A_SERIES, site_a_row_or_none
from headrace.app.replaying import HEADLINE
from headrace.core import BadInput
from headrace.dispatch.closed_loop import (
    LoopPrices,
    LoopRun,
    LoopSite,
    loop_problem,
    run_always_on,
    run_desk,
    run_rolling,
    run_stochastic,
)
from headrace.dispatch.plan import Plan
from headrace.dispatch.solve import solve

__all__ = ["bench_value", "moved_decisions", "print_value", "share_desk_to_bound", "site_a_series"]

Floats = NDArray[np.float64]

ARRIVALS: Final = {"published": 1, "known": 0}
HOURS_PER_YEAR: Final = 8760.0
CUT_RATIO: Final = 0.2
"""Where in the year, about, the future is planted for the check that nobody reads it."""
PLANTED_CCY_PER_MWH: Final = 4000.0

PolicyRunner = Callable[[LoopSite, LoopPrices, int | None], LoopRun]

POLICIES: Final[dict[str, PolicyRunner]] = {
    "desk": lambda site, prices, until: run_desk(site, prices, until=until),
    "desk-no-hold": lambda site, prices, until: run_desk(site, prices, hold_h=0.0, until=until),
    "rolling": lambda site, prices, until: run_rolling(site, prices, until=until),
    "stochastic": lambda site, prices, until: run_stochastic(site, prices, until=until),
}
"""Policies that decide on prices; `desk-no-hold` is a sensitivity."""


def bench_value(
    data: Path, *, names: tuple[str, ...] = (), site_a_names: tuple[str, ...] = SITE_A_SERIES
) -> dict[str, Any]:
    """Measure the policies.

    Parameters
    ----------
    data
        Folder that holds `energy/` and `bitcoin/`.
    names
        Series to run the reference campus on; empty for all.
    site_a_names
        Series to replay site (a) on; some minutes each.

    Returns
    -------
    dict
        `reference.<series>.<policy>.<arrival>.share_of_gain`, `.share_desk_to_bound` and `.ccy_per_year`,
        `reference_hist` likewise, `site_a.<series>.<policy>.usd_per_year`, `future_peek_moved`.
    """
    specs = tuple(spec_named(name) for name in names) or all_series()
    reference: dict[str, Any] = {}
    historical: dict[str, Any] = {}
    moved = 0
    for spec in specs:
        year = read_series(spec, data / "energy")
        site = campus(year.steps, year.step_h)
        reference[spec.name], peeked = _row(site, year)
        moved += peeked
        try:
            times_s = year.start_s + spec.step_s * np.arange(year.steps, dtype=np.int64)
            recorded = campus(year.steps, year.step_h, hashprice_daily(data / "bitcoin", times_s))
            historical[spec.name], peeked = _row(recorded, year)
            moved += peeked
        except BadInput:
            historical[spec.name] = None
    return {
        "reference": reference,
        "reference_hist": historical,
        "site_a": _site_a(site_a_names, data),
        "future_peek_moved": moved,
        "versions": versions(),
        "machine": machine(),
    }


def site_a_series(asked: str) -> tuple[str, ...]:
    """Series that `--site-a` names: "own" for its zone's years, "all" for the whole table, "none", or names."""
    match asked:
        case "own":
            return SITE_A_SERIES
        case "all":
            return tuple(spec.name for spec in all_series())
        case "none":
            return ()
        case _:
            return tuple(name.strip() for name in asked.split(",") if name.strip())


def _site_a(names: tuple[str, ...], data: Path) -> dict[str, Any]:
    """Site (a) on each series, a process each as each takes minutes; None where its market or bitcoin is missing."""
    for name in names:
        spec_named(name)
    # Spawned, not forked: a fork of a process in which polars runs threads may wait for a lock nobody holds.
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=get_context("spawn")) as pool:
        rows = pool.map(site_a_row_or_none, names, [data] * len(names))
        return dict(zip(names, rows, strict=True))


def moved_decisions(site: LoopSite, prices: LoopPrices, run_policy: PolicyRunner) -> int:
    """Count decisions before a cut that move when everything after it changes: prices, day-ahead, PUE and worths.

    Parameters
    ----------
    site, prices
        What the policy runs on.
    run_policy
        (site, prices, steps to run) to its run.
    """
    known = prices.day_ahead_known_steps
    # Just before a publication most is unknown: a day-ahead price read too early shows at once.
    published = np.flatnonzero(np.diff(known)) + 1
    cut = int(published[np.searchsorted(published, CUT_RATIO * site.steps)])
    unknown = int(known[cut - 1])

    def planted(values: Floats, first: int, value: float) -> Floats:
        changed = values.copy()
        changed[..., first:] = value
        return changed

    late_prices = msgspec.structs.replace(
        prices,
        settled_ccy_per_mwh=planted(prices.settled_ccy_per_mwh, cut, PLANTED_CCY_PER_MWH),
        day_ahead_ccy_per_mwh=planted(prices.day_ahead_ccy_per_mwh, unknown, -PLANTED_CCY_PER_MWH),
    )
    late_site = msgspec.structs.replace(
        site,
        pue_ratio=planted(site.pue_ratio, cut, 1.0),
        use_known_ccy_per_mwh=planted(site.use_known_ccy_per_mwh, cut, 0.0),
        use_earned_ccy_per_mwh=planted(site.use_earned_ccy_per_mwh, cut, 0.0),
    )
    before, after = run_policy(site, prices, cut), run_policy(late_site, late_prices, cut)
    is_moved = (before.charge_mw != after.charge_mw) | (before.discharge_mw != after.discharge_mw)
    return int((is_moved | (before.use_mw != after.use_mw).any(0)).sum())


def _row(site: LoopSite, year: PriceYear) -> tuple[dict[str, Any], int]:
    """One series: every policy under both arrivals, and how many decisions a planted future moved."""
    end_value = float(np.median(year.price_ccy_per_mwh))
    plan = solve(
        loop_problem(
            site,
            year.price_ccy_per_mwh,
            first=0,
            steps=year.steps,
            stored_mwh=site.battery.stored_start_mwh,
            end_value_ccy_per_mwh=end_value,
        )
    )
    if not isinstance(plan, Plan):
        raise RuntimeError(f"no plan for {year.spec.name}: {plan}")
    floor = run_always_on(site, _prices(year, 0)).worth_ccy(end_value)
    bound = plan.objective_ccy
    offset = margin_offset_usd(year.steps, year.step_h)
    hours = year.steps * year.step_h

    def cell(worth: float) -> dict[str, float]:
        return {
            "share_of_gain": (worth - floor) / (bound - floor),
            "ccy_per_year": (worth - offset) * HOURS_PER_YEAR / hours,
        }

    row: dict[str, Any] = {
        "always-on": {arrival: cell(floor) for arrival in ARRIVALS},
        "bound": {arrival: cell(bound) for arrival in ARRIVALS},
        "note": year.spec.note,
        "filled": year.filled,
    }
    if year.day_ahead_ccy_per_mwh is None:
        return row | {policy: dict.fromkeys(ARRIVALS) for policy in POLICIES}, 0
    moved = 0
    for policy, run_policy in POLICIES.items():
        row[policy] = {}
        for arrival, late_steps in ARRIVALS.items():
            prices = _prices(year, late_steps)
            row[policy][arrival] = cell(run_policy(site, prices, None).worth_ccy(end_value))
            row[policy][arrival]["share_desk_to_bound"] = share_desk_to_bound(
                row[policy][arrival]["share_of_gain"], row["desk"][arrival]["share_of_gain"]
            )
            moved += moved_decisions(site, prices, run_policy)
    return row, moved


def share_desk_to_bound(gain_ratio: float, desk_ratio: float) -> float:
    """How much of what a competent desk leaves on the table a policy takes, from both shares of gain.

    0 is the desk under the same arrival of the price, 1 perfect foresight; below 0 the policy is worse than the desk.
    """
    return (gain_ratio - desk_ratio) / (1.0 - desk_ratio)


def _prices(year: PriceYear, late_steps: int) -> LoopPrices:
    day_ahead = year.day_ahead_ccy_per_mwh
    return LoopPrices(
        settled_ccy_per_mwh=year.price_ccy_per_mwh,
        late_steps=late_steps,
        day_ahead_ccy_per_mwh=year.price_ccy_per_mwh if day_ahead is None else day_ahead,
        day_ahead_known_steps=year.day_ahead_known_steps,
        day_start_steps=year.day_start_steps,
        past_deviation_ccy_per_mwh=year.past_deviation_ccy_per_mwh,
    )


def print_value(figures: dict[str, Any], console: Console) -> None:
    """Print a table per hashprice: shares of gain and of the way from desk to bound in %, price published / known."""
    from_desk = tuple(policy for policy in POLICIES if policy != "desk")
    for key, title in (("reference", "hashprice walk"), ("reference_hist", "recorded hashprice")):
        table = Table(title=f"Reference campus, {title}: share of gain in %, price published / known")
        ways = (f"desk to bound: {policy}" for policy in from_desk)
        for column in ("series", "always-on M/yr", "bound M/yr", *POLICIES, *ways, "note"):
            table.add_column(column, justify="left" if column in {"series", "note"} else "right")
        for name, row in figures[key].items():
            if row is None:
                table.add_row(name, *["n/a"] * (2 + len(POLICIES) + len(from_desk)), "no recorded hashprice")
                continue
            money = [f"{row[p]['known']['ccy_per_year'] / 1e6:,.2f}" for p in ("always-on", "bound")]
            shares = [_shares(row[policy], "share_of_gain") for policy in POLICIES]
            shares += [_shares(row[policy], "share_desk_to_bound") for policy in from_desk]
            filled = f"{row['filled']} missing prices repeat the last" if row["filled"] else ""
            table.add_row(name, *money, *shares, "; ".join(note for note in (row["note"], filled) if note))
        console.print(table)
    console.print(_site_a_table(figures["site_a"]))
    console.print(f"decisions moved by a planted future: {figures['future_peek_moved']}")


def _shares(cells: dict[str, dict[str, float] | None], key: str) -> str:
    return " / ".join("n/a" if c is None else f"{100 * c[key]:.1f}" for c in cells.values())


def _site_a_table(rows: dict[str, Any]) -> Table:
    table = Table(title="Site (a), USD a year: whole / without the best 20 hours / without 13-19 February 2021")
    for column in ("series", *HEADLINE, "cost of a late price", "note"):
        table.add_column(column, justify="left" if column in {"series", "note"} else "right")
    for name, row in rows.items():
        if row is None:
            table.add_row(name, *["n/a"] * (1 + len(HEADLINE)), "another market than the site's")
            continue
        cells = []
        for policy in HEADLINE:
            figures = row.get(policy)
            keys = ("usd_per_year", "usd_per_year_without_best_20_h", "usd_per_year_without_storm")
            values = [] if figures is None else [figures[key] for key in keys]
            cells.append("\n".join(f"{value:,.0f}" for value in values if value is not None) or "n/a")
        table.add_row(name, *cells, f"{row['late_price_cost_usd_per_year']:,.0f}", row["note"])
    return table
