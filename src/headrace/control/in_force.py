"""What binds in this very interval, whatever a plan believed: limits of plant in service, and what its units may do.

A plan sees outages and curtailments as announced; control is told what is in force as the interval begins. A unit
starts and stops within its minimum times, and never beyond its permit.
"""

import msgspec

from headrace.control.setpoints import UnitOrder
from headrace.dispatch.uses import SiteModel
from headrace.energy.plant import UnitState, may_be_on

__all__ = ["InForce", "unit_orders"]


class InForce(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Limits of one interval."""

    at_s: int
    """Start of the interval, epoch seconds."""
    import_max_mw: float
    """Most import: connection, transformers in service, what a curtailment leaves."""
    export_max_mw: float
    """Most export."""
    units: tuple[UnitState, ...]
    """What each unit is doing as the interval begins."""


def unit_orders(
    model: SiteModel, now: InForce, wanted: tuple[bool, ...]
) -> tuple[tuple[UnitOrder, ...], tuple[str, ...]]:
    """What each unit is told, and why not what was wanted.

    Parameters
    ----------
    model, now
        The site, and what is in force.
    wanted
        Which units are to burn fuel; empty for none.
    """
    plant = model.site.plant
    if plant is None or not plant.units:
        return (), ()
    orders, reasons = [], []
    for unit, state, asked in zip(plant.units, now.units, wanted or (False,) * len(plant.units), strict=True):
        is_on, why = may_be_on(unit, state, asked, now.at_s, model.site.control_step_s)
        is_start = is_on and not state.is_on
        is_ready = unit.start_s == 0 if is_start else is_on and state.is_ready(unit, now.at_s)
        orders.append(UnitOrder(is_on=is_on, is_ready=is_ready, is_start=is_start))
        reasons += [why] if why else []
    return tuple(orders), tuple(dict.fromkeys(reasons))
