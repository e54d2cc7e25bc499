"""What `headrace books` does: import a statement, explain how it differs from our own, show what the books hold."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from headrace.adapters.statements import (
    MeterDeclaration,
    StatementDeclaration,
    load_declaration,
    read_meter,
    read_statement,
)
from headrace.adapters.store.books import read_balances, read_entries, write_books
from headrace.adapters.store.connect import is_url, masked
from headrace.adapters.store.statements import BookedStatement, book_statement, read_statements
from headrace.app.own_charges import own_charges, replay_and_run, telemetry_residuals
from headrace.app.printing import show
from headrace.core import MICRO, BadInput, Interval, iso
from headrace.settlement.billed import BilledStatement, Source
from headrace.settlement.revenue_meter import MeterReading, MeterResidual
from headrace.settlement.shadow import Difference, Reconciliation, shadow_settle

__all__ = ["books_of", "reconcile_statement", "run_copy", "run_import", "run_reconcile", "run_show"]

LARGEST = 12
"""Differences that the table shows; --json has them all."""


def books_of(books: str) -> Path | str:
    """The books a person names: a database URL, an SQLite file, or the folder of a finished replay."""
    if is_url(books):
        return books
    path = Path(books)
    return path / "books.sqlite" if path.is_dir() else path


def reconcile_statement(
    file: Path, declaration: Path, out: Path, meter: tuple[Path, Path] | None = None
) -> tuple[Reconciliation, tuple[MeterResidual, ...]]:
    """Shadow-settle a statement against a finished replay.

    Parameters
    ----------
    file, declaration
        The statement, and how it reads.
    out
        Folder of the replay.
    meter
        The revenue meter's file and its declaration; its energy outranks the replay's own.

    Returns
    -------
    tuple
        The differences, and for each interval the meter covers its residual against the devices.

    Raises
    ------
    BadInput
        If a file, a declaration or the folder can't be used, or they have nothing in common.
    """
    declared = load_declaration(declaration, StatementDeclaration)
    if declared.source is Source.BANK:
        do = "Import it; `headrace books show` then says what is still open"
        raise BadInput(str(declaration), "a bank pays what others bill: there is nothing to settle it against", do)
    statement = read_statement(file, declared)
    result, run = replay_and_run(out)
    if statement.asset not in {result.site.currency.value, "SAT"}:
        found = f"the statement is in {statement.asset}, the site keeps its books in {result.site.currency.value}"
        raise BadInput(str(file), found, "Name the replay of the site that was billed")
    span = Interval.from_epoch(statement.start_s, statement.end_s)
    if span.end <= result.window.start or span.start >= result.window.end:
        found = f"bills {iso(span.start_s)} to {iso(span.end_s)}, the replay is of "
        found += f"{iso(result.window.start_s)} to {iso(result.window.end_s)}"
        raise BadInput(str(file), found, "Name the replay of that period")
    readings: tuple[MeterReading, ...] = ()
    residuals: tuple[MeterResidual, ...] = ()
    if meter is not None:
        form = load_declaration(meter[1], MeterDeclaration)
        readings = read_meter(meter[0], form)
        residuals = telemetry_residuals(run, readings, tolerance_ppm=form.tolerance_ppm)
        if not residuals:
            found = "covers no whole settlement interval of the replay"
            raise BadInput(str(meter[0]), found, "Check its period, interval and time zone")
    own = own_charges(out, run, declared.lines, span, readings)
    return shadow_settle(statement, own, declared.lines), residuals


def run_import(file: Path, *, declaration: Path, books: str, as_json: bool) -> None:
    """Book a statement."""
    statement = read_statement(file, load_declaration(declaration, StatementDeclaration))
    booking = book_statement(books_of(books), statement)
    unit = _unit(statement.asset)
    figures: dict[str, Any] = {
        "books": masked(books),
        "statement": _about(booking.booked),
        "is_new": booking.is_new,
        f"before_{unit}": sum(change.before for change in booking.changes),
        f"after_{unit}": sum(change.after for change in booking.changes),
        "changes": [
            {"start": iso(c.start_s), "end": iso(c.end_s), "line": c.line}
            | {f"before_{unit}": c.before, f"after_{unit}": c.after}
            for c in booking.changes
            if c.before != c.after
        ],
    }
    show(figures, _draw_import, as_json=as_json)


def run_reconcile(
    file: Path, *, declaration: Path, out: Path, meter: Path | None, meter_declaration: Path | None, as_json: bool
) -> None:
    """Explain how a statement differs from our own settlement."""
    if (meter is None) != (meter_declaration is None):
        raise BadInput("--meter", "comes with --meter-declaration, one was given", "Give both or neither")
    both = None if meter is None or meter_declaration is None else (meter, meter_declaration)
    found, residuals = reconcile_statement(file, declaration, out, both)
    unit = _unit(found.statement.asset)
    figures: dict[str, Any] = {
        "statement": _header(found.statement),
        f"own_{unit}": found.own,
        f"billed_{unit}": found.billed,
        f"difference_{unit}": found.billed - found.own,
        f"explained_{unit}": {cause.value: amount for cause, amount in found.parts.items()},
        f"residual_{unit}": found.residual,
        f"unexplained_{unit}": found.unexplained,
        "lines": _by_line(found, unit),
        "differences": [_difference(each, unit) for each in found.differences if each.amount or each.parts],
        "meter": None if both is None else _meter(residuals),
    }
    show(figures, _draw_reconciliation, as_json=as_json)


def run_show(*, books: str, as_json: bool) -> None:
    """Print the trial balance and the statements that are booked."""
    target = books_of(books)
    figures: dict[str, Any] = {
        "books": masked(books),
        "balances": [
            {"account": row.account.value, "asset": row.asset.value, "unit": _unit(row.asset.value)}
            | {"debit": row.debit, "credit": row.credit, "balance": row.balance}
            for row in read_balances(target)
        ],
        "statements": [_about(booked) for booked in read_statements(target)],
    }
    show(figures, _draw_balances, as_json=as_json)


def run_copy(*, out: Path, books: str, as_json: bool) -> None:
    """Put the books of a finished replay into a database that holds none."""
    if not is_url(books):
        raise BadInput(f"--books {books}", "is no database URL", "Write postgresql://USER@HOST/DATABASE")
    count = 0

    def counted() -> Any:  # noqa: ANN401  a generator of entries
        nonlocal count
        for entry in read_entries(out / "books.sqlite"):
            count += 1
            yield entry

    write_books(books, counted())
    show({"books": masked(books), "entries": count}, _draw_copy, as_json=as_json)


def _header(statement: BilledStatement | BookedStatement) -> dict[str, Any]:
    return {
        "source": statement.source.value,
        "counterparty": statement.counterparty,
        "id": statement.statement_id,
        "version": statement.version.value,
        "asset": str(statement.asset),
        "start": iso(statement.start_s),
        "end": iso(statement.end_s),
        "is_footed": statement.is_footed,
        f"total_{_unit(statement.asset)}": statement.total,
    }


def _about(booked: BookedStatement) -> dict[str, Any]:
    entries = None if booked.first_sequence is None else [booked.first_sequence, booked.last_sequence]
    return _header(booked) | {"number": booked.number, "entries": entries}


def _by_line(found: Reconciliation, unit: str) -> list[dict[str, Any]]:
    lines = dict.fromkeys(each.line for each in found.differences)
    rows = []
    for line in lines:
        of_line = [each for each in found.differences if each.line == line]
        own, billed = sum(each.own for each in of_line), sum(each.billed for each in of_line)
        rows.append(
            {"line": line, f"own_{unit}": own, f"billed_{unit}": billed, f"difference_{unit}": billed - own}
            | {f"residual_{unit}": sum(each.residual for each in of_line)}
        )
    return rows


def _meter(residuals: tuple[MeterResidual, ...]) -> dict[str, Any]:
    """The revenue meter against telemetry: sums, and the intervals beyond the tolerance."""
    return {
        "intervals": len(residuals),
        "meter_wh": sum(each.meter_wh for each in residuals),
        "devices_wh": sum(each.devices_wh for each in residuals),
        "residual_wh": sum(each.residual_wh for each in residuals),
        "beyond": [
            {"start": iso(each.interval_start_s), "residual_wh": each.residual_wh, "tolerance_wh": each.tolerance_wh}
            for each in residuals
            if not each.is_within
        ],
    }


def _difference(each: Difference, unit: str) -> dict[str, Any]:
    quantity = "ph" if each.line == "mining_sats" else "wh"
    return {
        "start": iso(each.start_s),
        "end": iso(each.end_s),
        "line": each.line,
        "charge": each.name,
        f"own_{quantity}": each.own_quantity,
        f"billed_{quantity}": each.billed_quantity,
        f"own_{unit}": each.own,
        f"billed_{unit}": each.billed,
        f"explained_{unit}": {cause.value: amount for cause, amount in each.parts.items()},
        f"residual_{unit}": each.residual,
    }


def _draw_import(figures: dict[str, Any], console: Console) -> None:
    about = figures["statement"]
    unit = _unit(about["asset"])
    if not figures["is_new"]:
        _say(console, f"{_named(about)} is booked already, as number {about['number']}: nothing to do")
        return
    change = figures[f"after_{unit}"] - figures[f"before_{unit}"]
    _say(console, f"{_named(about)} is booked as number {about['number']} in {figures['books']}")
    _say(console, f"  says      {_money(figures[f'after_{unit}'], about['asset']):>22}")
    _say(console, f"  held      {_money(figures[f'before_{unit}'], about['asset']):>22}")
    entries = about["entries"]
    made = "no entry" if entries is None else f"entries {entries[0]} to {entries[1]}"
    _say(console, f"  change    {_money(change, about['asset']):>22}   {made}")
    if not about["is_footed"]:
        _say(console, "  not footed: its declaration names no total")


def _draw_reconciliation(figures: dict[str, Any], console: Console) -> None:
    about = figures["statement"]
    asset, unit = about["asset"], _unit(about["asset"])
    _say(console, f"{_named(about)}, {about['start']} to {about['end']}")
    table = Table("", "amount", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    table.add_row("our own", _money(figures[f"own_{unit}"], asset))
    for cause, amount in figures[f"explained_{unit}"].items():
        table.add_row(f"  {cause.replace('_', ' ')}", _money(amount, asset))
    table.add_row("  residual, not explained", _money(figures[f"residual_{unit}"], asset))
    table.add_row("billed", _money(figures[f"billed_{unit}"], asset))
    console.print(table)
    if figures[f"unexplained_{unit}"]:
        total = _money(figures[f"unexplained_{unit}"], asset)
        _say(console, f"Residuals without their signs: {total}")
    if (meter := figures["meter"]) is not None:
        _say(
            console,
            f"Revenue meter {meter['meter_wh']:,} Wh, devices {meter['devices_wh']:,} Wh, residual "
            f"{meter['residual_wh']:,} Wh; {len(meter['beyond'])} of {meter['intervals']} intervals beyond tolerance",
        )
    largest = sorted(figures["differences"], key=lambda each: -abs(each[f"billed_{unit}"] - each[f"own_{unit}"]))
    table = Table("from", "line", "difference", "because", box=None, pad_edge=False)
    for each in largest[:LARGEST]:
        parts = {cause.replace("_", " "): amount for cause, amount in each[f"explained_{unit}"].items()}
        if each[f"residual_{unit}"]:
            parts["residual"] = each[f"residual_{unit}"]
        because = ", ".join(f"{cause} {_money(amount, asset)}" for cause, amount in parts.items())
        name = each["line"] or each["charge"]
        table.add_row(each["start"], escape(name), _money(each[f"billed_{unit}"] - each[f"own_{unit}"], asset), because)
    if largest:
        console.print(table)


def _draw_balances(figures: dict[str, Any], console: Console) -> None:
    table = Table("account", "debit", "credit", "balance", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in figures["balances"]:
        amounts = (_money(row[side], row["asset"]) for side in ("debit", "credit", "balance"))
        table.add_row(escape(row["account"]), *amounts)
    console.print(table)
    for about in figures["statements"]:
        total = _money(about[f"total_{_unit(about['asset'])}"], about["asset"])
        _say(console, f"{about['number']}. {_named(about)}, {about['start']} to {about['end']}: {total}")


def _draw_copy(figures: dict[str, Any], console: Console) -> None:
    _say(console, f"{figures['entries']:,} entries are in {figures['books']}")


def _named(about: dict[str, Any]) -> str:
    number = f" {about['id']}" if about["id"] else ""
    return f"{about['counterparty']}{number} ({about['version']})"


def _money(amount: int, asset: str) -> str:
    """An amount without loss: satoshis whole, currencies to the millionth."""
    if asset == "SAT":
        return f"{amount:,} SAT"
    whole, rest = divmod(abs(amount), MICRO)
    return f"{'-' if amount < 0 else ''}{whole:,}.{rest:06d} {asset}"


def _unit(asset: str) -> str:
    """Last words of the name of an amount in an asset's smallest unit."""
    return "sats" if asset == "SAT" else f"{asset.lower()}_micro"


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
