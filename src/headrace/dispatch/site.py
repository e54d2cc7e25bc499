"""The site as dispatch sees it: everything that bounds or values a megawatt."""

import msgspec

from headrace.core import Currency
from headrace.energy import Battery, CashTerms, Connection, Contract, Generator, Market, Ppa, Tariff
from headrace.energy.plant import Plant
from headrace.energy.reserves import Reserve
from headrace.energy.tariffs import Charge
from headrace.loads import (
    AiLease,
    Allowance,
    Cooling,
    HeatOfftake,
    Hosting,
    InferenceService,
    MinerClass,
    ShellTenant,
)
from headrace.loads.jobs import JobCluster

__all__ = ["DeskRules", "Site"]


class DeskRules(msgspec.Struct, frozen=True, kw_only=True):
    """How the competent desk, the baseline of every headline, runs this site by hand."""

    hold_s: int
    """Least time a load stays off, or on, once switched, seconds."""
    peak_hours_local: tuple[int, ...]
    """Local hours (0..23) in which it stops interruptible load to keep the monthly peak down; empty for none."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One site, as its file declares it, checked at the door."""

    name: str
    """Name, for people."""
    currency: Currency
    """Currency of every `_ccy` field and of the books."""
    time_zone: str
    """IANA zone for local months, days and hours ("America/Chicago")."""
    control_step_s: int
    """Length of a control interval, seconds (300)."""
    market: Market
    connection: Connection
    tariff: Tariff
    battery: Battery | None
    generators: tuple[Generator, ...]
    ppas: tuple[Ppa, ...]
    coolings: tuple[Cooling, ...]
    miners: tuple[MinerClass, ...]
    leases: tuple[AiLease, ...]
    inference: tuple[InferenceService, ...]
    heat: tuple[HeatOfftake, ...]
    desk: DeskRules
    usd_rate_ratio: float
    """Units of the site's currency per US dollar (1 for USD), constant over a replay, as declared in the file."""
    hosting: tuple[Hosting, ...] = ()
    """Contracts under which the site runs other owners' miners."""
    tenants: tuple[ShellTenant, ...] = ()
    """Powered-shell tenants."""
    allowances: tuple[Allowance, ...] = ()
    """How much of a curtailable lease may be taken away."""
    plant: Plant | None = None
    reserves: tuple[Reserve, ...] = ()
    contracts: tuple[Contract, ...] = ()
    """Supply contracts, in the order of the file."""
    cash: CashTerms | None = None
    """Terms of payment; None where the site file says nothing of cash."""
    charges: tuple[Charge, ...] = ()
    """Dated parts of the tariff."""
    job_clusters: tuple[JobCluster, ...] = ()
    """Accelerators that run batch jobs."""
