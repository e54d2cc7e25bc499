"""What power is available and what it costs: connection, market, tariff, battery, generation, series, forecasts.

In: recorded or live series through the `Feed` door. Out: what could be known at a time, and forecasts made from that.
"""

from headrace.energy.ports import Feed
from headrace.energy.series import Datum, Series
from headrace.energy.site_power import Battery, Connection, Generator, Market, Ppa, Tariff

__all__ = ["Battery", "Connection", "Datum", "Feed", "Generator", "Market", "Ppa", "Series", "Tariff"]
