"""From booked days to cash: when each counterparty pays or is paid, what security it wants, and the lowest point.

    due day        last day of what is billed together (the day, or its month) + lag; a dated charge has its own
    unpaid         what is booked and not yet due, plus owed by us, of the market and the supplier
    marked loss    mean daily loss of day-ahead, hedge and basis over the trailing days × days marked × factor, >= 0
    security       unpaid, where we owe it, + marked loss - credit line, >= 0; locked, and returned as it falls
    free cash      opening + all that came and went - security

There is no forward curve on record, so the last days stand for the days marked: an assumption that turns against the
site in both directions. A spike raises what is unpaid at once; a fall after it turns a block's gain into a call.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from headrace.core import divide_nearest, divide_up, micro
from headrace.energy import CashTerms
from headrace.treasury.ledger import Account, Asset, Entry

__all__ = ["SECURED", "BookedDay", "CashDay", "DatedSum", "cash_days", "lowest"]

PARTY_OF: Final = {
    Account.MARKET_RECEIVABLE: "market",
    Account.MARKET_PAYABLE: "market",
    Account.NETWORK_RECEIVABLE: "network",
    Account.NETWORK_PAYABLE: "network",
    Account.PEAK_ACCRUED: "network",
    Account.TRANSMISSION_ACCRUED: "transmission",
    Account.SUPPLIER_RECEIVABLE: "supplier",
    Account.SUPPLIER_PAYABLE: "supplier",
    Account.TENANTS_RECEIVABLE: "tenants",
    Account.TENANTS_PAYABLE: "tenants",
    Account.INFERENCE_RECEIVABLE: "inference",
    Account.INFERENCE_PAYABLE: "inference",
    Account.HEAT_RECEIVABLE: "heat",
    Account.HEAT_PAYABLE: "heat",
    Account.PPA_RECEIVABLE: "ppa",
    Account.PPA_PAYABLE: "ppa",
    Account.GENERATION_RECEIVABLE: "generation",
    Account.GENERATION_PAYABLE: "generation",
    Account.RESERVE_RECEIVABLE: "reserve",
    Account.RESERVE_PAYABLE: "reserve",
    Account.JOBS_RECEIVABLE: "jobs",
    Account.JOBS_PAYABLE: "jobs",
    Account.HOSTING_RECEIVABLE: "hosting",
    Account.HOSTING_PAYABLE: "hosting",
    Account.SHELL_RECEIVABLE: "shell",
    Account.SHELL_PAYABLE: "shell",
    Account.CONVERSION: "pool",
}
"""Whose money an account is; `CONVERSION` carries mining at its fair value net of fees. A provision is nobody's."""

SECURED: Final = ("market", "supplier")
"""Counterparties that call for security."""

MARKED: Final = (Account.DAY_AHEAD, Account.HEDGE, Account.BASIS)
"""Accounts of the position."""


class DatedSum(msgspec.Struct, frozen=True, kw_only=True):
    """Part of what a day's bookings owe a party that falls due on days of its own, whatever its party's terms."""

    party: str
    """Counterparty, neither market nor supplier."""
    amount: int
    """Owed to us, minus where we owe it, micro-units."""
    due_days: tuple[int, ...]
    """Days it is paid on in equal parts, days since 1970-01-01."""


class BookedDay(msgspec.Struct, frozen=True, kw_only=True):
    """Everything booked for one local day."""

    day: int
    """Local date, days since 1970-01-01."""
    month_end_day: int
    """Last day of its local month."""
    entry: Entry
    """Its postings."""
    dated: tuple[DatedSum, ...] = ()
    """Of these, what has due days of its own."""


