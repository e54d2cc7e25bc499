"""TOML that people write, read with errors that name the line; for site files and device files alike."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headrace.adapters.sitefile.errors import Problem, SiteFileError

__all__ = ["in_order", "toml_text", "unreadable"]


def toml_text(text: str, path: Path, *, do: str) -> dict[str, Any]:
    """Parse TOML.

    Parameters
    ----------
    text, path
        The file.
    do
        What to do about one that is no such file at all.

    Raises
    ------
    SiteFileError
        Naming the line where it stops to be TOML.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise unreadable(path, "is nested too deeply to read", do) from error
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        at = re.search(r"\(at line (\d+), column (\d+)\)", message)
        line = int(at[1]) if at else len(text.splitlines())
        where = f"column {at[2]}: " if at else "end of the file: "
        found = f"{where}{message.split(' (at ', maxsplit=1)[0]}"
        problem = Problem(key="", line=line, found=found, do="Correct the TOML there")
        raise SiteFileError(str(path), (problem,)) from error


def in_order(path: Path, problems: Iterable[Problem]) -> SiteFileError:
    """Every problem of a file, from its first line to its last."""
    ordered = sorted(problems, key=lambda each: (each.line is None, each.line or 0))
    return SiteFileError(str(path), tuple(ordered))


def unreadable(path: Path, found: str, do: str) -> SiteFileError:
    """A file that can't be read at all."""
    return SiteFileError(str(path), (Problem(key="", line=None, found=found, do=do),))
