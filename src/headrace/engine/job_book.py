"""Batch jobs in the cycle: which are submitted, and where each of them stands."""

from bisect import bisect_right
from itertools import pairwise
from typing import Self

import msgspec

from headrace.core import require
from headrace.dispatch.jobs.layout import live_jobs
from headrace.dispatch.policies.job_orders import JobsNow
from headrace.loads.jobs import NEW, Job, JobState
from headrace.settlement.metering import JobReading

__all__ = ["JobBook"]


class JobBook(msgspec.Struct, kw_only=True):
    """Every job of a run, by release, and the states of those that have started."""

    jobs: tuple[Job, ...] = ()
    """All of them, also those nobody has submitted yet."""
    states: dict[int, JobState] = msgspec.field(default_factory=dict)
    """State of each job that has run, by position."""
    open: list[int] = msgspec.field(default_factory=list)
    """Submitted jobs that were neither done nor hopeless when last looked at."""
    submitted: int = 0
    """How many were submitted when last looked at."""

    @classmethod
    def of(cls, jobs: tuple[Job, ...]) -> Self:
        """Open a book on jobs in the order of their release."""
        require(
            all(a.release_s <= b.release_s for a, b in pairwise(jobs)),
            "jobs must be in the order of their release",
        )
        return cls(jobs=jobs)

    def state(self, job: int) -> JobState:
        """Where a job stands."""
        return self.states.get(job, NEW)

    def now(self, now_s: int) -> JobsNow:
        """What a policy may know of jobs: those submitted by now that can still run. `now_s` never falls."""
        known = bisect_right(self.jobs, now_s, lo=self.submitted, key=lambda job: job.release_s)
        self.open += range(self.submitted, known)
        self.submitted = known
        live = live_jobs([self.jobs[i] for i in self.open], [self.state(i) for i in self.open], now_s, now_s + 1)
        self.open = [self.open[i] for i in live]
        return JobsNow(
            at=tuple(self.open),
            jobs=tuple(self.jobs[i] for i in self.open),
            states=tuple(self.state(i) for i in self.open),
        )

    def absorb(self, readings: tuple[JobReading, ...]) -> None:
        """Take in what one control interval read."""
        for reading in readings:
            self.states[reading.job] = reading.state()
