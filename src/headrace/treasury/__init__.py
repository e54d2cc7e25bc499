"""Double-entry ledger in smallest units: statements in, balanced entries out."""

from headrace.treasury.ledger import (
    Account,
    Asset,
    Entry,
    EntryKind,
    Posting,
    TrialBalanceRow,
    check,
    imbalance,
    trial_balance,
)
from headrace.treasury.post import POSTED, entry_of
from headrace.treasury.receivables import statement_entries

__all__ = [
    "POSTED",
    "Account",
    "Asset",
    "Entry",
    "EntryKind",
    "Posting",
    "TrialBalanceRow",
    "check",
    "entry_of",
    "imbalance",
    "statement_entries",
    "trial_balance",
]
