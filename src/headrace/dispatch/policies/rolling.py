"""Re-optimise every control step on a telescoped grid; forecast from what was known; apply the first step."""

import math
from typing import Final

import msgspec
import numpy as np

from headrace.dispatch.assemble import problem_id, problem_of
from headrace.dispatch.commitment import commit, has_units
from headrace.dispatch.outlook import Outlook, expected
from headrace.dispatch.peak_terms import month_peak_charge_ccy_per_mw
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.policies.jobs import beat_s, is_beat, orders_in_force, plan_jobs, with_draw
from headrace.dispatch.policies.proposal import Proposal, Sight, asked_by
from headrace.dispatch.price_change import PriceChange
from headrace.dispatch.problem import Peak, Problem
from headrace.dispatch.reserve import under_reserve
from headrace.dispatch.solve import solve
from headrace.dispatch.telescope import window_grid
from headrace.dispatch.terms_in_force import terms_in_force
from headrace.dispatch.uses import SiteModel

__all__ = ["FINE_S", "HORIZON_S", "Rolling", "first_step", "plan_towards_shortage"]

FINE_S: Final = 2 * 3600
"""Steps stay at the control step this far ahead, seconds; beyond it forecasts are hourly anyway."""

HORIZON_S: Final = 36 * 3600
"""How far a plan looks, seconds: a perfect 36 h look-ahead captures 99.3 to 99.9 % of the gain."""

FIRM_OVER_DEAREST: Final = 10.0
"""Worth of firm load over the dearest price or use of the window, where not all of it can be served."""

FULL_MW: Final = 1e-6
"""A block planned within this of its width counts as full."""


class Rolling:
    """Policy `rolling`."""

    name = "rolling"

    def __init__(self) -> None:
        self.price_change = PriceChange()

    def window(self, model: SiteModel, sight: Sight, step_s: int) -> tuple[Problem, Outlook]:
        """Lay out the window that starts now, in fine steps of `step_s`, and what is expected in it.

        The energy left at its end is worth what exporting it at the window's mean price would bring. A new monthly
        peak costs its share: the window's part of what is left of the month.
        """
        site = model.site
        starts_s, step_h = window_grid(
            now_s=sight.now_s, step_s=step_s, fine_s=FINE_S, horizon_s=HORIZON_S, end_s=sight.end_s
        )
        change = self.price_change.expected_ccy_per_mwh(sight.inputs, sight.now_s)
        outlook = expected(model, sight.inputs, sight.now_s, starts_s, step_h, price_change_ccy_per_mwh=change)
        problem = problem_of(
            model,
            outlook,
            month=sight.month,
            stored_mwh=sight.stored_mwh,
            end_value_ccy_per_mwh=_end_value(model, outlook.price_ccy_per_mwh, step_h),
            peak=_window_peak(model, sight, starts_s, step_h),
            terms=terms_in_force(model, asked_by(sight, outlook)),
        )
        problem = under_reserve(problem, site, sight.memory.reserve, sight.now_s)
        if has_units(model):
            problem = commit(model, problem, asked_by(sight, outlook))
        return problem, outlook

    def plan(self, model: SiteModel, sight: Sight) -> tuple[Problem, Plan | Infeasible]:
        """Solve the window that starts now, without batch jobs."""
        problem, _ = self.window(model, sight, model.site.control_step_s)
        plan = solve(problem, explain=False)
        if isinstance(plan, Infeasible):
            return problem, plan_towards_shortage(problem, plan)
        return problem, plan

    def propose(self, model: SiteModel, sight: Sight) -> Proposal | Infeasible:
        """Ask for the first step of the window's optimum."""
        if sight.jobs is not None:
            return self._propose_with_jobs(model, sight)
        problem, plan = self.plan(model, sight)
        return plan if isinstance(plan, Infeasible) else first_step(model, problem, plan, 0, problem_id(problem))

    def _propose_with_jobs(self, model: SiteModel, sight: Sight) -> Proposal | Infeasible:
        """Decide the jobs if it is time to, then the rest of the site around them.

        Where the site cannot serve what runs, the orders stand: its fast loop stops the jobs that bid least, and no
        more of them than it must.
        """
        memory = sight.memory
        if is_beat(model, sight):
            memory = plan_jobs(model, sight, *self.window(model, sight, beat_s(model.site.control_step_s)))
        orders = orders_in_force(sight, memory.jobs)
        problem, outlook = self.window(model, sight, model.site.control_step_s)
        beside = with_draw(model, sight, problem, outlook, orders, memory.jobs)
        plan = solve(beside, explain=False)
        if isinstance(plan, Infeasible):
            beside, plan = problem, solve(problem, explain=False)
        if isinstance(plan, Infeasible):
            plan = plan_towards_shortage(problem, plan)
        if isinstance(plan, Infeasible):
            return plan
        return msgspec.structs.replace(
            first_step(model, beside, plan, 0, problem_id(beside)),
            jobs=orders,
            memory=None if memory is sight.memory else memory,
        )


