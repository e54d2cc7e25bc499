"""What a MW can be turned into: miner classes, AI leases, inference services, their cooling and the heat they sell.

IT power is what the machines draw; facility power is IT power times the PUE of the load's cooling at the outdoor
temperature. Values are per MWh of IT energy here; dispatch divides by PUE to compare them at the bus.
"""

from enum import StrEnum

import msgspec

__all__ = ["AiLease", "Cooling", "Firmness", "HeatOfftake", "InferenceService", "MinerClass"]


class Firmness(StrEnum):
    """May the site cut this lease?"""

    FIRM = "firm"
    """Never for price; only when people, equipment or the grid's mandatory orders leave no other way."""
    CURTAILABLE = "curtailable"
    """Yes, within its terms, and the tenant is paid a credit for what is not delivered."""


class Cooling(msgspec.Struct, frozen=True, kw_only=True):
    """PUE as a piecewise-linear function of outdoor temperature, flat outside its points."""

    name: str
    """Name unique at the site."""
    temp_c: tuple[float, ...]
    """Outdoor temperatures, strictly rising, degrees C."""
    pue_ratio: tuple[float, ...]
    """PUE at each temperature, >= 1."""


class MinerClass(msgspec.Struct, frozen=True, kw_only=True):
    """Machines of one model, as one concave hash-of-power curve for the whole class.

    A single machine has a floor (it cannot run at 5 % power), but a class of hundreds reaches every point of the
    concave hull by running some machines at one vertex and the rest at the next, so the hull is exact for the class.
    """

    name: str
    """Name unique at the site."""
    power_mw: tuple[float, ...]
    """IT power at the curve's vertices, from 0, strictly rising."""
    hashrate_phs: tuple[float, ...]
    """Hash rate at the vertices, from 0, PH/s; slopes strictly falling."""
    pool_fee_ratio: float
    """Pool's share of revenue, 0..1."""
    cooling: str
    """Name of its cooling."""
    start_s: int | None = None
    """First instant in service, epoch seconds; None if it was always there."""
    end_s: int | None = None
    """First instant after its service, epoch seconds; None if it stays."""


class AiLease(msgspec.Struct, frozen=True, kw_only=True):
    """GPUs let to a tenant."""

    name: str
    """Name unique at the site."""
    firmness: Firmness
    """Firm or curtailable."""
    gpus: int
    """GPUs let."""
    it_mw: float
    """IT power at work, MW."""
    idle_ratio: float
    """Share of that power the paused GPUs still draw, 0..1."""
    price_ccy_per_gpu_h: float
    """Rent per delivered GPU-hour."""
    credit_ccy_per_gpu_h: float
    """Service credit per GPU-hour not delivered, paid on top of losing the rent."""
    cooling: str
    """Name of its cooling."""
    start_s: int | None = None
    """First instant of the lease, epoch seconds; None if it was always there."""
    end_s: int | None = None
    """First instant after it, epoch seconds; None if it stays."""


class InferenceService(msgspec.Struct, frozen=True, kw_only=True):
    """Always-on service whose demand is a time series nobody knows ahead."""

    name: str
    """Name unique at the site."""
    it_max_mw: float
    """IT power of the installed GPUs at full work, MW."""
    idle_ratio: float
    """Share of that power drawn with no request at all, 0..1."""
    wh_per_request: float
    """IT energy above idle that one request takes, Wh."""
    value_ccy_per_request: float
    """Revenue of one served request."""
    demand: str
    """Feed role of its demand, requests per second."""
    demand_scale_ratio: float
    """Multiplies the recorded demand to this site's size, > 0."""
    cooling: str
    """Name of its cooling."""


class HeatOfftake(msgspec.Struct, frozen=True, kw_only=True):
    """Heat sold from one load."""

    load: str
    """Name of the AI lease, inference service or miner class whose heat is recovered."""
    recovered_ratio: float
    """Share of the load's IT energy that arrives as saleable heat, 0..1."""
    heat_max_mw: float
    """Most heat the buyer takes, MW thermal."""
    price_ccy_per_mwh: float
    """Price per MWh of heat."""
    months: tuple[int, ...]
    """Local calendar months in which it is taken, 1..12."""
