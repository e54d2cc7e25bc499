"""What joins the site to energy: connection, market, tariff, battery, generators, power purchase agreements.

Money is in the site's own currency: `_ccy` stands for it in field names inside the rooms (one site has one currency,
and `Site.currency` names it); what people read carries the real code (`bid_usd_per_mwh`, `bid_eur_per_mwh`).
"""

import msgspec

__all__ = ["Battery", "Connection", "Generator", "Market", "Ppa", "Tariff"]


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """The point of connection."""

    import_max_mw: float
    """Most power the site may draw from the grid, MW >= 0."""
    export_max_mw: float
    """Most power it may feed back, MW >= 0."""


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """Where the site settles."""

    name: str
    """Market operator, e.g. "ERCOT"."""
    settlement_point: str
    """Node, zone or hub whose price the site pays."""
    settlement_step_s: int
    """Length of the interval the market bills, seconds (900 in ERCOT)."""
    is_hub: bool
    """The settlement point is a trading hub, which no load can settle at: every headline says so."""


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """Regulated and contractual parts on top of the market price."""

    import_adder_ccy_per_mwh: float
    """Added to the price of every imported MWh."""
    export_deduction_ccy_per_mwh: float
    """Taken off the price of every exported MWh."""
    peak_charge_ccy_per_mw_month: float
    """Charge on the highest import of each local calendar month, per MW; 0 for none."""


class Battery(msgspec.Struct, frozen=True, kw_only=True):
    """One battery, measured at the site's bus."""

    charge_max_mw: float
    """Most power it draws, MW."""
    discharge_max_mw: float
    """Most power it feeds, MW."""
    stored_min_mwh: float
    """Least energy it may hold, MWh."""
    stored_max_mwh: float
    """Most energy it may hold, MWh."""
    stored_start_mwh: float
    """Energy held when a replay starts, MWh."""
    charge_efficiency_ratio: float
    """Stored energy per energy drawn, 0..1."""
    discharge_efficiency_ratio: float
    """Energy fed per stored energy released, 0..1."""
    wear_ccy_per_mwh: float
    """Wear per MWh fed to the bus."""


class Generator(msgspec.Struct, frozen=True, kw_only=True):
    """On-site generation behind the meter; may be turned down to `must_run_ratio` of what is available."""

    name: str
    """Name unique at the site."""
    kind: str
    """wind, solar, nuclear or other."""
    capacity_mw: float
    """Nameplate power, MW."""
    marginal_cost_ccy_per_mwh: float
    """Cost of one more MWh (fuel, variable upkeep; negative where output earns a credit)."""
    must_run_ratio: float
    """Share of available output that cannot be turned down, 0..1."""
    profile: str | None
    """Feed role of its capacity factor (0..1), or None for constant full availability."""


class Ppa(msgspec.Struct, frozen=True, kw_only=True):
    """As-generated power purchase agreement, settled against the site's market price: it never changes dispatch."""

    name: str
    """Name unique at the site."""
    capacity_mw: float
    """Share of the plant bought, MW."""
    strike_ccy_per_mwh: float
    """Price paid for every MWh generated."""
    profile: str
    """Feed role of the plant's capacity factor (0..1)."""
    at_hub: bool = False
    """Settles against the hub's real-time price: the difference to the site's own is told as basis."""
