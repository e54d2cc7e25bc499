"""What the site declares of each programme whose events it takes: who asks, with what right, for how much.

An event says what it wants; the declaration says whether it may. No event carries its own authority: whoever can send
one could otherwise make it mandatory.
"""

from enum import StrEnum

import msgspec

from headrace.control.orders import Authority

__all__ = ["PositiveDelta", "PowerUnit", "Programme"]


class PowerUnit(StrEnum):
    """Unit of a payload that does not name its own."""

    W = "W"
    KW = "kW"
    MW = "MW"


class PositiveDelta(StrEnum):
    """What a relative payload above zero asks for: the standards leave it to the programme."""

    DRAWS = "draws"
    """More load: OpenADR 3's "relative change of consumption"."""
    SHEDS = "sheds"
    """Less load, as programmes that dispatch reductions send it."""


class Programme(msgspec.Struct, frozen=True, kw_only=True):
    """One programme of a grid operator, utility or aggregator."""

    name: str
    """The site's name for it; the word that orders carry as who issued them."""
    context: str
    """How its events name it: market context (OpenADR 2.0b), programID or programName (3), any word (DNP3)."""
    authority: Authority
    """Rank of its orders: grid for a mandatory one, reserve for reserve sold, voluntary for demand response."""
    within_s: float
    """How fast an order is to be met, seconds."""
    largest_mw: float
    """Most that it may name, MW; more is refused as absurd."""
    longest_s: int = 86_400
    """Longest window it may name, seconds."""
    horizon_s: int = 8 * 86_400
    """Furthest ahead a window may begin, seconds."""
    level_mw: tuple[float, ...] = ()
    """What levels 1, 2 and 3 of a SIMPLE signal ask to shed, MW; empty if it sends none."""
    unit: PowerUnit = PowerUnit.KW
    """Unit of a payload that names none."""
    positive_delta: PositiveDelta = PositiveDelta.DRAWS
    """What a relative payload above zero means."""
    follows: bool = False
    """Does an absolute setpoint bind from below too, as a base point does? Otherwise it is a limit."""
    end_permits: bool = False
    """Is an event's stated end the permission to restore? Otherwise a mandatory one ends when the programme says so."""
    feeder: str = ""
    """Feeder it is about; empty for the whole site."""
