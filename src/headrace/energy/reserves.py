"""Reserves: capacity that a site sells to the grid's operator, as dated products and as what this site may offer.

A reserve is power that is not used but could be. Upward reserve is held by load that runs and can stop, or by a battery
that does not discharge and could: the megawatt must physically be there in every interval it is sold for. A market's
rules change on a day; each product therefore carries the period it is valid in, and the set of rules it belongs to.
Sets of rules are never mixed within one replay.
"""

from enum import StrEnum

import msgspec

__all__ = ["Direction", "Reserve", "ReserveProduct", "product_at", "simulated_role"]


class Direction(StrEnum):
    """Which way the site answers a call."""

    UP = "up"
    """Draws less or feeds more."""
    DOWN = "down"
    """Draws more or feeds less."""


class ReserveProduct(msgspec.Struct, frozen=True, kw_only=True):
    """One product under one set of rules."""

    name: str
    """Name in the market ("ERCOT RRS")."""
    rules: str
    """Set of rules it belongs to ("ERCOT day-ahead ancillary services")."""
    valid_from_s: int
    """First instant the rules hold, epoch seconds."""
    valid_to_s: int | None
    """First instant they no longer do; None while they last."""
    direction: Direction
    is_sold_ahead: bool
    """Bought day ahead by the hour and held in real time; False where real time clears it again with energy."""
    offer_hour_local: int
    """Local hour (0..23) in which offers for the next local day are made, before the market's gate."""
    duration_h: float
    """How long a call must be sustained, hours > 0: a battery holds energy for it."""
    quantity_min_mw: float
    """Least quantity of an award, MW."""
    response_s: float
    """Time within which a call must be answered in full, seconds."""
    deployment_ratio: float
    """Share of the capacity-hours sold that is expected to be called, 0..1."""
    rest_s: int
    """Time after a call in which the site restores it and is charged nothing, seconds."""
    penalty_ratio: float
    """Charge on each MW not held or not delivered, as a multiple of its capacity price."""
    stacks_with: tuple[str, ...]
    """Names of products that the same site may hold in the same hour, on other megawatts."""
    source: str
    """Where these figures come from, and which of them are assumptions."""


class Reserve(msgspec.Struct, frozen=True, kw_only=True):
    """What the site offers of one product."""

    name: str
    """The site's name for it ("RRS")."""
    products: tuple[ReserveProduct, ...]
    """The product under each set of rules, in order of time, without overlap."""
    loads: tuple[str, ...]
    """Miner classes and curtailable leases that may carry it."""
    has_battery: bool
    """May the battery carry it?"""
    qualified_mw: float
    """Most the site is qualified to sell, MW."""
    price: str
    """Feed role of its clearing price, site currency per MW and hour."""
    calls: str | None
    """Feed role of the share called (0..1); None if nothing is called."""
    desk_mw: float
    """What the competent desk sells in each of its hours, at any price, MW; 0 for nothing."""
    desk_hours_local: tuple[int, ...]
    """Local hours (0..23) in which it does."""


def product_at(reserve: Reserve, at_s: int) -> ReserveProduct | None:
    """The product under the rules of this instant; None where none holds."""
    for product in reserve.products:
        if product.valid_from_s <= at_s and (product.valid_to_s is None or at_s < product.valid_to_s):
            return product
    return None


def simulated_role(name: str) -> str:
    """Role under which a reserve's simulated calls stand among the inputs."""
    return f"simulated calls {name}"
