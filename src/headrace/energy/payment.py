"""When money falls due: how each counterparty bills, and what it wants as security. Nothing here changes a margin."""

from typing import Final

import msgspec

__all__ = ["DEFAULT_PAYMENTS", "PARTIES", "CashTerms", "Payment"]


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """How one counterparty bills, whichever way the money goes."""

    party: str
    """Counterparty, from `PARTIES`."""
    by_month: bool
    """Bills a whole local calendar month together; else each local day."""
    lag_days: int
    """Days from the end of the day or month to the money."""
    source: str
    """Where the terms come from."""


DEFAULT_PAYMENTS: Final = (
    Payment(
        party="market",
        by_month=False,
        lag_days=7,
        source="ERCOT Protocols 9.5.4 and 9.7.1: statement on the 5th day, due two bank business days later",
    ),
    Payment(party="supplier", by_month=True, lag_days=20, source="assumed: monthly bill, due in 20 days"),
    Payment(party="network", by_month=True, lag_days=35, source="assumed: monthly bill, due in 35 days"),
    Payment(party="transmission", by_month=True, lag_days=365, source="assumed: peaks paid on next year's bills"),
    Payment(party="tenants", by_month=True, lag_days=30, source="assumed: monthly invoice, net 30"),
    Payment(party="inference", by_month=True, lag_days=30, source="assumed: monthly invoice, net 30"),
    Payment(party="heat", by_month=True, lag_days=30, source="assumed: monthly invoice, net 30"),
    Payment(party="ppa", by_month=True, lag_days=20, source="assumed: monthly settlement, due in 20 days"),
    Payment(party="generation", by_month=True, lag_days=25, source="assumed: fuel and upkeep billed monthly, net 25"),
    Payment(party="reserve", by_month=False, lag_days=7, source="as the market"),
    Payment(party="jobs", by_month=True, lag_days=30, source="assumed: monthly invoice, net 30"),
    Payment(party="hosting", by_month=True, lag_days=15, source="assumed: monthly invoice, net 15"),
    Payment(party="shell", by_month=True, lag_days=30, source="assumed: monthly invoice, net 30"),
    Payment(party="pool", by_month=False, lag_days=1, source="assumed: pools pay the day after"),
)
"""What holds where a site file says nothing; every one of them is shown with its source."""

PARTIES: Final = tuple(payment.party for payment in DEFAULT_PAYMENTS)
"""Counterparties that money comes from or goes to."""


class CashTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Terms of payment and security of a site."""

    opening_ccy: float = 0.0
    """Cash on the first day."""
    payments: tuple[Payment, ...] = DEFAULT_PAYMENTS
    """One of each party."""
    sells_bitcoin: bool = True
    """Mined bitcoin is sold on the day it is paid out, at the fair value it was booked at; else it brings no cash."""
    credit_line_ccy: float = 0.0
    """Exposure that needs no security."""
    mark_days: int = 30
    """Days of the position that are marked to market; an assumption, as the next two."""
    trailing_days: int = 7
    """Days before whose mean settled price stands for the forward price, of which the record has none."""
    mark_factor_ratio: float = 1.0
    """Share of the marked loss that is called as security."""
