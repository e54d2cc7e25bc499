"""Secrets by reference: where one is kept stands in the device file, what it is never does, nor in any log."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headrace.core import BadInput

__all__ = ["Secret", "read_secret", "secret_path"]

SECRET_MAX_BYTES: Final = 65_536
"""Longest secret read; a PEM file has a few kilobytes."""


class Secret:
    """A secret that shows itself only when asked to."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__


def read_secret(reference: str, *, folder: Path, environ: Mapping[str, str]) -> Secret:
    """Read what a reference names.

    Parameters
    ----------
    reference
        "env:NAME" or "file:PATH"; a relative path counts from `folder`.
    folder
        Folder of the device file.
    environ
        Environment variables.

    Raises
    ------
    BadInput
        If there is nothing there; the message names the place and never what is in it.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = environ.get(name, "")
        if not value:
            raise BadInput(f"environment variable {name}", "is not set or empty", "Set it to the secret")
        return Secret(value)
    path = secret_path(reference, folder=folder)
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_MAX_BYTES + 1)
        text = content.decode("utf-8").strip()
    except OSError as error:
        raise BadInput(str(path), f"can't be read: {error.strerror}", "Put the secret there") from error
    except UnicodeDecodeError:
        raise BadInput(str(path), "is not UTF-8 text", "Put the secret there as text") from None
    if not text or len(content) > SECRET_MAX_BYTES:
        raise BadInput(str(path), "is empty or too long for a secret", "Put the secret there, and nothing else")
    return Secret(text)


def secret_path(reference: str, *, folder: Path) -> Path:
    """Path of a "file:PATH" reference; a relative one counts from the device file's folder.

    Raises
    ------
    BadInput
        If it refers to no file.
    """
    kind, _, name = reference.partition(":")
    if kind != "file":
        raise BadInput(reference, "must be a file here", 'Write "file:PATH"')
    return folder / name
