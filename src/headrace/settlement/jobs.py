"""What a batch job earns and owes in one interval, in integers.

    earned so far     E = value × saved work / whole work
    owed so far       L = min(lateness × time since the deadline, E), until the work is complete

An interval settles E(end) − E(start) and L(end) − L(start). Work counts once it is *saved*, at a checkpoint or when the
job is complete: what an interruption throws away was never paid, and doing it again pays it once. Saved work and
lateness never fall, so neither do E and L; a job never earns more than its value, and never owes more than it earned.

What a division rounds to, and so who gains by less than one unit: E down, L up, the customer both times.
"""

from collections.abc import Iterable

import msgspec

from headrace.core import divide_down, divide_up, micro
from headrace.loads.jobs import Job

__all__ = ["JobMeter", "JobRate", "add_up_jobs", "job_rates", "saved_wh", "settle_job", "settle_jobs"]

S_PER_H = 3600
WH_PER_MWH = 1_000_000


class JobRate(msgspec.Struct, frozen=True, kw_only=True):
    """What one job is worth, micro-units of the site's currency."""

    value_micro: int
    """Worth of the whole work."""
    work_wh: int
    """The whole work, IT Wh at full power."""
    lateness_micro_per_h: int
    """Lost per hour after the deadline."""

    def earned_micro(self, saved_wh: int) -> int:
        """E: earned with this much work saved."""
        return divide_down(self.value_micro * saved_wh, self.work_wh)

    def owed_micro(self, saved_wh: int, late_s: int) -> int:
        """L: owed at this lateness, at most what was earned."""
        return min(divide_up(self.lateness_micro_per_h * late_s, S_PER_H), self.earned_micro(saved_wh))


class JobMeter(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Meters of one job over one interval; only jobs that have started are metered."""

    job: int
    """Position in the run's list of jobs."""
    it_wh: int
    """Energy its nodes drew."""
    gpu_s: int
    """GPU-seconds at work: restarts and checkpoints included, pauses not."""
    saved_from_wh: int
    """Work saved when the interval began."""
    saved_to_wh: int
    """Work saved when it ended."""
    late_from_s: int
    """Time since the deadline when the interval began."""
    late_to_s: int
    """The same when it ended, or when the control interval ended in which the job was complete."""
    restarts: int
    """Starts after a stop."""

    def plus(self, later: "JobMeter") -> "JobMeter":
        """Sum of two consecutive intervals of one job."""
        return JobMeter(
            job=self.job,
            it_wh=self.it_wh + later.it_wh,
            gpu_s=self.gpu_s + later.gpu_s,
            saved_from_wh=self.saved_from_wh,
            saved_to_wh=later.saved_to_wh,
            late_from_s=self.late_from_s,
            late_to_s=later.late_to_s,
            restarts=self.restarts + later.restarts,
        )


def job_rates(jobs: Iterable[Job]) -> tuple[JobRate, ...]:
    """Turn jobs' worth into integers; make them once per run."""
    return tuple(
        JobRate(
            value_micro=micro(job.value_ccy),
            work_wh=_whole_wh(job),
            lateness_micro_per_h=micro(job.lateness_ccy_per_h),
        )
        for job in jobs
    )


def saved_wh(job: Job, saved_mwh: float) -> int:
    """Saved work as it is metered; all of it is the job's whole work, to the unit."""
    whole_wh = _whole_wh(job)
    return whole_wh if saved_mwh >= job.work_mwh else min(round(saved_mwh * WH_PER_MWH), whole_wh)


def settle_job(rate: JobRate, meter: JobMeter) -> tuple[int, int]:
    """What one job earns and owes in an interval, micro-units."""
    earned = rate.earned_micro(meter.saved_to_wh) - rate.earned_micro(meter.saved_from_wh)
    before = rate.owed_micro(meter.saved_from_wh, meter.late_from_s)
    return earned, rate.owed_micro(meter.saved_to_wh, meter.late_to_s) - before


def settle_jobs(rates: tuple[JobRate, ...], meters: Iterable[JobMeter]) -> tuple[int, int]:
    """What all jobs earn and owe in an interval, micro-units."""
    lines = [settle_job(rates[meter.job], meter) for meter in meters]
    return sum(earned for earned, _ in lines), sum(owed for _, owed in lines)


def add_up_jobs(parts: Iterable[tuple[JobMeter, ...]]) -> tuple[JobMeter, ...]:
    """Sum consecutive intervals job by job, in the order of the list."""
    sums: dict[int, JobMeter] = {}
    for part in parts:
        for meter in part:
            before = sums.get(meter.job)
            sums[meter.job] = meter if before is None else before.plus(meter)
    return tuple(sums[job] for job in sorted(sums))


def _whole_wh(job: Job) -> int:
    return max(1, round(job.work_mwh * WH_PER_MWH))
