"""A day's offers and operating plan as files for a market agent; docs/market-files.md lays them out.

Generic: one JSON file of everything. ERCOT-like: three CSV files whose columns follow the market's vocabulary
(operating day, hour ending, curve points, power consumption limits); they are what an agent maps to the market's own
interface, not that interface. A curve is in steps: a price holds from the point before it up to its own power.
"""

import csv
import hashlib
import io
from collections.abc import Iterable
from typing import Final

import msgspec

from headrace.core import iso
from headrace.dispatch.day_offers import DayOffer, HourOffer
from headrace.dispatch.reserve import HOUR_S

__all__ = ["FORMATS", "OfferFacts", "market_files", "sha256_of"]

FORMATS: Final = ("generic", "ercot")
"""Layouts that offers are written in."""
LAYOUT: Final = "headrace/market-offers/1"


class OfferFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says beside the offers."""

    site: str
    """Name of the site."""
    resource: str
    """Name of the controllable load in the market."""
    time_zone: str
    """Zone of the market's days and hours."""
    currency: str
    """Currency of prices."""
    day: str
    """Local day, ISO."""
    gate_s: int
    """When the market's gate closes, epoch seconds."""
    products: tuple[str, ...]
    """Product of each of the site's reserves."""
    inputs: str
    """Digest of the series that the offers rest on."""
    reason: str
    """Why they are as they are, in a sentence."""


def market_files(offer: DayOffer, facts: OfferFacts, layout: str) -> dict[str, bytes]:
    """Contents by file name.

    Parameters
    ----------
    offer, facts
        What is offered, and what stands beside it.
    layout
        One of `FORMATS`.
    """
    if layout == "ercot":
        return {
            "energy_bid_curves.csv": _csv(CURVE_COLUMNS, _curve_rows(offer, facts)),
            "ancillary_service_offers.csv": _csv(RESERVE_COLUMNS, _reserve_rows(offer, facts)),
            "current_operating_plan.csv": _csv((*PLAN_COLUMNS, *_products(facts)), _plan_rows(offer, facts)),
        }
    return {"offers.json": msgspec.json.format(msgspec.json.encode(_generic(offer, facts)), indent=1) + b"\n"}


def sha256_of(content: bytes) -> str:
    """Digest of a file's bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


CURVE_COLUMNS: Final = ("resource", "operating_day", "hour_ending", "point", "mw", "price_per_mwh")
RESERVE_COLUMNS: Final = ("resource", "operating_day", "hour_ending", "product", "block", "mw", "price_per_mw_h")
PLAN_COLUMNS: Final = (
    "resource",
    "operating_day",
    "hour_ending",
    "status",
    "low_power_consumption_mw",
    "max_power_consumption_mw",
    "planned_mw",
)


def _generic(offer: DayOffer, facts: OfferFacts) -> dict[str, object]:
    energy = [
        {
            "start": iso(hour.start_s),
            "end": iso(hour.start_s + HOUR_S),
            "expected_price": round(hour.price_ccy_per_mwh, 4),
            "planned_mw": round(hour.planned_mw, 3),
            "least_mw": hour.least_mw,
            "points": [{"mw": point.mw, "price": point.ccy_per_mwh} for point in hour.curve.points],
        }
        for hour in offer.hours
    ]
    reserve = [
        {
            "start": iso(each.start_s),
            "end": iso(each.start_s + HOUR_S),
            "product": facts.products[each.reserve],
            "carrier": each.carrier,
            "mw": round(each.mw, 3),
            "price": round(each.price_ccy_per_mw_h, 2),
        }
        for each in offer.reserve
    ]
    return {
        "layout": LAYOUT,
        "site": facts.site,
        "resource": facts.resource,
        "day": facts.day,
        "time_zone": facts.time_zone,
        "currency": facts.currency,
        "made": iso(offer.made_s),
        "gate_closes": iso(facts.gate_s),
        "inputs": facts.inputs,
        "reason": facts.reason,
        "energy": energy,
        "reserve": reserve,
    }


def _curve_rows(offer: DayOffer, facts: OfferFacts) -> Iterable[tuple[object, ...]]:
    """Each step as two points, from its lower power to its upper one, since the market draws straight lines."""
    for ending, hour in enumerate(offer.hours, start=1):
        number, from_mw = 0, hour.least_mw
        for point in hour.curve.points:
            for mw in (from_mw, point.mw):
                number += 1
                yield facts.resource, facts.day, ending, number, f"{mw:.3f}", f"{point.ccy_per_mwh:.2f}"
            from_mw = point.mw


def _reserve_rows(offer: DayOffer, facts: OfferFacts) -> Iterable[tuple[object, ...]]:
    """Blocks of each hour and product, cheapest first, in whole tenths of a MW rounded down."""
    for ending, hour in enumerate(offer.hours, start=1):
        own = [each for each in offer.reserve if each.start_s == hour.start_s]
        for reserve in sorted({each.reserve for each in own}):
            blocks = sorted((each.price_ccy_per_mw_h, each.mw) for each in own if each.reserve == reserve)
            for block, (price, mw) in enumerate(blocks, start=1):
                quantity_mw = int(mw * 10.0 + 1e-9) / 10.0
                if quantity_mw > 0.0:
                    product = facts.products[reserve]
                    yield facts.resource, facts.day, ending, product, block, f"{quantity_mw:.1f}", f"{price:.2f}"


def _plan_rows(offer: DayOffer, facts: OfferFacts) -> Iterable[tuple[object, ...]]:
    for ending, hour in enumerate(offer.hours, start=1):
        most_mw = max(hour.most_mw, hour.least_mw)
        yield (
            facts.resource,
            facts.day,
            ending,
            "ONCLR" if most_mw > hour.least_mw else "OUTL",
            f"{hour.least_mw:.1f}",
            f"{most_mw:.1f}",
            f"{hour.planned_mw:.1f}",
            *_offered(offer, hour, facts),
        )


def _offered(offer: DayOffer, hour: HourOffer, facts: OfferFacts) -> tuple[str, ...]:
    """Most reserve that the hour offers of each product."""
    own = [each for each in offer.reserve if each.start_s == hour.start_s]
    sums = ((sum(each.mw for each in own if facts.products[each.reserve] == name)) for name in _products(facts))
    return tuple(f"{mw:.1f}" for mw in sums)


def _products(facts: OfferFacts) -> tuple[str, ...]:
    return tuple(dict.fromkeys(facts.products))


def _csv(columns: Iterable[str], rows: Iterable[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()
