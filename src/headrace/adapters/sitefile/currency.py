"""Money keys: `_usd`, `_eur` or `_cad` in the file, `_ccy` in the models, before another unit or last in the name.

A key that names another currency than the site's is refused: its figure would be read in the wrong money.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from headrace.adapters.sitefile.lines import KeyPath
from headrace.core import Currency

__all__ = ["declared_currency", "foreign_keys", "to_file_key", "to_model_key", "to_model_keys"]

_IN_MODEL: Final = re.compile(r"_ccy(?=_|\b)")
_IN_FILE: Final = re.compile("_(" + "|".join(currency.lower() for currency in Currency) + ")(?=_|$)")


def declared_currency(document: dict[str, Any]) -> Currency | None:
    """Currency that `[site]` declares; None where it is absent or not one of ours."""
    site = document.get("site")
    code = site.get("currency") if isinstance(site, dict) else None
    return next((currency for currency in Currency if currency == code), None)


def to_file_key(key: str, currency: Currency | None) -> str:
    """Key as an operator writes it: `_ccy_` becomes the site's currency (dollars where that is not known)."""
    return _IN_MODEL.sub(f"_{(currency or Currency.USD).lower()}", key)


def to_model_key(key: str) -> str:
    """Key as the models name it."""
    return _IN_FILE.sub("_ccy", key)


def to_model_keys(document: dict[str, Any]) -> dict[str, Any]:
    """Copy of a parsed file with its money keys renamed; `[feeds]` names columns, not money, and stays as it is."""
    return {key: value if key == "feeds" else _renamed(value) for key, value in document.items()}


def _renamed(value: Any) -> Any:  # noqa: ANN401  any TOML value
    if isinstance(value, dict):
        return {to_model_key(key): _renamed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner) for inner in value]
    return value


def foreign_keys(document: dict[str, Any], currency: Currency) -> Iterator[tuple[KeyPath, str]]:
    """Money keys in another currency than the site's, each with the currency it names ("EUR", or "CCY")."""
    for key, value in document.items():
        if key != "feeds":
            yield from _foreign(value, (key,), currency)


def _foreign(value: Any, path: KeyPath, currency: Currency) -> Iterator[tuple[KeyPath, str]]:  # noqa: ANN401
    if isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _foreign(inner, (*path, i), currency)
    elif isinstance(value, dict):
        for key, inner in value.items():
            named = re.search(r"_(ccy|usd|eur|cad)(?=_|$)", key)
            if named and named[1] != currency.lower():
                yield (*path, key), named[1].upper()
            yield from _foreign(inner, (*path, key), currency)
