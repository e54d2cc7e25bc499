"""Tables of the site file that say which reserves the site sells."""

from typing import Annotated

from pydantic import Field, Strict

from headrace.adapters.sitefile.fields import Flag, Magnitude, Name, PositiveMagnitude, Section

__all__ = ["ReserveSection"]


class ReserveSection(Section):
    """A reserve that the site offers."""

    name: Name
    """The site's name for it."""
    product: str
    """Product of the built-in catalogue ("ERCOT RRS"); its rules are dated."""
    loads: tuple[str, ...] = ()
    """Miners and curtailable leases that may carry it: naming a lease says that its contract allows a call."""
    battery: Flag = False
    """May the battery carry it?"""
    qualified_mw: PositiveMagnitude
    """Most the site is qualified to sell, MW."""
    response_s: Magnitude
    """How fast the slowest of its carriers follows a call, seconds."""
    price: str
    """Role in [feeds] of its clearing price, per MW and hour."""
    calls: str | None = None
    """Role in [feeds] of the share called, 0..1; without it or `simulated_calls` nothing is ever called."""
    simulated_calls: Flag = False
    """Draw calls at random, in all the product's expected share of the hours, the same in every run."""
    desk_mw: Magnitude = 0.0
    """What the competent desk sells in each of its hours, at any price, MW."""
    desk_hours_local: tuple[Annotated[int, Strict(), Field(ge=0, le=23)], ...] = ()
    """Local hours (0..23) in which it does."""
