"""`headrace bench jobs`: batch jobs on the reference campus, against HiGHS on the same grid and over a period.

The window: 36 h telescoped (an hour of 5-minute steps, then hours), moved on by an hour each time with what our plan
left of every job; 40 arrivals a day on the cluster put 60 to 110 jobs in it. The year: one solve with perfect foresight
at 15 min. The period: 90 days of HB_SOUTH from 1 July 2024 at 15 min, price known, jobs booked ahead; 0 of the gain is
everything always on with the same jobs as soon as possible (gangs for gangs), 1 the fluid optimum of the whole period
with perfect foresight, which no gang can reach. `share_of_fluid_gain` puts gangs on the scale of malleable jobs.
All times are CPU seconds of one thread.
"""

import gc
import statistics
from datetime import datetime
from pathlib import Path
from time import process_time
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from headrace.app.bench.jobs_arrivals import CLUSTER, arrivals
from headrace.app.bench.jobs_loop import JobsRun, run_asap, run_bound, run_rolling_jobs
from headrace.app.bench.jobs_window import windows
from headrace.app.bench.machine import machine, versions
from headrace.app.bench.peers.highs_jobs import HighsJobs
from headrace.app.bench.reference_campus import BATTERY, campus
from headrace.app.bench.series import PriceYear, read_series, spec_named
from headrace.dispatch.closed_loop import LoopPrices, loop_problem
from headrace.dispatch.jobs.solve import solve_jobs

__all__ = ["bench_jobs", "print_jobs"]

Floats = NDArray[np.float64]

SERIES: Final = "ercot_hb_south_2024"
STEP_S: Final = 900
DAYS: Final = 90
JOBS_PER_DAY: Final = 8.0
HORIZON_S: Final = 48 * 3600
"""Reaches every deadline of a job that may run now."""
NOTICE_S: Final = 48 * 3600
"""Jobs are booked this long before their release (an assumption; `unannounced` is the sensitivity)."""
CLUSTER_RATIO: Final = 0.85
YEAR_JOBS_PER_DAY: Final = 4.0
YEAR_CLUSTER_RATIO: Final = 0.44
REPEATS: Final = 3


def bench_jobs(data: Path, *, window_count: int = 20, days: int = DAYS, year_days: int = 365) -> dict[str, Any]:
    """Measure the fluid problem and the gangs.

    Parameters
    ----------
    data
        Folder that holds `energy/` (prices of the hub HB_SOUTH, 2024).
    window_count
        Windows timed; one more goes first as a warm-up.
    days, year_days
        Length of the period and of the year, days.
    """
    prices = read_series(spec_named(SERIES), data / "energy")
    window = _window(data, window_count)
    year = _year(prices, year_days)
    return {
        "window": window,
        "year": year,
        **_period(prices, days),
        "versions": versions(),
        "machine": machine(),
    }


def _window(data: Path, count: int) -> dict[str, Any]:
    peers = {"highs_cold": HighsJobs(is_cold=True), "highs_warm": HighsJobs(is_cold=False)}
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", *peers)}
    jobs, worst = [], 0.0
    for k, (problem, window, starts_s, plan) in enumerate(windows(data, count + 1)):
        gc.collect()
        started = process_time()
        for _ in range(REPEATS):
            solve_jobs(problem, window)
        ours_s = (process_time() - started) / REPEATS
        for name, peer in peers.items():
            objective, taken = peer(problem, window, starts_s)
            worst = max(worst, abs(objective / plan.objective_ccy - 1.0))
            if k:
                seconds[name].append(taken)
        if k:
            seconds["ours"].append(ours_s)
            jobs.append(window.jobs)
    median = {name: statistics.median(taken) for name, taken in seconds.items()}
    ratios = {name: median[name] / median["ours"] for name in peers}
    return {
        "ms": 1e3 * median["ours"],
        "ms_worst": 1e3 * max(seconds["ours"]),
        "ratio": {"highs": min(ratios.values()), **ratios},
        "peers_ms": {name: 1e3 * median[name] for name in peers},
        "objective_rel_diff": worst,
        "jobs": {"least": min(jobs), "median": statistics.median(jobs), "most": max(jobs)},
        "windows": count,
    }


def _year(prices: PriceYear, days: int) -> dict[str, Any]:
    """A year in one solve."""
    steps = days * 86_400 // STEP_S
    site = campus(steps, STEP_S / 3600.0)
    price = prices.price_ccy_per_mwh[:steps]
    problem = loop_problem(
        site,
        price,
        first=0,
        steps=steps,
        stored_mwh=BATTERY.stored_start_mwh,
        end_value_ccy_per_mwh=float(np.median(price)),
    )
    jobs = arrivals(
        days=days,
        jobs_per_day=YEAR_JOBS_PER_DAY,
        cluster_ratio=YEAR_CLUSTER_RATIO,
        step_s=STEP_S,
        start_s=prices.start_s,
        is_malleable=True,
    )
    starts_s = prices.start_s + STEP_S * np.arange(steps, dtype=np.int64)
    gc.collect()
    started = process_time()
    plan = run_bound(problem, jobs, CLUSTER, starts_s=starts_s, pue=site.pue_ratio)
    return {
        "seconds": process_time() - started,
        "jobs": len(jobs),
        "pivots": plan.pivots,
        "gap_ratio": plan.gap_ratio,
        "method": plan.method.value,
    }


