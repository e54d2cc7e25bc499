"""Who did what, and who was turned away: one JSON line each, appended and on disk before the answer leaves.

The journal records what became of orders; this is the record of people. Neither holds a token.
"""

import os
from pathlib import Path

import msgspec

from headrace.core import BadInput

__all__ = ["Audit", "AuditLine"]


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request that changes something, or that was refused."""

    at_us: int
    """When, epoch microseconds of the site's clock."""
    who: str
    """Name in the access file; empty if the token was unknown."""
    peer: str
    """Address it came from."""
    what: str
    """Method and path."""
    detail: str
    """The request, as it was understood."""
    outcome: str
    """What it was answered."""


class Audit:
    """The audit file.

    Parameters
    ----------
    path
        The file; its folder is made.

    Raises
    ------
    headrace.core.BadInput
        If it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        except OSError as error:
            raise BadInput(str(path), f"can't be written: {error.strerror}", "Choose another folder") from error

    def write(self, line: AuditLine) -> None:
        """Append a line.

        Raises
        ------
        OSError
            If the disk is full: a request that can't be recorded is not carried out.
        """
        os.write(self._fd, msgspec.json.encode(line) + b"\n")
        os.fsync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
