"""The supply contracts of a site: what volume is bought ahead, at which price, and what the supplier charges beside.

A contract with a volume is financial: the site pays the market for every metered MWh, and the contract pays the
difference between a market price and its own price on its volume, whatever is metered. Its marginal cost is the
market's, so it never changes dispatch. Only `SupplyFees`, which follow import, and a block that can't be sold back do.

Volumes are a week of local hours: hour 0 is Monday 00:00 to 01:00. Dates are UTC instants, resolved at the door.
"""

from typing import Final

import msgspec

__all__ = [
    "HOURS_PER_WEEK",
    "Contract",
    "DayAheadPurchase",
    "FixedPrice",
    "SupplyFees",
    "Swing",
    "TakeOrPay",
    "VolumeContract",
    "is_sold_back",
    "reaches_hub",
    "volume_contracts",
]

HOURS_PER_WEEK: Final = 168


class Dated(msgspec.Struct, frozen=True, kw_only=True):
    """What every contract has."""

    name: str
    """Name unique at the site."""
    start_s: int
    """First instant, epoch seconds."""
    end_s: int
    """First instant after it, epoch seconds."""
    source: str
    """Document or page the terms come from."""

    def holds_at(self, at_s: int) -> bool:
        """Is it in force at this instant."""
        return self.start_s <= at_s < self.end_s


class FixedPrice(Dated, frozen=True, kw_only=True, tag="fixed-price"):
    """A block or a shaped purchase at one price."""

    shape: str
    """How its file describes the hours ("flat", "peak", "24 hours" ...), for people."""
    hour_mw: tuple[float, ...]
    """Power bought in each local hour of the week, MW, 168 of them."""
    strike_ccy_per_mwh: float
    """Price of every MWh of the volume."""
    at_hub: bool
    """Settles against the hub's real-time price; else against the site's own."""
    sells_back: bool
    """Volume that is not consumed is credited at the market price; else it is lost."""
    is_speculative: bool
    """Declared to exceed what the site can consume."""


class DayAheadPurchase(Dated, frozen=True, kw_only=True, tag="day-ahead"):
    """Volume bought in every day-ahead auction by a standing rule, and settled against real time."""

    shape: str
    """How its file describes the hours, for people."""
    hour_mw: tuple[float, ...]
    """Power bought in each local hour of the week, MW, 168 of them."""
    at_hub: bool
    """Bought and settled at the hub; else at the site's own settlement point."""
    is_speculative: bool
    """Declared to exceed what the site can consume."""


class Swing(Dated, frozen=True, kw_only=True, tag="swing"):
    """An option on volume within daily and yearly limits, nominated the day before by a rule; then it is a block."""

    power_max_mw: float
    """Most power in any hour, MW."""
    day_min_mwh: float
    """Least volume of a local day, MWh."""
    day_max_mwh: float
    """Most volume of a local day, MWh."""
    year_max_mwh: float | None
    """Most volume of a contract year, MWh; None for no such limit."""
    strike_ccy_per_mwh: float
    """Price of every MWh nominated."""
    at_hub: bool
    """Nominated on the hub's day-ahead price and settled against its real-time price; else the site's own."""
    is_speculative: bool
    """Declared to exceed what the site can consume."""


class TakeOrPay(Dated, frozen=True, kw_only=True, tag="take-or-pay"):
    """A least import per local calendar month; what is not taken is charged when the month is over."""

    month_min_mwh: float
    """Least import of a whole month, MWh; a month that the contract or the replay cuts short owes its share."""
    shortfall_ccy_per_mwh: float
    """Charge on every MWh short."""


class SupplyFees(Dated, frozen=True, kw_only=True, tag="supply-fees"):
    """What the supplier charges beside energy."""

    fee_ccy_per_mwh: float
    """Charged on every imported MWh: a marginal cost, which dispatch sees."""
    imbalance_fee_ccy_per_mwh: float
    """Charged on every MWh by which net import leaves the tolerance band around the scheduled volume."""
    tolerance_ratio: float
    """Half-width of the band, as a share of the scheduled volume."""


VolumeContract = FixedPrice | DayAheadPurchase | Swing
Contract = FixedPrice | DayAheadPurchase | Swing | TakeOrPay | SupplyFees


def volume_contracts(contracts: tuple[Contract, ...]) -> tuple[VolumeContract, ...]:
    """Contracts that schedule a volume, in the site's order."""
    return tuple(each for each in contracts if isinstance(each, FixedPrice | DayAheadPurchase | Swing))


def reaches_hub(contract: Contract) -> bool:
    """Does it settle at the hub."""
    return isinstance(contract, FixedPrice | DayAheadPurchase | Swing) and contract.at_hub


def is_sold_back(contract: VolumeContract) -> bool:
    """Is volume that the site does not consume credited at the market price."""
    return not isinstance(contract, FixedPrice) or contract.sells_back
