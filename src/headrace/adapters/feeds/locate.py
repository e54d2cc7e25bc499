"""Which files a declaration means: plain paths, yearly templates, or the embedded sample.

"{year}" in a template stands for one year, or for the first and last of several as in 2017_2018. Market files often run
by local year, so a window that ends at 06:00 UTC on 1 January still belongs to the old year's file: a year is needed
only if the window reaches past the day on which every zone has turned it.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Final

from headrace.adapters.feeds.declaration import FeedDeclaration
from headrace.core import BadInput, Interval

__all__ = ["SAMPLE_PREFIX", "MissingFile", "all_files", "files_for", "shown", "years_on_record"]

SAMPLE_PREFIX: Final = "sample:"
"""Marks a path inside the embedded sample."""
CHECK_PATH: Final = "Check the path and --data DIR"


class MissingFile(BadInput):
    """A declared file that is not there."""


def files_for(name: str, declaration: FeedDeclaration, data_dir: Path | None, window: Interval) -> list[Path]:
    """Find the files that a window needs, in order of time.

    Years before the first one on record may be missing (a series may begin inside its window); any later one may not.

    Raises
    ------
    MissingFile
        If a file is missing, or no data folder was given.
    """
    if not declaration.is_yearly:
        return all_files(name, declaration, data_dir)
    by_year = years_on_record(name, declaration, data_dir)
    needed = [
        year
        for year in range(window.start.astimezone(UTC).year, window.end.astimezone(UTC).year + 1)
        if window.end > datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=1)
    ]
    for year in needed:
        begun = any(earlier in by_year for earlier in needed if earlier < year)
        if year not in by_year and (begun or year == needed[-1]):
            path = declaration.files[0].replace("{year}", str(year))
            raise MissingFile(
                f"feed {name!r}, {path}",
                f"no such file in {data_dir} (years there: {', '.join(map(str, by_year))})",
                "Choose a period in those years, or add the file",
            )
    first, last = window.start.astimezone(UTC).year - 1, window.end.astimezone(UTC).year + 1
    return list(dict.fromkeys(path for year, path in by_year.items() if first <= year <= last))


def all_files(name: str, declaration: FeedDeclaration, data_dir: Path | None) -> list[Path]:
    """Find every file of a declaration, in order of time; `files_for` says what it raises."""
    if declaration.is_yearly:
        return list(dict.fromkeys(years_on_record(name, declaration, data_dir).values()))
    paths = []
    for file in declaration.files:
        path = _path(name, file, data_dir)
        if not path.is_file():
            raise MissingFile(f"feed {name!r}, {file}", f"no such file in {data_dir or path.parent}", CHECK_PATH)
        paths.append(path)
    return paths


def shown(path: Path, data_dir: Path | None) -> str:
    """Name of a file for people, relative to the data folder or the sample."""
    if data_dir is not None and path.is_relative_to(data_dir):
        return path.relative_to(data_dir).as_posix()
    return f"{SAMPLE_PREFIX}{path.name}" if path.is_relative_to(_sample_dir()) else path.as_posix()


def years_on_record(name: str, declaration: FeedDeclaration, data_dir: Path | None) -> Mapping[int, Path]:
    """Files of a yearly declaration by year, rising; the first template that has a year wins it.

    Raises
    ------
    MissingFile
        If there is none, or no data folder was given.
    """
    by_year: dict[int, Path] = {}
    for template in declaration.files:
        pattern = _path(name, template, data_dir)
        years_in_name = re.compile(re.escape(pattern.name).replace(re.escape("{year}"), r"(\d{4})(?:_(\d{4}))?"))
        for path in pattern.parent.iterdir() if pattern.parent.is_dir() else ():
            if match := years_in_name.fullmatch(path.name):
                for year in range(int(match[1]), int(match[2] or match[1]) + 1):
                    by_year.setdefault(year, path)
    if not by_year:
        raise MissingFile(f"feed {name!r}, {declaration.files[0]}", f"no such file in {data_dir}", CHECK_PATH)
    return dict(sorted(by_year.items()))


def _path(name: str, file: str, data_dir: Path | None) -> Path:
    if file.startswith(SAMPLE_PREFIX):
        return _sample_dir() / file.removeprefix(SAMPLE_PREFIX)
    if data_dir is None and not Path(file).is_absolute():
        raise MissingFile(
            f"feed {name!r}, {file}", "no data folder was given", "Name the one that holds it: --data DIR"
        )
    return Path(file) if data_dir is None else data_dir / file


def _sample_dir() -> Path:
    return Path(str(resources.files("headrace.adapters.feeds"))) / "sample"
