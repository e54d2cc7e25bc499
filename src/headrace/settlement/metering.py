"""What the meters say: integers per settlement interval, from which everything that is owed follows.

Energy is in watt-hours, work in whole units: GPU-seconds for leases, requests for inference, petahashes (1e15
hashes) for mining. Rooms before this one decide in floats; from here on nothing is a float.
"""

from functools import reduce
from typing import Self

import msgspec

from headrace.loads.jobs import JobState
from headrace.settlement.charges import NO_CHARGES, ChargeFacts
from headrace.settlement.jobs import JobMeter, add_up_jobs
from headrace.settlement.owners import HostedMeter, ShellMeter
from headrace.settlement.plant import UnitMeter
from headrace.settlement.position import PositionFacts

__all__ = ["ControlReading", "JobReading", "MeteredInterval", "SettlementPrices", "add_up"]


class MeteredInterval(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One settlement interval's meters, summed over its control intervals; tuples follow the site's order."""

    interval_start_s: int
    """Start, epoch seconds."""
    duration_s: int
    """Length, seconds (the settlement step, or less at a replay's edge)."""
    import_wh: int
    """Energy drawn from the grid."""
    export_wh: int
    """Energy fed to the grid."""
    charge_wh: int
    """Energy the battery drew at the bus."""
    discharge_wh: int
    """Energy the battery fed at the bus."""
    generated_wh: tuple[int, ...]
    """Energy of each on-site generator."""
    it_wh: int
    """Energy of all IT equipment."""
    lease_delivered_gpu_s: tuple[int, ...]
    """GPU-seconds delivered to each lease."""
    lease_short_gpu_s: tuple[int, ...]
    """GPU-seconds each lease was let and did not get."""
    requests_served: tuple[int, ...]
    """Requests served by each inference service."""
    requests_asked: tuple[int, ...]
    """Requests that came to each inference service."""
    work_ph: tuple[int, ...]
    """Petahashes done by each miner class."""
    heat_wh: tuple[int, ...]
    """Heat sold through each off-take."""
    ppa_wh: tuple[int, ...]
    """Energy generated for the site under each power purchase agreement."""
    import_peak_w: int
    """Highest control-interval mean import inside the interval, watts."""
    hosted: tuple[HostedMeter, ...] = ()
    """Meters of each hosting contract."""
    shell: tuple[ShellMeter, ...] = ()
    """Meters of each powered-shell tenant."""
    units: tuple[UnitMeter, ...] = ()
    """Meters of each unit of the plant."""
    jobs: tuple[JobMeter, ...] = ()
    """Meters of each batch job that has started."""


class SettlementPrices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices and network facts that one settlement interval is settled at."""

    energy_micro_per_mwh: int
    """Market price at the settlement point, micro-units of the site's currency per MWh; may be negative."""
    is_estimated: bool
    """The market's price is missing and this is the declared substitute; the amounts are marked so."""
    block_reward_sats: int
    """Subsidy plus mean fees per block, satoshis."""
    difficulty: int
    """Network difficulty; expected hashes per block are difficulty × 2³²."""
    btc_micro: int
    """Fair value of one bitcoin, micro-units of the site's currency."""
    position: PositionFacts | None = None
    """Volumes and prices of the site's contracts; None without any."""
    fuel_micro_per_gj: tuple[int, ...] = ()
    """Price of each unit's fuel, micro-units per GJ."""
    charges: ChargeFacts = NO_CHARGES
    """Dated charges that the interval bears."""


class JobReading(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Where a batch job stands at the end of an interval, as its scheduler reports it; see `loads.jobs.JobState`."""

    job: int
    """Position in the run's list of jobs."""
    done_mwh: float
    """Work done, MWh."""
    saved_mwh: float
    """Of it, what a stop would leave, MWh."""
    drawn_mwh: float
    """IT energy taken so far, MWh."""
    is_running: bool
    """Did it run in this interval?"""
    since_s: int
    """How long it has been running, or stopped, seconds."""
    cycle_s: float
    """Time since the last checkpoint was complete, seconds."""
    restart_left_s: float
    """Of a restart in progress, seconds."""
    restarts: int
    """Starts after a stop."""

    @classmethod
    def of(cls, job: int, state: JobState) -> Self:
        """Reading of a state."""
        return cls(job=job, **msgspec.structs.asdict(state))

    def state(self) -> JobState:
        """The state it was read from, to the last bit."""
        return JobState(**{name: getattr(self, name) for name in JobState.__struct_fields__})


class ControlReading(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One control interval as the site's own meters saw it: what settles, and what explains it."""

    meters: MeteredInterval
    """What settles."""
    firm_wh: int
    """Energy of everything that must run, with its cooling."""
    use_wh: tuple[int, ...]
    """Energy each merit-order block took, at the bus."""
    use_width_wh: tuple[int, ...]
    """Energy each could have taken."""
    available_wh: tuple[int, ...]
    """Energy each generator could have given."""
    stored_mwh: float
    """Energy in store at the interval's end, as the battery reports it."""
    yielded_wh: int
    """Mining that its limit allowed and the connection did not: AI came first."""
    absorbed_wh: int
    """Mining that ran on power AI left free of its installed capacity."""
    shed_wh: int
    """Firm load not served."""
    spilled_wh: int
    """Output that could be neither used, exported nor turned down."""
    short_s: tuple[int, ...] = ()
    """Seconds of full stop that each allowance of the site was charged with."""
    jobs_wh: int = 0
    """Energy of batch jobs at the bus."""
    jobs: tuple[JobReading, ...] = ()
    """Where each batch job stands that has started, at the interval's end."""


def add_up(parts: list[MeteredInterval]) -> MeteredInterval:
    """Sum consecutive control intervals to one settlement interval."""

    def total(name: str) -> int:
        return sum(getattr(part, name) for part in parts)

    def totals(name: str) -> tuple[int, ...]:
        return tuple(map(sum, zip(*(getattr(part, name) for part in parts), strict=True)))

    return MeteredInterval(
        interval_start_s=parts[0].interval_start_s,
        duration_s=total("duration_s"),
        import_wh=total("import_wh"),
        export_wh=total("export_wh"),
        charge_wh=total("charge_wh"),
        discharge_wh=total("discharge_wh"),
        generated_wh=totals("generated_wh"),
        it_wh=total("it_wh"),
        lease_delivered_gpu_s=totals("lease_delivered_gpu_s"),
        lease_short_gpu_s=totals("lease_short_gpu_s"),
        requests_served=totals("requests_served"),
        requests_asked=totals("requests_asked"),
        work_ph=totals("work_ph"),
        heat_wh=totals("heat_wh"),
        ppa_wh=totals("ppa_wh"),
        import_peak_w=max(part.import_peak_w for part in parts),
        hosted=tuple(reduce(HostedMeter.plus, each) for each in zip(*(part.hosted for part in parts), strict=True)),
        units=tuple(reduce(UnitMeter.plus, each) for each in zip(*(part.units for part in parts), strict=True)),
        shell=tuple(reduce(ShellMeter.plus, each) for each in zip(*(part.shell for part in parts), strict=True)),
        jobs=add_up_jobs(part.jobs for part in parts),
    )
