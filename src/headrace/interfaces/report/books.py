"""Trial balance from the settlement sums: exact integers, debits equal credits.

Every statement line is an account of revenue (credit) or expense (debit). Its other side is what it leaves behind:
bitcoin at fair value for mining and pool fees, a provision for battery wear, and for the rest a claim on (debit) or a
debt to (credit) those the site trades with. The change in stored energy is a valuation and in no account.
"""

import msgspec

from headrace.engine.results import LINES, PolicyRun
from headrace.interfaces.wording import LINE_NAMES, first_capital

__all__ = ["BookRow", "trial_balance"]

COUNTER_ACCOUNTS = {
    "mining": "Bitcoin at fair value",
    "pool_fees": "Bitcoin at fair value",
    "wear": "Provision for battery wear",
    "peak": "Peak charge accrued",
}
"""Other side of a line where it is not a trade balance."""

TRADE = "Trade balances"


class BookRow(msgspec.Struct, frozen=True, kw_only=True):
    """One account of the trial balance."""

    account: str
    """Account."""
    debit_micro: int
    """Debit balance, micro-units of the site's currency; 0 if the balance is a credit."""
    credit_micro: int
    """Credit balance, likewise."""


def trial_balance(run: PolicyRun) -> tuple[BookRow, ...]:
    """Balances of every account that moved, statement lines first; both columns add up to the same."""
    sums = {line: int(run.settlements[line].sum()) for line in LINES}
    counter: dict[str, int] = {}
    for line, micro in sums.items():
        account = COUNTER_ACCOUNTS.get(line, TRADE)
        counter[account] = counter.get(account, 0) + micro
    rows = [_row(first_capital(LINE_NAMES[line]), -micro) for line, micro in sums.items() if micro]
    rows += [_row(account, micro) for account, micro in counter.items() if micro]
    return tuple(rows)


def _row(account: str, debit_micro: int) -> BookRow:
    return BookRow(account=account, debit_micro=max(0, debit_micro), credit_micro=max(0, -debit_micro))
