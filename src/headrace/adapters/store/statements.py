"""Statements of others in the books: booked in one transaction with the entries they make, each once.

A statement that is booked already, to the last figure, is left as it is. What a new one changes is worked out from what
the same database holds (`settlement.versions`), so two importers at once cannot both book: the second finds its number
taken and is refused.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, and_, case, func, insert, inspect, or_, select

from headrace.adapters.store.books import insert_entries, insert_rows
from headrace.adapters.store.connect import LIVE, engine_of, is_url, masked, reading, refusing, sqlite_url
from headrace.adapters.store.schema import ENTRIES, POSTINGS, STATEMENT_ROWS, STATEMENTS, create, protect
from headrace.core import BadInput, Currency
from headrace.settlement.billed import POOL_CREDIT, BilledStatement, Source, Version
from headrace.settlement.versions import Accrual, BookedCharge, Change, changes_of
from headrace.treasury import POSTED, Account, Asset, EntryKind, statement_entries

__all__ = ["BookedStatement", "Booking", "book_statement", "read_statements", "statements_in"]

_LINE_OF: Final = {own.value: line for line, (own, _, _) in POSTED.items()}
"""Statement line of each account that lines are booked to."""


_SHARED: Final = ("source", "counterparty", "statement_id", "version", "start_s", "end_s", "total", "is_footed")
"""Fields that a booked statement takes over."""


class BookedStatement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement in the books, without its rows."""

    number: int
    """Place among the statements, from 1."""
    source: Source
    """As `BilledStatement.source`."""
    counterparty: str
    """Its sender."""
    statement_id: str
    """The sender's number."""
    version: Version
    asset: Asset
    start_s: int
    """First start of what it bills, epoch seconds."""
    end_s: int
    """Last end."""
    total: int
    """Sum of its rows, smallest units; plus is owed to us."""
    is_footed: bool
    """It came with a total that its rows add up to."""
    first_sequence: int | None
    """First entry it made; None where it changed nothing."""
    last_sequence: int | None
    """Last entry it made."""


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did."""

    booked: BookedStatement
    """The statement as the books hold it."""
    is_new: bool
    """False where it was booked already."""
    changes: tuple[Change, ...]
    """What it changed; empty where it was booked already."""


def book_statement(target: Path | str, statement: BilledStatement) -> Booking:
    """Book one statement, all of it or nothing.

    Parameters
    ----------
    target
        SQLite file of a run's books, or a database URL.
    statement
        Read and checked.

    Raises
    ------
    headrace.core.BadInput
        If the books can't be reached, are kept in another currency, or hold what the statement contradicts.
    """
    if not is_url(target) and not Path(target).is_file():
        raise BadInput(str(target), "there are no books here", "Name the --out folder of a replay, or a database URL")
    url = str(target) if is_url(target) else sqlite_url(Path(target))
    with refusing(target), engine_of(url, LIVE) as engine, engine.begin() as connection:
        create(connection)
        protect(connection)
        known = connection.execute(select(STATEMENTS).where(STATEMENTS.c.digest == statement.digest)).first()
        if known is not None:
            return Booking(booked=_booked(known), is_new=False, changes=())
        return _book(connection, statement, masked(target))


def read_statements(target: Path | str) -> tuple[BookedStatement, ...]:
    """Every statement in the books, in the order of booking; none in books from before there were any.

    Raises
    ------
    headrace.core.BadInput
        If there are no books at the target.
    """
    with reading(target) as connection:
        if not inspect(connection).has_table(STATEMENTS.name):
            return ()
        rows = connection.execute(select(STATEMENTS).order_by(STATEMENTS.c.number)).all()
    return tuple(_booked(row) for row in rows)


def statements_in(path: Path) -> int:
    """How many statements an SQLite file of books holds; none where there is no such file."""
    try:
        return len(read_statements(path))
    except BadInput:
        return 0


def _book(connection: Connection, statement: BilledStatement, where: str) -> Booking:
    currency = _currency(connection, statement, where)
    changes = changes_of(statement, _charges(connection, statement), _accruals(connection, statement, currency))
    last = connection.scalar(select(func.max(ENTRIES.c.sequence))) or 0
    entries = statement_entries(statement, changes, currency, last + 1)
    insert_entries(connection, entries, where)
    booked = BookedStatement(
        number=(connection.scalar(select(func.max(STATEMENTS.c.number))) or 0) + 1,
        asset=Asset(statement.asset),
        first_sequence=entries[0].sequence if entries else None,
        last_sequence=entries[-1].sequence if entries else None,
        **{name: getattr(statement, name) for name in _SHARED},
    )
    row = msgspec.to_builtins(booked) | {"digest": statement.digest}
    connection.execute(insert(STATEMENTS), [row])
    names = STATEMENT_ROWS.columns.keys()[1:]
    insert_rows(
        connection,
        STATEMENT_ROWS,
        [(booked.number, *(getattr(billed, name) for name in names)) for billed in statement.rows],
    )
    return Booking(booked=booked, is_new=True, changes=changes)


def _currency(connection: Connection, statement: BilledStatement, where: str) -> Currency:
    """The books' own currency: what they hold beside satoshis, else the statement's."""
    held = connection.execute(select(POSTINGS.c.asset).where(POSTINGS.c.asset != Asset.SAT.value).limit(1)).scalar()
    if held is None and statement.asset == Asset.SAT.value:
        raise BadInput(where, "hold no currency to value satoshis in", "Import a run's books first")
    if held is not None and statement.asset not in {held, Asset.SAT.value}:
        found = f"the statement is in {statement.asset}, the books are in {held}"
        raise BadInput(where, found, "Name the books of that currency")
    return Currency(held or statement.asset)


def _charges(connection: Connection, statement: BilledStatement) -> Iterable[BookedCharge]:
    """Charges of statements already booked that touch the new one's span, rows of one line and interval together."""
    columns = STATEMENT_ROWS.c
    rows = connection.execute(
        select(
            columns.number,
            STATEMENTS.c.counterparty,
            STATEMENTS.c.version,
            columns.start_s,
            columns.end_s,
            columns.line,
            func.sum(columns.amount).label("amount"),
        )
        .join_from(STATEMENT_ROWS, STATEMENTS)
        .where(columns.start_s < statement.end_s, columns.end_s > statement.start_s)
        .group_by(
            columns.number,
            STATEMENTS.c.counterparty,
            STATEMENTS.c.version,
            columns.start_s,
            columns.end_s,
            columns.line,
        )
        .order_by(columns.number, columns.start_s)
    )
    for row in rows:
        yield BookedCharge(
            number=row.number,
            counterparty=row.counterparty,
            version=Version(row.version),
            start_s=row.start_s,
            end_s=row.end_s,
            line=row.line,
            amount=int(row.amount),
        )


