"""Tables of the books, and what keeps them append-only.

Amounts are 64-bit integers in the asset's smallest unit. On SQLite, triggers refuse to change, delete or replace a row.
On another server the same is a matter of rights: grant the role that books INSERT and SELECT, nothing else.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    func,
    select,
    text,
)

__all__ = ["ENTRIES", "POSTINGS", "create", "protect", "unbalanced"]

_METADATA: Final = MetaData()

ENTRIES: Final = Table(
    "entries",
    _METADATA,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("entry_id", Text, nullable=False, unique=True),
    Column("interval_start_s", BigInteger, nullable=False),
    Column("interval_end_s", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("is_estimated", Boolean, nullable=False),
)
"""One row per entry; times are epoch seconds."""

POSTINGS: Final = Table(
    "postings",
    _METADATA,
    Column("sequence", ForeignKey(ENTRIES.c.sequence), primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("debit", BigInteger, nullable=False),
    Column("credit", BigInteger, nullable=False),
    CheckConstraint("debit >= 0 AND credit >= 0 AND (debit > 0) <> (credit > 0)", name="one_side"),
    sqlite_with_rowid=False,
)
"""Postings of each entry, numbered from 0 in its own order."""

_VIEWS: Final = {
    "balances": "SELECT account, asset, SUM(debit) AS debit, SUM(credit) AS credit, SUM(debit) - SUM(credit) AS balance"
    " FROM postings GROUP BY account, asset",
    "unbalanced": "SELECT sequence, asset, SUM(debit) AS debit, SUM(credit) AS credit"
    " FROM postings GROUP BY sequence, asset HAVING SUM(debit) <> SUM(credit)",
}

_REFUSAL: Final = "SELECT RAISE(ABORT, 'the books are append-only: correct an entry by another entry')"


def create(connection: Connection) -> None:
    """Make the tables that are not there yet."""
    _METADATA.create_all(connection)


def protect(connection: Connection) -> None:
    """Make the views that people read and, on SQLite, the triggers; those that are there stay."""
    is_sqlite = connection.dialect.name == "sqlite"
    for name, query in _VIEWS.items():
        verb = "CREATE VIEW IF NOT EXISTS" if is_sqlite else "CREATE OR REPLACE VIEW"
        connection.execute(text(f"{verb} {name} AS {query}"))
    if not is_sqlite:
        return
    for table, key in (
        ("entries", "sequence = NEW.sequence"),
        ("postings", "sequence = NEW.sequence AND line = NEW.line"),
    ):
        for event, condition in (
            ("UPDATE", ""),
            ("DELETE", ""),
            (
                "INSERT",
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key})",
            ),  # INSERT OR REPLACE deletes without a trigger
        ):
            connection.execute(
                text(
                    f"CREATE TRIGGER IF NOT EXISTS {table}_refuse_{event.lower()} BEFORE {event} ON {table} {condition}"
                    f" BEGIN {_REFUSAL}; END"
                )
            )


def unbalanced(first_sequence: int) -> Select[tuple[int, str]]:
    """Entries from `first_sequence` on whose debits and credits differ in an asset."""
    return (
        select(POSTINGS.c.sequence, POSTINGS.c.asset)
        .where(POSTINGS.c.sequence >= first_sequence)
        .group_by(POSTINGS.c.sequence, POSTINGS.c.asset)
        .having(func.sum(POSTINGS.c.debit) != func.sum(POSTINGS.c.credit))
    )
