"""Slurm, through its own commands: pause, resume, requeue with a checkpoint first, hand nodes over, power them down.

Slurm suspends one job after another (4 to 5 ms each), so this is not the way to shed load within a second; it is how
the accounts follow what the nodes' agents did. Suspended jobs keep their accelerators: only a requeue gives them to
another tenant. A job may be flexible by its partition alone; the others are firm and never touched. A job says in its
comment how it is told to write a checkpoint and how long that takes: "checkpoint=USR1 notice_s=30" for its steps, as
with sbatch's own --signal "checkpoint=B:USR1" for the batch shell alone. One that says nothing is not signalled: it
would die of it.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from headrace.adapters.schedulers.cli import Failed, Ran, run_command
from headrace.adapters.schedulers.slurm_rows import (
    QUEUE_FIELDS,
    SEPARATOR,
    NodeRow,
    Unreadable,
    read_nodes,
    read_queue,
)
from headrace.control.commands import Result
from headrace.control.workloads import Listing, Workload, WorkOutcome, WorkState

__all__ = ["SlurmLimits", "SlurmScheduler"]

FOR_JOB: Final = re.compile(r"^(?:\w+: )?(.*?) for job(?: id)? (\d+)\s*$", re.MULTILINE)
NODE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
JOBS_A_CALL: Final = 500


class SlurmLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What asking Slurm may cost."""

    call_s: float = 20.0
    """Longest that one command may take, seconds; and so much more for each job it names:"""
    call_s_per_job: float = 0.05
    """Seconds a job: ten times what it usually takes."""
    notice_max_s: float = 120.0
    """Longest notice before a requeue that a job may ask for, seconds."""
    leave_s: float = 15.0
    """Longest wait for a requeued job's processes to be gone from its nodes, seconds."""
    look_again_s: float = 0.2
    """Pause between two looks meanwhile, seconds."""


