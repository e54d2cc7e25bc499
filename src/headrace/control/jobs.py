"""Batch jobs in the fast loop: a job's machines run whole or stand, so it gives way whole.

Jobs that run are load that must be served when the bus is balanced: mining yields to them, whatever it is worth at the
moment, and so does every use worth less than their bid. Where the connection would otherwise cut AI worth more than a
job bids, or firm load, the job that bids least is stopped, and the bus is balanced again. A deviation that mining can
cover thus never stops a gang, which would cost it a restart.
"""

from collections.abc import Sequence

import msgspec

from headrace.control.govern import SLACK_MW, Bus, Flows, govern
from headrace.control.setpoints import Setpoints

__all__ = ["JobLoad", "govern_with_jobs"]


class JobLoad(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one job means to the bus in one interval."""

    job: int
    """Position in the run's list of jobs."""
    run_mw: float
    """Power at the bus if it runs."""
    stand_mw: float
    """Power at the bus if it stands."""
    bid_ccy_per_mwh: float
    """What it would pay for a MWh at the bus."""


def govern_with_jobs(setpoints: Setpoints, bus: Bus, loads: Sequence[JobLoad]) -> tuple[Flows, Bus, frozenset[int]]:
    """Balance a bus with jobs.

    Parameters
    ----------
    setpoints, bus
        This interval's limits, and what really comes beside the jobs.
    loads
        Jobs ordered to run.

    Returns
    -------
    tuple
        What flowed; the bus with the jobs' draw in its firm load; the jobs that stand although they were to run.
    """
    stands: list[int] = []
    by_bid = sorted(loads, key=lambda load: (load.bid_ccy_per_mwh, load.job))
    while True:
        draw_mw = sum(load.stand_mw if load.job in stands else load.run_mw for load in loads)
        with_jobs = msgspec.structs.replace(bus, firm_mw=bus.firm_mw + draw_mw)
        flows = govern(setpoints, with_jobs)
        lowest = next((load for load in by_bid if load.job not in stands), None)
        if lowest is None or not _is_in_the_way(lowest, setpoints, with_jobs, flows):
            return flows, with_jobs, frozenset(stands)
        stands.append(lowest.job)


def _is_in_the_way(load: JobLoad, setpoints: Setpoints, bus: Bus, flows: Flows) -> bool:
    """Does firm load go without, or AI that is worth more, at the connection's limit?"""
    if flows.shed_mw > SLACK_MW:
        return True
    if flows.import_mw < setpoints.import_max_mw - SLACK_MW:
        return False
    return any(
        not mines
        and worth > load.bid_ccy_per_mwh
        and got_mw < (width_mw if limit is None else min(width_mw, limit)) - SLACK_MW
        for mines, worth, got_mw, width_mw, limit in zip(
            bus.use_is_mining,
            setpoints.use_worth_ccy_per_mwh,
            flows.use_mw,
            bus.use_width_mw,
            setpoints.use_limit_mw,
            strict=True,
        )
    )
