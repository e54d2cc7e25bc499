"""The ladder of authority as rules: who may take what, who may step, whose word ends what he began.

The order is fixed: people and equipment, a mandatory grid order, an emergency of the site, sold reserve, firm leases,
voluntary programmes, money. A site may declare exceptions load by load: the lowest authority that may take a load.
Without one a firm lease yields to every authority above firm leases, and anything else to all.
"""

from typing import Final

import msgspec

from headrace.control.orders import Authority

__all__ = ["NO_EXCEPTIONS", "LadderException", "LadderRules", "is_emergency", "may_take", "overrides_min_off"]


class LadderException(msgspec.Struct, frozen=True, kw_only=True):
    """A load that yields to other authorities than its place on the ladder says."""

    load: str
    """Name of the load."""
    yields_to: Authority
    """Lowest authority that may take it: GRID for one that not even called reserve may touch."""


class LadderRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a site declares beside the order of the ladder itself."""

    firm: tuple[str, ...] = ()
    """Loads under firm leases; they go last and never for a programme or a price."""
    exceptions: tuple[LadderException, ...] = ()
    """Loads that yield to other authorities; none by default."""
    needs_permission: tuple[Authority, ...] = (Authority.SAFETY, Authority.GRID)
    """Authorities whose orders end only by a restore of their own: time passing is no permission."""
    soc_min_ratio: float = 0.1
    """State of charge below which the battery counts for nothing, 0..1."""
    command_life_s: float = 30.0
    """How long a command may be carried out after it was decided, seconds."""

    def yields_to(self, load: str) -> Authority:
        """Lowest authority that may take a load."""
        for exception in self.exceptions:
            if exception.load == load:
                return exception.yields_to
        return Authority.RESERVE if load in self.firm else Authority.MONEY


NO_EXCEPTIONS: Final = LadderRules()
"""No firm lease and no exception."""


def may_take(rules: LadderRules, authority: Authority, load: str) -> bool:
    """May this authority take power from this load?"""
    return authority <= rules.yields_to(load)


def is_emergency(authority: Authority) -> bool:
    """May it step past the registered ramp? People and equipment, the grid's mandatory order, the site's emergency."""
    return authority <= Authority.SITE


def overrides_min_off(authority: Authority) -> bool:
    """May it start what has not been off for its least time? Only people and equipment."""
    return authority is Authority.SAFETY
