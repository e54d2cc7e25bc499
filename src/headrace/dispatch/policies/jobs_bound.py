"""Perfect foresight with batch jobs: the fluid optimum of the whole period, run on fluid jobs.

The bound takes every gang for a job that can be cut to any power and loses nothing by it. It is then an upper bound
even on policies that could plan gangs with perfect foresight, and no policy with gangs can reach it.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.jobs.layout import job_window
from headrace.dispatch.jobs.plan import JobPlan
from headrace.dispatch.jobs.solve import around_jobs, solve_jobs
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies.bound import Bound
from headrace.dispatch.policies.job_orders import JobOrder
from headrace.dispatch.policies.proposal import Proposal, Sight
from headrace.dispatch.problem import Problem
from headrace.dispatch.uses import SiteModel
from headrace.loads.jobs import NEW, Job, JobCluster

__all__ = ["BoundWithJobs", "as_fluid", "bound_with_jobs"]

AT_MW = 1e-9
"""Power this small is none, MW."""


def as_fluid(jobs: tuple[Job, ...]) -> tuple[Job, ...]:
    """The same jobs without gangs, checkpoints, restarts, minimum runs and idling."""
    return tuple(
        msgspec.structs.replace(
            job,
            is_malleable=True,
            checkpoint_interval_s=0,
            checkpoint_s=0,
            restart_s=0,
            restart_mwh=0.0,
            min_run_s=0,
            idle_ratio=0.0,
        )
        for job in jobs
    )


def bound_with_jobs(
    problem: Problem,
    jobs: tuple[Job, ...],
    clusters: tuple[JobCluster, ...],
    *,
    starts_s: NDArray[np.int64],
    pue_ratio: NDArray[np.float64],
) -> "BoundWithJobs | Infeasible":
    """Solve the whole period.

    Parameters
    ----------
    problem
        The site without its jobs, over the period.
    jobs
        Fluid jobs, by release; all of them are due in the period.
    clusters, pue_ratio
        The site's clusters and the PUE of each that really came, shape (K, T).
    starts_s
        Start of each control step, epoch seconds, shape (T,).
    """
    states = [NEW] * len(jobs)
    window = job_window(jobs, states, clusters, starts_s=starts_s, step_h=problem.step_h, pue_ratio=pue_ratio)
    plan = solve_jobs(problem, window)
    return plan if isinstance(plan, Infeasible) else BoundWithJobs(problem, plan, int(starts_s[0]))


class BoundWithJobs(Bound):
    """Policy `bound` at a site that runs batch jobs."""

    def __init__(self, problem: Problem, plan: JobPlan, start_s: int) -> None:
        """Take the period's problem without jobs, its fluid optimum and the period's start in epoch seconds."""
        super().__init__(around_jobs(problem, plan.window, plan.draw_mw), plan.core, start_s)
        self._jobs = plan

    def propose(self, model: SiteModel, sight: Sight) -> Proposal:
        """Ask for exactly what the optimum does in this interval."""
        assert sight.jobs is not None
        step = (sight.now_s - self._start_s) // model.site.control_step_s
        orders = []
        for job in sight.jobs.at:
            power_mw = self._power_mw(job, step)
            if power_mw > AT_MW:
                bid = float(self._jobs.worth_ccy_per_mwh[job])
                pue = float(self._jobs.window.pue_ratio[self._jobs.window.cluster[job], step])
                orders.append(JobOrder(job=job, power_mw=power_mw, bid_ccy_per_mwh=bid / pue))
        return msgspec.structs.replace(super().propose(model, sight), jobs=tuple(orders))

    def _power_mw(self, job: int, step: int) -> float:
        window = self._jobs.window
        at = int(window.begin[job]) + step - int(window.first[job])
        return float(self._jobs.power_mw[at]) if window.begin[job] <= at < window.begin[job + 1] else 0.0
