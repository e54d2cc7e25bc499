"""Simulated clusters of batch jobs: nodes that follow orders, and meters of every job that has started.

A gang runs on all of its nodes or stands. Nodes no job holds are off; a paused job draws its idle power.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headrace.control.jobs import JobLoad
from headrace.core import require
from headrace.dispatch.jobs.layout import live_jobs
from headrace.dispatch.policies.job_orders import JobOrder
from headrace.dispatch.site import Site
from headrace.loads.jobs import NEW, Job, JobState, advance
from headrace.settlement.jobs import JobMeter, saved_wh
from headrace.settlement.metering import JobReading

__all__ = ["JobClusters"]

WH_PER_MWH = 1_000_000
OVER_RATIO = 1e-6
"""Power of a cluster's jobs above its own that is rounding of a fluid plan, per its own."""


class JobClusters:
    """The site's job clusters in a simulated world.

    Parameters
    ----------
    site
        The site.
    jobs
        Every job of the run, by release.
    pue
        PUE of each cooling that really came, shape (C, T).
    states
        Where jobs stand that have already started, by position.
    """

    def __init__(
        self, site: Site, jobs: tuple[Job, ...], pue: NDArray[np.float64], states: Mapping[int, JobState]
    ) -> None:
        self._step_s = site.control_step_s
        self._hours = site.control_step_s / 3600.0
        self._jobs = jobs
        self._states = dict(states)
        self._clusters = {cluster.name: cluster for cluster in site.job_clusters}
        cooling = {each.name: i for i, each in enumerate(site.coolings)}
        self._pue = {cluster.name: pue[cooling[cluster.cooling]] for cluster in site.job_clusters}
        self._runs: dict[int, JobState] = {}
        self._stands: dict[int, JobState] = {}

    def loads(self, t: int, at_s: int, orders: tuple[JobOrder, ...]) -> tuple[list[JobLoad], float]:
        """What each ordered job would draw at the bus in step `t`, and what the others that have started draw.

        An order for a job that is not submitted, is done, or can earn nothing any more is not followed.
        """
        known = sorted({*self._states, *(order.job for order in orders)})
        live = live_jobs([self._jobs[i] for i in known], [self._state(i) for i in known], at_s, at_s + 1)
        open_ = {known[i] for i in live}
        orders = tuple(order for order in orders if order.job in open_)
        self._check_room(orders)
        self._stands = {i: advance(self._jobs[i], self._state(i), 0.0, self._step_s) for i in sorted(open_)}
        self._runs = {
            order.job: advance(self._jobs[order.job], self._state(order.job), order.power_mw, self._step_s)
            for order in orders
        }
        loads = [
            JobLoad(
                job=order.job,
                run_mw=self._bus_mw(t, order.job, self._runs[order.job]),
                stand_mw=self._bus_mw(t, order.job, self._stands[order.job]),
                bid_ccy_per_mwh=order.bid_ccy_per_mwh,
            )
            for order in orders
        ]
        return loads, sum(self._bus_mw(t, i, self._stands[i]) for i in sorted(open_ - set(self._runs)))

    def follow(self, at_s: int, stopped: frozenset[int]) -> tuple[tuple[JobReading, ...], tuple[JobMeter, ...]]:
        """Let the step happen, and read every job that has started; `stopped` stand although they were to run."""
        after = self._stands | {i: state for i, state in self._runs.items() if i not in stopped}
        readings, meters = [], []
        for i in sorted(after):
            if i in self._states or (i in self._runs and i not in stopped):
                readings.append(JobReading.of(i, after[i]))
                meters.append(self._meter(i, at_s, after[i], is_running=i in self._runs and i not in stopped))
                self._states[i] = after[i]
        return tuple(readings), tuple(meters)

    def _meter(self, i: int, at_s: int, after: JobState, *, is_running: bool) -> JobMeter:
        job, before = self._jobs[i], self._state(i)
        drawn_mwh = after.drawn_mwh - before.drawn_mwh
        gpu_mw = self._clusters[job.cluster].gpu_mw
        worked_s = min(self._step_s, round(drawn_mwh * 3600.0 / job.power_mw)) if is_running else 0
        return JobMeter(
            job=i,
            it_wh=round(drawn_mwh * WH_PER_MWH),
            gpu_s=round(job.power_mw / gpu_mw) * worked_s if gpu_mw > 0.0 else 0,
            saved_from_wh=saved_wh(job, before.saved_mwh),
            saved_to_wh=saved_wh(job, after.saved_mwh),
            late_from_s=max(0, at_s - job.deadline_s),
            late_to_s=max(0, at_s + self._step_s - job.deadline_s),
            restarts=after.restarts - before.restarts,
        )

    def _state(self, i: int) -> JobState:
        return self._states.get(i, NEW)

    def _bus_mw(self, t: int, i: int, after: JobState) -> float:
        it_mw = (after.drawn_mwh - self._state(i).drawn_mwh) / self._hours
        return it_mw * float(self._pue[self._jobs[i].cluster][t])

    def _check_room(self, orders: tuple[JobOrder, ...]) -> None:
        """Orders that no cluster can follow are a bug of whoever gave them."""
        for cluster in self._clusters.values():
            own = [order for order in orders if self._jobs[order.job].cluster == cluster.name]
            gangs = [self._jobs[order.job] for order in own if not self._jobs[order.job].is_malleable]
            nodes, power_mw = sum(job.nodes for job in gangs), sum(order.power_mw for order in own)
            require(nodes <= cluster.nodes, f"{nodes} nodes ordered of {cluster.nodes} (cluster {cluster.name})")
            require(
                power_mw <= cluster.it_max_mw * (1.0 + OVER_RATIO),
                f"{power_mw} MW ordered of {cluster.it_max_mw} (cluster {cluster.name})",
            )
