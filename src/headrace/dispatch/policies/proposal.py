"""What a policy sees and what it asks for in one control interval."""

from typing import Protocol

import msgspec

from headrace.dispatch.allowance import StockState
from headrace.dispatch.asked import Asked
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.outlook import Outlook
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies.job_orders import JobOrder, JobsAhead, JobsNow
from headrace.dispatch.reserve import ReserveBook
from headrace.dispatch.uses import SiteModel
from headrace.energy.plant import UnitState

__all__ = ["Memory", "Policy", "Proposal", "Sight", "asked_by"]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy carries from one interval to the next; journalled whenever it changes."""

    is_on: tuple[bool, ...] = ()
    """Is each block switched on?"""
    switched_s: tuple[int, ...] = ()
    """When each block was last switched, epoch seconds."""
    path_start_s: int = 0
    """Start of the stored-energy path below, epoch seconds."""
    path_mwh: tuple[float, ...] = ()
    """Planned stored energy at the end of each control step from `path_start_s`, MWh."""
    reserve: ReserveBook = ReserveBook()
    """Reserve offered and sold."""
    jobs: JobsAhead = JobsAhead()
    """The plan of batch jobs in force."""


class Sight(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What a policy may see in one interval."""

    now_s: int
    """Start of the control interval, epoch seconds."""
    end_s: int
    """End of the period being run, epoch seconds; no plan reaches beyond it."""
    inputs: Inputs
    """Series; a policy reads them only as of `now_s`."""
    stored_mwh: float
    """Energy in store, metered."""
    peak_mw: float
    """Highest import of the local calendar month so far, MW."""
    month: int
    """Local calendar month, 1..12."""
    hour_local: int
    """Local hour, 0..23."""
    day_end_s: int
    """End of the local day, epoch seconds."""
    month_end_s: int
    """End of the local calendar month, epoch seconds."""
    memory: Memory
    """What this policy kept from the interval before."""
    stocks: tuple[StockState, ...] = ()
    """What is used of each allowance of the site."""
    units: tuple[UnitState, ...] = ()
    """What each unit of the plant is doing."""
    jobs: JobsNow | None = None
    """Batch jobs submitted by now; None at a site that runs none."""


def asked_by(sight: Sight, outlook: Outlook, *, by_hand: bool = False) -> Asked:
    """The question for the terms in force on the steps of an outlook."""
    return Asked(
        now_s=sight.now_s,
        inputs=sight.inputs,
        outlook=outlook,
        memory=sight.memory,
        month_end_s=sight.month_end_s,
        stocks=sight.stocks,
        units=sight.units,
        by_hand=by_hand,
    )


class Proposal(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What a policy asks for in one interval; control narrows it."""

    use_limit_mw: tuple[float | None, ...]
    """Most power at the bus each block may take; None for all it can get."""
    use_worth_ccy_per_mwh: tuple[float, ...]
    """Worth of a MWh at the bus to each block, as believed: the order in which the site gives way."""
    may_fill: tuple[bool, ...]
    """May the block rise to its full width on power that would otherwise be exported or turned down?"""
    source_limit_mw: tuple[float | None, ...]
    """Most output asked of each generator; None for all that is available."""
    charge_mw: float
    """Battery power drawn at the bus."""
    discharge_mw: float
    """Battery power fed at the bus."""
    import_limit_mw: float
    """Import the plan stays under: the connection's limit, or the month's peak it accepts."""
    price_seen_ccy_per_mwh: float
    """Market price the policy believed for this interval."""
    bid_ccy_per_mwh: float | None
    """Worth of one more MWh at the bus; None where the policy prices nothing or nothing could take it."""
    ask_ccy_per_mwh: float | None
    """Cost of giving one up; None where the policy prices nothing or nothing could give."""
    problem_id: str
    """Digest of the problem the policy was asked."""
    memory: Memory | None = None
    """What to keep from now on; None keeps what there was."""
    unit_is_on: tuple[bool, ...] = ()
    """Which units of the plant are to burn fuel; empty for none."""
    jobs: tuple[JobOrder, ...] = ()
    """Batch jobs that are to run."""


class Policy(Protocol):
    """A rule that asks for setpoints."""

    name: str
    """Its name in reports and journals: always-on, desk, rolling, stochastic, bound."""

    def propose(self, model: SiteModel, sight: Sight) -> Proposal | Infeasible:
        """Ask for this interval's setpoints, from only what was known at `sight.now_s`."""
        ...
