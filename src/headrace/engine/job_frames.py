"""What became of every batch job of a run, as a polars frame.

Columns: job, cluster, release, deadline (UTC), nodes, gpus (null where the cluster counts none), state, begun, finished
(UTC; null where it never was), saved_ratio (work saved of the whole), it_wh, gpu_s, restarts, and money in micro-units:
value of the whole work, earned, penalties.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import polars as pl

from headrace.dispatch.site import Site
from headrace.engine.cycle import CycleRecord
from headrace.loads.jobs import Job
from headrace.settlement.jobs import JobMeter, job_rates

__all__ = ["JobFate", "job_columns", "job_frame"]

MWH_PER_WH = 1e-6


class JobFate(StrEnum):
    """How a job ended."""

    FINISHED = "finished"
    LATE = "late"
    """Complete, after its deadline."""
    UNFINISHED = "unfinished"


def job_frame(site: Site, jobs: Sequence[Job], records: Sequence[CycleRecord]) -> pl.DataFrame:
    """A row per job, by release; empty at a site without batch jobs."""
    if not jobs:
        return pl.DataFrame()
    step_s = site.control_step_s
    sums: dict[int, JobMeter] = {}
    begun_s: dict[int, int] = {}
    finished_s: dict[int, int] = {}
    rates = job_rates(jobs)
    for record in records:
        for meter in record.reading.meters.jobs:
            i = meter.job
            sums[i] = sums[i].plus(meter) if i in sums else meter
            begun_s.setdefault(i, record.at_s)
            if meter.saved_from_wh < rates[i].work_wh == meter.saved_to_wh:
                finished_s[i] = record.at_s + step_s
    gpu_mw = {cluster.name: cluster.gpu_mw for cluster in site.job_clusters}
    rows = []
    for i, (job, rate) in enumerate(zip(jobs, rates, strict=True)):
        meter = sums.get(i) or _unmetered(i)
        row: dict[str, Any] = {
            "job": job.name,
            "cluster": job.cluster,
            "release": job.release_s * 1_000_000,
            "deadline": job.deadline_s * 1_000_000,
            "nodes": job.nodes,
            "gpus": round(job.power_mw / gpu_mw[job.cluster]) if gpu_mw[job.cluster] > 0.0 else None,
            "state": _fate(job, finished_s.get(i)).value,
            "begun": _micro_s(begun_s.get(i)),
            "finished": _micro_s(finished_s.get(i)),
            "saved_ratio": meter.saved_to_wh / rate.work_wh,
            "it_wh": meter.it_wh,
            "gpu_s": meter.gpu_s,
            "restarts": meter.restarts,
            "value": rate.value_micro,
            "earned": rate.earned_micro(meter.saved_to_wh),
            "penalties": rate.owed_micro(meter.saved_to_wh, meter.late_to_s),
        }
        rows.append(row)
    times = ("release", "deadline", "begun", "finished")
    frame = pl.DataFrame(rows, schema_overrides=dict.fromkeys(times, pl.Int64) | {"gpus": pl.Int64})
    return frame.with_columns(pl.col(*times).cast(pl.Datetime("us", "UTC")))


def job_columns(site: Site, records: Sequence[CycleRecord]) -> dict[str, object]:
    """Columns of a run's intervals that batch jobs add: power at the bus, GPUs at work, and the plans' gap."""
    if not site.job_clusters:
        return {}
    hours = site.control_step_s / 3600.0
    return {
        "jobs_mw": [record.reading.jobs_wh * MWH_PER_WH / hours for record in records],
        "job_gpus_busy": [
            sum(meter.gpu_s for meter in record.reading.meters.jobs) / site.control_step_s for record in records
        ],
        "jobs_gap_ratio": pl.Series(_gaps(records), dtype=pl.Float64),
    }


def _gaps(records: Sequence[CycleRecord]) -> list[float | None]:
    """Gap to the fluid optimum of the plan that is made in each interval; None where none is."""
    memories = [None if record.proposal is None else record.proposal.memory for record in records]
    return [None if memory is None or not memory.jobs.starts_s else memory.jobs.gap_ratio for memory in memories]


def _fate(job: Job, finished_s: int | None) -> JobFate:
    if finished_s is None:
        return JobFate.UNFINISHED
    return JobFate.LATE if finished_s > job.deadline_s else JobFate.FINISHED


def _micro_s(at_s: int | None) -> int | None:
    return None if at_s is None else at_s * 1_000_000


def _unmetered(job: int) -> JobMeter:
    return JobMeter(job=job, it_wh=0, gpu_s=0, saved_from_wh=0, saved_to_wh=0, late_from_s=0, late_to_s=0, restarts=0)
