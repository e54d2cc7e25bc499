"""The recorded feed: a folder of files, read by declaration, behind the `Feed` door.

Rule of the window. A caller asks for more than the period it replays: some days before it for forecasts. So

- the answer lies on the series' own grid and covers the whole window; what is not on record is NaN;
- data may begin inside the window, or years of files before it may be absent: `span` tells what there is, and whoever
  needs a value in every interval of a period (the settlement price) compares the period with it;
- data must reach the window's end to within a day, because yearly files end at other midnights than the window (Dallas
  weather an hour before the ERCOT year, UTC days six hours before it); what is missing there is NaN too.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from headrace.adapters.feeds.catalogue import catalogue
from headrace.adapters.feeds.declaration import FeedDeclaration
from headrace.adapters.feeds.locate import all_files, files_for, shown
from headrace.adapters.feeds.publication import known_s
from headrace.adapters.feeds.table import Table, on_grid, read_table
from headrace.adapters.feeds.trace import lay
from headrace.core import BadInput, Interval, iso
from headrace.energy import Series

__all__ = ["RecordedFeed"]

END_SLACK_S: Final = 86_400
"""How far before the window's end the data may stop, seconds."""
ALL_TIME: Final = Interval.from_epoch(0, 4_102_444_800)
"""Span of a series without dates of its own: 1970 to 2100."""


class RecordedFeed:
    """Series recorded in files; see the module for the rule of the window.

    Parameters
    ----------
    data_dir
        Folder that relative paths start from; None if only the embedded sample is used.
    declarations
        Role to catalogue name ("ercot.real_time.hb_west") or to a declaration of one's own.
    site_time_zone
        IANA zone for day-ahead publication without a zone of its own, and for undated traces.

    Raises
    ------
    BadInput
        If a catalogue name or the zone is unknown.
    """

    def __init__(
        self, data_dir: Path | None, declarations: Mapping[str, str | FeedDeclaration], site_time_zone: str
    ) -> None:
        try:
            ZoneInfo(site_time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise BadInput(
                "time zone", f"unknown zone {site_time_zone!r}", "Use a name such as America/Chicago"
            ) from error
        self._data_dir = data_dir
        self._site_time_zone = site_time_zone
        self._declarations = {role: _resolve(role, asked) for role, asked in declarations.items()}

    def series(self, name: str, window: Interval) -> Series:
        """Read one series over a window, on its own grid; see `headrace.energy.Feed`."""
        declaration = self.declaration(name)
        if declaration.is_undated:
            paths = all_files(name, declaration, self._data_dir)
        else:
            paths = files_for(name, declaration, self._data_dir, window)
        table = read_table(name, declaration, paths, self._data_dir)
        step_s = declaration.step_s
        phase_s = 0 if declaration.is_undated else int(table.times_s[0]) % step_s
        first_s = (window.start_s - phase_s) // step_s * step_s + phase_s
        starts_s = np.arange(first_s, window.end_s, step_s, dtype=np.int64)
        if declaration.is_undated:
            values = lay(name, table, step_s, starts_s, self._site_time_zone)
        else:
            self._check_reach(name, declaration, table, window)
            values = on_grid(table, first_s, step_s, len(starts_s))
        return Series(
            name=name,
            unit=declaration.unit,
            step_s=step_s,
            start_s=first_s,
            values=values,
            known_s=known_s(declaration.known, starts_s, step_s, self._site_time_zone),
            source=self._source(declaration, paths),
        )

    def span(self, name: str) -> Interval:
        """From the first to the last interval on record; see `headrace.energy.Feed`."""
        declaration = self.declaration(name)
        if declaration.is_undated:
            return ALL_TIME
        paths = all_files(name, declaration, self._data_dir)
        ends = read_table(name, declaration, paths if len(paths) == 1 else [paths[0], paths[-1]], self._data_dir)
        return Interval.from_epoch(int(ends.times_s[0]), int(ends.times_s[-1]) + declaration.step_s)

    def declaration(self, name: str) -> FeedDeclaration:
        """Declaration behind a role: its unit, step, note and publication rule."""
        if name not in self._declarations:
            roles = ", ".join(sorted(self._declarations)) or "none"
            raise BadInput(
                f"feed {name!r}", "not declared", f"Declare it in the site file's [feeds]; declared: {roles}"
            )
        return self._declarations[name]

    def _check_reach(self, name: str, declaration: FeedDeclaration, table: Table, window: Interval) -> None:
        first_s, end_s = int(table.times_s[0]), int(table.times_s[-1]) + declaration.step_s
        if end_s < window.end_s - END_SLACK_S or end_s <= window.start_s or first_s >= window.end_s:
            raise BadInput(
                f"feed {name!r}, {iso(window.start_s)} to {iso(window.end_s)}",
                f"outside the data, which run from {iso(first_s)} to {iso(end_s)}",
                "Choose a period inside the data",
            )

    def _source(self, declaration: FeedDeclaration, paths: list[Path]) -> str:
        names = [shown(path, self._data_dir) for path in paths]
        files = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        columns = " + ".join(declaration.columns)
        if declaration.divide_by:
            columns = f"({columns}) / {declaration.divide_by}"
        return f"{files}, column {columns}"


def _resolve(role: str, asked: str | FeedDeclaration) -> FeedDeclaration:
    if isinstance(asked, FeedDeclaration):
        return asked
    known = catalogue()
    if asked not in known:
        close = difflib.get_close_matches(asked, known, n=3, cutoff=0.4) or sorted(known)
        raise BadInput(f"feed {role!r}", f"no series {asked!r} in the catalogue", f"Closest: {', '.join(close)}")
    return known[asked]
