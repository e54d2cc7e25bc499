"""Names as people read them: inside the rooms money is `_ccy`, outside it carries the site's real currency.

A euro site prints `bid_eur_per_mwh`; its Parquet columns and run.json say the same (docs/decisions/0005-ccy-names.md).
"""

import re
from typing import Final

import polars as pl

from headrace.core import Currency
from headrace.engine.results import LINES, POSITION_MICRO

__all__ = ["inward", "inward_frame", "outward", "outward_frame"]

PRICES: Final = ("price", "price_seen", "bid", "ask", "peak_seen", "peak_came")
"""Columns of `PolicyRun.intervals` that are money per MWh, besides `worth:<name>`."""


def outward(value: object, currency: Currency) -> object:
    """The same plain JSON value with `_ccy` in its keys turned into the currency's code."""
    return _renamed(value, "ccy", currency.lower())


def inward(value: object, currency: Currency) -> object:
    """The opposite of `outward`."""
    return _renamed(value, currency.lower(), "ccy")


def outward_frame(frame: pl.DataFrame, currency: Currency) -> pl.DataFrame:
    """A run's intervals or settlements with the unit and the currency in each money column's name."""
    code = currency.lower()
    per_mwh = {name: f"{name}_{code}_per_mwh" for name in frame.columns if name in PRICES or name.startswith("worth:")}
    micro = {name: f"{name}_{code}_micro" for name in frame.columns if name in LINES + POSITION_MICRO}
    return frame.rename(per_mwh | micro)


def inward_frame(frame: pl.DataFrame, currency: Currency) -> pl.DataFrame:
    """The opposite of `outward_frame`."""
    suffix = re.compile(rf"_{currency.lower()}_(per_mwh|micro)$")
    return frame.rename({name: suffix.sub("", name) for name in frame.columns if suffix.search(name)})


def _renamed(value: object, old: str, new: str) -> object:
    if isinstance(value, dict):
        return {re.sub(rf"_{old}(?=_|$)", f"_{new}", key): _renamed(inner, old, new) for key, inner in value.items()}
    return [_renamed(inner, old, new) for inner in value] if isinstance(value, list | tuple) else value
