"""From what a policy asks to what the site is told: proposals narrowed by priority, and always an answer.

Priority, highest first: equipment limits, the connection, firm leases, then money. Here money has already chosen inside
them; control clips what is left over and, when there is no plan, climbs down the ladder: last plan, safe rule, shed.
"""

import math

import msgspec

from headrace.control.in_force import InForce, unit_orders
from headrace.control.setpoints import Mode, Setpoints
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Proposal
from headrace.dispatch.uses import SiteModel

__all__ = ["decide"]


def decide(
    model: SiteModel, proposal: Proposal | Infeasible | None, last: Proposal | None, now: InForce | None = None
) -> Setpoints:
    """Decide one interval's setpoints.

    Parameters
    ----------
    model
        The site.
    proposal
        This interval's proposal, the reason there is none, or None if it did not come in time.
    last
        The last proposal that did come.
    now
        Limits in force and the units' states; None where the connection alone limits and there are no units.
    """
    if isinstance(proposal, Proposal):
        setpoints, wanted = _narrow(model, proposal, Mode.PLAN, ()), proposal.unit_is_on
    elif proposal is None and last is not None:
        setpoints, wanted = _narrow(model, last, Mode.LAST_PLAN, ("plan.late",)), last.unit_is_on
    else:
        reasons = ("plan.late",) if proposal is None else (f"plan.infeasible.{'+'.join(proposal.clash.limits)}",)
        setpoints = _safe_rule(model, last, reasons)
        wanted = () if now is None else (True,) * len(now.units)
    return setpoints if now is None else _in_force(model, setpoints, now, wanted)


def _in_force(model: SiteModel, setpoints: Setpoints, now: InForce, wanted: tuple[bool, ...]) -> Setpoints:
    """The same setpoints within what plant in service carries."""
    units, reasons = unit_orders(model, now, wanted)
    if now.import_max_mw < setpoints.import_limit_mw:
        reasons = (*reasons, "plant.import")
    return msgspec.structs.replace(
        setpoints,
        import_limit_mw=min(setpoints.import_limit_mw, now.import_max_mw),
        import_max_mw=now.import_max_mw,
        export_max_mw=now.export_max_mw,
        units=units,
        reasons=(*setpoints.reasons, *reasons),
    )


def _narrow(model: SiteModel, proposal: Proposal, mode: Mode, reasons: tuple[str, ...]) -> Setpoints:
    """Clip a proposal to equipment and connection."""
    battery = model.site.battery
    charge_max_mw = battery.charge_max_mw if battery else 0.0
    discharge_max_mw = battery.discharge_max_mw if battery else 0.0
    charge_mw = min(max(proposal.charge_mw, 0.0), charge_max_mw)
    discharge_mw = min(max(proposal.discharge_mw, 0.0), discharge_max_mw)
    if charge_mw != proposal.charge_mw or discharge_mw != proposal.discharge_mw:
        reasons = (*reasons, "battery.power")
    connection = model.site.connection
    return Setpoints(
        mode=mode,
        use_limit_mw=proposal.use_limit_mw,
        use_worth_ccy_per_mwh=proposal.use_worth_ccy_per_mwh,
        may_fill=proposal.may_fill,
        source_limit_mw=proposal.source_limit_mw,
        charge_mw=charge_mw,
        charge_worth_ccy_per_mwh=math.inf if proposal.ask_ccy_per_mwh is None else proposal.ask_ccy_per_mwh,
        discharge_mw=discharge_mw,
        import_limit_mw=min(proposal.import_limit_mw, connection.import_max_mw),
        import_max_mw=connection.import_max_mw,
        export_max_mw=connection.export_max_mw,
        reasons=reasons,
        jobs=proposal.jobs,
    )


def _safe_rule(model: SiteModel, last: Proposal | None, reasons: tuple[str, ...]) -> Setpoints:
    """Run what must run; every interruptible block off, every generator up, the battery ready to help."""
    site = model.site
    count = len(model.uses)
    return Setpoints(
        mode=Mode.SAFE_RULE,
        use_limit_mw=(0.0,) * count,
        use_worth_ccy_per_mwh=last.use_worth_ccy_per_mwh if last else (0.0,) * count,
        may_fill=(False,) * count,
        source_limit_mw=(None,) * len(site.generators),
        charge_mw=0.0,
        charge_worth_ccy_per_mwh=math.inf,
        discharge_mw=site.battery.discharge_max_mw if site.battery else 0.0,
        import_limit_mw=site.connection.import_max_mw,
        import_max_mw=site.connection.import_max_mw,
        export_max_mw=site.connection.export_max_mw,
        reasons=reasons,
    )
