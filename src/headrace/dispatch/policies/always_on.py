"""Every load at full power, battery idle: the floor that `gain` is measured from."""

import numpy as np

from headrace.dispatch.assemble import problem_id, problem_of
from headrace.dispatch.commitment import by_hand as units_by_hand
from headrace.dispatch.outlook import expected
from headrace.dispatch.policies.jobs import jobs_by_hand
from headrace.dispatch.policies.proposal import Proposal, Sight, asked_by
from headrace.dispatch.problem import Problem
from headrace.dispatch.reserve import under_reserve
from headrace.dispatch.terms_in_force import terms_in_force
from headrace.dispatch.uses import SiteModel

__all__ = ["AlwaysOn", "market_price", "present"]


class AlwaysOn:
    """Policy `always-on`."""

    name = "always-on"

    def propose(self, model: SiteModel, sight: Sight) -> Proposal:
        """Ask for everything; the connection alone sets the limit."""
        problem = units_by_hand(model, present(model, sight), sight.inputs, sight.now_s, for_price=False)
        return Proposal(
            use_limit_mw=(None,) * len(model.uses),
            use_worth_ccy_per_mwh=tuple(problem.use_value_ccy_per_mwh[:, 0].tolist()),
            may_fill=(True,) * len(model.uses),
            source_limit_mw=(None,) * len(model.site.generators),
            charge_mw=0.0,
            discharge_mw=0.0,
            import_limit_mw=model.site.connection.import_max_mw,
            price_seen_ccy_per_mwh=market_price(model, problem),
            bid_ccy_per_mwh=None,
            ask_ccy_per_mwh=None,
            problem_id=problem_id(problem),
            unit_is_on=problem.units_at(0),
            jobs=jobs_by_hand(model, sight, problem, for_price=False),
        )


def market_price(model: SiteModel, problem: Problem) -> float:
    """Market price alone behind the first step's cost of import."""
    adder = model.site.tariff.import_adder_ccy_per_mwh
    if problem.terms is not None:
        adder += float(problem.terms.import_adder_ccy_per_mwh[0])
    return float(problem.import_cost_ccy_per_mwh[0] - adder)


def present(model: SiteModel, sight: Sight, *, by_hand: bool = True, price_change_ccy_per_mwh: float = 0.0) -> Problem:
    """The problem of this one interval, as a rule of thumb sees it unless `by_hand` is False.

    `price_change_ccy_per_mwh` is the change expected since the last price published.
    """
    starts_s = np.array([sight.now_s], np.int64)
    step_h = np.array([model.site.control_step_s / 3600.0])
    outlook = expected(
        model, sight.inputs, sight.now_s, starts_s, step_h, price_change_ccy_per_mwh=price_change_ccy_per_mwh
    )
    problem = problem_of(
        model,
        outlook,
        month=sight.month,
        stored_mwh=sight.stored_mwh,
        end_value_ccy_per_mwh=0.0,
        peak=None,
        terms=terms_in_force(model, asked_by(sight, outlook, by_hand=by_hand)),
    )
    return under_reserve(problem, model.site, sight.memory.reserve, sight.now_s)
