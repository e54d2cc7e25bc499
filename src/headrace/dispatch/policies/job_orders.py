"""What a policy knows of batch jobs, and what it asks to be done with them."""

import msgspec

from headrace.loads.jobs import Job, JobState

__all__ = ["JobOrder", "JobsAhead", "JobsNow"]


class JobsNow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Jobs submitted by now that are not done and can still earn something."""

    at: tuple[int, ...]
    """Position of each in the run's list, which is in the order of release."""
    jobs: tuple[Job, ...]
    states: tuple[JobState, ...]


class JobOrder(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One job that is to run; a job without an order stands."""

    job: int
    """Position in the run's list of jobs."""
    power_mw: float
    """IT power: a gang's own, or what a malleable job is given."""
    bid_ccy_per_mwh: float
    """What it would pay for a MWh at the bus: where it stands among the uses when power runs short."""


class JobsAhead(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """The jobs' plan that is in force until the next one is made."""

    orders: tuple[JobOrder, ...] = ()
    """Who runs."""
    starts_s: tuple[int, ...] = ()
    """Start of each step of the plan, epoch seconds; empty before the first."""
    draw_mw: tuple[float, ...] = ()
    """What all jobs together draw at the bus in each step."""
    gap_ratio: float = 0.0
    """What whole gangs lose in this plan against its fluid optimum, at most, per that optimum; 0 without gangs."""