def first_step(model: SiteModel, problem: Problem, plan: Plan, step: int, question: str) -> Proposal:
    """Turn one step of a plan into a proposal; `question` is the problem's id.

    A block that pays at the grid's price, or that the plan runs in full, may take all it can get: demand comes as it
    comes, and the site's order of worth decides who yields. A block the plan holds back stays at its plan.
    """
    worth = problem.use_value_ccy_per_mwh[:, step].tolist()
    width = problem.use_max_mw[:, step].tolist()
    planned = plan.use_mw[:, step].tolist()
    import_cost = float(problem.import_cost_ccy_per_mwh[step])
    export_value = float(problem.export_value_ccy_per_mwh[step])
    bid, ask = float(plan.bid_ccy_per_mwh[step]), float(plan.ask_ccy_per_mwh[step])
    limit_mw = float(problem.import_max_mw[step])
    adder = model.site.tariff.import_adder_ccy_per_mwh
    stays_mw = [0.0] * len(planned)
    if problem.terms is not None:
        adder += float(problem.terms.import_adder_ccy_per_mwh[step])
        stays_mw = problem.terms.use_min_mw[:, step].tolist()
    if problem.peak is not None:
        limit_mw = min(limit_mw, float(plan.peak_mw[problem.peak.period[step]]))
    return Proposal(
        use_limit_mw=tuple(
            None if value > import_cost or (most + stays > FULL_MW and mw >= most - FULL_MW) else mw + stays
            for value, most, mw, stays in zip(worth, width, planned, stays_mw, strict=True)
        ),
        use_worth_ccy_per_mwh=tuple(worth),
        may_fill=tuple(value > export_value for value in worth),
        source_limit_mw=tuple(
            None if mw >= most - FULL_MW else mw
            for most, mw in zip(problem.source_max_mw[:, step].tolist(), plan.source_mw[:, step].tolist(), strict=True)
        ),
        charge_mw=float(plan.charge_mw[step]),
        discharge_mw=float(plan.discharge_mw[step]),
        import_limit_mw=limit_mw,
        price_seen_ccy_per_mwh=import_cost - adder,
        bid_ccy_per_mwh=bid if bid > -math.inf else None,
        ask_ccy_per_mwh=ask if ask < math.inf else None,
        problem_id=question,
        unit_is_on=problem.units_at(step),
    )


def plan_towards_shortage(problem: Problem, infeasible: Infeasible) -> Plan | Infeasible:
    """Plan towards a shortage that lies ahead: firm load as the dearest use, so that the least of it goes unserved.

    What to do now is then still a plan. A shortage in this very step is for control's safe rule.
    """
    dearest = max(problem.import_cost_ccy_per_mwh.max(), problem.use_value_ccy_per_mwh.max(initial=0.0))
    worth = np.full((1, problem.steps), FIRM_OVER_DEAREST * max(float(dearest), 1.0))
    relaxed = msgspec.structs.replace(
        problem,
        firm_mw=np.zeros(problem.steps),
        use_names=(*problem.use_names, "firm load"),
        use_value_ccy_per_mwh=np.concatenate((problem.use_value_ccy_per_mwh, worth)),
        use_max_mw=np.concatenate((problem.use_max_mw, problem.firm_mw[None, :])),
    )
    plan = solve(relaxed, explain=False)
    if isinstance(plan, Infeasible) or plan.use_mw[-1, 0] < problem.firm_mw[0] - FULL_MW:
        return infeasible
    return msgspec.structs.replace(plan, use_mw=plan.use_mw[:-1])


def _end_value(model: SiteModel, price: np.ndarray, step_h: np.ndarray) -> float:
    if model.site.battery is None:
        return 0.0
    mean = float((price * step_h).sum() / step_h.sum()) - model.site.tariff.export_deduction_ccy_per_mwh
    return mean * model.site.battery.discharge_efficiency_ratio


def _window_peak(model: SiteModel, sight: Sight, starts_s: np.ndarray, step_h: np.ndarray) -> Peak | None:
    charge = month_peak_charge_ccy_per_mw(model.site, sight.now_s, sight.month)
    if charge <= 0.0:
        return None
    inside_h = float(step_h[starts_s < sight.month_end_s].sum())
    left_h = (sight.month_end_s - sight.now_s) / 3600.0
    # Next month's peak is that month's question: inside this window it is free up to the connection.
    return Peak(
        charge_ccy_per_mw=charge * min(1.0, inside_h / left_h),
        period=(starts_s >= sight.month_end_s).astype(np.int64),
        so_far_mw=np.array([sight.peak_mw, model.site.connection.import_max_mw]),
    )
