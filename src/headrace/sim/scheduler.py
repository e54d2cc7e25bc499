"""A simulated scheduler of AI work: nodes with accelerators, jobs that count their work, pauses, requeues, power.

It does what Slurm does as far as control can see it: firm work goes first, then by order of submission; a job takes
accelerators on as few nodes as hold it; paused work keeps them and they draw idle power; a requeue falls back to the
last checkpoint, or loses nothing if the job declares how it is told to write one, and may start again after a delay.
Work moves on only as its clock does, so the same calls give the same states.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from headrace.control.commands import Result
from headrace.control.workloads import Listing, Workload, WorkOutcome, WorkState, power_by_tier
from headrace.core import require

__all__ = ["SimulatedScheduler"]

AT_S: Final = 1e-6
"""Work this near to all of it is done, seconds."""


class _Job(msgspec.Struct):
    work: Workload
    left_s: float
    every_s: float
    done_s: float = 0.0
    saved_s: float = 0.0
    free_at_s: float = 0.0
    on: dict[str, int] = {}


class SimulatedScheduler:
    """One simulated cluster.

    Parameters
    ----------
    name
        What the site calls it.
    gpus
        Accelerators of each node, by name.
    now_s
        The site's clock, seconds.
    requeue_delay_s
        Time before a requeued job may start again, seconds.
    """

    pause_keeps_accelerators = True

    def __init__(
        self, *, name: str, gpus: Mapping[str, int], now_s: Callable[[], float], requeue_delay_s: float = 0.0
    ) -> None:
        self.name = name
        self.mute_reason = ""
        """Fault: while this is set the scheduler answers nothing, for this reason."""
        self._gpus = dict(gpus)
        self._now_s = now_s
        self._requeue_delay_s = requeue_delay_s
        self._jobs: dict[str, _Job] = {}
        self._at_s = now_s()
        self._submitted = 0

    def submit(
        self,
        *,
        tier: str,
        gpus: int,
        work_s: float,
        name: str = "job",
        checkpoint_every_s: float = 0.0,
        checkpoint_signal: str = "",
        notice_s: float = 0.0,
    ) -> str:
        """Submit a job and return its id.

        Parameters
        ----------
        tier
            Its flexibility tier; empty for firm work.
        gpus
            Accelerators it takes, all at once.
        work_s
            Time it needs to run, seconds.
        name
            What its owner calls it.
        checkpoint_every_s
            Work between two checkpoints, seconds; 0 if it writes none by itself.
        checkpoint_signal, notice_s
            As of `headrace.control.workloads.Workload`.
        """
        require(gpus <= sum(self._gpus.values()), f"{gpus} accelerators asked for of {sum(self._gpus.values())}")
        self._submitted += 1
        work = Workload(
            id=str(self._submitted), name=name, tier=tier, state=WorkState.QUEUED, gpus=gpus,
            checkpoint_signal=checkpoint_signal, notice_s=notice_s,
        )  # fmt: skip
        self._move_on()
        self._jobs[work.id] = _Job(work, left_s=work_s, every_s=checkpoint_every_s, on={})
        self._place()
        return work.id

    def done_s(self, job: str) -> float:
        """Work that a job has done, seconds."""
        self._move_on()
        return self._jobs[job].done_s

    def power_mw(self, *, gpu_full_mw: float, gpu_idle_mw: float) -> float:
        """IT power of all accelerators now, MW: those at work at full, all others idle.

        Parameters
        ----------
        gpu_full_mw, gpu_idle_mw
            As of `headrace.control.workloads.power_by_tier`; one that no job holds is idle too.
        """
        self._move_on()
        tiers = power_by_tier(self._works(), gpu_full_mw=gpu_full_mw, gpu_idle_mw=gpu_idle_mw)
        held = sum(tier.running_gpus + tier.paused_gpus for tier in tiers)
        return sum(tier.power_mw for tier in tiers) + (sum(self._gpus.values()) - held) * gpu_idle_mw

    async def workloads(self) -> Listing:
        """Every job that has not ended; see `headrace.control.ports.Scheduler`."""
        if self.mute_reason:
            return Listing(workloads=None, reason=self.mute_reason)
        self._move_on()
        return Listing(workloads=self._works())

    async def pause(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Stop jobs that run; they keep their accelerators."""
        return self._each(workloads, WorkState.PAUSED, self._pause)

    async def resume(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Let paused jobs go on."""
        return self._each(workloads, WorkState.RUNNING, self._resume)

    async def requeue(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Take jobs off their nodes; their work falls back to what is saved."""
        return self._each(workloads, WorkState.QUEUED, self._requeue)

    async def close(self) -> None:
        """Nothing is held."""

    def _works(self) -> tuple[Workload, ...]:
        return tuple(job.work for job in self._jobs.values() if job.work.state is not WorkState.ENDED)

    def _each(self, ids: Sequence[str], target: WorkState, act: Callable[[_Job], str]) -> tuple[WorkOutcome, ...]:
        if self.mute_reason:
            return tuple(WorkOutcome(workload=each, result=Result.UNREACHABLE, reason=self.mute_reason) for each in ids)
        self._move_on()
        outcomes = {each: self._one(each, target, act) for each in dict.fromkeys(ids)}
        self._place()
        return tuple(outcomes[each] for each in ids)

    def _one(self, each: str, target: WorkState, act: Callable[[_Job], str]) -> WorkOutcome:
        job = self._jobs.get(each)
        if job is None or job.work.state is WorkState.ENDED:
            return WorkOutcome(workload=each, result=Result.REFUSED, reason="no such job, or it has ended")
        if not job.work.tier:
            state, reason = job.work.state, "firm work is not interrupted here"
            return WorkOutcome(workload=each, result=Result.REFUSED, state=state, reason=reason)
        reason = "" if job.work.state is target else act(job)
        result = Result.REFUSED if reason else Result.ACKNOWLEDGED
        return WorkOutcome(workload=each, result=result, state=job.work.state, reason=reason)

    def _pause(self, job: _Job) -> str:
        if job.work.state is not WorkState.RUNNING:
            return f"it is {job.work.state}, there is nothing to pause"
        self._set(job, WorkState.PAUSED)
        return ""

    def _resume(self, job: _Job) -> str:
        if job.work.state is not WorkState.PAUSED:
            return f"it is {job.work.state}, there is nothing to resume"
        self._set(job, WorkState.RUNNING)
        return ""

    def _requeue(self, job: _Job) -> str:
        if job.work.checkpoint_signal:
            job.saved_s = job.done_s
        job.done_s = job.saved_s
        job.on = {}
        job.free_at_s = self._at_s + self._requeue_delay_s
        job.work = msgspec.structs.replace(job.work, restarts=job.work.restarts + 1)
        self._set(job, WorkState.QUEUED)
        return ""

    def _set(self, job: _Job, state: WorkState) -> None:
        job.work = msgspec.structs.replace(job.work, state=state, nodes=tuple(sorted(job.on)))

    def _move_on(self) -> None:
        """Let time pass up to now, from one end of a job or of a delay to the next."""
        until_s = max(self._now_s(), self._at_s)
        while True:
            running = [job for job in self._jobs.values() if job.work.state is WorkState.RUNNING]
            waits = [
                job.free_at_s
                for job in self._jobs.values()
                if job.work.state is WorkState.QUEUED and job.free_at_s > self._at_s
            ]
            ends = [self._at_s + job.left_s - job.done_s for job in running]
            next_s = min([until_s, *ends, *waits])
            self._work(running, next_s - self._at_s)
            self._at_s = next_s
            for job in running:
                if job.left_s - job.done_s <= AT_S:
                    job.on = {}
                    self._set(job, WorkState.ENDED)
            self._place()
            if next_s >= until_s:
                return

    def _work(self, running: Sequence[_Job], passed_s: float) -> None:
        for job in running:
            job.done_s = min(job.left_s, job.done_s + passed_s)
            if job.every_s > 0.0:
                job.saved_s = max(job.saved_s, job.done_s // job.every_s * job.every_s)

    def _place(self) -> None:
        """Start what waits and fits, firm work first."""
        waiting = [
            job for job in self._jobs.values() if job.work.state is WorkState.QUEUED and job.free_at_s <= self._at_s
        ]
        for job in sorted(waiting, key=lambda job: (bool(job.work.tier), int(job.work.id))):
            free = self._free()
            if sum(free.values()) < job.work.gpus:
                continue
            need = job.work.gpus
            for node in sorted(free, key=lambda node: (-free[node], node)):
                taken = min(need, free[node])
                if taken:
                    job.on[node] = taken
                    need -= taken
            self._set(job, WorkState.RUNNING)

    def _free(self) -> dict[str, int]:
        free = dict(self._gpus)
        for job in self._jobs.values():
            for node, taken in job.on.items():
                free[node] -= taken
        return free