def _accruals(connection: Connection, statement: BilledStatement, currency: Currency) -> Iterable[Accrual]:
    """What our own settlement booked in the statement's span, by line; satoshis with their fair value."""
    own, value = {*_LINE_OF, Account.BITCOIN_PROVISIONAL.value}, Account.CONVERSION.value
    is_own = POSTINGS.c.account.in_(sorted(own))
    is_value = and_(POSTINGS.c.account == value, POSTINGS.c.asset == currency.value)
    amount = func.sum(case((is_own, POSTINGS.c.credit - POSTINGS.c.debit), else_=0))
    rows = connection.execute(
        select(
            ENTRIES.c.interval_start_s,
            ENTRIES.c.interval_end_s,
            POSTINGS.c.account,
            amount.label("amount"),
            func.sum(POSTINGS.c.debit - POSTINGS.c.credit).label("balance"),
        )
        .join_from(ENTRIES, POSTINGS)
        .where(
            ENTRIES.c.kind == EntryKind.SETTLEMENT.value,
            ENTRIES.c.interval_start_s < statement.end_s,
            ENTRIES.c.interval_end_s > statement.start_s,
            or_(is_own, is_value),
        )
        .group_by(ENTRIES.c.interval_start_s, ENTRIES.c.interval_end_s, POSTINGS.c.account)
        .order_by(ENTRIES.c.interval_start_s)
    ).all()
    values = {row.interval_start_s: int(row.balance) for row in rows if row.account == value}
    for row in rows:
        if row.account == value:
            continue
        is_mined = row.account == Account.BITCOIN_PROVISIONAL.value
        yield Accrual(
            start_s=row.interval_start_s,
            end_s=row.interval_end_s,
            line=POOL_CREDIT if is_mined else _LINE_OF[row.account],
            amount=int(row.balance) if is_mined else int(row.amount),
            fair_value_micro=values.get(row.interval_start_s, 0) if is_mined else 0,
        )


def _booked(row: Row[Any]) -> BookedStatement:
    return BookedStatement(
        source=Source(row.source),
        version=Version(row.version),
        asset=Asset(row.asset),
        **{
            name: getattr(row, name)
            for name in BookedStatement.__struct_fields__
            if name not in {"source", "version", "asset"}
        },
    )
