"""Tables of the site file that say what a megawatt can be turned into."""

from typing import Annotated

from pydantic import Field, Strict

from headrace.adapters.sitefile.fields import (
    Count,
    Fraction,
    Magnitude,
    Money,
    Name,
    PositiveFraction,
    PositiveMagnitude,
    Pue,
    Section,
    Temperature,
)
from headrace.adapters.sitefile.moment import Moment
from headrace.loads import Firmness

__all__ = ["ClusterSection", "CoolingSection", "HeatSection", "InferenceSection", "LeaseSection", "MinerSection"]


class CoolingSection(Section):
    """A cooling plant."""

    name: Name
    """Name that loads refer to."""
    pue: Annotated[tuple[tuple[Temperature, Pue], ...], Field(min_length=1)]
    """Points [outdoor temperature in degrees C, PUE], temperature rising; linear between them, flat outside."""

    @property
    def worst_pue_ratio(self) -> float:
        """Highest PUE of the plant."""
        return max(pue_ratio for _, pue_ratio in self.pue)


class MinerSection(Section):
    """Bitcoin miners of one model."""

    name: Name
    """Name unique at the site."""
    model: str | None = None
    """Model of the built-in catalogue ("Antminer S21"); or give `curve`."""
    curve: Annotated[tuple[tuple[PositiveMagnitude, PositiveMagnitude], ...], Field(min_length=1)] | None = None
    """Operating points [power at the wall in W, hash rate in TH/s] of one machine; their concave hull is used."""
    machines: Count
    """Machines of this model."""
    pool_fee_ratio: Fraction
    """Pool's share of revenue."""
    cooling: str
    """Name of its cooling."""
    start: Moment | None = None
    """First instant in service; leave out if it was always there."""
    end: Moment | None = None
    """First instant after its service; leave out if it stays."""


class LeaseSection(Section):
    """GPUs of the cluster let to one tenant."""

    name: Name
    """Name unique at the site."""
    firmness: Firmness
    """firm (never cut for price) or curtailable (may be paused, against the credit)."""
    gpus: Count
    """GPUs let."""
    price_ccy_per_gpu_h: Magnitude
    """Rent per delivered GPU-hour."""
    credit_ccy_per_gpu_h: Magnitude
    """Service credit per GPU-hour not delivered, paid on top of losing the rent."""
    start: Moment | None = None
    """First instant of the lease; leave out if it was always there."""
    end: Moment | None = None
    """First instant after it; leave out if it stays."""


class ClusterSection(Section):
    """GPUs of one kind, let in leases; GPUs that are not let are off."""

    name: Name
    """Name unique at the site."""
    gpus: Count
    """GPUs installed; the leases may not exceed them."""
    kw_per_gpu: PositiveMagnitude
    """IT power per GPU at work, its share of server and network included, kW."""
    idle_ratio: Fraction
    """Share of that power a paused GPU still draws."""
    cooling: str
    """Name of its cooling."""
    lease: Annotated[tuple[LeaseSection, ...], Field(min_length=1)]
    """Its leases, [[cluster.lease]]."""


class InferenceSection(Section):
    """GPUs that serve requests nobody knows ahead."""

    name: Name
    """Name unique at the site."""
    gpus: Count
    """GPUs installed."""
    kw_per_gpu: PositiveMagnitude
    """IT power per GPU at full work, its share of server and network included, kW."""
    idle_ratio: Annotated[Fraction, Field(lt=1.0)]
    """Share of that power drawn with no request at all."""
    wh_per_request: PositiveMagnitude
    """IT energy above idle that one request takes, Wh."""
    value_ccy_per_request: Magnitude
    """Revenue of one served request."""
    demand: str
    """Role in [feeds] of its demand, requests per second."""
    demand_scale_ratio: PositiveMagnitude = 1.0
    """Multiplies the recorded demand to this site's size."""
    cooling: str
    """Name of its cooling."""


class HeatSection(Section):
    """Heat sold from one load."""

    load: str
    """Name of the lease, inference service or miner whose heat is recovered."""
    recovered_ratio: PositiveFraction
    """Share of the load's IT energy that arrives as saleable heat."""
    heat_max_mw: PositiveMagnitude
    """Most heat the buyer takes, MW thermal."""
    price_ccy_per_mwh: Money
    """Price per MWh of heat."""
    months: Annotated[tuple[Annotated[int, Strict(), Field(ge=1, le=12)], ...], Field(min_length=1)]
    """Local calendar months in which it is taken, 1..12."""
