"""Reading one declared series from Parquet or CSV: only the columns it needs, every row checked.

A row is one interval. Times must rise strictly on the declared grid, and values are finite or missing (null, NaN or an
empty cell); a missing row and a missing value are both a missing interval.
"""

import difflib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from headrace.adapters.feeds.declaration import FeedDeclaration
from headrace.adapters.feeds.locate import shown
from headrace.core import BadInput, iso

__all__ = ["Table", "on_grid", "read_table"]

MICROS_PER_S: Final = 1_000_000
TIME: Final = "_time"
FEWEST_STEPS: Final = 12
"""Rows apart that it takes to call a file coarser than declared: fewer may as well be a short file with gaps."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TIME_FORM: Final = "Use ISO-8601 with its offset, such as 2024-11-04T06:00:00Z"


class Table(NamedTuple):
    """Rows as read, on the declared grid but perhaps with rows left out."""

    times_s: NDArray[np.int64]
    """Start of each row's interval, strictly rising, epoch seconds (or seconds of an undated trace)."""
    values: NDArray[np.float64]
    """Value of each row, NaN where missing."""


def read_table(name: str, declaration: FeedDeclaration, paths: Sequence[Path], data_dir: Path | None) -> Table:
    """Read and check the files of one series.

    Raises
    ------
    BadInput
        If a file can't be read, lacks a column, or holds a time or value that can't be right; it names file and time.
    """
    tables = [_read_file(f"feed {name!r}, {shown(path, data_dir)}", declaration, path) for path in paths]
    times_s = np.concatenate([table.times_s for table in tables])
    values = np.concatenate([table.values for table in tables])
    for before, after, path in zip(tables, tables[1:], paths[1:], strict=False):
        if after.times_s[0] <= before.times_s[-1]:
            raise BadInput(
                f"feed {name!r}, {shown(path, data_dir)}",
                f"begins at {iso(int(after.times_s[0]))}, inside the file before it",
                "Each interval may be in one file only, files in order of time",
            )
    return Table(times_s, values)


def on_grid(table: Table, first_s: int, step_s: int, steps: int) -> NDArray[np.float64]:
    """Spread rows over a regular grid, NaN where there is none."""
    values = np.full(steps, np.nan)
    position = (table.times_s - first_s) // step_s
    inside = (position >= 0) & (position < steps)
    values[position[inside]] = table.values[inside]
    return values


def _read_file(where: str, declaration: FeedDeclaration, path: Path) -> Table:
    frame = _scan(where, path)
    _check_columns(where, declaration, frame)
    for column, text in declaration.where.items():
        frame = frame.filter(pl.col(column).cast(pl.String) == text)
    numbers = list(dict.fromkeys((*declaration.columns, *((declaration.divide_by,) if declaration.divide_by else ()))))
    try:
        rows = frame.select(pl.col(declaration.time).alias(TIME), *numbers).collect()
    except pl.exceptions.PolarsError as error:
        raise BadInput(where, f"can't be read ({_first_line(error)})", "Check that the file is whole") from error
    if not len(rows):
        kept = ", ".join(f"{column} = {text!r}" for column, text in declaration.where.items())
        raise BadInput(where, f"no row{f' with {kept}' if kept else ''}", "Check the file and the feed's `where`")
    times_s = _times_s(where, declaration, rows.get_column(TIME))
    value = sum((_numbers(where, rows, column, times_s) for column in declaration.columns), np.zeros(len(rows)))
    if declaration.divide_by:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = value / _numbers(where, rows, declaration.divide_by, times_s)
    values = np.ascontiguousarray(value * declaration.scale)
    if np.isinf(values).any():
        at = iso(int(times_s[np.isinf(values)][0]))
        raise BadInput(f"{where} at {at}", "the value is infinite", "Leave a missing value empty")
    return Table(times_s, values)


def _scan(where: str, path: Path) -> pl.LazyFrame:
    """Open a file lazily; CSV cells stay text until they are checked one by one."""
    try:
        match path.suffix.lower():
            case ".parquet":
                return pl.scan_parquet(path)
            case ".csv":
                return pl.scan_csv(path, infer_schema=False)
            case _:
                raise BadInput(where, f"unknown kind of file {path.suffix!r}", "Use .parquet or .csv")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadInput(where, f"can't be read ({_first_line(error)})", "Check that the file is whole") from error


