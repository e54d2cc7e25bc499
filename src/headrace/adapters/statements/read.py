"""Reading a statement: every row checked, and the whole refused if it isn't one.

Refused with the file and the line: columns that the declaration doesn't name, cells that aren't numbers or times,
another currency, a row twice, an interval left out, two statements or versions in one file, rows that don't add up to
the total.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

from headrace.adapters.statements.declaration import ChargeDeclaration, StatementDeclaration
from headrace.adapters.statements.table import TableRow, refuse, table_rows
from headrace.adapters.statements.values import Unreadable, amount_of, price_of, quantity_of, span_of
from headrace.core import MICRO, SATS_PER_BTC, BadInput, iso
from headrace.settlement.billed import BilledRow, BilledStatement, Version

__all__ = ["read_statement"]


def read_statement(path: Path, declaration: StatementDeclaration) -> BilledStatement:
    """Read and check one statement.

    Raises
    ------
    BadInput
        If the file can't be read or isn't one whole statement of the declared form; it names file and line.
    """
    rows = list(table_rows(path, declaration))
    totals, bodies = _parted(rows, declaration)
    if not bodies:
        raise BadInput(str(path), "bills nothing: no row below the column names", "Name the sender's whole file")
    billed = _billed(path, bodies, declaration)
    _refuse_twice(path, billed)
    _foot(path, totals, billed, declaration)
    billed.sort(key=lambda row: (row.start_s, row.row))
    _refuse_gaps(path, billed, declaration)
    scale = {"BTC": SATS_PER_BTC, "SAT": 1}.get(declaration.currency, MICRO)
    per = {"per_mwh": 1, "per_kwh": 1000, "per_phs_day": 12}[declaration.price_unit]
    return BilledStatement(
        source=declaration.source,
        counterparty=declaration.counterparty,
        statement_id=_same(path, bodies, "statement", "statement number", declaration),
        version=_version(path, bodies, declaration),
        asset=declaration.asset,
        start_s=billed[0].start_s,
        end_s=max(row.end_s for row in billed),
        amount_unit=max(1, scale // 10**declaration.amount_decimals),
        price_unit=max(1, scale * per // 10**declaration.price_decimals),
        is_footed=declaration.total is not None,
        rows=tuple(billed),
    )


def _parted(rows: list[TableRow], declaration: StatementDeclaration) -> tuple[list[TableRow], list[TableRow]]:
    """Rows that are totals, and the others."""
    if (total := declaration.total) is None:
        return [], rows
    meaning = next(key for key, name in declaration.columns.named.items() if name == total.column)
    totals = [row for row in rows if row.get(meaning) == total.text]
    return totals, [row for row in rows if row.get(meaning) != total.text]


def _billed(path: Path, rows: Iterable[TableRow], declaration: StatementDeclaration) -> list[BilledRow]:
    zone = ZoneInfo(declaration.time_zone)
    only = next(iter(declaration.charges)) if declaration.columns.charge is None else None
    unknown = ChargeDeclaration.model_construct(line="", interval=None, is_sparse=True)
    billed: list[BilledRow] = []
    for row in rows:
        name = row.get("charge") if only is None else only
        charge = declaration.charges.get(name, unknown)
        if not charge.line and declaration.is_bitcoin:
            refuse(path, row.number, f"charge {name!r} is not declared", "Declare which line it settles")
        currency = row.get("currency")
        if declaration.columns.currency is not None and currency.upper() != declaration.currency:
            found = f"currency is {currency!r}, declared is {declaration.currency}"
            refuse(path, row.number, found, "Check the file, or give that currency a declaration of its own")
        try:
            billed.append(_billed_row(row, name, charge, declaration, zone))
        except Unreadable as error:
            raise BadInput(f"{path} line {row.number}", error.found, error.do) from error
    return billed


def _billed_row(
    row: TableRow, name: str, charge: ChargeDeclaration, declaration: StatementDeclaration, zone: ZoneInfo
) -> BilledRow:
    billing = charge.interval or declaration.interval
    start_s, end_s = span_of(row.get("start"), declaration, billing, zone, row.get("repeated_hour"))
    amount = amount_of(row.get("amount"), declaration)
    stated = row.get("quantity")
    quantity = quantity_of(stated, declaration, end_s - start_s) if stated else None
    price = price_of(row.get("price"), declaration) if row.get("price") and quantity is not None else None
    if (
        price is not None
        and quantity is not None
        and abs(amount * MICRO + quantity * price) < abs(amount * MICRO - quantity * price)
    ):
        price = -price  # stated without the sign of who pays whom: the amount has it
    return BilledRow(
        row=row.number,
        start_s=start_s,
        end_s=end_s,
        charge=name,
        line=charge.line or None,
        quantity=quantity,
        price_micro_per_mwh=price,
        amount=amount,
        reference=row.get("reference"),
    )


def _refuse_twice(path: Path, billed: Iterable[BilledRow]) -> None:
    seen: dict[tuple[int, str, str], int] = {}
    for row in billed:
        first = seen.setdefault((row.start_s, row.charge, row.reference), row.row)
        if first != row.row:
            found = f"{row.charge!r} at {iso(row.start_s)} stands in line {first} already"
            refuse(path, row.row, found, "Ask the sender which row counts; payments need columns.reference")


def _foot(path: Path, totals: list[TableRow], billed: list[BilledRow], declaration: StatementDeclaration) -> None:
    """The rows must add up to the total, to the last unit."""
    if declaration.total is None:
        return
    if len(totals) != 1:
        where = totals[1].number if totals else billed[-1].row
        found = f"a second total, after line {totals[0].number}" if totals else "ends without the declared total"
        refuse(path, where, found, "Name one whole statement")
    try:
        total = amount_of(totals[0].get("amount"), declaration)
    except Unreadable as error:
        raise BadInput(f"{path} line {totals[0].number}", error.found, error.do) from error
    summed = sum(row.amount for row in billed)
    if total != summed:
        sign = 1 if declaration.plus_is == "owed_to_us" else -1
        found = f"does not foot: the rows add up to {_shown(sign * summed, declaration)}, the total says"
        refuse(
            path,
            totals[0].number,
            f"{found} {_shown(sign * total, declaration)} ({_shown(sign * (total - summed), declaration)} apart)",
            "Nothing was booked: ask the sender for a statement that adds up",
        )


def _refuse_gaps(path: Path, billed: list[BilledRow], declaration: StatementDeclaration) -> None:
    """Every charge that is not sparse has a row for each interval from the statement's start to its end."""
    start_s, end_s = billed[0].start_s, max(row.end_s for row in billed)
    for name, charge in declaration.charges.items():
        rows = [row for row in billed if row.charge == name]
        if charge.is_sparse or declaration.source == "bank" or not rows:
            continue
        reached = start_s
        for row in rows:
            if row.start_s > reached:
                _refuse_gap(path, row.row, name, reached, row.start_s)
            reached = row.end_s
        if reached < end_s:
            _refuse_gap(path, rows[-1].row, name, reached, end_s)


