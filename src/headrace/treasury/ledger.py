"""Double entry in smallest units: for every entry and every asset, debits equal credits.

An asset is a currency in micro-units or bitcoin in satoshis; amounts are integers >= 0 on one side. The ledger is
append-only: a mistake is corrected by another entry.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from headrace.core import content_id, require

__all__ = [
    "Account",
    "Asset",
    "Entry",
    "EntryKind",
    "Posting",
    "TrialBalanceRow",
    "check",
    "imbalance",
    "trial_balance",
]


class Asset(StrEnum):
    """What an amount counts."""

    USD = "USD"
    """Micro-dollars."""
    EUR = "EUR"
    """Micro-euros."""
    CAD = "CAD"
    """Micro-dollars of Canada."""
    SAT = "SAT"
    """Satoshis."""


class Account(StrEnum):
    """The chart of accounts; the first word is the account's class."""

    BITCOIN_PROVISIONAL = "Assets:Bitcoin:Provisional"
    """Satoshis that our own work is expected to earn, until the pool has credited them."""
    POOL_RECEIVABLE = "Assets:Receivable:Pool"
    """Satoshis the pools have credited and not yet paid."""
    BITCOIN = "Assets:Bitcoin:Pool"
    """Satoshis the pools have paid out."""
    BANK = "Assets:Cash:Bank"
    MARKET_RECEIVABLE = "Assets:Receivable:Market"
    NETWORK_RECEIVABLE = "Assets:Receivable:Network"
    TENANTS_RECEIVABLE = "Assets:Receivable:Tenants"
    INFERENCE_RECEIVABLE = "Assets:Receivable:Inference"
    HEAT_RECEIVABLE = "Assets:Receivable:Heat"
    PPA_RECEIVABLE = "Assets:Receivable:PPA"
    GENERATION_RECEIVABLE = "Assets:Receivable:Generation"
    """Credits that on-site output earns."""
    SUPPLIER_RECEIVABLE = "Assets:Receivable:Supplier"
    """Hedges, day-ahead position and its fees, owed to us."""
    RESERVE_RECEIVABLE = "Assets:Receivable:Reserve"
    JOBS_RECEIVABLE = "Assets:Receivable:Jobs"
    HOSTING_RECEIVABLE = "Assets:Receivable:Hosting"
    """Owners of hosted machines."""
    SHELL_RECEIVABLE = "Assets:Receivable:PoweredShell"
    MARKET_PAYABLE = "Liabilities:Payable:Market"
    """The market operator or supplier, for energy."""
    NETWORK_PAYABLE = "Liabilities:Payable:Network"
    """The network and the contractual parts on import and export."""
    TENANTS_PAYABLE = "Liabilities:Payable:Tenants"
    """Service credits owed."""
    INFERENCE_PAYABLE = "Liabilities:Payable:Inference"
    HEAT_PAYABLE = "Liabilities:Payable:Heat"
    PPA_PAYABLE = "Liabilities:Payable:PPA"
    GENERATION_PAYABLE = "Liabilities:Payable:Generation"
    """Fuel and variable upkeep."""
    SUPPLIER_PAYABLE = "Liabilities:Payable:Supplier"
    RESERVE_PAYABLE = "Liabilities:Payable:Reserve"
    JOBS_PAYABLE = "Liabilities:Payable:Jobs"
    HOSTING_PAYABLE = "Liabilities:Payable:Hosting"
    SHELL_PAYABLE = "Liabilities:Payable:PoweredShell"
    TRANSMISSION_ACCRUED = "Liabilities:Accrued:Transmission"
    """Coincident-peak charges of peaks already set, billed later."""
    PEAK_ACCRUED = "Liabilities:Accrued:Peak"
    """Peak charge of the month so far, not yet invoiced."""
    WEAR_PROVISION = "Liabilities:Provision:BatteryWear"
    CONVERSION = "Equity:Conversion:Bitcoin"
    """Bridge between the two assets of mining: satoshis on the credit side, their fair value on the debit side."""
    ENERGY_SOLD = "Income:Energy:Sold"
    MINING = "Income:Mining"
    POOL_DIFFERENCE = "Income:Mining:PoolDifference"
    """What the pools credited above, or on the debit side below, our expectation, at its fair value."""
    AI_FIRM = "Income:AI:Firm"
    AI_CURTAILABLE = "Income:AI:Curtailable"
    INFERENCE = "Income:Inference"
    HEAT = "Income:Heat"
    PPA = "Income:PPA"
    """Gain, or on the debit side loss, of the agreements against the market."""
    DAY_AHEAD = "Income:Energy:DayAhead"
    """Gain, or on the debit side loss, of volume bought ahead against real time; likewise the next two."""
    HEDGE = "Income:Energy:Hedge"
    BASIS = "Income:Energy:Basis"
    RESERVE = "Income:Reserve"
    JOBS = "Income:Jobs"
    HOSTING = "Income:Hosting"
    SHELL = "Income:PoweredShell"
    ENERGY_BOUGHT = "Expenses:Energy:Bought"
    ADDERS = "Expenses:Energy:Adders"
    PEAK = "Expenses:Energy:Peak"
    POOL_FEES = "Expenses:PoolFees"
    SERVICE_CREDITS = "Expenses:ServiceCredits"
    GENERATION = "Expenses:Generation"
    WEAR = "Expenses:BatteryWear"
    SUPPLY_FEES = "Expenses:Energy:SupplyFees"
    FIXED_CHARGES = "Expenses:Energy:FixedCharges"
    TRANSMISSION = "Expenses:Energy:Transmission"
    RESERVE_PENALTIES = "Expenses:Reserve:Penalties"
    JOB_PENALTIES = "Expenses:Jobs:Penalties"
    HOSTING_PAYOUTS = "Expenses:Hosting:Payouts"
    STARTS = "Expenses:Generation:Starts"
    UNKNOWN_CHARGES = "Expenses:UnknownCharges"
    """Charges on statements that their declaration doesn't know."""


