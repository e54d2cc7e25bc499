"""The folder of recorded data that a person names."""

from pathlib import Path

from headrace.core import BadInput

__all__ = ["data_folder", "need_data"]


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
