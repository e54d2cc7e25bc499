"""AI work as a scheduler holds it: who may be asked to give way, what that does to it, and what power it still draws.

Pausing stops the processes where they stand: memory and accelerators stay taken, and an accelerator that holds a paused
job still draws its idle power. Requeueing gives the accelerators to somebody else and costs what was done since the
last checkpoint. Which of the two a scheduler's own "suspend" is, differs: `Scheduler.pause_keeps_accelerators` says it.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from headrace.control.commands import Result

__all__ = ["Listing", "TierPower", "WorkOutcome", "WorkState", "Workload", "power_by_tier"]


class WorkState(StrEnum):
    """Where a workload stands."""

    QUEUED = "queued"
    """Waits for accelerators."""
    RUNNING = "running"
    """Works, or is being started or ended by its scheduler."""
    PAUSED = "paused"
    """Stopped with its accelerators kept."""
    HELD = "held"
    """Stopped without accelerators, until it is released."""
    ENDED = "ended"
    """Finished, failed or cancelled."""


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """One job, as its scheduler tells of it."""

    id: str
    """The scheduler's own ("4711", "training/llm-7b")."""
    name: str
    """What its owner called it."""
    tier: str
    """Flexibility tier it was submitted to; empty for firm work, which nobody here may touch."""
    state: WorkState
    """Where it stands."""
    nodes: tuple[str, ...] = ()
    """Nodes that hold it; empty while it waits."""
    gpus: int = 0
    """Accelerators it holds, or waits for."""
    checkpoint_signal: str = ""
    """Signal upon which it writes a checkpoint ("USR1"); empty if it declares none and must not get one."""
    notice_s: float = 0.0
    """Time it needs from that signal until its checkpoint is written, seconds."""
    restarts: int = 0
    """How often it has been started again."""
    reason: str = ""
    """Why it waits, in the scheduler's words."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What a scheduler holds, or why that is not known."""

    workloads: tuple[Workload, ...] | None
    """Every workload that has not ended; None if the scheduler could not be read."""
    reason: str = ""
    """Why it could not."""


class WorkOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request for one workload."""

    workload: str
    """Its id."""
    result: Result
    """Acknowledged only if the scheduler, asked again, shows the state that was asked for."""
    state: WorkState | None = None
    """What it shows now; None if it could not be read."""
    reason: str = ""
    """Why the state is not what was asked for."""


class TierPower(msgspec.Struct, frozen=True, kw_only=True):
    """What the workloads of one tier draw."""

    tier: str
    """Name of the tier; empty for firm work."""
    running_gpus: int
    """Accelerators at work."""
    paused_gpus: int
    """Accelerators held by paused work."""
    power_mw: float
    """IT power of both, MW."""
    pausable_mw: float
    """Of it, what goes if the tier is paused, MW: the running accelerators' power above idle."""


def power_by_tier(workloads: Iterable[Workload], *, gpu_full_mw: float, gpu_idle_mw: float) -> tuple[TierPower, ...]:
    """Power of each tier, by name.

    Parameters
    ----------
    workloads
        What a scheduler holds.
    gpu_full_mw, gpu_idle_mw
        IT power of one accelerator with its share of the server at work, and with a paused job, MW.
    """
    gpus: dict[str, dict[WorkState, int]] = {}
    for work in workloads:
        of_tier = gpus.setdefault(work.tier, {})
        of_tier[work.state] = of_tier.get(work.state, 0) + work.gpus
    found = []
    for tier in sorted(gpus):
        running, paused = gpus[tier].get(WorkState.RUNNING, 0), gpus[tier].get(WorkState.PAUSED, 0)
        found.append(
            TierPower(
                tier=tier,
                running_gpus=running,
                paused_gpus=paused,
                power_mw=running * gpu_full_mw + paused * gpu_idle_mw,
                pausable_mw=running * (gpu_full_mw - gpu_idle_mw),
            )
        )
    return tuple(found)
