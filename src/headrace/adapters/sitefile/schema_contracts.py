"""Tables of the site file that say what volume is bought ahead, what the supplier charges, and when money falls due."""

from typing import Annotated, Literal

from pydantic import Field

from headrace.adapters.sitefile.fields import (
    Count,
    Flag,
    Fraction,
    Magnitude,
    Money,
    Name,
    PositiveMagnitude,
    Section,
)
from headrace.adapters.sitefile.moment import Moment
from headrace.energy.payment import PARTIES

__all__ = ["CashSection", "ContractSection", "PaymentSection"]

Source = Annotated[str, Field(min_length=1, max_length=200)]
Days = Annotated[int, Field(strict=True, ge=0, le=1000)]


class ContractSection(Section):
    """A supply contract; which keys it takes depends on its kind."""

    kind: Literal["block", "shaped", "day-ahead", "swing", "take-or-pay", "supply-fees"]
    """block, shaped, day-ahead, swing, take-or-pay or supply-fees."""
    name: Name
    """Name unique at the site."""
    start: Moment
    """First instant: a date (midnight in the site's zone) or a time with its offset."""
    end: Moment
    """First instant after it, likewise."""
    source: Source
    """Document or page the terms come from, or "assumed"."""
    power_mw: PositiveMagnitude | None = None
    """Power of a block or of a day-ahead purchase, MW."""
    hours: Literal["flat", "peak", "weekend", "night"] | None = None
    """Local hours of `power_mw`: flat (all), peak (5x16), weekend (2x16) or night (7x8); flat if left out."""
    profile_mw: Annotated[tuple[Magnitude, ...], Field(min_length=1)] | None = None
    """Power in each local hour, MW: 24 of a day, or 168 of a week from Monday 00:00."""
    firm_share_ratio: PositiveMagnitude | None = None
    """Day-ahead purchase as a share of the firm load, with cooling at 15 degrees C."""
    strike_ccy_per_mwh: Money | None = None
    """Price of every MWh of the volume."""
    at_hub: Flag = False
    """Settles at the hub (series hub_real_time, hub_day_ahead) instead of the site's own point."""
    sell_back: Flag = True
    """Volume of a block that is not consumed is credited at the market price."""
    speculative: Flag = False
    """The volume may exceed what the connection can take."""
    power_max_mw: PositiveMagnitude | None = None
    """Most power of a swing contract in any hour, MW."""
    day_min_mwh: Magnitude | None = None
    """Least volume of a swing contract in a local day, MWh."""
    day_max_mwh: PositiveMagnitude | None = None
    """Most volume of a swing contract in a local day, MWh."""
    year_max_mwh: PositiveMagnitude | None = None
    """Most volume of a swing contract in a contract year, MWh."""
    month_min_mwh: PositiveMagnitude | None = None
    """Least import of a local month, MWh."""
    shortfall_ccy_per_mwh: Magnitude | None = None
    """Charge on every MWh short of it."""
    fee_ccy_per_mwh: Magnitude | None = None
    """Supplier's fee on every imported MWh."""
    imbalance_fee_ccy_per_mwh: Magnitude | None = None
    """Fee on every MWh of imbalance beyond the tolerance band."""
    tolerance_ratio: Fraction | None = None
    """Half-width of that band, share of the scheduled volume."""


class PaymentSection(Section):
    """How one counterparty bills."""

    party: Literal[PARTIES]  # type: ignore[valid-type]  # the names stand in one place
    """Counterparty."""
    bills: Literal["day", "month"]
    """What is billed together."""
    lag_days: Days
    """Days from the end of the day or month to the money."""
    source: Source
    """Where the terms come from, or "assumed"."""


class CashSection(Section):
    """Cash, terms of payment and security."""

    opening_ccy: Money = 0.0
    """Cash on the first day."""
    sells_bitcoin: Flag = True
    """Mined bitcoin is sold on the day it is paid out."""
    credit_line_ccy: Magnitude = 0.0
    """Exposure to market and supplier that needs no security."""
    mark_days: Days = 30
    """Days of the position that are marked to market."""
    trailing_days: Count = 7
    """Days before whose mean settled price stands for the forward price."""
    mark_factor_ratio: Magnitude = 1.0
    """Share of the marked loss that is called as security."""
    payment: tuple[PaymentSection, ...] = ()
    """Terms of payment that differ from the defaults."""