class SlurmScheduler:
    """One Slurm cluster.

    Parameters
    ----------
    name
        What the site calls it.
    tier_of_partition
        Tier of each flexible partition; jobs of every other partition are firm.
    env
        Environment of Slurm's commands: PATH and, if it is not in the usual place, SLURM_CONF.
    limits
        What asking may cost.
    """

    pause_keeps_accelerators = True

    def __init__(
        self,
        *,
        name: str,
        tier_of_partition: Mapping[str, str],
        env: Mapping[str, str],
        limits: SlurmLimits | None = None,
    ) -> None:
        self.name = name
        self._tier_of_partition = dict(tier_of_partition)
        self._env = dict(env)
        self._limits = limits or SlurmLimits()

    async def workloads(self) -> Listing:
        """Every job that has not ended; see `headrace.control.ports.Scheduler`."""
        fields = ",".join(f"{field}:{SEPARATOR}" for field in QUEUE_FIELDS)
        ran = await self._call("squeue", "--noheader", "--states=all", "-O", fields)
        if isinstance(ran, Failed) or ran.code:
            return Listing(workloads=None, reason=ran.reason if isinstance(ran, Failed) else ran.words)
        try:
            return Listing(workloads=read_queue(ran.out, self._tier_of_partition))
        except Unreadable as error:
            return Listing(workloads=None, reason=str(error))

    async def pause(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Suspend: processes stop, accelerators stay theirs, the time limit stands still."""
        return await self._change(workloads, "suspend", WorkState.RUNNING, WorkState.PAUSED)

    async def resume(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Let suspended jobs go on."""
        return await self._change(workloads, "resume", WorkState.PAUSED, WorkState.RUNNING)

    async def requeue(self, workloads: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Checkpoint, take off the nodes, and let wait; a paused job goes on for its notice."""
        listing = await self.workloads()
        refusals, works = _choose(workloads, listing)
        off = [work for work in works if work.state is WorkState.QUEUED]
        on = [work for work in works if work.state in {WorkState.RUNNING, WorkState.PAUSED}]
        said = await self._give_notice(on)
        said |= await self._each("scontrol", ("requeue",), [work.id for work in on])
        after = await self._left(on)
        outcomes = refusals | {work.id: _done(work.id, work.state) for work in off}
        for work in on:
            now = after.get(work.id)
            is_off = now is not None and (now.state is WorkState.QUEUED or now.restarts > work.restarts)
            outcomes[work.id] = _done(work.id, now.state) if is_off and now else _amiss(work.id, now, said)
        return tuple(outcomes.get(each) or _amiss(each, after.get(each), said) for each in workloads)

    async def vacate(self, nodes: Sequence[str]) -> tuple[WorkOutcome, ...]:
        """Requeue all flexible work on these nodes, so that a firm tenant's job finds their accelerators free."""
        listing = await self.workloads()
        if listing.workloads is None:
            return ()
        wanted = set(nodes)
        held = {WorkState.RUNNING, WorkState.PAUSED}
        return await self.requeue(
            [work.id for work in listing.workloads if work.tier and work.state in held and wanted & set(work.nodes)]
        )

    async def nodes(self) -> tuple[NodeRow, ...] | str:
        """Every node with its state, or why they could not be read."""
        ran = await self._call("sinfo", "--noheader", "-N", "-O", "NodeList:|,StateLong:|,Gres:|")
        if isinstance(ran, Failed) or ran.code:
            return ran.reason if isinstance(ran, Failed) else ran.words
        try:
            return read_nodes(ran.out)
        except Unreadable as error:
            return str(error)

    async def power_nodes(self, nodes: Sequence[str], *, is_on: bool, is_forced: bool = False) -> str:
        """Power nodes up or down through Slurm's own power programs.

        Parameters
        ----------
        nodes
            Their names.
        is_on
            Up, or down.
        is_forced
            Down at once, requeueing what runs there, instead of when it has ended.

        Returns
        -------
        str
            Why it was not accepted; empty if it was. `nodes` shows when it is done.
        """
        bad = [node for node in nodes if not NODE_NAME.fullmatch(node)]
        if bad or not nodes:
            return f"not a node's name: {bad[0]!r}" if bad else "no node named"
        state = "POWER_UP" if is_on else "POWER_DOWN_FORCE" if is_forced else "POWER_DOWN"
        ran = await self._call("scontrol", "update", f"NodeName={','.join(nodes)}", f"State={state}")
        return ran.reason if isinstance(ran, Failed) else ran.words if ran.code else ""

    async def close(self) -> None:
        """Nothing is held."""

    async def _change(
        self, ids: Sequence[str], verb: str, source: WorkState, target: WorkState
    ) -> tuple[WorkOutcome, ...]:
        refusals, works = _choose(ids, await self.workloads())
        told = [work.id for work in works if work.state is source]
        said = await self._each("scontrol", (verb,), told)
        listing = await self.workloads() if told else Listing(workloads=tuple(works))
        after = {work.id: work for work in listing.workloads or ()}
        outcomes = dict(refusals)
        for work in works:
            now = after.get(work.id)
            if now is not None and now.state is target:
                outcomes[work.id] = _done(work.id, target)
            elif work.id in told:
                outcomes[work.id] = _amiss(work.id, now, said | ({} if listing.workloads else {"": listing.reason}))
            else:
                outcomes[work.id] = _amiss(work.id, now, {work.id: f"it is {work.state}, there is nothing to {verb}"})
        return tuple(outcomes[each] for each in ids)

    async def _give_notice(self, works: Sequence[Workload]) -> dict[str, str]:
        """Signal those that declare a checkpoint, and wait until the slowest should have written it."""
        asking = [work for work in works if work.checkpoint_signal]
        said = await self._each("scontrol", ("resume",), [work.id for work in asking if work.state is WorkState.PAUSED])
        for name in sorted({work.checkpoint_signal for work in asking}):
            ids = [work.id for work in asking if work.checkpoint_signal == name]
            options = (f"--signal={name.removeprefix('B:')}", *(("--batch",) if name.startswith("B:") else ()))
            said |= await self._each("scancel", options, ids, is_list=False)
        if asking:
            await asyncio.sleep(min(self._limits.notice_max_s, max(work.notice_s for work in asking)))
        return said

    async def _left(self, works: Sequence[Workload]) -> dict[str, Workload]:
        """Jobs as they are once these have left their nodes, or after the longest wait for it."""
        found: dict[str, Workload] = {}
        for _ in range(max(1, round(self._limits.leave_s / self._limits.look_again_s))):
            found = {work.id: work for work in (await self.workloads()).workloads or ()}
            there = [
                work.id
                for work in works
                if (now := found.get(work.id)) is not None
                and now.state is not WorkState.QUEUED
                and now.restarts == work.restarts
            ]
            leaving = [each.id for each in found.values() if each.id in there]
            if not leaving:
                break
            await asyncio.sleep(self._limits.look_again_s)
        return found

    async def _each(
        self, program: str, words: Sequence[str], ids: Sequence[str], *, is_list: bool = True
    ) -> dict[str, str]:
        """Name jobs to a command; what it said against each, and under "" what it said at large."""
        said: dict[str, str] = {}
        for first in range(0, len(ids), JOBS_A_CALL):
            some = ids[first : first + JOBS_A_CALL]
            named = (",".join(some),) if is_list else tuple(some)
            ran = await self._call(program, *words, *named, jobs=len(some))
            if isinstance(ran, Failed):
                said |= dict.fromkeys(some, ran.reason)
            elif ran.code:
                by_job = {job: reason for reason, job in FOR_JOB.findall(ran.err)}
                said |= by_job or dict.fromkeys(some, ran.words)
        return said

    async def _call(self, program: str, *words: str, jobs: int = 0) -> Ran | Failed:
        timeout_s = self._limits.call_s + jobs * self._limits.call_s_per_job
        return await run_command((program, *words), env=self._env, timeout_s=timeout_s)


def _choose(ids: Sequence[str], listing: Listing) -> tuple[dict[str, WorkOutcome], list[Workload]]:
    """Outcomes of those that may not be touched, and the others."""
    if listing.workloads is None:
        return {each: WorkOutcome(workload=each, result=Result.UNREACHABLE, reason=listing.reason) for each in ids}, []
    by_id = {work.id: work for work in listing.workloads}
    refused: dict[str, WorkOutcome] = {}
    for each in ids:
        work = by_id.get(each)
        if work is None:
            refused[each] = WorkOutcome(workload=each, result=Result.REFUSED, reason="no such job, or it has ended")
        elif not work.tier:
            refused[each] = WorkOutcome(
                workload=each, result=Result.REFUSED, state=work.state, reason="firm work is not interrupted here"
            )
    return refused, [by_id[each] for each in dict.fromkeys(ids) if each not in refused]


def _done(work: str, state: WorkState) -> WorkOutcome:
    return WorkOutcome(workload=work, result=Result.ACKNOWLEDGED, state=state)


def _amiss(work: str, now: Workload | None, said: Mapping[str, str]) -> WorkOutcome:
    state = now.state if now is not None else None
    reason = said.get(work) or said.get("") or f"it is {state or 'gone'} afterwards"
    return WorkOutcome(workload=work, result=Result.REFUSED, state=state, reason=reason)
