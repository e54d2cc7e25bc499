"""What each job is given in the next control step: the one call that a control loop needs."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.jobs.gangs import GangPlan, place_gangs
from headrace.dispatch.jobs.layout import job_window, live_jobs
from headrace.dispatch.jobs.plan import JobPlan
from headrace.dispatch.jobs.solve import solve_jobs
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.problem import Problem
from headrace.loads.jobs import Job, JobCluster, JobState

__all__ = ["FirstStep", "first_step"]

Floats = NDArray[np.float64]


class FirstStep(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What to do now, for every job asked about."""

    power_mw: Floats
    """IT power to give each job, as `advance` takes it; 0 for those that are done or not released, shape (jobs,)."""
    bid_ccy_per_mwh: Floats
    """What each job would pay for one more MWh at the bus now: its use's value in a merit order; 0 for those that
    cannot run, shape (jobs,)."""
    core: Plan
    """The site around the jobs; its firm load includes their draw."""
    plan: GangPlan | JobPlan
    """The whole plan: a `GangPlan` if any job is a gang."""


def first_step(
    problem: Problem,
    jobs: Sequence[Job],
    states: Sequence[JobState],
    clusters: Sequence[JobCluster],
    *,
    starts_s: NDArray[np.int64],
    pue_ratio: Floats,
) -> FirstStep | Infeasible:
    """Decide the first step of a window.

    Parameters
    ----------
    problem
        The site without its jobs, over the window.
    jobs, states
        Every job known now and where it stands; those that are done or cannot run within the window cost nothing.
    clusters
        The site's clusters, K of them.
    starts_s
        Start of each step, epoch seconds, shape (T,).
    pue_ratio
        PUE of each cluster, shape (K, T).

    Returns
    -------
    FirstStep | Infeasible
        Infeasible exactly where the site without its jobs is, or where gangs that must run on leave it short.
    """
    now_s = int(starts_s[0])
    end_s = int(starts_s[-1]) + round(float(problem.step_h[-1]) * 3600.0)
    live = live_jobs(jobs, states, now_s, end_s)
    chosen, at = [jobs[i] for i in live], [states[i] for i in live]
    window = job_window(chosen, at, clusters, starts_s=starts_s, step_h=problem.step_h, pue_ratio=pue_ratio)
    fluid = solve_jobs(problem, window)
    if isinstance(fluid, Infeasible):
        return fluid
    power, bid = np.zeros(len(jobs)), np.zeros(len(jobs))
    runs = window.first == 0
    bid[live] = np.where(runs, fluid.bid_ccy_per_mwh, 0.0)
    if all(job.is_malleable for job in chosen):
        power[live] = np.where(runs, fluid.power_mw[np.minimum(window.begin[:-1], len(fluid.power_mw) - 1)], 0.0)
        return FirstStep(power_mw=power, bid_ccy_per_mwh=bid, core=fluid.core, plan=fluid)
    placed = place_gangs(problem, fluid, chosen, at, clusters)
    if isinstance(placed, Infeasible):
        return placed
    power[live] = placed.first_mw
    return FirstStep(power_mw=power, bid_ccy_per_mwh=bid, core=placed.core, plan=placed)
