"""What was delivered and what is owed, in integers: meters in, statement lines out."""

from headrace.settlement.close import close, expected_sats
from headrace.settlement.metering import MeteredInterval, SettlementPrices
from headrace.settlement.position import Position, PositionFacts
from headrace.settlement.rates import Rates, rates_of
from headrace.settlement.statement import LINES, Statement

__all__ = [
    "LINES",
    "MeteredInterval",
    "Position",
    "PositionFacts",
    "Rates",
    "SettlementPrices",
    "Statement",
    "close",
    "expected_sats",
    "rates_of",
]
