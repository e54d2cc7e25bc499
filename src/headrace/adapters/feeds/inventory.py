"""What a data folder holds: each catalogue series that is there, with its span and how much of it is missing."""

from pathlib import Path

import msgspec
import numpy as np

from headrace.adapters.feeds.catalogue import catalogue
from headrace.adapters.feeds.declaration import FeedDeclaration
from headrace.adapters.feeds.locate import MissingFile, all_files, shown
from headrace.adapters.feeds.table import read_table
from headrace.core import BadInput, Interval

__all__ = ["Holding", "inventory"]


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """One catalogue series as found."""

    name: str
    """Catalogue name."""
    unit: str
    """Unit suffix of its values."""
    step_s: int
    """Length of one interval, seconds."""
    span: Interval | None
    """First to last interval on record; None for a trace without dates or a file that can't be read."""
    intervals: int
    """Intervals in the span, or rows of an undated trace."""
    missing: int
    """Intervals of the span without a value, whole missing years included."""
    files: tuple[str, ...]
    """Files it is in, relative to the data folder."""
    note: str
    """What a reader must know beside a figure made from it."""
    problem: str
    """Why it can't be read; empty if it can."""


def inventory(data_dir: Path | None) -> list[Holding]:
    """List the catalogue series in a folder and in the embedded sample, by name.

    Parameters
    ----------
    data_dir
        Folder given with --data; None lists the embedded sample alone.
    """
    holdings = []
    for name, declaration in catalogue().items():
        try:
            paths = all_files(name, declaration, data_dir)
        except MissingFile:
            continue
        holdings.append(_holding(name, declaration, paths, data_dir))
    return holdings


def _holding(name: str, declaration: FeedDeclaration, paths: list[Path], data_dir: Path | None) -> Holding:
    span, intervals, missing, problem = None, 0, 0, ""
    try:
        table = read_table(name, declaration, paths, data_dir)
    except BadInput as error:
        problem = str(error)
    else:
        first_s, end_s = int(table.times_s[0]), int(table.times_s[-1]) + declaration.step_s
        span = None if declaration.is_undated else Interval.from_epoch(first_s, end_s)
        intervals = (end_s - first_s) // declaration.step_s
        missing = intervals - int(np.count_nonzero(~np.isnan(table.values)))
    return Holding(
        name=name,
        unit=declaration.unit,
        step_s=declaration.step_s,
        span=span,
        intervals=intervals,
        missing=missing,
        files=tuple(shown(path, data_dir) for path in paths),
        note=declaration.note,
        problem=problem,
    )
