"""The books on disk: every entry and posting of a run in a database that refuses to forget.

A path names an SQLite file, written whole or not at all; a URL names any database that SQLAlchemy knows, to which
entries are added in one transaction.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, func, insert, select

from headrace.adapters.store.connect import BUILDING, LIVE, engine_of, is_url, masked, reading, refusing, sqlite_url
from headrace.adapters.store.schema import ENTRIES, POSTINGS, create, protect, unbalanced
from headrace.core import BadInput, require
from headrace.treasury import Account, Asset, Entry, EntryKind, Posting, TrialBalanceRow, check

__all__ = ["insert_entries", "insert_rows", "read_balances", "read_entries", "write_books"]

INT64_MAX: Final = 2**63 - 1
"""Largest amount a column holds: 9.2 million million units of currency, or 92,000 million bitcoin."""

_BATCH_ROWS: Final = 20_000

_Values = tuple[int | str | bool, ...]
"""One row's values."""


def write_books(target: Path | str, entries: Iterable[Entry]) -> None:
    """Write entries to a new SQLite file, or add them to the books at a URL.

    Parameters
    ----------
    target
        A path (a file there is replaced when the new one is complete), or text with "://", a database URL.
    entries
        In order of their sequence; read once, a batch at a time.

    Raises
    ------
    headrace.core.BadInput
        If the target can't be written, its disk is full, a sequence number is taken, or an amount exceeds 64 bits;
        nothing is then written.
    """
    if is_url(target):
        with refusing(target), engine_of(str(target), LIVE) as engine, engine.begin() as connection:
            create(connection)
            insert_entries(connection, entries, masked(target))
            protect(connection)
        return
    path = Path(target)
    working = path.with_name(f".{path.name}.partial")
    try:
        with refusing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            working.unlink(missing_ok=True)
            with engine_of(sqlite_url(working), BUILDING) as engine:
                with engine.begin() as connection:
                    create(connection)
                    insert_entries(connection, entries, str(path))
                    protect(connection)
                with engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            with working.open("rb") as file:
                os.fsync(file.fileno())
            working.replace(path)
    except BaseException:
        if path.parent.is_dir():
            working.unlink(missing_ok=True)
        raise


def read_balances(target: Path | str) -> tuple[TrialBalanceRow, ...]:
    """Turnover of every account and asset, in the chart's order.

    Raises
    ------
    headrace.core.BadInput
        If there are no books at the target.
    """
    query = select(
        POSTINGS.c.account, POSTINGS.c.asset, func.sum(POSTINGS.c.debit), func.sum(POSTINGS.c.credit)
    ).group_by(POSTINGS.c.account, POSTINGS.c.asset)
    with reading(target) as connection:
        found = {(account, asset): (debit, credit) for account, asset, debit, credit in connection.execute(query)}
    return tuple(
        TrialBalanceRow(account=account, asset=asset, debit=int(turnover[0]), credit=int(turnover[1]))
        for account in Account
        for asset in Asset
        if (turnover := found.get((account.value, asset.value))) is not None
    )


def read_entries(target: Path | str) -> Iterator[Entry]:
    """Every entry in order of its sequence, each verified against its id.

    Raises
    ------
    headrace.core.BadInput
        If there are no books at the target, or an entry was changed since it was written.
    """
    query = (
        select(ENTRIES, POSTINGS.c.account, POSTINGS.c.asset, POSTINGS.c.debit, POSTINGS.c.credit)
        .join_from(ENTRIES, POSTINGS, isouter=True)
        .order_by(ENTRIES.c.sequence, POSTINGS.c.line)
        .execution_options(yield_per=_BATCH_ROWS)
    )
    with reading(target) as connection:
        for sequence, group in groupby(connection.execute(query), key=lambda row: row.sequence):
            rows = list(group)
            entry = _entry(rows)
            if entry.entry_id != rows[0].entry_id:
                raise BadInput(
                    f"{masked(target)} entry {sequence}",
                    "the entry is not what was booked: its id does not fit",
                    "Restore the books from a copy, or write them again from the journal",
                )
            yield entry


def insert_entries(connection: Connection, entries: Iterable[Entry], where: str) -> None:
    """Insert in batches, each entry checked alone and all of them again by the database.

    Parameters
    ----------
    connection
        To books whose tables are there, inside the transaction of everything that belongs together.
    entries
        In order of their sequence; read once.
    where
        Name of the books for messages.

    Raises
    ------
    headrace.core.BadInput
        If an amount exceeds 64 bits.
    """
    entry_rows: list[_Values] = []
    posting_rows: list[_Values] = []
    first_sequence: int | None = None
    for entry in entries:
        check(entry)
        if first_sequence is None:
            first_sequence = entry.sequence
        entry_rows.append(_entry_row(entry))
        posting_rows += _posting_rows(entry, where)
        if len(posting_rows) >= _BATCH_ROWS:
            _flush(connection, entry_rows, posting_rows)
    _flush(connection, entry_rows, posting_rows)
    if first_sequence is not None:
        off = connection.execute(unbalanced(first_sequence)).first()
        require(off is None, f"the stored entry must balance, was off: {off}")


def _flush(connection: Connection, entry_rows: list[_Values], posting_rows: list[_Values]) -> None:
    for table, rows in ((ENTRIES, entry_rows), (POSTINGS, posting_rows)):
        insert_rows(connection, table, rows)
        rows.clear()


def insert_rows(connection: Connection, table: Table, rows: list[_Values]) -> None:
    """Insert rows whose values follow the table's columns."""
    if not rows:
        return
    compiled = insert(table).compile(dialect=connection.dialect)
    if compiled.positional:  # straight to the driver: a third of the time of naming every value
        connection.exec_driver_sql(str(compiled), rows)
    else:
        names = table.columns.keys()
        connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])


def _entry_row(entry: Entry) -> _Values:
    """Values in the order of the columns of `ENTRIES`."""
    return (
        entry.sequence,
        entry.entry_id,
        entry.interval_start_s,
        entry.interval_end_s,
        entry.kind.value,
        entry.is_estimated,
    )


def _posting_rows(entry: Entry, where: str) -> list[_Values]:
    """Values in the order of the columns of `POSTINGS`, a row per posting."""
    largest = max((p.debit + p.credit for p in entry.postings), default=0)
    if largest > INT64_MAX:
        raise BadInput(
            f"{where} entry {entry.sequence}",
            f"a posting moves {largest} units, above the {INT64_MAX} that the books hold",
            "Look for a wrong unit in the site's prices",
        )
    return [
        (entry.sequence, line, p.account.value, p.asset.value, p.debit, p.credit)
        for line, p in enumerate(entry.postings)
    ]


def _entry(rows: list[Row[Any]]) -> Entry:
    head = rows[0]
    return Entry(
        sequence=head.sequence,
        interval_start_s=head.interval_start_s,
        interval_end_s=head.interval_end_s,
        kind=EntryKind(head.kind),
        is_estimated=head.is_estimated,
        postings=tuple(
            Posting(account=Account(row.account), asset=Asset(row.asset), debit=row.debit, credit=row.credit)
            for row in rows
            if row.account is not None
        ),
    )
