"""On which line each key of a TOML text stands.

The standard parser keeps no positions, so a key at fault is found again by a scan of the text. The text has parsed by
then, which leaves little to tell apart: table headers, keys (bare, quoted, dotted), and values over several lines.
"""

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["KeyPath", "key_lines", "line_of"]

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of the file: ("cluster", 0, "lease", 1, "gpus")."""

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER: Final = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY: Final = re.compile(rf"^\s*({_DOTTED})\s*=(.*)$")
_QUIET: Final = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'|#.*$""")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line of every table and key, counted from 1.

    Parameters
    ----------
    text
        A TOML document that parses.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    open_brackets = 0
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if fence:
            fence = "" if line.count(fence) % 2 else fence
            continue
        if open_brackets:
            open_brackets += _depth(line)
            continue
        if header := _HEADER.match(line):
            table = _entered(_split(header[2]), counts, is_list=header[1] == "[[")
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            parts = _split(key[1])
            for end in range(1, len(parts) + 1):
                lines.setdefault((*table, *parts[:end]), number)
            fence = next((mark for mark in ('"""', "'''") if key[2].count(mark) % 2), "")
            open_brackets = 0 if fence else _depth(key[2])
    return lines


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Line of a key, else of the nearest table around it; None if the file has neither."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _entered(parts: tuple[str, ...], counts: dict[KeyPath, int], *, is_list: bool) -> KeyPath:
    """Path of a table from its header; a list's name stands for its newest table."""
    path: KeyPath = ()
    for i, part in enumerate(parts):
        path = (*path, part)
        if is_list and i == len(parts) - 1:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def _depth(text: str) -> int:
    """Brackets opened less brackets closed, strings and comments aside."""
    quiet = _QUIET.sub("", text)
    return sum(quiet.count(mark) for mark in "[{") - sum(quiet.count(mark) for mark in "]}")
