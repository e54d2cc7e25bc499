"""Tables of the site file for electrical plant: connection, units that burn fuel, transformers, feeders, outages."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from headrace.adapters.sitefile.fields import (
    Magnitude,
    Name,
    PositiveFraction,
    PositiveMagnitude,
    Section,
)
from headrace.adapters.sitefile.moment import Moment
from headrace.energy.plant import active_limit_mw

__all__ = [
    "ConnectionSection",
    "CurtailmentSection",
    "FeederSection",
    "NonFirmSection",
    "OutageSection",
    "TransformerSection",
    "UnitSection",
    "UpsSection",
]

LARGEST: Final = 1e6
"""No connection is larger, MVA."""

PowerFactor = Annotated[PositiveFraction, Field(ge=0.1)]
"""Active over apparent power, 0.1 to 1."""


class CurtailmentSection(Section):
    """One order of the network to give up non-firm import."""

    start: Moment
    """First instant: a date (midnight in the site's zone) or a time with its offset."""
    end: Moment
    """First instant after it, likewise."""
    known: Moment | None = None
    """When it was announced; left out: notice_min before its start."""
    granted_mw: Magnitude = 0.0
    """Non-firm power still granted, MW."""


class NonFirmSection(Section):
    """The part of the connection that the network may take back."""

    firm_mw: Magnitude
    """Import that stays through a curtailment, MW."""
    hours_per_year: Magnitude | None = None
    """Most hours of curtailment a year that the agreement foresees; the report compares."""
    notice_min: Magnitude = 0.0
    """How long before its start an order of the list is known, minutes."""
    series: str | None = None
    """Role in [feeds] of the share of non-firm power granted (0..1)."""
    order: tuple[CurtailmentSection, ...] = ()
    """Curtailments, [[connection.non_firm.order]]."""


class ConnectionSection(Section):
    """The point of connection."""

    import_max_mw: Magnitude
    """Most power the site may draw from the grid, MW."""
    export_max_mw: Magnitude = 0.0
    """Most power it may feed back, MW."""
    rating_mva: PositiveMagnitude | None = None
    """Apparent power of the connection, MVA; import_max_mw may then be left out."""
    power_factor_ratio: PowerFactor = 1.0
    """Lowest power factor of the loads: of the connection and the transformers."""
    correction_mvar: Magnitude = 0.0
    """Reactive power that capacitors or inverters make on site, Mvar."""
    security: Literal["n-1", "n"] = "n-1"
    """Of the transformers: n-1 keeps import below what they carry without the largest, n below what they all carry."""
    non_firm: NonFirmSection | None = None
    """The part of import_max_mw that the network may take back."""

    @model_validator(mode="before")
    @classmethod
    def _limit_from_rating(cls, data: Any) -> Any:  # noqa: ANN401  whatever the file holds
        if not isinstance(data, dict) or "import_max_mw" in data:
            return data
        rating, factor = data.get("rating_mva"), data.get("power_factor_ratio", 1.0)
        correction = data.get("correction_mvar", 0.0)
        match rating, factor, correction:
            case (float() | int(), float() | int(), float() | int()) if (
                0.0 < rating < LARGEST and 0.1 <= factor <= 1.0 and 0.0 <= correction < LARGEST
            ):
                return data | {"import_max_mw": float(active_limit_mw(rating, factor, correction))}
        return data


class UnitSection(Section):
    """How a gas or diesel generator runs."""

    minimum_mw: Magnitude
    """Least output while it runs, MW."""
    heat_rate_full_gj_per_mwh: PositiveMagnitude
    """Fuel per MWh at full output, GJ (1 MMBtu = 1.05506 GJ)."""
    heat_rate_minimum_gj_per_mwh: PositiveMagnitude
    """Fuel per MWh at minimum output, GJ."""
    fuel_ccy_per_gj: Magnitude | None = None
    """Price of fuel; beside fuel_price, what transport adds to it."""
    fuel_price: str | None = None
    """Role in [feeds] of the fuel's price, US dollars per MMBtu."""
    cost_ccy_per_start: Magnitude = 0.0
    """Cost of a start, fuel aside."""
    fuel_gj_per_start: Magnitude = 0.0
    """Fuel of a start, GJ."""
    start_min: Magnitude = 0.0
    """From the start command to minimum output, minutes."""
    least_up_min: Magnitude = 0.0
    """Least time from the start command to the stop, minutes."""
    least_down_min: Magnitude = 0.0
    """Least time from a stop to the next start command, minutes."""
    run_hours_per_year: Magnitude | None = None
    """Hours the permit allows in a local calendar year; leave out for no limit."""
    run_hours_used: Magnitude = 0.0
    """Hours of the year already used when a replay starts."""


class TransformerSection(Section):
    """One of the transformers between grid and bus; all run in parallel."""

    name: Name
    """Name unique in the plant."""
    rating_mva: PositiveMagnitude
    """Apparent power, MVA."""


class FeederSection(Section):
    """A feeder from the bus to some loads."""

    name: Name
    """Name unique in the plant."""
    rating_mva: PositiveMagnitude
    """Apparent power, MVA."""
    power_factor_ratio: PowerFactor = 1.0
    """Lowest power factor of the loads behind it."""
    loads: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the leases, inference services, miners and tenants behind it."""


class OutageSection(Section):
    """An element out of service."""

    element: str
    """Name of a transformer, feeder or generator."""
    start: Moment
    """First instant: a date (midnight in the site's zone) or a time with its offset."""
    end: Moment
    """First instant after it, likewise."""
    known: Moment | None = None
    """When it was announced; leave out for a forced outage, known when it begins."""


class UpsSection(Section):
    """A battery that carries firm load through a loss of supply; it is never dispatched and sells no reserve."""

    name: Name
    """Name, for people."""
    discharge_max_mw: PositiveMagnitude
    """Most power it feeds, MW."""
    capacity_mwh: PositiveMagnitude
    """Energy it holds when full, MWh."""
    discharge_efficiency_ratio: PositiveFraction = 1.0
    """Energy fed per energy released from store."""
