"""From a statement to the ledger: one entry per settlement interval.

A line that earns debits what its counterparty owes us and credits the line's own account; a line that costs debits the
line's own account and credits what we owe. A line may do either (energy bought at a negative price is owed to us) and
stays in its own account. Mining comes in two assets: the satoshis expected, provisional until the pool credits them,
and in the site's currency their fair value before fees as income and the fee as expense; `Account.CONVERSION` takes the
difference in each, so that each balances.
"""

from typing import Final

from headrace.core import Currency
from headrace.settlement import LINES, Statement
from headrace.treasury.ledger import Account, Asset, Entry, EntryKind, Posting

__all__ = ["POSTED", "entry_of"]

POSTED: Final[dict[str, tuple[Account, Account, Account]]] = {
    "energy_bought": (Account.ENERGY_BOUGHT, Account.MARKET_RECEIVABLE, Account.MARKET_PAYABLE),
    "energy_sold": (Account.ENERGY_SOLD, Account.MARKET_RECEIVABLE, Account.MARKET_PAYABLE),
    "adders": (Account.ADDERS, Account.NETWORK_RECEIVABLE, Account.NETWORK_PAYABLE),
    "mining": (Account.MINING, Account.CONVERSION, Account.CONVERSION),
    "pool_fees": (Account.POOL_FEES, Account.CONVERSION, Account.CONVERSION),
    "ai_firm": (Account.AI_FIRM, Account.TENANTS_RECEIVABLE, Account.TENANTS_PAYABLE),
    "ai_curtailable": (Account.AI_CURTAILABLE, Account.TENANTS_RECEIVABLE, Account.TENANTS_PAYABLE),
    "inference": (Account.INFERENCE, Account.INFERENCE_RECEIVABLE, Account.INFERENCE_PAYABLE),
    "heat": (Account.HEAT, Account.HEAT_RECEIVABLE, Account.HEAT_PAYABLE),
    "service_credits": (Account.SERVICE_CREDITS, Account.TENANTS_RECEIVABLE, Account.TENANTS_PAYABLE),
    "ppa": (Account.PPA, Account.PPA_RECEIVABLE, Account.PPA_PAYABLE),
    "peak": (Account.PEAK, Account.PEAK_ACCRUED, Account.PEAK_ACCRUED),
    "generation": (Account.GENERATION, Account.GENERATION_RECEIVABLE, Account.GENERATION_PAYABLE),
    "wear": (Account.WEAR, Account.WEAR_PROVISION, Account.WEAR_PROVISION),
    "day_ahead": (Account.DAY_AHEAD, Account.SUPPLIER_RECEIVABLE, Account.SUPPLIER_PAYABLE),
    "hedge": (Account.HEDGE, Account.SUPPLIER_RECEIVABLE, Account.SUPPLIER_PAYABLE),
    "basis": (Account.BASIS, Account.SUPPLIER_RECEIVABLE, Account.SUPPLIER_PAYABLE),
    "supply_fees": (Account.SUPPLY_FEES, Account.SUPPLIER_RECEIVABLE, Account.SUPPLIER_PAYABLE),
    "fixed_charges": (Account.FIXED_CHARGES, Account.NETWORK_RECEIVABLE, Account.NETWORK_PAYABLE),
    "transmission": (Account.TRANSMISSION, Account.NETWORK_RECEIVABLE, Account.TRANSMISSION_ACCRUED),
    "reserve": (Account.RESERVE, Account.RESERVE_RECEIVABLE, Account.RESERVE_PAYABLE),
    "reserve_penalties": (Account.RESERVE_PENALTIES, Account.RESERVE_RECEIVABLE, Account.RESERVE_PAYABLE),
    "jobs": (Account.JOBS, Account.JOBS_RECEIVABLE, Account.JOBS_PAYABLE),
    "job_penalties": (Account.JOB_PENALTIES, Account.JOBS_RECEIVABLE, Account.JOBS_PAYABLE),
    "hosting": (Account.HOSTING, Account.HOSTING_RECEIVABLE, Account.HOSTING_PAYABLE),
    "hosting_payouts": (Account.HOSTING_PAYOUTS, Account.HOSTING_RECEIVABLE, Account.HOSTING_PAYABLE),
    "shell": (Account.SHELL, Account.SHELL_RECEIVABLE, Account.SHELL_PAYABLE),
    "starts": (Account.STARTS, Account.GENERATION_RECEIVABLE, Account.GENERATION_PAYABLE),
}
"""For each line: its own account, then the counterpart when it earns and when it costs."""

_ACCOUNTS: Final = tuple(POSTED[line] for line in LINES)


def entry_of(statement: Statement, currency: Currency, sequence: int) -> Entry:
    """Book one statement.

    Parameters
    ----------
    statement
        The settled interval.
    currency
        The site's own.
    sequence
        Place in the book, from 1.
    """
    asset = Asset(currency.value)
    postings: list[Posting] = []
    for (own, receivable, payable), amount in zip(_ACCOUNTS, statement.amounts, strict=True):
        if amount > 0:
            postings += (
                Posting(account=receivable, asset=asset, debit=amount),
                Posting(account=own, asset=asset, credit=amount),
            )
        elif amount < 0:
            postings += (
                Posting(account=own, asset=asset, debit=-amount),
                Posting(account=payable, asset=asset, credit=-amount),
            )
    if statement.mining_sats:
        postings += (
            Posting(account=Account.BITCOIN_PROVISIONAL, asset=Asset.SAT, debit=statement.mining_sats),
            Posting(account=Account.CONVERSION, asset=Asset.SAT, credit=statement.mining_sats),
        )
    return Entry(
        sequence=sequence,
        interval_start_s=statement.interval_start_s,
        interval_end_s=statement.interval_start_s + statement.duration_s,
        kind=EntryKind.SETTLEMENT,
        is_estimated=statement.is_estimated,
        postings=tuple(postings),
    )
