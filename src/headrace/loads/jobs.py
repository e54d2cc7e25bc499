"""Batch jobs: work with a deadline on a cluster that several of them share, and what becomes of one as it runs.

A *malleable* job takes any power up to its own and loses nothing when it changes. A *gang* runs on all of its nodes or
on none: started again it first restarts, stopped it loses what it did since its last checkpoint, and started it runs on
for a while. Work is counted as IT energy at full power: 3 h of a job of 2 MW are 6 MWh of work.

    a gang's cycle   checkpoint_interval_s of work, then checkpoint_s without, in which the checkpoint is written
"""

from collections.abc import Iterable

import msgspec

from headrace.core import require

__all__ = ["NEW", "Job", "JobCluster", "JobState", "advance", "lock_s", "refusals"]

HOUR_S = 3600.0
AT_MW = 1e-9
"""Power this near to none or all of a gang's is it, MW."""
AT_MWH = 1e-9
"""Work this near to all of it is done, MWh."""


class JobCluster(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerators that jobs share."""

    name: str
    """Name unique at the site."""
    it_max_mw: float
    """IT power of all its nodes at work, MW."""
    nodes: int
    """Nodes (or racks, where a gang takes whole racks) it has."""
    cooling: str
    """Name of its cooling."""
    gpu_mw: float = 0.0
    """IT power of one accelerator at work, MW; 0 where nobody counts their hours."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One batch job."""

    name: str
    """Name unique at the site."""
    cluster: str
    """Name of its cluster."""
    release_s: int
    """It may not run before, epoch seconds."""
    deadline_s: int
    """Its work is due, epoch seconds, after `release_s`."""
    work_mwh: float
    """IT energy of the whole work at full power, MWh > 0."""
    power_mw: float
    """IT power at full speed, MW > 0."""
    nodes: int
    """Nodes the gang takes, all at once; ignored for a malleable job."""
    value_ccy: float
    """Worth of the whole work, earned in proportion to what is done in time."""
    lateness_ccy_per_h: float = 0.0
    """Lost per hour from the deadline until the work is complete; 0 for a deadline after which it is worth nothing."""
    is_malleable: bool = False
    """Takes any power up to its own; the fields below do not concern it."""
    checkpoint_interval_s: int = 0
    """Work between two checkpoints, seconds; 0 if it loses nothing when stopped."""
    checkpoint_s: int = 0
    """Time that writing one takes, seconds, at full power."""
    restart_s: int = 0
    """Time a start after a stop takes before work goes on, seconds."""
    restart_mwh: float = 0.0
    """IT energy of one restart, MWh."""
    min_run_s: int = 0
    """Once started it is left running for at least this long, or until done, seconds."""
    idle_ratio: float = 0.0
    """Share of its power it draws while paused, from its first start until it is done."""


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a job stands at an instant."""

    done_mwh: float
    """Work done, MWh."""
    saved_mwh: float
    """Of it, what a stop would leave: the state at the last checkpoint."""
    drawn_mwh: float
    """IT energy taken so far, with restarts, checkpoints, lost work and idling."""
    is_running: bool
    """It ran at the end of the last step."""
    since_s: int
    """How long it has been running, or stopped, seconds."""
    cycle_s: float
    """Time since the last checkpoint was complete, seconds."""
    restart_left_s: float
    """Of a restart in progress, seconds."""
    restarts: int
    """Starts after a stop."""


NEW = JobState(
    done_mwh=0.0,
    saved_mwh=0.0,
    drawn_mwh=0.0,
    is_running=False,
    since_s=0,
    cycle_s=0.0,
    restart_left_s=0.0,
    restarts=0,
)
"""A job that has not run yet."""


def advance(job: Job, state: JobState, power_mw: float, step_s: int) -> JobState:
    """State after a step in which the job was given a power.

    Parameters
    ----------
    job, state
        The job and its state at the step's start.
    power_mw
        IT power; a gang's is 0 or `Job.power_mw`.
    step_s
        Length of the step, seconds.

    Returns
    -------
    JobState
        A job that finishes within the step draws power until then only; once done it stays as it is.
    """
    if state.done_mwh >= job.work_mwh - AT_MWH:
        return state if not state.is_running else msgspec.structs.replace(state, is_running=False, since_s=0)
    if job.is_malleable:
        return _flow(job, state, power_mw, step_s)
    if power_mw <= AT_MW:
        return _pause(job, state, step_s)
    require(
        abs(power_mw - job.power_mw) <= AT_MW * max(1.0, job.power_mw),
        f"a gang runs at its whole power {job.power_mw} MW or not at all, was {power_mw} ({job.name})",
    )
    return _run(job, state, step_s)


def lock_s(job: Job, state: JobState) -> int:
    """How long a running gang must be left running yet, seconds."""
    is_locked = state.is_running and not job.is_malleable and state.done_mwh < job.work_mwh - AT_MWH
    return max(job.min_run_s - state.since_s, 0) if is_locked else 0


def refusals(jobs: Iterable[Job], clusters: Iterable[JobCluster]) -> tuple[tuple[str, str], ...]:
    """Jobs that no cluster can ever run: (name, what is wrong and what to do), in the order given."""
    by_name = {cluster.name: cluster for cluster in clusters}
    found = []
    for job in jobs:
        cluster = by_name.get(job.cluster)
        if cluster is None:
            found.append((job.name, f"no cluster {job.cluster}; choose among {', '.join(by_name) or 'none'}"))
        elif not job.is_malleable and job.nodes > cluster.nodes:
            found.append(
                (job.name, f"its gang of {job.nodes} nodes exceeds cluster {cluster.name} of {cluster.nodes}: a gang "
                 "runs on all of its nodes at once, so make it smaller or the cluster larger")
            )  # fmt: skip
        elif not job.is_malleable and job.power_mw > cluster.it_max_mw + AT_MW:
            found.append(
                (job.name, f"its {job.power_mw} MW exceed cluster {cluster.name} of {cluster.it_max_mw} MW: lower the "
                 "power or enlarge the cluster")
            )  # fmt: skip
    return tuple(found)


def _flow(job: Job, state: JobState, power_mw: float, step_s: int) -> JobState:
    """A malleable job takes what it is given."""
    work = min(power_mw * step_s / HOUR_S, job.work_mwh - state.done_mwh)
    is_running = power_mw > AT_MW
    return msgspec.structs.replace(
        state,
        done_mwh=state.done_mwh + work,
        saved_mwh=state.done_mwh + work,
        drawn_mwh=state.drawn_mwh + work,
        is_running=is_running,
        since_s=step_s + (state.since_s if is_running == state.is_running else 0),
    )


def _pause(job: Job, state: JobState, step_s: int) -> JobState:
    """A gang that stands: what was not saved is lost."""
    has_run = state.drawn_mwh > 0.0
    idle_mwh = job.idle_ratio * job.power_mw * step_s / HOUR_S if has_run else 0.0
    return msgspec.structs.replace(
        state,
        done_mwh=state.saved_mwh,
        drawn_mwh=state.drawn_mwh + idle_mwh,
        is_running=False,
        since_s=step_s + (0 if state.is_running else state.since_s),
        cycle_s=0.0,
        restart_left_s=0.0,
    )


def _run(job: Job, state: JobState, step_s: int) -> JobState:
    """A gang that runs: restart first if it was stopped, then cycles of work and checkpoint."""
    is_restart = not state.is_running and state.drawn_mwh > 0.0
    restart_left = float(job.restart_s) if is_restart else state.restart_left_s
    restarting = min(restart_left, float(step_s))
    drawn = job.restart_mwh * restarting / job.restart_s if job.restart_s else job.restart_mwh * is_restart
    running = step_s - restarting
    interval = float(job.checkpoint_interval_s)
    cycle = interval + job.checkpoint_s
    before, after = state.cycle_s, state.cycle_s + running
    whole = int(after // cycle) if interval > 0.0 else 0
    worked = (
        running if interval <= 0.0 else whole * interval + min(after - whole * cycle, interval) - min(before, interval)
    )
    done = state.done_mwh + job.power_mw * worked / HOUR_S
    energy = job.power_mw * running / HOUR_S
    saved = state.saved_mwh
    if whole:
        saved += job.power_mw * whole * interval / HOUR_S
    if interval <= 0.0:
        saved = done
    if done >= job.work_mwh - AT_MWH:
        energy -= min(done - job.work_mwh, energy)
        done = saved = job.work_mwh
    return JobState(
        done_mwh=done,
        saved_mwh=min(saved, done),
        drawn_mwh=state.drawn_mwh + drawn + energy,
        is_running=True,
        since_s=step_s + (state.since_s if state.is_running else 0),
        cycle_s=after - whole * cycle if interval > 0.0 else 0.0,
        restart_left_s=restart_left - restarting,
        restarts=state.restarts + is_restart,
    )
