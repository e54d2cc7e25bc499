"""What power is available and what it costs: connection, market, tariff, battery, generation, series, forecasts.

In: recorded or live series through the `Feed` door. Out: what could be known at a time, and forecasts made from that.
"""

from headrace.energy.contracts import Contract, DayAheadPurchase, FixedPrice, SupplyFees, Swing, TakeOrPay
from headrace.energy.payment import CashTerms, Payment
from headrace.energy.ports import Feed
from headrace.energy.series import Datum, Series
from headrace.energy.site_power import Battery, Connection, Generator, Market, Ppa, Tariff

__all__ = [
    "Battery",
    "CashTerms",
    "Connection",
    "Contract",
    "Datum",
    "DayAheadPurchase",
    "Feed",
    "FixedPrice",
    "Generator",
    "Market",
    "Payment",
    "Ppa",
    "Series",
    "SupplyFees",
    "Swing",
    "TakeOrPay",
    "Tariff",
]
