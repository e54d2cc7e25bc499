"""Where compiled solvers are kept: beside the package, in the user's cache, or nowhere but in this run."""

import atexit
import os
import shutil
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import Final

__all__ = ["keep_compiled_code"]

FOLDER: Final = "NUMBA_CACHE_DIR"
"""The compiler's own setting; whoever sets it knows where to."""


def keep_compiled_code() -> None:
    """Give the compiler a folder of this run's own where it could write to none, as in a read-only container.

    It would refuse to start otherwise. The folder is private and goes with the run: code that another user could plant
    in a shared one would be executed.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME") or "/nonexistent")
    if FOLDER in os.environ or any(_is_writable(place) for place in (Path(__file__).parents[1], cache)):
        return
    folder = mkdtemp(prefix="headrace-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[FOLDER] = folder


def _is_writable(folder: Path) -> bool:
    """Rights alone do not tell: the file system may be read-only."""
    try:
        with TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
