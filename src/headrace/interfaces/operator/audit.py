"""Who did what, and who was turned away: one JSON line each, appended and on disk before the answer leaves.

The journal records what became of orders; this is the record of people. Neither holds a token.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from headrace.core import BadInput

__all__ = ["Audit", "AuditLine"]

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


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
    make_room
        Asked when the disk is full: true if it made space; None if nobody can.

    Raises
    ------
    headrace.core.BadInput
        If it can't be opened.
    """

    def __init__(self, path: Path, make_room: Callable[[], bool] | None = None) -> None:
        self._make_room = make_room
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
        text = msgspec.json.encode(line) + b"\n"
        whole_bytes = os.fstat(self._fd).st_size
        try:
            self._append(text)
        except OSError as error:
            os.ftruncate(self._fd, whole_bytes)
            if error.errno not in FULL or self._make_room is None or not self._make_room():
                raise
            self._append(text)

    def _append(self, text: bytes) -> None:
        written = os.write(self._fd, text)
        if written < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
