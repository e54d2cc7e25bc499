"""Jobs and where they stand, laid on the steps of a window."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.jobs.window import JobWindow
from headrace.loads.jobs import AT_MWH, Job, JobCluster, JobState

__all__ = ["job_window", "live_jobs"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AFTER_RATIO: Final = 0.6
"""Share of a job's time after the window that its plan counts on (an assumption: nobody knows yet who else will come).

A window that reaches every deadline never uses it."""


def live_jobs(jobs: Sequence[Job], states: Sequence[JobState], now_s: int, end_s: int) -> list[int]:
    """Positions of the jobs that are not done and may run between two instants."""
    return [
        i
        for i, (job, state) in enumerate(zip(jobs, states, strict=True))
        if job.release_s < end_s and _last_s(job) > now_s and state.done_mwh < job.work_mwh - AT_MWH
    ]


def job_window(
    jobs: Sequence[Job],
    states: Sequence[JobState],
    clusters: Sequence[JobCluster],
    *,
    starts_s: Ints,
    step_h: Floats,
    pue_ratio: Floats,
) -> JobWindow:
    """Lay live jobs on the steps.

    Parameters
    ----------
    jobs, states
        Jobs as `live_jobs` chose them, and where they stand.
    clusters
        The site's clusters, K of them.
    starts_s, step_h
        The grid, shape (T,): starts in epoch seconds, lengths in hours.
    pue_ratio
        PUE of each cluster, shape (K, T).

    Returns
    -------
    JobWindow
        A gang's work counts with the checkpoints it will write, a job's whole value with what is left of its work.
    """
    names = [cluster.name for cluster in clusters]
    edges_s = np.append(starts_s, starts_s[-1] + round(float(step_h[-1]) * 3600.0))
    release_s = np.maximum(np.array([job.release_s for job in jobs], np.int64), edges_s[0])
    last_s = np.array([_last_s(job) for job in jobs], np.int64)
    until_s = np.minimum(last_s, edges_s[-1])
    first = np.searchsorted(edges_s, release_s, side="right") - 1
    counts = np.searchsorted(edges_s, until_s, side="left") - first
    begin = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    job = np.repeat(np.arange(len(jobs)), counts)
    step = np.arange(begin[-1]) - np.repeat(begin[:-1] - first, counts)
    inside_s = np.minimum(edges_s[step + 1], until_s[job]) - np.maximum(edges_s[step], release_s[job])
    power = np.array([job.power_mw for job in jobs])
    overhead = np.array([_overhead_ratio(job) for job in jobs])
    left = np.array([job.work_mwh - state.done_mwh for job, state in zip(jobs, states, strict=True)]) * overhead
    after_mwh = np.maximum(last_s - edges_s[-1], 0) / 3600.0 * power
    middle_s = 0.5 * (edges_s[step] + edges_s[step + 1])
    deadline_s = np.array([job.deadline_s for job in jobs], np.int64)
    per_mwh = np.array([job.lateness_ccy_per_h / job.work_mwh for job in jobs]) / overhead
    return JobWindow(
        names=tuple(job.name for job in jobs),
        cluster=np.array([names.index(job.cluster) for job in jobs], np.int64),
        work_mwh=np.maximum(left - AFTER_RATIO * after_mwh, 0.0),
        value_ccy_per_mwh=np.array([job.value_ccy / job.work_mwh for job in jobs]) / overhead,
        begin=begin,
        first=first.astype(np.int64),
        power_max_mw=power[job] * inside_s / (edges_s[step + 1] - edges_s[step]),
        late_ccy_per_mwh=per_mwh[job] * np.maximum(middle_s - deadline_s[job], 0.0) / 3600.0,
        cluster_max_mw=np.repeat([[cluster.it_max_mw] for cluster in clusters], len(step_h), axis=1),
        pue_ratio=pue_ratio,
    )


def _last_s(job: Job) -> int:
    """When it is no longer worth running: its deadline, or when lateness has eaten its value."""
    if job.lateness_ccy_per_h <= 0.0:
        return job.deadline_s
    return job.deadline_s + int(job.value_ccy / job.lateness_ccy_per_h * 3600.0)


def _overhead_ratio(job: Job) -> float:
    """Energy per energy of work: what writing checkpoints adds."""
    if job.is_malleable or job.checkpoint_interval_s <= 0:
        return 1.0
    return 1.0 + job.checkpoint_s / job.checkpoint_interval_s
