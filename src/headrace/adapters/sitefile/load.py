"""Read a site file: TOML in, a checked `Site` out, or every error at once."""

from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from pydantic import ValidationError

from headrace.adapters.feeds.declaration import FeedDeclaration
from headrace.adapters.jobs.declaration import JobList
from headrace.adapters.sitefile.build import build, notes
from headrace.adapters.sitefile.checks import findings
from headrace.adapters.sitefile.currency import (
    declared_currency,
    foreign_keys,
    to_file_key,
    to_model_key,
    to_model_keys,
)
from headrace.adapters.sitefile.errors import Problem
from headrace.adapters.sitefile.explain import Place, problems_of
from headrace.adapters.sitefile.jobs import build_job_lists
from headrace.adapters.sitefile.lines import KeyPath
from headrace.adapters.sitefile.period import window_of
from headrace.adapters.sitefile.schema import SiteFile
from headrace.adapters.sitefile.toml_text import in_order, toml_text, unreadable
from headrace.core import Interval, content_id
from headrace.dispatch.site import Site

__all__ = ["LoadedSite", "load_site", "parse_site"]

OTHER_FILE: Final = "Name a site file; `headrace new NAME` writes one"
FILE_MAX_BYTES: Final = 4 * 1024 * 1024
"""Longest site file read; a real one has a few kilobytes."""


class LoadedSite(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A site file, checked."""

    site: Site
    """The site for the rooms."""
    feeds: dict[str, str | FeedDeclaration]
    """Feed role to catalogue name or inline declaration."""
    window: Interval | None
    """Period of the file's [replay] table; None without one."""
    path: Path
    """The file."""
    digest: str
    """Content id of what was read: the same for two files that differ in comments and layout only."""
    notes: tuple[str, ...]
    """What the loader did that a reader of the results should know."""
    job_lists: tuple[JobList, ...] = ()
    """Batch jobs submitted to the site's clusters."""


def load_site(path: Path) -> LoadedSite:
    """Read and check a site file.

    Raises
    ------
    SiteFileError
        If the file can't be read or isn't a site file; it names every problem with its key and line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
        if len(content) > FILE_MAX_BYTES:
            raise unreadable(path, f"is longer than {FILE_MAX_BYTES} bytes, the most that a site file has", OTHER_FILE)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise unreadable(path, f"can't be read: {error.strerror}", OTHER_FILE) from error
    except UnicodeDecodeError as error:
        raise unreadable(path, f"is not UTF-8 text (byte {error.start})", OTHER_FILE) from error
    return parse_site(text, path)


def parse_site(text: str, path: Path) -> LoadedSite:
    """Check the text of a site file; `path` is for messages."""
    document = toml_text(text, path, do=OTHER_FILE)
    currency = declared_currency(document)
    model_document = to_model_keys(document)
    place = Place.of(text, model_document, currency)
    problems = [] if currency is None else [_foreign(place, *each) for each in foreign_keys(document, currency)]
    try:
        file = SiteFile.model_validate(model_document)
    except ValidationError as error:
        problems.extend(problems_of(error, place))
        raise in_order(path, problems) from error
    problems.extend(place.problem(each.path, each.found, each.do) for each in findings(file))
    if problems:
        raise in_order(path, problems)
    site = build(file)
    window = None if file.replay is None else window_of(file.replay, ZoneInfo(site.time_zone))
    return LoadedSite(
        site=site,
        feeds=dict(file.feeds),
        window=window,
        path=path,
        digest=_digest(site, file, window),
        notes=notes(file),
        job_lists=build_job_lists(file),
    )


def _foreign(place: Place, path: KeyPath, named: str) -> Problem:
    """Problem of a money key in another currency."""
    key = to_model_key(str(path[-1]))
    return Problem(
        key=f"{place.describe(path[:-1])}.{path[-1]}",
        line=place.line((*path[:-1], key)),
        found=f"names {named}, but the site's currency is {place.currency}",
        do=f"Write {to_file_key(key, place.currency)} and give the figure in {place.currency}",
    )


def _digest(site: Site, file: SiteFile, window: Interval | None) -> str:
    feeds = file.model_dump(mode="json", include={"feeds"})
    return content_id(
        msgspec.json.encode(site, order="sorted"),
        msgspec.json.encode(feeds, order="sorted"),
        msgspec.json.encode(window, order="sorted"),
        *(msgspec.json.encode(each, order="sorted") for each in build_job_lists(file)),
    )
