"""Fetching an operator's series into a data folder: asked in parts, each kept as soon as it is whole.

A series lies in one file a local year, `fetched/NAME_YEAR.parquet`, where the catalogue looks for it, so a replay reads
it with `--data` like any recorded one. A row is one interval with a value: its start, the value, and when the
publication rule says it could be known. A part whose intervals are all on record is not asked again; a gap is. Where an
operator has changed a value that was on record, the new one replaces it and the change is told in a file of its own:
a backtest on the folder then sees the new value at the old hour, and whoever minds can tell.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from headrace.adapters.feeds.live.feed import rows_of, span_of
from headrace.adapters.feeds.live.request import Request
from headrace.adapters.feeds.live.source import LiveSeries, Source
from headrace.adapters.feeds.live.transport import Transport
from headrace.adapters.feeds.locate import MissingFile, years_on_record
from headrace.adapters.feeds.publication import known_s
from headrace.adapters.feeds.table import Table
from headrace.core import BadInput, Interval, from_epoch_s, iso
from headrace.engine.atomic import replacing_file

__all__ = ["Fetched", "Plan", "fetch", "plan"]

FETCHED: Final = "fetched"
"""Folder of fetched series inside a data folder."""
TIME: Final = pl.Datetime("us", "UTC")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a fetch would ask."""

    source: Source
    """Operator."""
    series: LiveSeries
    """Series of it."""
    window: Interval
    """Whole intervals asked for that are published by now."""
    requests: tuple[Request, ...]
    """Requests for what is not on record, in order of time."""
    kept: int
    """Count of further requests that the folder already answers."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What a fetch left in the folder."""

    intervals: int
    """Intervals of the window."""
    missing: int
    """Intervals of the window for which the operator has no value."""
    revised: int
    """Values that replaced another on record."""
    files: tuple[str, ...]
    """Files with the window's values, relative to the folder."""


