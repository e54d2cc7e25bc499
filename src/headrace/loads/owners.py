"""Machines and halls that belong to others: hosted miners, powered-shell tenants, and how often a load may be cut."""

from enum import StrEnum

import msgspec

__all__ = ["Allowance", "Hosting", "PowerPrice", "ShellTenant"]


class PowerPrice(StrEnum):
    """What an owner or tenant pays for a MWh."""

    FIXED = "fixed"
    """The contract's price, whatever the market does."""
    PASS_THROUGH = "pass-through"
    """What the interval's energy costs the site, and the contract's price on top as a fee."""


class Hosting(msgspec.Struct, frozen=True, kw_only=True):
    """Terms under which the site runs another owner's miners. The owner's pool account is paid the coins directly."""

    name: str
    """Name unique at the site."""
    owner: str
    """Who owns the machines."""
    miner: str
    """Name of the miner class that is hosted; a class has one host contract at most."""
    power_price: PowerPrice
    """Fixed price or pass-through."""
    price_ccy_per_mwh: float
    """Price, or fee on top of the energy passed through, per MWh metered at the machines' terminals (IT energy)."""
    profit_share_ratio: float
    """Site's share of what mining earns above the power bill, 0..1; settled per settlement interval, never below 0."""
    owner_stops_at_loss: bool
    """Standing order of the owner: stop whenever the power bill exceeds what mining earns."""
    guaranteed_uptime_ratio: float
    """Share of each local month's hours in which power is guaranteed, 0..1; 0 guarantees nothing."""
    free_curtailment_h: float
    """Hours a month of full stop that the site may take on top of what the guarantee leaves."""
    credit_ccy_per_mwh: float
    """Owed per MWh not delivered beyond that."""
    curtailment_share_ratio: float
    """Owner's share of what stopping its machines saves: energy cost above its power price, 0..1."""


class ShellTenant(msgspec.Struct, frozen=True, kw_only=True):
    """A hall let with its power: the tenant runs its own equipment and the site controls none of it."""

    name: str
    """Name unique at the site."""
    contracted_mw: float
    """Power at the hall's meter, its own cooling inside, MW."""
    rent_ccy_per_mw_h: float
    """Rent of the contracted power, due whether it is used or not, per MW and hour."""
    power_price: PowerPrice
    """Fixed price or pass-through."""
    price_ccy_per_mwh: float
    """Price, or fee on top of the energy passed through, per MWh drawn."""
    take_or_pay_ratio: float
    """Least share of the contracted energy billed for at the contract's own price or fee, 0..1."""
    availability_credit_ccy_per_mwh: float
    """Owed per MWh asked for and not delivered."""
    profile: str | None
    """Feed role of its draw as a share of the contracted power (0..1), or None for all of it always."""


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a curtailable lease the site may take away in a local month: a stock that runs down."""

    load: str
    """Name of the curtailable lease."""
    monthly_h: float
    """Hours of full stop it may take, counted by what was not delivered (half power for two hours is one)."""
    longest_h: float
    """Longest single interruption, hours; 0 for no limit."""
    between_h: float
    """Least time at full work between two interruptions, hours."""
