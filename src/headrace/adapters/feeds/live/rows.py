"""Rows of a reply as a `Table`: sorted, one value an interval, on the grid, numbers or missing."""

import csv
import io
from collections.abc import Iterator, Sequence

import numpy as np

from headrace.adapters.feeds.table import Table
from headrace.core import BadInput, iso

__all__ = ["csv_rows", "number", "table", "text"]


def text(where: str, body: bytes) -> str:
    """Body as text.

    Raises
    ------
    BadInput
        If it is not UTF-8, or a page of markup where data should be.
    """
    try:
        words = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(where, "a reply that is no text", "Ask again later") from error
    if words.lstrip()[:1] == "<":
        raise BadInput(where, f"a page instead of data ({' '.join(words.split())[:80]!r}...)", "Ask again later")
    return words


def csv_rows(where: str, words: str, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Cells of the named columns, row by row.

    Raises
    ------
    BadInput
        If a column is missing or a row is cut short.
    """
    reader = csv.reader(io.StringIO(words))
    header = [cell.strip() for cell in next(reader, [])]
    missing = [column for column in columns if column not in header]
    if missing:
        there = ", ".join(header)[:200] or "none"
        raise BadInput(where, f"no column {missing[0]!r}", f"The operator's format has changed; columns there: {there}")
    places = [header.index(column) for column in columns]
    for cells in reader:
        if not cells:
            continue
        if len(cells) < len(header):
            found = f"line {reader.line_num} has {len(cells)} cells of {len(header)}"
            raise BadInput(where, found, "The reply was cut short: ask again")
        yield tuple(cells[place].strip() for place in places)


def number(where: str, cell: object) -> float:
    """Value of a cell, NaN where it is empty.

    Raises
    ------
    BadInput
        If it is no finite number.
    """
    if cell is None or cell == "":
        return float("nan")
    try:
        value = float(str(cell))
    except ValueError:
        value = float("inf")
    if not np.isfinite(value):
        raise BadInput(where, f"{cell!r} is not a finite number", "Ask again later")
    return value


def table(where: str, found: Sequence[tuple[int, float]], step_s: int) -> Table:
    """Table of (interval start, value) pairs.

    Raises
    ------
    BadInput
        If an interval has two different values, or a start is off the grid.
    """
    by_start: dict[int, float] = {}
    for start_s, value in found:
        before = by_start.setdefault(start_s, value)
        if before != value and not (np.isnan(before) and np.isnan(value)):
            raise BadInput(
                f"{where} at {iso(start_s)}",
                f"two values for one interval, {before:g} and {value:g}",
                "The operator is correcting it: ask again when one stands",
            )
        if start_s % step_s:
            raise BadInput(f"{where} at {iso(start_s)}", f"off the grid of {step_s / 60:g} min", "Ask again later")
    starts = sorted(by_start)
    return Table(np.array(starts, np.int64), np.array([by_start[start] for start in starts], np.float64))
