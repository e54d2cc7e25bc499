"""Tables of the books, and what keeps them append-only.

Amounts are 64-bit integers in the asset's smallest unit. Triggers refuse to change, delete or replace a row, on SQLite
and on PostgreSQL, where they also refuse to empty a table. Whoever owns the tables can drop a trigger: on a server, let
one role make the tables and grant INSERT and SELECT, nothing else, to the role that books.
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
    UniqueConstraint,
    func,
    inspect,
    select,
    text,
)

__all__ = ["ENTRIES", "POSTINGS", "STATEMENTS", "STATEMENT_ROWS", "create", "protect", "unbalanced"]

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

STATEMENTS: Final = Table(
    "statements",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("counterparty", Text, nullable=False),
    Column("statement_id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("start_s", BigInteger, nullable=False),
    Column("end_s", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("is_footed", Boolean, nullable=False),
    Column("first_sequence", BigInteger),
    Column("last_sequence", BigInteger),
)
"""One row per statement booked, in the order of booking, with the entries it made; none where it changed nothing."""

STATEMENT_ROWS: Final = Table(
    "statement_rows",
    _METADATA,
    Column("number", ForeignKey(STATEMENTS.c.number), primary_key=True, autoincrement=False),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, nullable=False),
    Column("end_s", BigInteger, nullable=False),
    Column("charge", Text, nullable=False),
    Column("line", Text),
    Column("quantity", BigInteger),
    Column("price_micro_per_mwh", BigInteger),
    Column("amount", BigInteger, nullable=False),
    Column("reference", Text, nullable=False),
    UniqueConstraint("number", "start_s", "charge", "reference", name="row_once"),
    sqlite_with_rowid=False,
)
"""What each of them bills, by the line in its file; amounts are plus where owed to us."""

_KEYS: Final = {
    "entries": ("sequence",),
    "postings": ("sequence", "line"),
    "statements": ("number",),
    "statement_rows": ("number", "row"),
}
"""Append-only tables and what tells their rows apart."""

_VIEWS: Final = {
    "balances": "SELECT account, asset, SUM(debit) AS debit, SUM(credit) AS credit, SUM(debit) - SUM(credit) AS balance"
    " FROM postings GROUP BY account, asset",
    "unbalanced": "SELECT sequence, asset, SUM(debit) AS debit, SUM(credit) AS credit"
    " FROM postings GROUP BY sequence, asset HAVING SUM(debit) <> SUM(credit)",
}

_REFUSAL: Final = "the books are append-only: correct an entry by another entry"


def create(connection: Connection) -> None:
    """Make the tables that are not there yet."""
    _METADATA.create_all(connection)


def protect(connection: Connection) -> None:
    """Make the views that people read and the triggers that keep the books; those that are there stay."""
    views = set(inspect(connection).get_view_names())
    for name, query in _VIEWS.items():
        if name not in views:
            connection.execute(text(f"CREATE VIEW {name} AS {query}"))
    match connection.dialect.name:
        case "sqlite":
            _protect_sqlite(connection)
        case "postgresql":
            _protect_postgresql(connection)


def _protect_sqlite(connection: Connection) -> None:
    for table, columns in _KEYS.items():
        key = " AND ".join(f"{column} = NEW.{column}" for column in columns)
        replaced = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key})"  # INSERT OR REPLACE deletes without a trigger
        for event, condition in (("UPDATE", ""), ("DELETE", ""), ("INSERT", replaced)):
            connection.execute(
                text(
                    f"CREATE TRIGGER IF NOT EXISTS {table}_refuse_{event.lower()} BEFORE {event} ON {table} {condition}"
                    f" BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
                )
            )


def _protect_postgresql(connection: Connection) -> None:
    """Make the triggers where they are missing: only the tables' owner can, and the role that books need not be it."""
    there = text("SELECT count(*) FROM pg_trigger WHERE tgname = :name AND tgrelid = to_regclass(:table)")
    for table in _KEYS:
        if connection.scalar(there, {"name": f"{table}_refuse_change", "table": table}):
            continue
        connection.execute(
            text(
                f"CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"
            )
        )
        for name, event in (("change", "UPDATE OR DELETE"), ("truncate", "TRUNCATE")):
            connection.execute(
                text(
                    f"CREATE TRIGGER {table}_refuse_{name} BEFORE {event} ON {table}"
                    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
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