class CashDay(msgspec.Struct, frozen=True, kw_only=True):
    """Cash on one local day, micro-units of the site's currency."""

    day: int
    """Local date, days since 1970-01-01."""
    by_party: tuple[int, ...]
    """What came from (plus) or went to each party of the terms, in their order."""
    balance: int
    """Cash at the day's end, security included."""
    unpaid: int
    """Owed to market and supplier and not yet due; minus if they owe us."""
    marked_loss: int
    """Loss expected on the position marked, at least 0."""
    security: int
    """Locked as collateral."""

    @property
    def free(self) -> int:
        """Cash that can be spent."""
        return self.balance - self.security


def cash_days(booked: Sequence[BookedDay], terms: CashTerms, asset: Asset) -> tuple[CashDay, ...]:
    """Every day from the first booked to the last on which money moves.

    Parameters
    ----------
    booked
        Days in order, at least one.
    terms
        Terms of payment and security.
    asset
        The site's currency.
    """
    rows = {payment.party: row for row, payment in enumerate(terms.payments)}
    moves: dict[int, list[int]] = {}
    unpaid: dict[int, int] = {}
    losses: list[int] = []
    for each in booked:
        owed = _owed_to_us(each.entry, asset, rows, terms)
        for part in each.dated:
            owed[part.party] -= part.amount
            for due, amount in _parts(part):
                moves.setdefault(due, [0] * len(rows))[rows[part.party]] += amount
        for party, amount in owed.items():
            payment = terms.payments[rows[party]]
            due = (each.month_end_day if payment.by_month else each.day) + payment.lag_days
            moves.setdefault(due, [0] * len(rows))[rows[party]] += amount
            if party in SECURED:
                unpaid[each.day] = unpaid.get(each.day, 0) - amount
                unpaid[due] = unpaid.get(due, 0) + amount
        losses.append(sum(p.debit - p.credit for p in each.entry.postings if p.account in MARKED and p.asset is asset))
    last = max([booked[-1].day, *moves])
    days: list[CashDay] = []
    balance, open_amount = micro(terms.opening_ccy), 0
    for day in range(booked[0].day, last + 1):
        by_party = tuple(moves.get(day, [0] * len(rows)))
        balance += sum(by_party)
        open_amount += unpaid.get(day, 0)
        ended = day - booked[0].day + 1
        marked = _marked_loss(losses[:ended], terms) if ended <= len(losses) else 0
        exposure = max(0, open_amount) + marked
        days.append(
            CashDay(
                day=day,
                by_party=by_party,
                balance=balance,
                unpaid=open_amount,
                marked_loss=marked,
                security=max(0, exposure - micro(terms.credit_line_ccy)),
            )
        )
    return tuple(days)


def lowest(days: Sequence[CashDay]) -> CashDay:
    """The day with the least free cash, the first of them."""
    return min(days, key=lambda each: (each.free, each.day))


def _owed_to_us(entry: Entry, asset: Asset, rows: dict[str, int], terms: CashTerms) -> dict[str, int]:
    """What each party owes us for the day, minus where we owe it, micro-units."""
    owed: dict[str, int] = {}
    for posting in entry.postings:
        party = PARTY_OF.get(posting.account)
        if party in rows and posting.asset is asset and (party != "pool" or terms.sells_bitcoin):
            owed[party] = owed.get(party, 0) + posting.debit - posting.credit
    return owed


def _parts(dated: DatedSum) -> list[tuple[int, int]]:
    """Days and amounts: equal to a micro-unit, and together the sum."""
    count = len(dated.due_days)
    gone = [divide_nearest(dated.amount * i, count) for i in range(count + 1)]
    return [(due, after - before) for due, before, after in zip(dated.due_days, gone[:-1], gone[1:], strict=True)]


def _marked_loss(losses: Sequence[int], terms: CashTerms) -> int:
    """Loss of the days marked if they go like the trailing ones, times the factor, rounded up for the secured party."""
    trailing = losses[-terms.trailing_days :]
    if not trailing:
        return 0
    loss = max(0, sum(trailing)) * terms.mark_days * micro(terms.mark_factor_ratio)
    return divide_up(loss, len(trailing) * 1_000_000)