def plan(source: Source, series: LiveSeries, asked: Interval, folder: Path, now_s: int, *, again: bool) -> Plan:
    """Work out which requests a folder still needs.

    Parameters
    ----------
    source, series
        Operator, and series of it.
    asked
        Period wanted; the part that is not published yet is left for later.
    folder
        Data folder, which need not exist.
    now_s
        What time it is, epoch seconds.
    again
        Ask even for what is on record, to see what the operator has corrected.

    Raises
    ------
    BadInput
        If the period lies outside what the operator holds, or the folder has those years from elsewhere.
    """
    step_s, span = series.declaration.step_s, span_of(source, series, now_s)
    if asked.start_s < span.start_s or asked.start_s >= span.end_s:
        raise BadInput(
            f"{series.name}, {iso(asked.start_s)} to {iso(asked.end_s)}",
            f"outside what {source.title} has, {iso(span.start_s)} to {iso(span.end_s)}",
            "Choose a period inside it",
        )
    last_s = -(-min(asked.end_s, span.end_s) // step_s) * step_s
    window = Interval.from_epoch(asked.start_s // step_s * step_s, last_s)
    _check_free(source, series, window, folder)
    held = _held(source, series, window, folder)
    requests = source.requests(series, window, now_s)
    needed = [r for r in requests if again or not _is_held(held, r.interval, window, step_s)]
    return Plan(source=source, series=series, window=window, requests=tuple(needed), kept=len(requests) - len(needed))


def fetch(planned: Plan, folder: Path, transport: Transport, now_s: int, told: Callable[[Request], None]) -> Fetched:
    """Ask what is planned and keep each part.

    Parameters
    ----------
    planned
        Result of `plan` for the same folder.
    folder
        Data folder; made if it is not there.
    transport
        What answers requests.
    now_s
        What time it is, epoch seconds: when a revision was seen.
    told
        Called with each request before it is sent.

    Raises
    ------
    BadInput
        If a reply can't be used, or there is nothing in any.
    headrace.adapters.feeds.live.transport.Unreachable
        If an operator does not answer; the parts before are kept.
    """
    source, series, window = planned.source, planned.series, planned.window
    revised = 0
    for request in planned.requests:
        told(request)
        found = rows_of(source, series, request, transport)
        inside = ~np.isnan(found.values) & (found.times_s >= window.start_s) & (found.times_s < window.end_s)
        revised += _keep(source, series, Table(found.times_s[inside], found.values[inside]), folder, now_s)
    held = _held(source, series, window, folder)
    intervals = window.steps(series.declaration.step_s)
    if not held:
        raise BadInput(
            f"{series.name}, {iso(window.start_s)} to {iso(window.end_s)}",
            f"{source.title} has no value there",
            "Choose a period that it still serves; older ones come as archive files",
        )
    years = _years(source, np.array(sorted(held), np.int64))
    files = tuple(_file(series, int(year)).as_posix() for year in np.unique(years))
    return Fetched(intervals=intervals, missing=intervals - len(held), revised=revised, files=files)


def _file(series: LiveSeries, year: int) -> Path:
    return Path(FETCHED) / f"{series.name}_{year}.parquet"


def _years(source: Source, starts_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Local year of each interval: the file it belongs to."""
    stamps = pl.Series(starts_s * 1_000_000).cast(TIME).dt.convert_time_zone(source.time_zone)
    return stamps.dt.year().cast(pl.Int64).to_numpy()


def _check_free(source: Source, series: LiveSeries, window: Interval, folder: Path) -> None:
    """Refuse years that the folder has from elsewhere: a year is read from one file."""
    try:
        by_year = years_on_record(series.name, series.declaration, folder)
    except MissingFile:
        return
    ends_s = np.array([window.start_s, window.end_s - 1], np.int64)
    first, last = _years(source, ends_s)
    for year in range(int(first), int(last) + 1):
        if year in by_year and by_year[year] != folder / _file(series, year):
            raise BadInput(
                f"{series.name}, {year}",
                f"already on record in {by_year[year].relative_to(folder)}",
                "Choose another year or another --out",
            )


def _read(series: LiveSeries, folder: Path, year: int) -> dict[int, float]:
    path = folder / _file(series, year)
    if not path.is_file():
        return {}
    column = series.declaration.columns[0]
    try:
        frame = pl.read_parquet(path, columns=["interval_start", column])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadInput(
            str(path), "can't be read", "It was made by `headrace data get`: remove it and fetch again"
        ) from error
    starts_s = frame.get_column("interval_start").dt.epoch("s")
    return dict(zip(starts_s.to_list(), frame.get_column(column).to_list(), strict=True))


def _held(source: Source, series: LiveSeries, window: Interval, folder: Path) -> dict[int, float]:
    """Values on record inside the window by interval start."""
    first, last = _years(source, np.array([window.start_s, window.end_s - 1], np.int64))
    held: dict[int, float] = {}
    for year in range(int(first), int(last) + 1):
        held |= _read(series, folder, year)
    return {start_s: value for start_s, value in held.items() if window.start_s <= start_s < window.end_s}


def _is_held(held: dict[int, float], interval: Interval, window: Interval, step_s: int) -> bool:
    """Every interval of the window that a request would answer is on record."""
    starts_s = range(max(interval.start_s, window.start_s), min(interval.end_s, window.end_s), step_s)
    return all(start_s in held for start_s in starts_s)


def _keep(source: Source, series: LiveSeries, found: Table, folder: Path, now_s: int) -> int:
    """Merge rows into the files of their years; count the values that changed."""
    revised = 0
    years = _years(source, found.times_s)
    for year in np.unique(years):
        before = _read(series, folder, int(year))
        rows = zip(found.times_s[years == year].tolist(), found.values[years == year].tolist(), strict=True)
        after = before | dict(rows)
        changed = {s: (was, after[s]) for s, was in sorted(before.items()) if after[s] != was}
        if after != before:
            _write_revisions(series, changed, folder, now_s)
            _write(source, series, after, folder / _file(series, int(year)))
        revised += len(changed)
    return revised


def _write(source: Source, series: LiveSeries, values: dict[int, float], path: Path) -> None:
    declaration = series.declaration
    starts_s = np.array(sorted(values), np.int64)
    known = known_s(declaration.known, starts_s, declaration.step_s, source.time_zone)
    frame = pl.DataFrame(
        {
            "interval_start": pl.Series(starts_s * 1_000_000).cast(TIME),
            declaration.columns[0]: [values[start_s] for start_s in starts_s.tolist()],
            "known_at": pl.Series(known * 1_000_000).cast(TIME),
        }
    )
    with replacing_file(path) as working:
        frame.write_parquet(working)


def _write_revisions(series: LiveSeries, changed: dict[int, tuple[float, float]], folder: Path, now_s: int) -> None:
    """Add to the list of values that an operator changed after they were fetched."""
    if not changed:
        return
    path = folder / FETCHED / f"{series.name}_revisions.csv"
    lines = path.read_text(encoding="utf-8") if path.is_file() else "interval_start,was,is,seen_at\n"
    seen = from_epoch_s(now_s).isoformat()
    lines += "".join(f"{iso(start_s)},{was!r},{now!r},{seen}\n" for start_s, (was, now) in changed.items())
    with replacing_file(path) as working:
        working.write_text(lines, encoding="utf-8")
