"""`headrace bench dispatch`: the exact dispatch against its peers, on the reference campus.

All figures are CPU seconds of one process. The peers solve the same windows side by side: 36 h at 5 min, one hour
further each time, every window starting from the energy that our plan left, and each must reach the same objective.
"""

import contextlib
import gc
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from headrace.app.bench.instances import random_problems
from headrace.app.bench.machine import machine, versions
from headrace.app.bench.peers.highs_warm import HighsWarm
from headrace.app.bench.reference_campus import BATTERY, campus
from headrace.app.bench.series import read_series, spec_named
from headrace.dispatch.closed_loop import LoopPrices, LoopSite, loop_problem, run_always_on, run_rolling
from headrace.dispatch.lp.reference import Status, solve_reference
from headrace.dispatch.plan import Plan
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve

__all__ = ["bench_dispatch", "fine_prices", "print_dispatch"]

Floats = NDArray[np.float64]
PeerCall = Callable[[Problem], float]

STEP_H: Final = 1 / 12
STEPS_PER_DAY: Final = 288
WINDOW_STEPS: Final = 432
SHIFT_STEPS: Final = 12
FIRST_STEP: Final = 20_000
JITTER_SEED: Final = 0
INSTANCE_SEED: Final = 2024
OURS_REPEATS: Final = 20
"""Our solve is timed over this many calls a window, as one takes less than a timer tick of some systems."""
DUAL_TOLERANCE_CCY_PER_MWH: Final = 1e-6
"""HiGHS holds duals to 1e-9 per MW and step, which is 1.2e-8 per MWh over 5 minutes; scaling loses some more."""


def bench_dispatch(data: Path, *, windows: int = 15, instances: int = 500) -> dict[str, Any]:
    """Measure the dispatch against its peers.

    Parameters
    ----------
    data
        Folder that holds `energy/` (prices of the hub HB_SOUTH, 2024).
    windows
        Rolling windows timed; one more goes first as a warm-up.
    instances
        Random problems on which HiGHS's dual is compared with bid and ask.

    Returns
    -------
    dict
        Keys as in the contracts' page; a peer that is not installed is None.
    """
    price, day_ahead, known, days = fine_prices(data)
    site = campus(len(price), STEP_H)
    end_value = float(np.median(price))
    core = _core(site, price, end_value, windows)
    year = _year(site, price, day_ahead, known, days, end_value)
    return {
        "core": core,
        "year": year,
        **_instances(instances),
        "versions": versions(),
        "machine": machine(),
    }


def _core(site: LoopSite, price: Floats, end_value: float, windows: int) -> dict[str, Any]:
    peers, missing = _peers(site.use_it_max_mw)
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", *peers)}
    objectives: list[dict[str, float]] = []
    stored = BATTERY.stored_start_mwh
    for k in range(windows + 1):
        problem = loop_problem(
            site,
            price,
            first=FIRST_STEP + k * SHIFT_STEPS,
            steps=WINDOW_STEPS,
            stored_mwh=stored,
            end_value_ccy_per_mwh=end_value,
        )
        gc.collect()
        ours, taken = _timed(lambda p: _planned(p).objective_ccy, problem, OURS_REPEATS)
        reached = {"ours": ours}
        if k:
            seconds["ours"].append(taken)
        for name, call in peers.items():
            with _quiet():
                reached[name], taken = _timed(call, problem, 1)
            if k:
                seconds[name].append(taken)
        objectives.append(reached)
        stored = float(_planned(problem).stored_mwh[SHIFT_STEPS])
    median = {name: statistics.median(taken) for name, taken in seconds.items()}
    worst = max(abs(row[name] / row["ours"] - 1.0) for row in objectives for name in peers)
    names = ("pypsa", "linopy_persistent", "linopy_persistent_at_bus", "highs_warm", "highs_cold")
    return {
        "ratio": {name: median[name] / median["ours"] if name in median else None for name in names},
        "median_ms": {name: 1e3 * taken for name, taken in median.items()},
        "objective_rel_diff": worst,
        "objectives": objectives,
        "windows": windows,
        "missing": missing,
    }


def _peers(use_it_max_mw: Floats) -> tuple[dict[str, PeerCall], dict[str, str]]:
    """Peers that are installed, slowest last, and how to install the others."""
    peers: dict[str, PeerCall] = {
        "highs_warm": HighsWarm(SHIFT_STEPS, STEPS_PER_DAY),
        "highs_cold": HighsWarm(SHIFT_STEPS, STEPS_PER_DAY, is_cold=True),
    }
    missing: dict[str, str] = {}
    try:
        from headrace.app.bench.peers.linopy_persistent import LinopyPersistent

        peers["linopy_persistent_at_bus"] = LinopyPersistent()
        peers["linopy_persistent"] = LinopyPersistent(use_it_max_mw)
    except ImportError:
        missing |= dict.fromkeys(("linopy_persistent", "linopy_persistent_at_bus"), INSTALL)
    try:
        from headrace.app.bench.peers.pypsa_network import pypsa_network

        peers["pypsa"] = pypsa_network
    except ImportError:
        missing["pypsa"] = INSTALL
    return peers, missing


INSTALL: Final = (
    'not installed: the dependency group "bench" holds it (make bench installs it in an environment of its own)'
)


