"""The built-in catalogue: series that a site file can name instead of declaring them.

`catalogue.toml` holds one entry per series or per family: `each` is a list of points, or a table from point to text.
`{point}` in the name, and `{each}` in files, columns and `where`, stand for them.
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from headrace.adapters.feeds.declaration import FeedDeclaration
from headrace.core import require

__all__ = ["catalogue"]


@cache
def catalogue() -> Mapping[str, FeedDeclaration]:
    """Every built-in declaration by name, sorted."""
    text = resources.files("headrace.adapters.feeds").joinpath("catalogue.toml").read_text(encoding="utf-8")
    declarations: dict[str, FeedDeclaration] = {}
    for entry in tomllib.loads(text)["series"]:
        for name, fields in _expand(entry):
            require(name not in declarations, f"catalogue.toml declares {name} twice")
            declarations[name] = FeedDeclaration.model_validate(fields)
    return dict(sorted(declarations.items()))


def _expand(entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and fields of one entry, one per point of a family."""
    fields = {key: value for key, value in entry.items() if key not in {"name", "each"}}
    each = entry.get("each", [""])
    points = each if isinstance(each, dict) else {point: point for point in each}
    for point, text in points.items():
        yield entry["name"].replace("{point}", point), _filled(fields, text)


def _filled(value: Any, text: str) -> Any:  # noqa: ANN401  a TOML value is text, a list or a table
    """`value` with "{each}" replaced wherever there is text."""
    if isinstance(value, str):
        return value.replace("{each}", text)
    if isinstance(value, list):
        return [_filled(item, text) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, text) for key, item in value.items()}
    return value
