"""Expected failures: one tree, each leaf defined in the module that raises it.

HeadraceError
├── BadInput            a file, key, time or argument a person can correct        exit 2
└── (rooms add their own, each with its exit code)
"""

from enum import IntEnum
from typing import ClassVar

__all__ = ["BadInput", "ExitCode", "HeadraceError"]


class ExitCode(IntEnum):
    """What a verb tells the shell."""

    OK = 0
    BAD_INPUT = 2
    INFEASIBLE = 3
    STALE = 4
    REFUSED = 5


class HeadraceError(Exception):
    """An expected failure; its message says what was expected, what was found, where, and what to do."""

    exit_code: ClassVar[ExitCode] = ExitCode.BAD_INPUT


class BadInput(HeadraceError):
    """Something a person wrote or named can't be used.

    Parameters
    ----------
    where
        File, key or time at fault ("sites/a.toml line 12, battery.capacity_mwh").
    found
        What was found there.
    do
        What to do about it.
    """

    def __init__(self, where: str, found: str, do: str) -> None:
        super().__init__(f"{where}: {found}. {do}")
        self.where = where
        self.found = found
        self.do = do
