"""A later version of our own statement: one more entry with what it changes, so that the books hold what it says.

A line that a counterparty's statement has settled meanwhile stays as that statement left it: the counterparty's word
stands above ours.
"""

from collections import Counter
from collections.abc import Collection
from typing import Final

import msgspec

from headrace.core import Currency
from headrace.settlement import Statement
from headrace.settlement.billed import POOL_CREDIT
from headrace.treasury.ledger import Account, Asset, Entry, EntryKind, Posting
from headrace.treasury.post import entry_of

__all__ = ["correction_of"]

POOLS: Final = ("mining", "pool_fees", "mining_sats")
"""What a pool's credit settles."""


def correction_of(
    before: Statement, after: Statement, currency: Currency, sequence: int, *, billed: Collection[str] = ()
) -> Entry:
    """Book what a later version of a statement changes.

    Parameters
    ----------
    before, after
        The version booked last, and the new one, of one interval.
    currency
        The site's own.
    sequence
        Place in the book, from 1.
    billed
        Lines that a counterparty's statement has settled since: they stay.
    """
    settled = [line for line in billed if line != POOL_CREDIT]
    if POOL_CREDIT in billed:
        settled += POOLS
    after = msgspec.structs.replace(after, **{line: getattr(before, line) for line in settled})
    net: Counter[tuple[Account, Asset]] = Counter()
    for statement, sign in ((after, 1), (before, -1)):
        for posting in entry_of(statement, currency, sequence).postings:
            net[posting.account, posting.asset] += sign * (posting.debit - posting.credit)
    return Entry(
        sequence=sequence,
        interval_start_s=after.interval_start_s,
        interval_end_s=after.interval_start_s + after.duration_s,
        kind=EntryKind.SETTLEMENT,
        is_estimated=after.is_estimated,
        postings=tuple(
            Posting(account=account, asset=asset, debit=max(amount, 0), credit=max(-amount, 0))
            for (account, asset), amount in net.items()
            if amount
        ),
    )
