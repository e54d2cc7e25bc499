"""The books of a live site: each settled interval once a version, whatever was booked before a crash.

An entry is known by its interval and its place among the settlement entries of that interval: the first is version 1.
Statements of counterparties may be imported into the same books at any time.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Connection, func, select

from headrace.adapters.store.books import insert_entries
from headrace.adapters.store.connect import LIVE, engine_of, is_url, masked, refusing, sqlite_url
from headrace.adapters.store.schema import ENTRIES, STATEMENT_ROWS, create, protect
from headrace.core import BadInput, Currency
from headrace.settlement import Statement
from headrace.treasury import Entry, EntryKind, entry_of
from headrace.treasury.correct import correction_of

__all__ = ["LiveBooks", "Settled"]


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one interval's statement."""

    version: int
    """From 1."""
    statement: Statement
    before: Statement | None = None
    """The version before; None for the first."""


class LiveBooks:
    """Books that a live site adds to.

    Parameters
    ----------
    target
        An SQLite file, or a database URL.
    currency
        The site's own.
    """

    def __init__(self, target: Path | str, currency: Currency) -> None:
        self.where = masked(target)
        """Their name, for people."""
        self._target = target
        self._currency = currency

    def book(self, settled: Sequence[Settled]) -> int:
        """Book what is not booked yet, in one transaction; how many entries that were.

        Raises
        ------
        headrace.core.BadInput
            If the books can't be reached or written, or lack a version before one of these.
        """
        if not settled:
            return 0
        target = self._target
        if not is_url(target):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
        url = str(target) if is_url(target) else sqlite_url(Path(target))
        with refusing(target), engine_of(url, LIVE) as engine, engine.begin() as connection:
            create(connection)
            entries = list(self._new(connection, settled))
            insert_entries(connection, entries, self.where)
            protect(connection)
        return len(entries)

    def _new(self, connection: Connection, settled: Sequence[Settled]) -> Iterator[Entry]:
        starts_s = [each.statement.interval_start_s for each in settled]
        counts: defaultdict[int, int] = defaultdict(int)
        query = (
            select(ENTRIES.c.interval_start_s, func.count())
            .where(
                ENTRIES.c.kind == EntryKind.SETTLEMENT.value,
                ENTRIES.c.interval_start_s.between(min(starts_s), max(starts_s)),
            )
            .group_by(ENTRIES.c.interval_start_s)
        )
        counts.update((row[0], row[1]) for row in connection.execute(query))
        sequence = int(connection.execute(select(func.max(ENTRIES.c.sequence))).scalar() or 0)
        for each in settled:
            start_s = each.statement.interval_start_s
            if each.version <= counts[start_s]:
                continue
            if each.version > counts[start_s] + 1:
                found = f"version {counts[start_s]} of interval {start_s} is booked, version {each.version} comes next"
                raise BadInput(self.where, found, "Name the books that this journal was booked in, or new ones")
            counts[start_s] += 1
            sequence += 1
            if each.before is None:
                yield entry_of(each.statement, self._currency, sequence)
            else:
                billed = _billed(connection, each.statement)
                yield correction_of(each.before, each.statement, self._currency, sequence, billed=billed)


def _billed(connection: Connection, statement: Statement) -> set[str]:
    """Lines that counterparties' statements have settled in an interval."""
    columns = STATEMENT_ROWS.c
    rows = connection.execute(
        select(columns.line)
        .distinct()
        .where(
            columns.start_s < statement.interval_start_s + statement.duration_s,
            columns.end_s > statement.interval_start_s,
            columns.line.is_not(None),
        )
    )
    return {row.line for row in rows if not row.line.startswith("payment:")}
