"""What control sends to the site for one interval, and how it came to it."""

from enum import StrEnum

import msgspec

__all__ = ["Mode", "Setpoints"]


class Mode(StrEnum):
    """The rung of the safe ladder a decision stands on; control always answers with one of them."""

    PLAN = "plan"
    """This interval's plan, narrowed by the limits above it."""
    LAST_PLAN = "last_plan"
    """The last plan, because no new one came in time."""
    SAFE_RULE = "safe_rule"
    """Only what must run, the battery helping, because no plan serves the firm load within the limits."""
    SHED = "shed"
    """Firm load cut, because nothing else was left."""


class Setpoints(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Limits for one control interval; the site's own fast loops keep to them as demand and output come."""

    mode: Mode
    use_limit_mw: tuple[float | None, ...]
    """Most power at the bus each block may take; None for all it can get."""
    use_worth_ccy_per_mwh: tuple[float, ...]
    """Order in which blocks give way, least worth first."""
    may_fill: tuple[bool, ...]
    """May the block take power that would otherwise be exported or turned down?"""
    source_limit_mw: tuple[float | None, ...]
    """Most output of each generator; None for all that is available."""
    charge_mw: float
    charge_worth_ccy_per_mwh: float
    """Worth of a MWh charged: blocks worth less give way before it, blocks worth more after; inf for a schedule."""
    discharge_mw: float
    import_limit_mw: float
    """Import that interruptible load stays under."""
    import_max_mw: float
    """The connection's own limit: nothing but a fault goes above."""
    export_max_mw: float
    """The connection's export limit."""
    reasons: tuple[str, ...]
    """Reason codes of what narrowed the proposal."""