def _first_line(error: Exception) -> str:
    """What polars says, without the rows it quotes and the options it advises."""
    return str(error).partition("\n")[0][:200]


def _check_columns(where: str, declaration: FeedDeclaration, frame: pl.LazyFrame) -> None:
    try:
        there = frame.collect_schema().names()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadInput(where, f"can't be read ({_first_line(error)})", "Check that the file is whole") from error
    asked = [declaration.time, *declaration.columns, *declaration.where]
    for column in [*asked, declaration.divide_by] if declaration.divide_by else asked:
        if column not in there:
            close = difflib.get_close_matches(column, there, n=3, cutoff=0.4) or there
            raise BadInput(where, f"no column {column!r}", f"Columns there: {', '.join(close)}")


def _numbers(where: str, rows: pl.DataFrame, column: str, times_s: NDArray[np.int64]) -> NDArray[np.float64]:
    """One column as float64, NaN where missing; text that is no number is refused with its time."""
    raw = rows.get_column(column)
    if not (raw.dtype.is_numeric() or raw.dtype in {pl.String, pl.Null}):
        raise BadInput(where, f"column {column!r} holds {raw.dtype}, not numbers", "Name a column of numbers")
    if raw.dtype == pl.String:
        raw = raw.str.strip_chars().replace("", None)
    number = raw.cast(pl.Float64, strict=False)
    bad = (raw.is_not_null() & number.is_null()).arg_true()
    if len(bad):
        i = bad[0]
        raise BadInput(
            f"{where} at {iso(int(times_s[i]))}", f"{column} is {raw[i]!r}, not a number", "Leave a missing value empty"
        )
    return number.fill_null(float("nan")).to_numpy().copy()


def _times_s(where: str, declaration: FeedDeclaration, column: pl.Series) -> NDArray[np.int64]:
    """Time column as epoch seconds: present, strictly rising, on the declared grid."""
    micros = _micros(where, declaration, column)
    if micros.null_count():
        row = int(micros.is_null().arg_true()[0])
        form = "Give seconds from the trace's start" if declaration.is_undated else TIME_FORM
        raise BadInput(f"{where}, data row {row + 1}", f"{declaration.time} is {column[row]!r}", form)
    times_us = micros.to_numpy().astype(np.int64)
    steps_us = np.diff(times_us)
    if (steps_us <= 0).any():
        i = int(np.flatnonzero(steps_us <= 0)[0]) + 1
        what = "twice" if steps_us[i - 1] == 0 else f"after {_stamp(times_us[i - 1])}"
        raise BadInput(
            f"{where}, data row {i + 1}", f"{_stamp(times_us[i])} comes {what}", "Sort the rows by time, one each"
        )
    step_us = declaration.step_s * MICROS_PER_S
    off_grid = (times_us - times_us[0]) % step_us != 0
    usual_us = int(np.median(steps_us)) if len(steps_us) else step_us
    is_coarser = len(steps_us) >= FEWEST_STEPS and (steps_us > step_us).all()
    if usual_us != step_us and (off_grid.any() or is_coarser):
        found = f"rows are {usual_us / MICROS_PER_S / 60:g} min apart, declared step_min is {declaration.step_min:g}"
        raise BadInput(where, found, "Declare the step of the file")
    if off_grid.any():
        at = _stamp(times_us[off_grid][0])
        raise BadInput(
            f"{where} at {at}",
            f"off the grid of {declaration.step_min:g} min from {_stamp(times_us[0])}",
            "Stamp each row with its interval's start",
        )
    return times_us // MICROS_PER_S


def _micros(where: str, declaration: FeedDeclaration, column: pl.Series) -> pl.Series:
    """Time column as whole microseconds; null where it can't be read."""
    if declaration.is_undated:
        return (column.cast(pl.Float64, strict=False) * MICROS_PER_S).round().cast(pl.Int64)
    if column.dtype == pl.String:
        return pl.Series([_parsed(text) for text in column], dtype=pl.Int64)
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if not isinstance(column.dtype, pl.Datetime):
        raise BadInput(where, f"column {declaration.time!r} holds {column.dtype}, not times", TIME_FORM)
    return column.dt.epoch("us")


def _parsed(text: str | None) -> int | None:
    """Microseconds of an ISO-8601 text; None where it is none."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


def _stamp(time_us: int) -> str:
    return iso(int(time_us) // MICROS_PER_S)