def _period(prices: PriceYear, days: int) -> dict[str, Any]:
    zone = ZoneInfo(prices.spec.time_zone)
    start_s = int(datetime(2024, 7, 1, tzinfo=zone).timestamp())
    first, steps = (start_s - prices.start_s) // STEP_S, days * 86_400 // STEP_S
    cut = slice(first, first + steps)
    site = campus(steps, STEP_S / 3600.0)
    day_ahead = prices.day_ahead_ccy_per_mwh
    assert day_ahead is not None
    loop = LoopPrices(
        settled_ccy_per_mwh=prices.price_ccy_per_mwh[cut],
        late_steps=0,
        day_ahead_ccy_per_mwh=day_ahead[cut],
        day_ahead_known_steps=np.clip(prices.day_ahead_known_steps[cut] - first, 0, steps),
        day_start_steps=np.array([0, steps]),
    )
    end_value = float(np.median(loop.settled_ccy_per_mwh))
    fluid_jobs, gang_jobs = (
        arrivals(
            days=days,
            jobs_per_day=JOBS_PER_DAY,
            cluster_ratio=CLUSTER_RATIO,
            step_s=STEP_S,
            start_s=start_s,
            is_malleable=is_malleable,
        )
        for is_malleable in (True, False)
    )
    problem = loop_problem(
        site,
        loop.settled_ccy_per_mwh,
        first=0,
        steps=steps,
        stored_mwh=BATTERY.stored_start_mwh,
        end_value_ccy_per_mwh=end_value,
    )
    starts_s = start_s + STEP_S * np.arange(steps, dtype=np.int64)
    bound = run_bound(problem, fluid_jobs, CLUSTER, starts_s=starts_s, pue=site.pue_ratio)
    bound_ccy = bound.objective_ccy + sum(job.value_ccy for job in fluid_jobs)
    asap = {
        "fluid": run_asap(site, loop, fluid_jobs, CLUSTER, start_s=start_s, end_value_ccy_per_mwh=end_value),
        "gangs": run_asap(site, loop, gang_jobs, CLUSTER, start_s=start_s, end_value_ccy_per_mwh=end_value),
    }
    found: dict[str, Any] = {
        "period": {
            "jobs": len(fluid_jobs),
            "cluster_ratio": sum(job.work_mwh for job in fluid_jobs) / (CLUSTER.it_max_mw * 24.0 * days),
            "bound_usd": bound_ccy,
            "asap_usd": asap["fluid"].worth_ccy,
            "asap_gangs_usd": asap["gangs"].worth_ccy,
            "notice_h": NOTICE_S / 3600.0,
        }
    }
    for name, jobs, notice_s in (
        ("fluid", fluid_jobs, NOTICE_S),
        ("unannounced", fluid_jobs, 0),
        ("gangs", gang_jobs, NOTICE_S),
    ):
        run = run_rolling_jobs(
            site, loop, jobs, CLUSTER, start_s=start_s, horizon_s=HORIZON_S, notice_s=notice_s,
            end_value_ccy_per_mwh=end_value,
        )  # fmt: skip
        found[name] = _row(run, asap["gangs" if name == "gangs" else "fluid"], asap["fluid"], bound_ccy)
    return found


def _row(run: JobsRun, own_floor: JobsRun, floor: JobsRun, bound_ccy: float) -> dict[str, Any]:
    return {
        "share_of_gain": (run.worth_ccy - own_floor.worth_ccy) / (bound_ccy - own_floor.worth_ccy),
        "share_of_fluid_gain": (run.worth_ccy - floor.worth_ccy) / (bound_ccy - floor.worth_ccy),
        "worth_usd": run.worth_ccy,
        "undone_usd": run.undone_ccy,
        "unfinished": run.unfinished,
        "restarts": run.restarts,
        "gap_to_fluid_ratio": run.gap_ratio,
    }


def print_jobs(figures: dict[str, Any], console: Console) -> None:
    """Print the figures as tables."""
    window, year, period = figures["window"], figures["year"], figures["period"]
    console.print(
        f"36 h telescoped, {window['jobs']['least']} to {window['jobs']['most']} jobs, {window['windows']} windows: "
        f"{window['ms']:.2f} ms CPU (worst {window['ms_worst']:.2f}); HiGHS warm "
        f"{window['ratio']['highs_warm']:.1f}x, cold {window['ratio']['highs_cold']:.1f}x; objectives equal to "
        f"{window['objective_rel_diff']:.0e}"
    )
    console.print(
        f"a year at 15 min with {year['jobs']:,} jobs: {year['seconds']:.2f} s CPU, {year['pivots']:,} pivots, "
        f"primal less dual {year['gap_ratio']:.0e}"
    )
    table = Table(title=f"{period['jobs']} jobs, {100 * period['cluster_ratio']:.0f} % of the cluster")
    for column in ("", "share of gain", "of the fluid gain", "unfinished", "restarts", "gap to the fluid bound"):
        table.add_column(column, justify="left" if not column else "right")
    for name in ("fluid", "unannounced", "gangs"):
        row = figures[name]
        table.add_row(
            name,
            f"{100 * row['share_of_gain']:.1f} %",
            f"{100 * row['share_of_fluid_gain']:.1f} %",
            str(row["unfinished"]),
            str(row["restarts"]),
            f"{100 * row['gap_to_fluid_ratio']:.2f} %",
        )
    console.print(table)
