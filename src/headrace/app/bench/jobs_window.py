"""Rolling windows with many jobs on the reference campus: the input of the timed comparison."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.app.bench.dispatch import fine_prices
from headrace.app.bench.jobs_arrivals import CLUSTER, arrivals
from headrace.app.bench.reference_campus import BATTERY, campus
from headrace.dispatch.closed_loop import loop_problem
from headrace.dispatch.jobs.layout import job_window, live_jobs
from headrace.dispatch.jobs.plan import JobPlan
from headrace.dispatch.jobs.solve import solve_jobs
from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.problem import Problem
from headrace.dispatch.telescope import window_grid
from headrace.loads.jobs import NEW, advance

__all__ = ["windows"]

Ints = NDArray[np.int64]

STEP_S: Final = 300
FIRST_STEP: Final = 22_000
"""Of the year; the jobs' period begins ten days earlier."""
LEAD_STEPS: Final = 2_880
FINE_S: Final = 3600
HORIZON_S: Final = 36 * 3600
SHIFT_STEPS: Final = 12
DAYS: Final = 40
JOBS_PER_DAY: Final = 30.0
CLUSTER_RATIO: Final = 0.85


def windows(data: Path, count: int) -> Iterator[tuple[Problem, JobWindow, Ints, JobPlan]]:
    """Yield windows an hour apart, each from what the plan before it left: problem, jobs, step starts and plan.

    Prices within a later hour are its mean, so that the grid loses nothing of what is known.
    """
    price = fine_prices(data)[0]
    site = campus(len(price), STEP_S / 3600.0)
    jobs = arrivals(
        days=DAYS,
        jobs_per_day=JOBS_PER_DAY,
        cluster_ratio=CLUSTER_RATIO,
        step_s=STEP_S,
        start_s=(FIRST_STEP - LEAD_STEPS) * STEP_S,
        is_malleable=True,
    )
    states = [NEW] * len(jobs)
    stored = BATTERY.stored_start_mwh
    end_value = float(np.median(price))
    for k in range(count):
        first = FIRST_STEP + k * SHIFT_STEPS
        starts_s, step_h = window_grid(
            now_s=first * STEP_S, step_s=STEP_S, fine_s=FINE_S, horizon_s=HORIZON_S, end_s=len(price) * STEP_S
        )
        at = starts_s // STEP_S - first
        steps = int(at[-1]) + round(float(step_h[-1]) * 3600.0 / STEP_S)
        whole = loop_problem(site, price, first=first, steps=steps, stored_mwh=stored, end_value_ccy_per_mwh=end_value)
        problem, pue = _merged(whole, at, step_h), _mean(site.pue_ratio[first : first + steps], at)
        live = live_jobs(jobs, states, int(starts_s[0]), int(starts_s[-1]) + 3600)
        window = job_window(
            [jobs[i] for i in live], [states[i] for i in live], (CLUSTER,), starts_s=starts_s, step_h=step_h,
            pue_ratio=pue[None],
        )  # fmt: skip
        plan = solve_jobs(problem, window)
        if not isinstance(plan, JobPlan):
            raise RuntimeError(f"no plan for window {k}")
        yield problem, window, starts_s, plan
        power = plan.job_mw
        for j, i in enumerate(live):
            for t in range(SHIFT_STEPS):
                states[i] = advance(jobs[i], states[i], float(power[j, t]), STEP_S)
        stored = float(plan.core.stored_mwh[SHIFT_STEPS])


def _merged(problem: Problem, at: Ints, step_h: NDArray[np.float64]) -> Problem:
    arrays = {
        name: _mean(getattr(problem, name), at)
        for name in problem.__struct_fields__
        if isinstance(getattr(problem, name), np.ndarray) and getattr(problem, name).size
    }
    none = {name: np.zeros((0, len(at))) for name in ("source_cost_ccy_per_mwh", "source_min_mw", "source_max_mw")}
    return msgspec.structs.replace(problem, **(arrays | none | {"step_h": step_h}))


def _mean(values: NDArray[np.float64], at: Ints) -> NDArray[np.float64]:
    counts = np.diff(np.append(at, values.shape[-1]))
    mean: NDArray[np.float64] = np.add.reduceat(values, at, axis=-1) / counts
    return mean