def _year(
    site: LoopSite,
    price: Floats,
    day_ahead: Floats,
    known: NDArray[np.int64],
    days: NDArray[np.int64],
    end_value: float,
) -> dict[str, float]:
    """A year at 5 min: perfect foresight in one solve, and a re-plan in every interval."""
    steps = len(price)
    year = loop_problem(
        site,
        price,
        first=0,
        steps=steps,
        stored_mwh=BATTERY.stored_start_mwh,
        end_value_ccy_per_mwh=end_value,
    )
    prices = LoopPrices(
        settled_ccy_per_mwh=price,
        late_steps=0,
        day_ahead_ccy_per_mwh=day_ahead,
        day_ahead_known_steps=known,
        day_start_steps=days,
    )
    run_rolling(site, prices, until=1)  # compiles or loads the loop, so that the figure holds none of it
    gc.collect()
    perfect, perfect_s = _timed(lambda p: _planned(p).objective_ccy, year, 1)
    started = process_time()
    run = run_rolling(site, prices)
    replan_s = process_time() - started
    floor = run_always_on(site, prices).worth_ccy(end_value)
    return {
        "perfect_s": perfect_s,
        "replan_s": replan_s,
        "replans": steps,
        "replan_us": 1e6 * replan_s / steps,
        "replan_share_of_gain": (run.worth_ccy(end_value) - floor) / (perfect - floor),
    }


def _instances(count: int) -> dict[str, Any]:
    """HiGHS's single dual must lie between our bid and ask, whatever the instance."""
    duals = outside = 0
    worst = 0.0
    for problem in random_problems(count, INSTANCE_SEED):
        plan, reference = _planned(problem), solve_reference(problem)
        if reference.status is not Status.OPTIMAL:
            raise RuntimeError(f"HiGHS ended {reference.status.value} on a feasible instance")
        dual = reference.dual_ccy_per_mwh
        slack = DUAL_TOLERANCE_CCY_PER_MWH * np.maximum(1.0, np.abs(dual))
        outside += int(((dual < plan.bid_ccy_per_mwh - slack) | (dual > plan.ask_ccy_per_mwh + slack)).sum())
        duals += len(dual)
        worst = max(worst, abs(reference.objective_ccy - plan.objective_ccy) / max(1.0, abs(plan.objective_ccy)))
    return {"instances": count, "duals": duals, "duals_outside": outside, "instances_objective_rel_diff": worst}


def _planned(problem: Problem) -> Plan:
    plan = solve(problem)
    if not isinstance(plan, Plan):
        raise RuntimeError(f"no plan for a feasible problem: {plan}")
    return plan


def _timed(call: PeerCall, problem: Problem, repeats: int) -> tuple[float, float]:
    """Result and CPU seconds of one call."""
    started = process_time()
    for _ in range(repeats):
        result = call(problem)
    return result, (process_time() - started) / repeats


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what a peer's compiled code prints off our standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def fine_prices(data: Path) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Price and day-ahead price at 5 min, leading day-ahead steps known, first step of each day.

    HB_SOUTH 2024, the first 365 days, each 15-minute price in three steps with a jitter that leaves its mean: no real
    5-minute ERCOT series is at hand, and equal neighbours would make the problem easier than it is.
    """
    year = read_series(spec_named("ercot_hb_south_2024"), data / "energy")
    quarters = 365 * 96
    day_ahead = year.day_ahead_ccy_per_mwh
    assert day_ahead is not None
    price = year.price_ccy_per_mwh[:quarters]
    jitter = np.random.default_rng(JITTER_SEED).normal(0.0, 1.0, 3 * quarters).reshape(-1, 3)
    jitter -= jitter.mean(axis=1, keepdims=True)
    fine = np.repeat(price, 3) + (jitter * (0.03 * np.abs(price)[:, None] + 0.5)).ravel()
    known = np.minimum(3 * year.day_ahead_known_steps[:quarters], 3 * quarters)
    days = np.minimum(3 * year.day_start_steps[:366], 3 * quarters)
    return fine, np.repeat(day_ahead[:quarters], 3), np.repeat(known, 3), days


def print_dispatch(figures: dict[str, Any], console: Console) -> None:
    """Print the figures as tables."""
    core, year = figures["core"], figures["year"]
    table = Table(title=f"36 h at 5 min, {core['windows']} rolling windows, CPU time, one thread")
    for column in ("", "ms per window", "times ours", "objective of the last window"):
        table.add_column(column, justify="left" if not column else "right")
    last = core["objectives"][-1]
    table.add_row("headrace", f"{core['median_ms']['ours']:.3f}", "1", f"{last['ours']:,.6f}")
    for name, ratio in core["ratio"].items():
        if ratio is None:
            table.add_row(name, "n/a", "n/a", core["missing"].get(name, ""))
        else:
            table.add_row(name, f"{core['median_ms'][name]:.2f}", f"{ratio:,.1f}", f"{last[name]:,.6f}")
    console.print(table)
    console.print(f"worst relative difference of objectives: {core['objective_rel_diff']:.1e}")
    console.print(
        f"a year at 5 min: perfect foresight {year['perfect_s']:.2f} s; "
        f"{year['replans']:,} re-plans {year['replan_s']:.2f} s ({year['replan_us']:.1f} µs each)"
    )
    console.print(
        f"{figures['instances']} random instances: {figures['duals_outside']} of {figures['duals']:,} HiGHS duals "
        f"outside \\[bid, ask]; worst objective difference {figures['instances_objective_rel_diff']:.1e}"
    )
