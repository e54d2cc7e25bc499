"""Tables of the site file that say what power is available and what it costs."""

from typing import Annotated, Literal

from pydantic import Field

from headrace.adapters.sitefile.fields import (
    Count,
    Flag,
    Fraction,
    Magnitude,
    Money,
    Name,
    PositiveFraction,
    PositiveMagnitude,
    Section,
)
from headrace.adapters.sitefile.schema_plant import UnitSection

__all__ = ["BatterySection", "GeneratorSection", "MarketSection", "PpaSection", "TariffSection"]


class MarketSection(Section):
    """Where the site settles."""

    name: Annotated[str, Field(min_length=1)]
    """Market operator, e.g. "ERCOT"."""
    settlement_point: Annotated[str, Field(min_length=1)]
    """Node, zone or hub whose price the site pays."""
    settlement_step_min: Count
    """Length of the interval the market bills, minutes; a whole number of control steps."""
    is_hub: Flag = False
    """The settlement point is a trading hub, which no load can settle at: every headline then says so."""


class TariffSection(Section):
    """What is paid on top of the market price."""

    import_adder_ccy_per_mwh: Money
    """Added to the price of every imported MWh (wires, losses, taxes, supplier's margin)."""
    export_deduction_ccy_per_mwh: Magnitude = 0.0
    """Taken off the price of every exported MWh."""
    peak_charge_ccy_per_mw_month: Magnitude = 0.0
    """Charge on the highest import of each local calendar month, per MW."""


class BatterySection(Section):
    """One battery, measured at the site's bus."""

    charge_max_mw: PositiveMagnitude
    """Most power it draws, MW."""
    discharge_max_mw: PositiveMagnitude
    """Most power it feeds, MW."""
    capacity_mwh: PositiveMagnitude
    """Energy it holds when full, MWh."""
    soc_min_ratio: Fraction = 0.0
    """Least state of charge, share of capacity."""
    soc_max_ratio: Fraction = 1.0
    """Most state of charge, share of capacity."""
    soc_start_ratio: Fraction = 0.5
    """State of charge when a replay starts, share of capacity."""
    charge_efficiency_ratio: PositiveFraction
    """Energy stored per energy drawn."""
    discharge_efficiency_ratio: PositiveFraction
    """Energy fed per energy released from store."""
    wear_ccy_per_mwh: Magnitude
    """Wear per MWh fed to the bus."""
    kind: Literal["storage", "ups"] = "storage"
    """What it is for; a UPS carries firm load through a loss of supply and is not dispatched."""
    dispatchable: Flag | None = None
    """May dispatch use a UPS? It then never goes below soc_min_ratio, kept for its own purpose."""


class GeneratorSection(Section):
    """Generation on site, behind the meter."""

    name: Name
    """Name unique at the site."""
    kind: Literal["wind", "solar", "nuclear", "gas", "diesel", "other"]
    """What it is."""
    capacity_mw: PositiveMagnitude
    """Nameplate power, MW."""
    marginal_cost_ccy_per_mwh: Money
    """Cost of one more MWh (fuel, variable upkeep; without a unit's fuel); negative where output earns a credit."""
    must_run_ratio: Fraction = 0.0
    """Share of the available output that cannot be turned down."""
    profile: str | None = None
    """Role in [feeds] of its capacity factor (0..1); leave out for constant full availability."""
    unit: UnitSection | None = None
    """How a gas or diesel generator runs, [generator.unit]."""


class PpaSection(Section):
    """As-generated power purchase agreement, settled against the market price; it never changes dispatch."""

    name: Name
    """Name unique at the site."""
    capacity_mw: PositiveMagnitude
    """Share of the plant bought, MW."""
    strike_ccy_per_mwh: Money
    """Price paid for every MWh generated."""
    profile: str
    """Role in [feeds] of the plant's capacity factor (0..1)."""
    at_hub: Flag = False
    """Settles at the hub (series hub_real_time) instead of the site's own point."""
