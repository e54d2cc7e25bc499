"""What a verb prints: JSON for programs, tables for people; standard output carries nothing else."""

import json
import math
import sys
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console

__all__ = ["console", "print_json", "show"]

WIDTH: Final = 100
"""Columns of a table where the output is a file or a pipe."""


class _Console(Console):
    """A console that leaves a reader who went away to `main`, like every other writer."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Where tables go: as wide as the terminal, or `WIDTH` columns where there is none."""
    return _Console() if sys.stdout.isatty() else _Console(width=WIDTH)


def print_json(value: object) -> None:
    """Print a JSON text, keys sorted; a number that is not finite becomes null, which JSON can say."""
    sys.stdout.write(json.dumps(_finite(value), indent=2, sort_keys=True, default=str, allow_nan=False) + "\n")


def show(figures: dict[str, Any], draw: Callable[[dict[str, Any], Console], None], *, as_json: bool) -> None:
    """Print figures as JSON, or let `draw` print them as tables."""
    if as_json:
        print_json(figures)
    else:
        draw(figures, console())


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