def _refuse_gap(path: Path, number: int, name: str, start_s: int, end_s: int) -> NoReturn:
    refuse(
        path,
        number,
        f"{name!r} has no row for {iso(start_s)} to {iso(end_s)}",
        "Ask the sender for the rows left out, or declare the charge is_sparse",
    )


def _version(path: Path, rows: list[TableRow], declaration: StatementDeclaration) -> Version:
    if declaration.version is not None:
        return declaration.version
    text = _same(path, rows, "version", "version", declaration)
    words = {word.lower(): version for word, version in declaration.versions.items()}
    version = words.get(text.lower()) or next((v for v in Version if v.value == text.lower()), None)
    if version is None:
        refuse(path, rows[0].number, f"version is {text!r}", "Say under [versions] which of ours it is")
    return version


def _same(path: Path, rows: list[TableRow], meaning: str, what: str, declaration: StatementDeclaration) -> str:
    """Text that every row shares; "" where no column holds it."""
    if meaning not in declaration.columns.named:
        return ""
    first = rows[0].get(meaning)
    for row in rows:
        if row.get(meaning) != first:
            found = f"{what} is {row.get(meaning)!r}, line {rows[0].number} says {first!r}"
            refuse(path, row.number, found, "Import one statement a file")
    return first


def _shown(amount: int, declaration: StatementDeclaration) -> str:
    """An amount as the sender writes it."""
    if declaration.is_bitcoin:
        return f"{amount} SAT"
    whole, rest = divmod(abs(amount), MICRO)
    return f"{'-' if amount < 0 else ''}{whole:,}.{rest:06d} {declaration.currency}"
