"""Whole or absent: an output is written beside its place under a working name, then renamed into it.

A reader, a crash or a full disk meets the old content or the new, never a mixture.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headrace.core import BadInput

__all__ = ["refused", "replacing_file", "replacing_folder", "sync_folder"]


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Write a file whole: yields the working path to write to, and renames it to `path` when the block succeeds.

    Raises
    ------
    headrace.core.BadInput
        If the folder can't be made or written, or the disk is full; nothing is left behind.
    """
    working = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        working.unlink(missing_ok=True)
        yield working
        _sync_file(working)
        working.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        _discard(working)
        raise refused(path, error) from error
    except BaseException:
        _discard(working)
        raise


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Write a folder whole: yields an empty working folder, and swaps it in for `path` when the block succeeds.

    Raises
    ------
    headrace.core.BadInput
        If the folder can't be made or written, or the disk is full; the old folder stays as it was.
    """
    working = path.with_name(f".{path.name}.partial")
    retired = path.with_name(f".{path.name}.old")
    try:
        if retired.exists() and not path.exists():
            retired.rename(path)  # the last run stopped between the two renames below
        for left in (working, retired):
            _discard(left)
        working.mkdir(parents=True)
        yield working
        for file in sorted(working.rglob("*")):
            if file.is_file():
                _sync_file(file)
        if path.exists():
            path.rename(retired)
        working.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        _discard(working)
        raise refused(path, error) from error
    except BaseException:
        _discard(working)
        raise
    _discard(retired)


def refused(path: Path, error: OSError) -> BadInput:
    """Turn the system's refusal to write `path` into the one error a person reads."""
    is_blocked = isinstance(error, FileExistsError)
    reason = f"{error.filename} is a file, not a folder" if is_blocked else error.strerror or str(error)
    return BadInput(
        str(path),
        f"can't be written: {reason}",
        "Free space on that disk or name a folder you may write to, then run again",
    )


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _discard(path: Path) -> None:
    """Remove a working file or folder, if it is there and can be: the error that brought us here is the one to tell."""
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
