"""Awards as a market agent hands them back: a CSV file, checked against what was offered, or one error that says where.

Columns: kind ("energy" or a reserve product), start (ISO-8601 with zone), mw, price. An award is of an hour of the day,
no larger than what was offered for it, and of reserve no cheaper than it was offered at.
"""

import csv
import io
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from headrace.core import BadInput, epoch_s, iso

__all__ = ["AwardLine", "read_awards"]

COLUMNS: Final = ("kind", "start", "mw", "price")
LINES_MAX: Final = 10_000
ROUNDING_MW: Final = 0.051
"""Half of a market's tenth of a MW, which an award may be over the offer by."""


class AwardLine(msgspec.Struct, frozen=True, kw_only=True):
    """One award."""

    kind: str
    """"energy", or the reserve product."""
    start_s: int
    """Start of the hour, epoch seconds."""
    mw: float
    """Quantity, MW."""
    price_ccy: float
    """Clearing price, per MWh, or per MW and hour."""


def read_awards(content: bytes, offers: Mapping[str, Any], where: str) -> tuple[AwardLine, ...]:
    """Read awards and check them against the generic file of offers.

    Parameters
    ----------
    content
        The awards' file.
    offers
        The offers' file, decoded.
    where
        Name of the awards' file, for the error.

    Raises
    ------
    headrace.core.BadInput
        Naming the first line that can't be, and why.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(where, f"no CSV text: {error}", "Save the awards as CSV in UTF-8") from error
    if not rows or set(rows[0]) != set(COLUMNS):
        found = ", ".join(map(str, rows[0])) if rows else "no line"
        raise BadInput(where, f"columns {', '.join(COLUMNS)} expected, found {found}", "Name the columns so")
    if len(rows) > LINES_MAX:
        raise BadInput(where, f"{len(rows):,} lines", f"Give a day at a time, at most {LINES_MAX:,} lines")
    most = _offered(offers)
    seen: set[tuple[str, int]] = set()
    awards = []
    for number, row in enumerate(rows, start=2):
        award = _line(row, f"{where} line {number}")
        key = (award.kind, award.start_s)
        if key not in most:
            kind, at = award.kind, iso(award.start_s)
            raise BadInput(f"{where} line {number}", f"{kind} at {at} was not offered", "Check day, hour and kind")
        if key in seen:
            raise BadInput(f"{where} line {number}", f"{award.kind} at {iso(award.start_s)} twice", "Keep one")
        seen.add(key)
        most_mw, least_price_ccy = most[key]
        if award.mw > most_mw + ROUNDING_MW:
            found = f"{award.mw:g} MW of {award.kind} awarded, {most_mw:g} MW offered"
            raise BadInput(f"{where} line {number}", found, "Ask the market agent for the award's source")
        if award.price_ccy < least_price_ccy - 0.005:
            found = f"{award.kind} cleared at {award.price_ccy:g}, offered at {least_price_ccy:g} or more"
            raise BadInput(f"{where} line {number}", found, "Ask the market agent for the award's source")
        awards.append(award)
    return tuple(sorted(awards, key=lambda award: (award.start_s, award.kind)))


def _line(row: Mapping[str, str | None], where: str) -> AwardLine:
    try:
        start = datetime.fromisoformat(str(row["start"]))
        if start.tzinfo is None:
            raise ValueError(f"start {row['start']} carries no zone")
        mw, price_ccy = float(str(row["mw"])), float(str(row["price"]))
        if not (math.isfinite(mw) and mw >= 0.0 and math.isfinite(price_ccy)):
            raise ValueError(f"mw {row['mw']} and price {row['price']} must be numbers, mw at least 0")
    except (ValueError, OverflowError) as error:
        raise BadInput(where, str(error), "Write 2026-07-01T15:00-05:00, 12.5 and 48.20") from error
    return AwardLine(kind=str(row["kind"]), start_s=epoch_s(start), mw=mw, price_ccy=price_ccy)


def _offered(offers: Mapping[str, Any]) -> dict[tuple[str, int], tuple[float, float]]:
    """(most MW, least price) of each kind and hour that was offered."""
    most: dict[tuple[str, int], tuple[float, float]] = {}
    for hour in offers["energy"]:
        points = hour["points"]
        at = ("energy", epoch_s(datetime.fromisoformat(hour["start"])))
        most[at] = (points[-1]["mw"] if points else hour["least_mw"], -math.inf)
    for each in offers["reserve"]:
        at = (each["product"], epoch_s(datetime.fromisoformat(each["start"])))
        so_far_mw, least_ccy = most.get(at, (0.0, math.inf))
        most[at] = (so_far_mw + each["mw"], min(least_ccy, each["price"]))
    return most
