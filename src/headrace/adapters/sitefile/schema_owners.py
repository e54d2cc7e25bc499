"""Tables of the site file that say what belongs to others: hosted miners, powered shell, interruption allowances."""

from typing import Annotated

from pydantic import Field

from headrace.adapters.sitefile.fields import Flag, Fraction, Magnitude, Money, Name, PositiveMagnitude, Section
from headrace.loads import PowerPrice

__all__ = ["AllowanceSection", "HostingSection", "TenantSection"]

Hours = Annotated[Magnitude, Field(le=744.0)]
"""Hours of a month, 0 to 744."""


class HostingSection(Section):
    """Terms under which the site runs miners of another owner, whose pool pays it directly."""

    name: Name
    """Name unique at the site."""
    owner: Annotated[str, Field(min_length=1, max_length=80)]
    """Who owns the machines."""
    miner: str
    """Name of the [[miner]] that is hosted."""
    power_price: PowerPrice
    """fixed (the price below) or pass-through (what energy costs the site, and the price below as a fee)."""
    price_ccy_per_mwh: Money
    """Price or fee per MWh at the machines' terminals."""
    profit_share_ratio: Fraction = 0.0
    """Site's share of what mining earns above the power bill."""
    owner_stops_at_loss: Flag = False
    """The owner's standing order: stop whenever the power bill exceeds what mining earns."""
    guaranteed_uptime_ratio: Fraction = 0.0
    """Share of each month's hours in which power is guaranteed; 0 guarantees nothing."""
    free_curtailment_h: Hours = 0.0
    """Hours a month of full stop on top of what the guarantee leaves, without a credit."""
    credit_ccy_per_mwh: Magnitude = 0.0
    """Owed per MWh not delivered beyond that."""
    curtailment_share_ratio: Fraction = 0.0
    """Owner's share of what stopping its machines saves."""


class TenantSection(Section):
    """A hall let with its power; the tenant runs its own equipment."""

    name: Name
    """Name unique at the site."""
    contracted_mw: PositiveMagnitude
    """Power at the hall's meter, MW."""
    rent_ccy_per_mw_h: Magnitude
    """Rent per MW contracted and hour, used or not."""
    power_price: PowerPrice
    """fixed (the price below) or pass-through (what energy costs the site, and the price below as a fee)."""
    price_ccy_per_mwh: Money
    """Price or fee per MWh drawn."""
    take_or_pay_ratio: Fraction = 0.0
    """Least share of the contracted energy that the price or fee is billed on."""
    availability_credit_ccy_per_mwh: Magnitude = 0.0
    """Owed per MWh asked for and not delivered."""
    profile: str | None = None
    """Role in [feeds] of its draw as a share of the contracted power; leave out for all of it, always."""


class AllowanceSection(Section):
    """How much of a curtailable lease may be taken away in a month."""

    load: str
    """Name of the curtailable lease."""
    monthly_h: Hours
    """Hours of full stop; half power for two hours counts one."""
    longest_h: Magnitude = 0.0
    """Longest single interruption, hours; 0 for no limit."""
    between_h: Magnitude = 0.0
    """Least time at work between two interruptions, hours."""
