"""Compose what a replay sells as reserve: which policy offers how, and what a reader must know of it."""

from typing import Final

import msgspec
import numpy as np

from headrace.core import BadInput, Interval, iso
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Bound, Policy
from headrace.dispatch.problem import Problem
from headrace.dispatch.reserve import HOUR_S
from headrace.dispatch.reserve_hindsight import sell_in_hindsight
from headrace.dispatch.reserve_offers import desk_offers, offers_at_cost
from headrace.dispatch.reserve_policy import Released, Selling
from headrace.dispatch.site import Site
from headrace.dispatch.solve import solve
from headrace.dispatch.uses import SiteModel
from headrace.energy.reserves import product_at
from headrace.engine.truth import Truth

__all__ = ["bound_with_reserve", "check_reserve_rules", "reserve_notes", "selling"]

OFFERINGS: Final = {"desk": desk_offers, "rolling": offers_at_cost, "stochastic": offers_at_cost}
"""How each policy offers; the others sell nothing by themselves."""


def check_reserve_rules(site: Site, window: Interval) -> None:
    """Refuse a period in which the rules of a reserve change, or have not begun.

    Raises
    ------
    BadInput
        If so; it says where to cut the period.
    """
    for reserve in site.reserves:
        held = [product_at(reserve, at_s) for at_s in (window.start_s, window.end_s - 1)]
        place = f"reserve {reserve.name}, period {iso(window.start_s)} to {iso(window.end_s)}"
        first, last = held
        if first is None:
            begins_s = min(product.valid_from_s for product in reserve.products)
            raise BadInput(place, "the product does not exist yet when it begins", f"Start at {iso(begins_s)} or later")
        if last is None or last.rules != first.rules:
            change = "nothing" if last is None else f'"{last.rules}"'
            raise BadInput(
                place,
                f'the rules change from "{first.rules}" to {change} on {iso(first.valid_to_s or 0)}',
                "Cut the period there: two sets of rules are never mixed in one replay",
            )


def selling(policy: Policy, site: Site) -> Policy:
    """The policy as it sells reserve, or itself where the site or the policy sells none."""
    if not site.reserves or policy.name not in OFFERINGS:
        return policy
    return Selling(policy, OFFERINGS[policy.name])


def bound_with_reserve(model: SiteModel, inputs: Inputs, truth: Truth, problem: Problem) -> Policy | Infeasible:
    """The bound of a site that sells reserve: chosen and dispatched with hindsight.

    `problem` is the whole period's, units started and stopped.

    Where a monthly peak is charged, its import stays under the peaks of the plan without reserve.
    """
    plan = solve(problem)
    if isinstance(plan, Infeasible):
        return plan
    peak = problem.peak
    hours = np.arange(truth.window.start_s, truth.window.end_s, HOUR_S, dtype=np.int64)
    found = sell_in_hindsight(
        model,
        problem,
        truth.window.start_s,
        {r: inputs.further[each.price].onto(hours) for r, each in enumerate(model.site.reserves)},
        step_s=min(model.site.market.settlement_step_s, HOUR_S),
        import_max_mw=None if peak is None else plan.peak_mw[peak.period],
    )
    if found is None:
        return Bound(problem, plan, truth.window.start_s)
    chosen = msgspec.structs.replace(found.plan, peak_mw=plan.peak_mw)
    return Released(Bound(problem, chosen, truth.window.start_s), found.awards)


def reserve_notes(site: Site, inputs: Inputs, window: Interval) -> list[str]:
    """What a reader must know of the reserves before the headline."""
    notes: list[str] = []
    for reserve in site.reserves:
        product = product_at(reserve, window.start_s)
        if product is None:
            continue
        if not product.is_sold_ahead:
            notes.append(f'Reserve {reserve.name}: n/a under "{product.rules}"; it is declared and not sold.')
            continue
        missing = sum(gap.steps(HOUR_S) for gap in inputs.further[reserve.price].gaps(window))
        if missing:
            notes.append(f"Reserve {reserve.name}: no price in {missing} hours; nothing is sold in them.")
        if reserve.calls is None:
            notes.append(f"Reserve {reserve.name}: no calls declared; none is called.")
    if site.reserves:
        notes.append(
            "The bound's reserve is chosen two days at a time: it is close to the best, and no strict bound. "
            "No policy but the bound sells reserve on the first local day, whose gate is before the period."
        )
    return notes
