"""A bundle on disk: JSON lines, the header first, then an interval each; append-only, a torn end is cut off."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from headrace.core import BadInput
from headrace.settlement.bundle import BundleHeader, SignedInterval

__all__ = ["append_interval", "last_interval", "read_bundle", "write_bundle"]

LINE_MAX_BYTES: Final = 64_000_000
"""Longest line that is read: 100,000 devices sign an interval in about 40 MB."""


def read_bundle(path: Path) -> tuple[BundleHeader, Iterator[SignedInterval]]:
    """Read a bundle, its intervals one after the other.

    Raises
    ------
    headrace.core.BadInput
        If it can't be read or is no bundle; the iterator raises it too, naming the line.
    """
    lines = _lines(path)
    number, first = next(lines, (1, b""))
    try:
        header = msgspec.json.decode(first, type=BundleHeader)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path} line {number}", f"no header of a bundle: {error}", "Name a bundle of telemetry"
        ) from error
    return header, _intervals(path, lines)


def write_bundle(path: Path, header: BundleHeader, intervals: Sequence[SignedInterval]) -> None:
    """Write a whole bundle to a new file."""
    content = b"".join(msgspec.json.encode(each) + b"\n" for each in (header, *intervals))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise BadInput(str(path), f"can't be written: {error.strerror}", "Choose another folder") from error


def append_interval(path: Path, header: BundleHeader, signed: SignedInterval) -> None:
    """Append an interval, under the header if the file is new; on disk when it returns."""
    content = msgspec.json.encode(signed) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            if file.tell() == 0:
                content = msgspec.json.encode(header) + b"\n" + content
            whole_bytes = file.tell()
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, whole_bytes)
                raise
    except OSError as error:
        raise BadInput(
            str(path), f"can't be written: {error.strerror}", "Free space or choose another folder"
        ) from error


def last_interval(path: Path) -> SignedInterval | None:
    """The last whole interval of a bundle that a gateway left, its torn end cut off; None if there is none."""
    if not path.exists():
        return None
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    lines = whole.splitlines()
    if len(lines) < 2:
        return None
    try:
        return msgspec.json.decode(lines[-1], type=SignedInterval)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadInput(f"{path} line {len(lines)}", f"no interval: {error}", "Move the file away") from error


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LINE_MAX_BYTES + 1):
                number += 1
                if len(line) > LINE_MAX_BYTES:
                    raise BadInput(f"{path} line {number}", "longer than any interval", "Name a bundle of telemetry")
                yield number, line
    except OSError as error:
        raise BadInput(str(path), f"can't be read: {error.strerror}", "Name a bundle of telemetry") from error


def _intervals(path: Path, lines: Iterator[tuple[int, bytes]]) -> Iterator[SignedInterval]:
    for number, line in lines:
        try:
            yield msgspec.json.decode(line, type=SignedInterval)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadInput(f"{path} line {number}", f"no interval: {error}", "The file was cut or changed") from error
