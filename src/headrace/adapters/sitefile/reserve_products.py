"""The built-in catalogue of reserve products, under each set of rules they have had."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, Final

from headrace.core import epoch_s
from headrace.energy.reserves import Direction, ReserveProduct

__all__ = ["reserve_products"]

RULES: Final = ("ERCOT ancillary services, bought day ahead", "ERCOT ancillary services, co-optimised in real time")
OPENED: Final = 1_291_183_200
"""1 December 2010, 06:00 UTC: ERCOT's nodal market, epoch seconds."""
OFFER_HOUR_LOCAL: Final = 9
"""ERCOT's day-ahead market closes at 10:00 local; offers are made in the hour before."""
QUANTITY_MIN_MW: Final = 0.1
PENALTY_RATIO: Final = 1.0
"""Charge as a multiple of the clearing price: what was not there is paid back (assumption; an operator may do more)."""


@cache
def reserve_products() -> Mapping[str, tuple[ReserveProduct, ...]]:
    """Every product by name, each in the order of its rules."""
    text = resources.files("headrace.adapters.sitefile").joinpath("reserve_products.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text)["product"]
    names = tuple(entry["name"] for entry in entries)
    return {entry["name"]: _dated(entry, names) for entry in entries}


def _dated(entry: dict[str, Any], names: tuple[str, ...]) -> tuple[ReserveProduct, ...]:
    since: datetime | None = entry.get("since")
    changed_s = epoch_s(entry["each_side_of"])
    spans = ((OPENED if since is None else epoch_s(since), changed_s), (changed_s, None))
    return tuple(
        ReserveProduct(
            name=entry["name"],
            rules=rules,
            valid_from_s=from_s,
            valid_to_s=to_s,
            direction=Direction(entry["direction"]),
            is_sold_ahead=rules == RULES[0],
            offer_hour_local=OFFER_HOUR_LOCAL,
            duration_h=duration_h,
            quantity_min_mw=QUANTITY_MIN_MW,
            response_s=entry["response_s"],
            deployment_ratio=entry["deployment_ratio"],
            rest_s=entry["rest_min"] * 60,
            penalty_ratio=PENALTY_RATIO,
            stacks_with=tuple(name for name in names if name != entry["name"]),
            source="reserve_products.toml, NPRR1096, NPRR1282, arXiv 2303.09081; rests, charges, other shares assumed",
        )
        for rules, (from_s, to_s), duration_h in zip(RULES, spans, entry["duration_h"], strict=True)
    )
