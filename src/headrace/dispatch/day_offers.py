"""What the site offers for the next local day, made at the gate from what is known then: energy, reserve, its plan.

The day is planned hour by hour on expected prices with what is in store now; the energy left at its end is worth what
exporting it at the day's mean price would bring. Energy is bid as curves through that plan, reserve at what holding it
is expected to cost.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.offers import BidCurve, CurveRules, plan_curve
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies.proposal import Sight
from headrace.dispatch.reserve import Offer, under_reserve
from headrace.dispatch.reserve_offers import expected_day, offers_at_cost
from headrace.dispatch.solve import solve
from headrace.dispatch.uses import SiteModel

__all__ = ["DayOffer", "HourOffer", "day_offer"]


class HourOffer(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the day ahead."""

    start_s: int
    """Start, epoch seconds."""
    price_ccy_per_mwh: float
    """Market price it was planned for."""
    planned_mw: float
    """Import at that price, MW."""
    least_mw: float
    """Import that no price cuts, MW."""
    most_mw: float
    """Import at the lowest price, MW."""
    curve: BidCurve
    """Import at each price."""


class DayOffer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that goes to market for a local day."""

    made_s: int
    """When it was made, epoch seconds."""
    hours: tuple[HourOffer, ...]
    """Its hours, 23 to 25, in order."""
    reserve: tuple[Offer, ...]
    """Reserve offered, each with its carrier."""


def day_offer(model: SiteModel, sight: Sight, starts_s: NDArray[np.int64], rules: CurveRules) -> DayOffer | Infeasible:
    """Plan a day ahead and make its offers.

    Parameters
    ----------
    model, sight
        The site, and what is known at the gate.
    starts_s
        Hours of the day, epoch seconds, shape (H,).
    rules
        What the market takes for a curve.
    """
    problem, price = expected_day(model, sight, starts_s)
    battery = model.site.battery
    if battery is not None:
        worth = float(price.mean()) - model.site.tariff.export_deduction_ccy_per_mwh
        problem = msgspec.structs.replace(problem, end_value_ccy_per_mwh=worth * battery.discharge_efficiency_ratio)
    problem = under_reserve(problem, model.site, sight.memory.reserve, int(starts_s[0]))
    plan = solve(problem, explain=False)
    if isinstance(plan, Infeasible):
        return plan
    hours = []
    for step, (start_s, price_ccy_per_mwh) in enumerate(zip(starts_s.tolist(), price.tolist(), strict=True)):
        curve = plan_curve(problem, plan, step, price_ccy_per_mwh=price_ccy_per_mwh, rules=rules)
        hours.append(
            HourOffer(
                start_s=start_s,
                price_ccy_per_mwh=price_ccy_per_mwh,
                planned_mw=float(plan.import_mw[step]),
                least_mw=curve.least_mw,
                most_mw=curve.most_mw,
                curve=curve,
            )
        )
    own = {int(start_s) for start_s in starts_s}
    reserve = tuple(offer for offer in offers_at_cost(model, sight) if offer.start_s in own)
    return DayOffer(made_s=sight.now_s, hours=tuple(hours), reserve=reserve)
