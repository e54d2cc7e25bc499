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
from headrace.treasury.post import entry_of

__all__ = [
    "Account",
    "Asset",
    "Entry",
    "EntryKind",
    "Posting",
    "TrialBalanceRow",
    "check",
    "entry_of",
    "imbalance",
    "trial_balance",
]
