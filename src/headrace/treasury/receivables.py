"""From what a statement changes to the ledger: accruals corrected, satoshis credited, payments received and made.

Supplier, market   the change of a line, booked like the line itself (`treasury.post`): in our favour it is owed to us,
                   to our cost we owe it; what was booked before stays
Pool credit        the first version moves what we expected from provisional to receivable and the difference to its own
                   account; a later version moves its change
                       Assets:Bitcoin:Provisional → Assets:Receivable:Pool → (paid) → Assets:Bitcoin:Pool
Payment            between cash and the party's receivable (plus) or payable (minus)

A pool's difference is valued at the fair price of the work it is about: value = fair value accrued × difference /
satoshis accrued, to the nearest. Where nothing was accrued the books know no price, and the satoshis stand at zero.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from headrace.core import Currency, divide_nearest
from headrace.settlement.billed import PAYMENTS, POOL_CREDIT, BilledStatement, Source
from headrace.settlement.versions import Change
from headrace.treasury.ledger import Account, Asset, Entry, EntryKind, Posting
from headrace.treasury.post import POSTED

__all__ = ["statement_entries"]

_PARTIES: Final[dict[str, tuple[Account, Account]]] = {
    "market": (Account.MARKET_RECEIVABLE, Account.MARKET_PAYABLE),
    "network": (Account.NETWORK_RECEIVABLE, Account.NETWORK_PAYABLE),
    "supplier": (Account.SUPPLIER_RECEIVABLE, Account.SUPPLIER_PAYABLE),
    "tenants": (Account.TENANTS_RECEIVABLE, Account.TENANTS_PAYABLE),
    "inference": (Account.INFERENCE_RECEIVABLE, Account.INFERENCE_PAYABLE),
    "heat": (Account.HEAT_RECEIVABLE, Account.HEAT_PAYABLE),
    "ppa": (Account.PPA_RECEIVABLE, Account.PPA_PAYABLE),
    "generation": (Account.GENERATION_RECEIVABLE, Account.GENERATION_PAYABLE),
    "reserve": (Account.RESERVE_RECEIVABLE, Account.RESERVE_PAYABLE),
    "jobs": (Account.JOBS_RECEIVABLE, Account.JOBS_PAYABLE),
    "hosting": (Account.HOSTING_RECEIVABLE, Account.HOSTING_PAYABLE),
    "shell": (Account.SHELL_RECEIVABLE, Account.SHELL_PAYABLE),
}
"""Account that a party's payment to us settles, and the one that ours to it settles."""

_UNKNOWN: Final = {
    Source.SUPPLIER: (Account.SUPPLIER_RECEIVABLE, Account.SUPPLIER_PAYABLE),
    Source.MARKET: (Account.MARKET_RECEIVABLE, Account.MARKET_PAYABLE),
    Source.POOL: (Account.POOL_RECEIVABLE, Account.POOL_RECEIVABLE),
    Source.BANK: (Account.BANK, Account.BANK),
}
"""Who owes, and whom we owe, an unknown charge of each sender."""


def statement_entries(
    statement: BilledStatement, changes: Iterable[Change], currency: Currency, first_sequence: int
) -> tuple[Entry, ...]:
    """Book what a statement changes: one entry per interval in which anything moves.

    Parameters
    ----------
    statement
        Whose changes they are.
    changes
        From `changes_of`, in order of time.
    currency
        The books' own.
    first_sequence
        Place of the first entry in the book.
    """
    kind = EntryKind.PAYMENT if statement.source is Source.BANK else EntryKind.STATEMENT
    entries: list[Entry] = []
    for (start_s, end_s), together in groupby(changes, key=lambda change: (change.start_s, change.end_s)):
        postings = tuple(posting for change in together for posting in _postings(statement.source, change, currency))
        if postings:
            entries.append(
                Entry(
                    sequence=first_sequence + len(entries),
                    interval_start_s=start_s,
                    interval_end_s=end_s,
                    kind=kind,
                    is_estimated=False,
                    postings=postings,
                )
            )
    return tuple(entries)


def _postings(source: Source, change: Change, currency: Currency) -> tuple[Posting, ...]:
    asset = Asset(currency.value)
    amount = change.after - change.before
    if change.line == POOL_CREDIT:
        return _pool_credit(change, asset)
    if change.line == "payment:pool":
        return _moved(Account.BITCOIN, Account.POOL_RECEIVABLE, Asset.SAT, amount)
    if change.line in PAYMENTS:
        receivable, payable = _PARTIES[change.line.partition(":")[2]]
        return _moved(Account.BANK, receivable if amount > 0 else payable, asset, amount)
    own = Account.UNKNOWN_CHARGES
    if change.line is None:
        receivable, payable = _UNKNOWN[source]
    else:
        own, receivable, payable = POSTED[change.line]
    return _moved(receivable if amount > 0 else payable, own, asset, amount)


def _pool_credit(change: Change, asset: Asset) -> tuple[Posting, ...]:
    """Satoshis credited: off provisional what was expected, the difference valued at the work's fair price."""
    difference = change.after - change.before
    value = _fair_value(change, change.after) - _fair_value(change, change.before)
    expected = change.before if change.is_first else 0
    return (
        *_moved(Account.POOL_RECEIVABLE, Account.BITCOIN_PROVISIONAL, Asset.SAT, expected),
        *_moved(Account.POOL_RECEIVABLE, Account.CONVERSION, Asset.SAT, difference),
        *_moved(Account.CONVERSION, Account.POOL_DIFFERENCE, asset, value),
    )


def _fair_value(change: Change, sats: int) -> int:
    """Worth of satoshis at the mean price of those accrued, micro-units; 0 where nothing was accrued."""
    return divide_nearest(change.accrued_value_micro * sats, change.accrued) if change.accrued else 0


def _moved(to: Account, source: Account, asset: Asset, amount: int) -> tuple[Posting, ...]:
    """Two sides of an amount that moves between accounts, the other way round if it is negative."""
    if not amount:
        return ()
    debit, credit = (to, source) if amount > 0 else (source, to)
    return (
        Posting(account=debit, asset=asset, debit=abs(amount)),
        Posting(account=credit, asset=asset, credit=abs(amount)),
    )
