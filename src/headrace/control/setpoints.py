"""What control sends to the site for one interval, and how it came to it."""

import math
from enum import StrEnum

import msgspec

from headrace.dispatch.policies.job_orders import JobOrder

__all__ = ["Mode", "Obligation", "Setpoints", "UnitOrder"]


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


class Obligation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One reserve as it is owed in one interval."""

    reserve: int
    """Position among the site's reserves."""
    use_mw: tuple[float, ...]
    """What each block carries of it."""
    battery_mw: float
    """What the battery carries."""
    duration_h: float
    """How long a call must be sustained."""
    called_ratio: float
    """Share called now, 0..1."""
    is_resting: bool
    """Is the site still restoring it after a call?"""
    price_ccy_per_mw_h: float
    """Clearing price."""


class UnitOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a unit is told in one interval."""

    is_on: bool
    """Burn fuel."""
    is_ready: bool
    """Up by now: gives its minimum load or more."""
    is_start: bool
    """Begins with this interval."""


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
    use_min_mw: tuple[float, ...] = ()
    """Part of each block that stays on for reserve sold; empty for none."""
    discharge_cap_mw: float = math.inf
    """Most the battery feeds while it keeps reserve; given up for the connection and firm load alone."""
    charge_min_mw: float = 0.0
    """Charging that reserve needs; likewise."""
    units: tuple[UnitOrder, ...] = ()
    """What each unit of the plant is told."""
    reserve: tuple[Obligation, ...] = ()
    """Reserve owed in this interval."""
    jobs: tuple[JobOrder, ...] = ()
    """Batch jobs that are to run; none on the safe rule."""
