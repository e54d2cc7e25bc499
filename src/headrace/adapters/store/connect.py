"""Reaching the database that holds the books: a path or a URL, and one error that people can read.

A URL may hold a password. It is never shown: every message names the database by `masked`.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from headrace.core import BadInput

__all__ = ["BUILDING", "LIVE", "engine_of", "is_url", "masked", "reading", "refusing", "sqlite_url"]

BUILDING: Final = ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=ON")
"""A file nobody sees before it is renamed needs no protection while it grows."""
LIVE: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
"""How SQLite runs books that are there."""

_SECRET: Final = re.compile(r"pass|secret|token|key", re.IGNORECASE)


def is_url(target: Path | str) -> bool:
    """The target names a database by URL, not a file."""
    return isinstance(target, str) and "://" in target


def masked(target: Path | str) -> str:
    """Name of a target for people: a URL without its password."""
    if not is_url(target):
        return str(target)
    scheme, _, rest = str(target).partition("://")
    try:
        url = make_url(str(target))
    except (ArgumentError, ValueError):
        return f"{scheme}://***"
    if "@" in (url.host or "") or "@" in rest.rpartition("@")[0]:
        return f"{scheme}://***@{rest.rpartition('@')[2].partition('?')[0]}"
    hidden = {key: "***" for key in url.query if _SECRET.search(key)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def sqlite_url(path: Path) -> URL:
    """URL of an SQLite file."""
    return URL.create("sqlite", database=str(path))


@contextmanager
def engine_of(url: str | URL, pragmas: tuple[str, ...]) -> Iterator[Engine]:
    """An engine whose SQLite connections run `pragmas` first; its connections are closed at the end."""
    if isinstance(url, str) and "@" in url.partition("://")[2].rpartition("@")[0]:
        raise BadInput(masked(url), "the name or password holds an @ of its own", "Write that @ as %40")
    try:
        engine = create_engine(url)
    except ValueError as error:  # a port that is no number
        raise BadInput(masked(str(url)), "is no database URL", "Write postgresql://USER@HOST:PORT/DATABASE") from error

    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401  each driver has its own connection type
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", prepare)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reading(target: Path | str) -> Iterator[Connection]:
    """A connection to books that must be there.

    Raises
    ------
    headrace.core.BadInput
        If there are none, or they can't be reached.
    """
    if not is_url(target) and not Path(target).is_file():
        raise BadInput(str(target), "there are no books here", "Name the books of a run, or write them first")
    url = str(target) if is_url(target) else sqlite_url(Path(target))
    with refusing(target), engine_of(url, ()) as engine, engine.connect() as connection:
        yield connection


@contextmanager
def refusing(target: Path | str) -> Iterator[None]:
    """Turn what the database or the disk refuses into the one error a person reads."""
    where = masked(target)
    try:
        yield
    except IntegrityError as error:
        raise BadInput(
            where, f"entries are already booked: {error.orig}", "Books are never rewritten: add new ones"
        ) from error
    except DBAPIError as error:
        do = (
            "Start that server or name other books" if is_url(target) else "Free space on that disk or name other books"
        )
        raise BadInput(where, f"the books can't be read or written: {error.orig}", do) from error
    except (ArgumentError, ModuleNotFoundError) as error:
        raise BadInput(
            where, f"no such database: {_without_url(error)}", "Name a file, or a URL whose driver is installed"
        ) from error
    except OSError as error:
        is_blocked = isinstance(error, FileExistsError)
        reason = f"{error.filename} is a file, not a folder" if is_blocked else error.strerror or str(error)
        raise BadInput(
            where,
            f"can't be written: {reason}",
            "Free space on that disk or name a folder you may write to, then run again",
        ) from error


def _without_url(error: Exception) -> str:
    """What is wrong, without a URL that the library quotes."""
    return re.sub(r"\S+://\S+", "the URL", str(error))
