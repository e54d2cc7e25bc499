"""What can be wrong with a site file: every problem at once, each with its key, its line and what to do."""

from collections.abc import Iterator

import msgspec

from headrace.adapters.sitefile.lines import KeyPath
from headrace.core import BadInput

__all__ = ["Finding", "Findings", "Problem", "SiteFileError"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to correct."""

    key: str
    """Full key path, e.g. `cluster["north"].lease["batch"].gpus`; empty for the file itself."""
    line: int | None
    """Line in the file, counted from 1; None where the file has no such place."""
    found: str
    """What was expected and what was found."""
    do: str
    """What to do about it."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that does not fit, before it is found in the text."""

    path: KeyPath
    """Key at fault."""
    found: str
    """What was expected and what was found."""
    do: str
    """What to do about it."""


Findings = Iterator[Finding]
"""What a check yields."""


class SiteFileError(BadInput):
    """A site file that can't be used; the message has one line per problem.

    Parameters
    ----------
    path
        The file, as the user named it.
    problems
        Everything that is wrong with it, in the order of the file; at least one.
    """

    def __init__(self, path: str, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        super().__init__(_place(path, first), first.found, first.do)
        self.args = ("\n".join(f"{_place(path, each)}: {each.found}. {each.do}" for each in problems),)
        self.path = path
        self.problems = problems


def _place(path: str, problem: Problem) -> str:
    line = "" if problem.line is None else f" line {problem.line}"
    return f"{path}{line}, {problem.key}" if problem.key else f"{path}{line}"