class EntryKind(StrEnum):
    """Why an entry was made."""

    SETTLEMENT = "settlement"
    """A settlement interval was closed."""
    STATEMENT = "statement"
    """A counterparty's statement, or a later version of it, says something else than the books so far."""
    PAYMENT = "payment"
    """Money or satoshis came or went."""


class Posting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One side of one account in one asset; exactly one of the two amounts is above zero."""

    account: Account
    asset: Asset
    debit: int = 0
    """Amount in the asset's smallest unit, >= 0."""
    credit: int = 0
    """Amount in the asset's smallest unit, >= 0."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A balanced set of postings, never changed once made."""

    sequence: int
    """Place in the book, from 1, without gaps."""
    interval_start_s: int
    """Start of the interval it is about, epoch seconds."""
    interval_end_s: int
    """Its end, epoch seconds: when it is booked."""
    kind: EntryKind
    is_estimated: bool
    """It rests on a price that was missing when it was booked."""
    postings: tuple[Posting, ...]
    """Lines of zero are left out, so the entry of an interval in which nothing moved has none."""

    @property
    def entry_id(self) -> str:
        """Id derived from everything above: equal in every run that books the same."""
        return content_id(msgspec.json.encode(self))


class TrialBalanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One account's turnover in one asset."""

    account: Account
    asset: Asset
    debit: int
    """Sum of debits, smallest units."""
    credit: int
    """Sum of credits, smallest units."""

    @property
    def balance(self) -> int:
        """Debit less credit: plus for what is owned or spent, minus for what is owed or earned."""
        return self.debit - self.credit


def imbalance(entry: Entry) -> dict[Asset, int]:
    """Debits less credits of each asset that does not balance; empty for a sound entry."""
    difference: dict[Asset, int] = {}
    for posting in entry.postings:
        difference[posting.asset] = difference.get(posting.asset, 0) + posting.debit - posting.credit
    return {asset: amount for asset, amount in difference.items() if amount}


def check(entry: Entry) -> None:
    """Stop on an entry that does not balance or a posting without one positive side: a bug, never bad input."""
    one_sided = all(p.debit > 0 == p.credit or p.credit > 0 == p.debit for p in entry.postings)
    require(one_sided, f"entry {entry.sequence}: every posting must have exactly one side above 0")
    off = imbalance(entry)
    require(not off, f"entry {entry.sequence}: debits must equal credits per asset, were off by {off}")


def trial_balance(entries: Iterable[Entry]) -> tuple[TrialBalanceRow, ...]:
    """Turnover of every account and asset that was touched, in the chart's order."""
    debits: Counter[tuple[Account, Asset]] = Counter()
    credits_: Counter[tuple[Account, Asset]] = Counter()
    for entry in entries:
        for posting in entry.postings:
            key = (posting.account, posting.asset)
            debits[key] += posting.debit
            credits_[key] += posting.credit
    return tuple(
        TrialBalanceRow(account=account, asset=asset, debit=debits[account, asset], credit=credits_[account, asset])
        for account in Account
        for asset in Asset
        if (account, asset) in debits
    )
