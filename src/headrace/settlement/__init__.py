"""What was delivered and what is owed, in integers: meters in, statement lines out."""

from headrace.settlement.metering import MeteredInterval, SettlementPrices

__all__ = ["MeteredInterval", "SettlementPrices"]
