"""The folders that a person names, or means: recorded data, and what a replay left."""

from pathlib import Path
from typing import Final

from headrace.core import BadInput

__all__ = ["DEMO_OUT", "REPLAY_OUT", "data_folder", "file_stem", "need_data", "replay_folder"]

DEMO_OUT: Final = Path("demo-out")
"""Where the demo's results go."""

REPLAY_OUT: Final = Path("out")
"""Where a replay's results go unless --out says otherwise."""


def data_folder(data: Path | None) -> Path | None:
    """The folder given with --data or HEADRACE_DATA, if one was.

    Raises
    ------
    BadInput
        If it is no folder.
    """
    if data is not None and not data.is_dir():
        found = "is a file, not a folder" if data.exists() else "no such folder"
        raise BadInput(
            f"--data {data}", found, "Give the folder that holds energy/ and bitcoin/, or unset HEADRACE_DATA"
        )
    return data


def need_data(data: Path | None) -> Path:
    """The data folder of a verb that cannot do without one.

    Raises
    ------
    BadInput
        If none was named, or it is no folder.
    """
    folder = data_folder(data)
    if folder is None:
        raise BadInput("--data", "no folder of recorded data named", "Give --data DIR or set HEADRACE_DATA")
    return folder


def replay_folder(out: Path | None) -> Path:
    """The folder given with --out; without one, the newer of the two that replays write to by default."""
    if out is not None:
        return out
    finished = [folder for folder in (REPLAY_OUT, DEMO_OUT) if (folder / "run.json").is_file()]
    return max(finished, key=lambda folder: (folder / "run.json").stat().st_mtime, default=REPLAY_OUT)


def file_stem(label: str) -> str:
    """File stem of a run: "rolling, price known" becomes rolling-price-known."""
    return label.replace(", ", "-").replace(" ", "-")
