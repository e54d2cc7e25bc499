"""From what a policy asks to what the site is told: proposals narrowed by priority, and always an answer.

Priority, highest first: equipment limits, the connection, firm leases, then money. Here money has already chosen inside
them; control clips what is left over and, when there is no plan, climbs down the ladder: last plan, safe rule, shed.
"""

import math

from headrace.control.setpoints import Mode, Setpoints
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Proposal
from headrace.dispatch.uses import SiteModel

__all__ = ["decide"]


def decide(model: SiteModel, proposal: Proposal | Infeasible | None, last: Proposal | None) -> Setpoints:
    """Decide one interval's setpoints.

    Parameters
    ----------
    model
        The site.
    proposal
        This interval's proposal, the reason there is none, or None if it did not come in time.
    last
        The last proposal that did come.
    """
    if isinstance(proposal, Proposal):
        return _narrow(model, proposal, Mode.PLAN, ())
    if proposal is None and last is not None:
        return _narrow(model, last, Mode.LAST_PLAN, ("plan.late",))
    reasons = ("plan.late",) if proposal is None else (f"plan.infeasible.{'+'.join(proposal.clash.limits)}",)
    return _safe_rule(model, last, reasons)


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
