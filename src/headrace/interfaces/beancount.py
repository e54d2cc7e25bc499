"""The books as a beancount ledger, so that a program that is not ours can check every sum.

One transaction per local day by default, or one per settlement interval. Currencies are written with all six decimals
and satoshis as the commodity SAT, so nothing is rounded. Every account is opened for its own assets only, and at the
end asserted in each without tolerance, touched or not: `bean-check` proves the trial balance to the last unit.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

from headrace.core import MICRO, from_epoch_s, iso
from headrace.dispatch.site import Site
from headrace.treasury import Account, Asset, Entry

__all__ = ["beancount_text"]

_Balances = Counter[tuple[Account, Asset]]
"""Debit less credit, smallest units."""

_WIDTH: Final = 40
"""Column at which amounts begin: the longest account, and some air."""


def beancount_text(entries: Iterable[Entry], site: Site, *, per_interval: bool = False) -> Iterator[str]:
    """Write entries as a beancount ledger.

    Parameters
    ----------
    entries
        In order of time; read once.
    site
        Whose books they are: its name, currency, and the zone whose days the transactions carry.
    per_interval
        A transaction for each settlement interval instead of each local day.

    Yields
    ------
    str
        The ledger in pieces, each ending in a line feed.
    """
    zone = ZoneInfo(site.time_zone)
    total: _Balances = Counter()
    last: date | None = None
    for day, of_day in groupby(entries, key=lambda entry: from_epoch_s(entry.interval_start_s).astimezone(zone).date()):
        if last is None:
            yield _preamble(site, day)
        last = day
        booked = list(of_day)
        for together in [[entry] for entry in booked] if per_interval else [booked]:
            balances = _balances(together)
            if balances:
                yield _transaction(site, day, together, balances)
            total.update(balances)
    if last is None:
        yield f"; {site.name}: no entries\n"
    else:
        yield _assertions(site, total, last + timedelta(days=1))


def _preamble(site: Site, first: date) -> str:
    currency = Asset(site.currency.value)
    lines = [
        f'option "title" "{_quoted(site.name)}"',
        f'option "operating_currency" "{currency.value}"',
        "",
        f"{first} commodity {currency.value}",
        f"{first} commodity {Asset.SAT.value}",
        f'  name: "Satoshi, 1e-8 bitcoin; {Account.CONVERSION.value} carries its fair value when it was mined"',
        "",
    ]
    lines += [f"{first} open {a.value:<{_WIDTH}}{','.join(_assets(a, site))}" for a in Account]
    return "\n".join(lines) + "\n"


def _transaction(site: Site, day: date, entries: list[Entry], balances: _Balances) -> str:
    """One transaction; flagged "!" where an estimated price stands in it."""
    estimated = sum(entry.is_estimated for entry in entries)
    first, last = entries[0], entries[-1]
    narration = f"{iso(first.interval_start_s)} to {iso(last.interval_end_s)}"
    if estimated:
        narration += f", {estimated} of {len(entries)} intervals at an estimated price"
    lines = [
        "",
        f'{day} {"!" if estimated else "*"} "{_quoted(site.name)}" "{narration}"',
        f'  entries: "{first.sequence}-{last.sequence}"',
    ]
    lines += [
        f"  {account.value:<{_WIDTH}}{_amount(balances[account, asset], asset)}"
        for account in Account
        for asset in Asset
        if (account, asset) in balances
    ]
    return "\n".join(lines) + "\n"


def _assertions(site: Site, total: _Balances, on: date) -> str:
    """What every account must hold, without tolerance, at the beginning of the day after the last one."""
    lines = [""]
    for account in Account:
        for asset in _assets(account, site):
            amount, commodity = _amount(total[account, asset], asset).rsplit(" ", 1)
            lines.append(f"{on} balance {account.value:<{_WIDTH}}{amount} ~ 0 {commodity}")
    return "\n".join(lines) + "\n"


def _assets(account: Account, site: Site) -> tuple[Asset, ...]:
    """What an account of this site may hold."""
    currency = Asset(site.currency.value)
    if account in {Account.BITCOIN_PROVISIONAL, Account.POOL_RECEIVABLE, Account.BITCOIN}:
        return (Asset.SAT,)
    return (currency, Asset.SAT) if account is Account.CONVERSION else (currency,)


def _balances(entries: list[Entry]) -> _Balances:
    """Net movement of each account and asset, those that moved by zero left out."""
    balances: _Balances = Counter()
    for entry in entries:
        for posting in entry.postings:
            balances[posting.account, posting.asset] += posting.debit - posting.credit
    return Counter({key: amount for key, amount in balances.items() if amount})


def _amount(amount: int, asset: Asset) -> str:
    """Exact decimal text: satoshis whole, currencies with six decimals."""
    if asset is Asset.SAT:
        return f"{amount} SAT"
    whole, fraction = divmod(abs(amount), MICRO)
    return f"{'-' if amount < 0 else ''}{whole}.{fraction:06d} {asset.value}"


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
