"""Statements as records, for tests that need no file."""

from headrace.settlement.billed import BilledRow, BilledStatement, Source, Version
from settlement_cases import START_S


def row(i, *, amount, line="energy_bought", charge=None, quantity=None, price=None, start_s=None, end_s=None):
    """Row of the i-th quarter of an hour of `make_entries`."""
    start_s = START_S + 900 * i if start_s is None else start_s
    return BilledRow(
        row=2 + i,
        start_s=start_s,
        end_s=start_s + 900 if end_s is None else end_s,
        charge=charge or line or "unknown",
        line=line,
        quantity=quantity,
        price_micro_per_mwh=price,
        amount=amount,
    )


def billed(*rows, source=Source.MARKET, version=Version.INITIAL, asset="USD", counterparty="market", **more):
    """A statement of these rows."""
    about = {"statement_id": "S-1", "amount_unit": 10_000, "price_unit": 1, "is_footed": True} | more
    return BilledStatement(
        source=source,
        counterparty=counterparty,
        version=version,
        asset=asset,
        start_s=min(each.start_s for each in rows),
        end_s=max(each.end_s for each in rows),
        rows=tuple(rows),
        **about,
    )
