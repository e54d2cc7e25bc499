"""A reserve of disk beside the journal: given back to the disk when it is full, so that an emergency is still written.

The space is taken when the engine starts, while there is some, and again as soon as there is enough. On a file system
that compresses or copies on write (btrfs, ZFS) a preallocated file promises nothing: keep the journal on another.
"""

import errno
import os
from pathlib import Path
from typing import Final

__all__ = ["DISK_FULL", "Spare"]

DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says when there is no space, or no more of a quota."""

LEFT_BYTES: Final = 1_000_000
"""The reserve is taken only where at least this stays free beside it."""


class Spare:
    """A preallocated file.

    Parameters
    ----------
    path
        The file, on the journal's disk.
    size_bytes
        Its size; 0 keeps no reserve.
    """

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self.is_whole = False
        """Is the reserve held?"""
        self.is_used = False
        """Was it given back because the disk was full, and not taken again since?"""

    @property
    def size_bytes(self) -> int:
        """Size of the reserve."""
        return self._size_bytes

    def keep(self) -> bool:
        """Take the reserve if it is not held and there is space for it; is it held now?"""
        if self.is_whole or not self._size_bytes:
            return True
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            held_bytes = self._path.stat().st_blocks * 512 if self._path.exists() else 0
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize + held_bytes < self._size_bytes + LEFT_BYTES:
                self._path.unlink(missing_ok=True)
                return False
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.ftruncate(handle, self._size_bytes)
                os.posix_fallocate(handle, 0, self._size_bytes)
            finally:
                os.close(handle)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        self.is_whole, self.is_used = True, False
        return True

    def give(self) -> bool:
        """Give the reserve back to the disk; was there any?"""
        if not self.is_whole:
            return False
        self.is_whole, self.is_used = False, True
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
