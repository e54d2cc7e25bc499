"""Rows of a CSV file by the meaning of their columns, each with its line; what is no such file is refused."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from headrace.adapters.statements.declaration import FileForm
from headrace.core import BadInput

__all__ = ["FILE_MAX_BYTES", "ROWS_MOST", "TableRow", "refuse", "table_rows"]

FILE_MAX_BYTES: Final = 64 * 1024 * 1024
"""Longest statement read."""

ROWS_MOST: Final = 400_000
"""Most rows of a statement: a year of 15-minute intervals with ten charges."""

CELL_MOST: Final = 1000
"""Longest cell."""


class TableRow(NamedTuple):
    """One row."""

    number: int
    """Its line in the file, from 1."""
    cells: dict[str, str]
    """Its cells by what their columns mean."""

    def get(self, meaning: str) -> str:
        """Text under a meaning, "" where there is no such column."""
        return self.cells.get(meaning, "").strip()


def table_rows(path: Path, declaration: FileForm) -> Iterator[TableRow]:
    """Rows of a file below its column names.

    Raises
    ------
    BadInput
        If it can't be read, is too large, or has columns that the declaration doesn't name; it names file and line.
    """
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=declaration.delimiter, strict=True)
    names: list[str] | None = None
    meanings = {name: meaning for meaning, name in declaration.columns.named.items()}
    count = 0
    try:
        for cells in reader:
            number = reader.line_num
            if number < declaration.header_line or not any(map(str.strip, cells)):
                continue
            if names is None:
                names = _header(path, number, [cell.strip() for cell in cells], declaration)
                continue
            count += 1
            if count > ROWS_MOST:
                refuse(path, number, f"has more than {ROWS_MOST:,} rows", "Import it month by month")
            if len(cells) != len(names):
                refuse(path, number, f"{len(cells)} cells under {len(names)} columns", "Check delimiter and quotes")
            if max(map(len, cells)) > CELL_MOST:
                refuse(path, number, f"a cell of more than {CELL_MOST} characters", "Check delimiter and quotes")
            named = zip(names, cells, strict=True)
            yield TableRow(number, {meanings[name]: cell for name, cell in named if name in meanings})
    except csv.Error as error:
        raise BadInput(f"{path} line {reader.line_num}", f"is no CSV: {error}", "Check delimiter and quotes") from error
    if names is None:
        raise BadInput(str(path), f"has no column names at line {declaration.header_line}", "Check header_line")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
        if len(content) > FILE_MAX_BYTES:
            raise BadInput(str(path), f"is longer than {FILE_MAX_BYTES // 2**20} MiB", "Import it month by month")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(str(path), f"can't be read: {error.strerror}", "Name a statement (CSV)") from error
    except UnicodeDecodeError as error:
        raise BadInput(str(path), f"is not UTF-8 text (byte {error.start})", "Save it as CSV in UTF-8") from error


def _header(path: Path, number: int, names: list[str], declaration: FileForm) -> list[str]:
    """Column names, each known and there once."""
    for name in declaration.columns.named.values():
        if name not in names:
            refuse(path, number, f"no column {name!r}", f"Columns there: {', '.join(names)[:300]}")
    known = {*declaration.columns.named.values(), *declaration.columns.ignored}
    for i, name in enumerate(names):
        if name not in known:
            refuse(
                path, number, f"unknown column {name[:80]!r}", "Declare what it means, or list it in columns.ignored"
            )
        if name in names[:i]:
            refuse(path, number, f"two columns {name!r}", "Give each column a name of its own")
    return names


def refuse(path: Path, number: int, found: str, do: str) -> NoReturn:
    """Refuse a file for what stands in one of its lines."""
    raise BadInput(f"{path} line {number}", found, do)
