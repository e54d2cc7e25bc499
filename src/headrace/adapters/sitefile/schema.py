"""The site file as a model: every table, in the order an operator would write them."""

from typing import Annotated, Any, Final

from pydantic import Discriminator, Field, Strict, Tag

from headrace.adapters.feeds.declaration import FeedDeclaration
from headrace.adapters.sitefile.fields import Count, Magnitude, PositiveMagnitude, Section
from headrace.adapters.sitefile.moment import Moment
from headrace.adapters.sitefile.schema_contracts import CashSection, ContractSection
from headrace.adapters.sitefile.schema_energy import (
    BatterySection,
    GeneratorSection,
    MarketSection,
    PpaSection,
    TariffSection,
)
from headrace.adapters.sitefile.schema_jobs import JobClusterSection, JobListSection
from headrace.adapters.sitefile.schema_loads import (
    ClusterSection,
    CoolingSection,
    HeatSection,
    InferenceSection,
    MinerSection,
)
from headrace.adapters.sitefile.schema_owners import AllowanceSection, HostingSection, TenantSection
from headrace.adapters.sitefile.schema_plant import (
    ConnectionSection,
    FeederSection,
    OutageSection,
    TransformerSection,
    UpsSection,
)
from headrace.adapters.sitefile.schema_reserves import ReserveSection
from headrace.adapters.sitefile.schema_tariffs import ChargeSection
from headrace.core import Currency

__all__ = ["BY_NAME", "DECLARED", "ROLES", "DeskSection", "FxSection", "ReplaySection", "SiteFile", "SiteSection"]

ROLES: Final = (
    "real_time",
    "day_ahead",
    "temperature",
    "bitcoin_price",
    "difficulty",
    "block_reward",
    "carbon",
    "hub_real_time",
    "hub_day_ahead",
)
"""Feed roles every site may declare; generators, PPAs and inference services name further ones.

The hub's prices are for the labelled sensitivity only: what the same site would have earned at its zone's trading hub.
"""

BY_NAME: Final = "catalogue name"
DECLARED: Final = "declaration"
"""The two ways to declare a feed, as they appear in pydantic's error locations."""


class SiteSection(Section):
    """The site as a whole."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """Name, for people."""
    currency: Currency
    """Currency of every money field of this file and of the books."""
    time_zone: str
    """IANA zone of the site's months, days and hours, e.g. "America/Chicago"."""
    control_step_min: Count = 5
    """Length of a control interval, minutes."""


class DeskSection(Section):
    """How a competent desk would run this site by hand: the baseline of every headline."""

    hold_min: Magnitude = 30.0
    """Least time a load stays off, or on, once switched, minutes; half an hour is a usual restart guard for miners."""
    peak_hours_local: tuple[Annotated[int, Strict(), Field(ge=0, le=23)], ...] = ()
    """Local hours (0..23) in which it stops interruptible load to keep the monthly peak down."""


class FxSection(Section):
    """Exchange rate, constant over a replay."""

    usd_rate_ratio: PositiveMagnitude
    """Units of the site's currency per US dollar."""


class ReplaySection(Section):
    """Period replayed unless the command line names another."""

    start: Moment
    """First instant: a date (midnight in the site's zone) or a time with its offset."""
    end: Moment
    """First instant after it, likewise."""


def _feed_kind(value: Any) -> str:  # noqa: ANN401  whatever the file holds
    return DECLARED if isinstance(value, dict | FeedDeclaration) else BY_NAME


FeedEntry = Annotated[
    Annotated[str, Tag(BY_NAME)] | Annotated[FeedDeclaration, Tag(DECLARED)],
    Discriminator(_feed_kind),
]


class SiteFile(Section):
    """A Headrace site file."""

    site: SiteSection
    """The site as a whole."""
    connection: ConnectionSection
    """The point of connection."""
    market: MarketSection
    """Where the site settles."""
    tariff: TariffSection
    """What is paid on top of the market price."""
    charge: tuple[ChargeSection, ...] = ()
    """Dated parts of the tariff."""
    battery: BatterySection | None = None
    """One battery, or none."""
    generator: tuple[GeneratorSection, ...] = ()
    """Generation on site."""
    transformer: tuple[TransformerSection, ...] = ()
    """Transformers between grid and bus."""
    feeder: tuple[FeederSection, ...] = ()
    """Feeders from the bus to the loads."""
    outage: tuple[OutageSection, ...] = ()
    """Outages of plant."""
    ups: tuple[UpsSection, ...] = ()
    """Uninterruptible power supplies."""
    ppa: tuple[PpaSection, ...] = ()
    """Power purchase agreements."""
    contract: tuple[ContractSection, ...] = ()
    """Supply contracts."""
    cash: CashSection | None = None
    """Cash, terms of payment and security."""
    cooling: tuple[CoolingSection, ...] = ()
    """Cooling plants."""
    miner: tuple[MinerSection, ...] = ()
    """Miners, one table per model."""
    cluster: tuple[ClusterSection, ...] = ()
    """GPU clusters with their leases."""
    inference: tuple[InferenceSection, ...] = ()
    """Inference services."""
    heat: tuple[HeatSection, ...] = ()
    """Heat sales."""
    hosting: tuple[HostingSection, ...] = ()
    """Miners run for other owners."""
    tenant: tuple[TenantSection, ...] = ()
    """Powered-shell tenants."""
    allowance: tuple[AllowanceSection, ...] = ()
    """How much of a curtailable lease may be taken away."""
    reserve: tuple[ReserveSection, ...] = ()
    """Reserves the site sells."""
    job_cluster: tuple[JobClusterSection, ...] = ()
    """Clusters that run batch jobs."""
    job_list: tuple[JobListSection, ...] = ()
    """Batch jobs submitted to them."""
    desk: DeskSection = DeskSection()
    """The desk that is the baseline."""
    fx: FxSection | None = None
    """Exchange rate; only for a site that is not in USD."""
    replay: ReplaySection | None = None
    """Period replayed by default."""
    feeds: dict[str, FeedEntry]
    """Role to catalogue name ("ercot.real_time.lz_west") or to an inline declaration."""
