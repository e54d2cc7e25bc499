"""From a validation error to a problem a person can correct: key, line, what was expected and found, suggestion."""

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from headrace.adapters.sitefile.currency import to_file_key, to_model_key
from headrace.adapters.sitefile.errors import Problem
from headrace.adapters.sitefile.lines import KeyPath, key_lines, line_of
from headrace.adapters.sitefile.schema import BY_NAME, DECLARED, SiteFile
from headrace.core import Currency

__all__ = ["Place", "did_you_mean", "problems_of"]

_WANTED: Final = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "finite_number": "finite",
    "string_pattern_mismatch": "letters, digits, spaces, _ and -, a letter or digit first",
    "string_too_short": "at least one letter",
}
"""What each type error expected, in words."""

_BOUNDS: Final = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed file, to say where in it something stands."""

    document: Mapping[str, Any]
    """The parsed file, money keys renamed to the models'."""
    lines: Mapping[KeyPath, int]
    """Line of each key, money keys renamed likewise."""
    currency: Currency | None
    """The site's currency, for the names of money keys."""
    root: type[BaseModel] = SiteFile
    """Model of the whole file."""

    @classmethod
    def of(
        cls,
        text: str,
        document: Mapping[str, Any],
        currency: Currency | None,
        root: type[BaseModel] = SiteFile,
    ) -> "Place":
        """Scan a text for the lines of its keys."""
        lines: dict[KeyPath, int] = {}
        for path, line in key_lines(text).items():
            lines.setdefault(tuple(to_model_key(part) if isinstance(part, str) else part for part in path), line)
        return cls(document=document, lines=lines, currency=currency, root=root)

    def problem(self, path: KeyPath, found: str, do: str) -> Problem:
        """Problem at a key; money names in all its words are the site's own."""
        return Problem(
            key=self.describe(path),
            line=self.line(path),
            found=to_file_key(found, self.currency),
            do=to_file_key(do, self.currency),
        )

    def line(self, path: KeyPath) -> int | None:
        """Line of a key, else of the nearest table around it."""
        return line_of(path, self.lines)

    def describe(self, path: KeyPath) -> str:
        """Key path for a person: list entries by their name where they have one, else by position from 1."""
        words = ""
        value: Any = self.document
        for part in path:
            value = _inner(value, part)
            if isinstance(part, int):
                name = value.get("name") if isinstance(value, dict) else None
                words += f'["{name}"]' if isinstance(name, str) else f"[#{part + 1}]"
            else:
                words += f".{to_file_key(part, self.currency)}" if words else to_file_key(part, self.currency)
        return words


def _inner(value: Any, part: str | int) -> Any:  # noqa: ANN401  any TOML value
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def problems_of(error: ValidationError, place: Place) -> tuple[Problem, ...]:
    """Every error of a failed validation as a problem."""
    errors = [dict(details) for details in error.errors(include_url=False)]
    misspelt = {target for details in errors if (target := _target_of_misspelling(details, place)) is not None}
    return tuple(_problem(details, place) for details in errors if not _is_echo(details, misspelt))


def _target_of_misspelling(details: dict[str, Any], place: Place) -> KeyPath | None:
    """Key that an unknown key was probably meant to be."""
    path = _file_path(details["loc"])
    if details["type"] != "extra_forbidden":
        return None
    close = difflib.get_close_matches(str(path[-1]), _keys(path[:-1], place.root), n=1)
    return (*path[:-1], *close) if close else None


def _is_echo(details: dict[str, Any], misspelt: set[KeyPath]) -> bool:
    """Only the consequence of another error: a key missing because it is misspelt, a list short of its bad entries."""
    if details["type"] == "missing":
        return _file_path(details["loc"]) in misspelt
    return details["type"] == "too_short" and bool(details["input"])


def _problem(details: dict[str, Any], place: Place) -> Problem:
    path = _file_path(details["loc"])
    kind = details["type"]
    if kind == "extra_forbidden":
        known = [to_file_key(key, place.currency) for key in _keys(path[:-1], place.root)]
        return place.problem(path, "unknown key", did_you_mean(to_file_key(str(path[-1]), place.currency), known))
    if kind == "missing" and isinstance(path[-1], str):
        return place.problem(path, "is missing", _add(path, place.root))
    if kind == "missing":
        return place.problem(path[:-1], "must be a pair of numbers, had one", _meaning(path, place.root))
    if kind == "tuple_type" and isinstance(details["input"], dict):
        return place.problem(path, "must be a list of tables, was one table", f"Write its header as [[{path[-1]}]]")
    return place.problem(path, _found(kind, details), _meaning(path, place.root))


def _file_path(loc: tuple[str | int, ...]) -> KeyPath:
    """Location without pydantic's own tag for the way a feed is declared."""
    tagged = len(loc) > 2 and loc[0] == "feeds" and loc[2] in {BY_NAME, DECLARED}
    return (*loc[:2], *loc[3:]) if tagged else loc


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the closest known word, or name them all."""
    choices = list(known)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    return f"Did you mean {close[0]}?" if close else f"Known here: {', '.join(choices)}"


def _add(path: KeyPath, root: type[BaseModel]) -> str:
    field = _field(path, root)
    about = _lowered(field.description) if field and field.description else "it has no default"
    return f"Add a [{path[0]}] table: {about}" if len(path) == 1 else f"Add {path[-1]}: {about}"


def _meaning(path: KeyPath, root: type[BaseModel]) -> str:
    """What the field means, from its docstring."""
    field = _field(path, root)
    if field is None or not field.description:
        return "Correct it"
    return f"Meaning: {_lowered(field.description)}"


def _lowered(text: str) -> str:
    """Docstring as the end of a sentence."""
    text = " ".join(text.split()).rstrip(".")
    return text if text[:2].isupper() else text[0].lower() + text[1:]


def _found(kind: str, details: dict[str, Any]) -> str:
    """What was expected and what was found."""
    context = details.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        word, key = _BOUNDS[kind]
        wanted = f"must be {word} {context[key]:g}"
    elif kind in _WANTED:
        wanted = f"must be {_WANTED[kind]}"
    elif kind in {"enum", "literal_error"}:
        wanted = f"must be {context['expected']}"
    elif kind == "too_short":
        wanted = f"must have at least {context['min_length']} entry"
    elif kind == "too_long":
        wanted = "must be a pair of numbers"
    else:
        wanted = f"{details['msg'][0].lower()}{details['msg'][1:]}"
    return f"{wanted}, was {_shown(details['input'])}"


def _shown(value: Any) -> str:  # noqa: ANN401  any TOML value
    """Value as TOML would write it, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "a table"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _keys(path: KeyPath, root: type[BaseModel]) -> tuple[str, ...]:
    """Keys allowed in the table at `path`."""
    section: type[BaseModel] | None = root
    for part in path:
        if isinstance(part, str) and section is not None:
            field = section.model_fields.get(part)
            section = _section(field.annotation) if field else section
    return tuple(section.model_fields) if section else ()


def _field(path: KeyPath, root: type[BaseModel]) -> FieldInfo | None:
    """Field that a path ends in; list positions stand for their field."""
    section: type[BaseModel] | None = root
    field: FieldInfo | None = None
    for part in path:
        if isinstance(part, str) and section is not None:
            field = section.model_fields.get(part, field)
            section = _section(field.annotation) if field else None
    return field


def _section(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  any annotation
    """Model inside an annotation, e.g. of `tuple[LeaseSection, ...]`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((section for inner in get_args(annotation) if (section := _section(inner))), None)
