"""The competent desk: today's practice, the baseline of every headline.

Loads go off above their break-even price and hold each state for a while; the battery follows the plan made from
day-ahead prices once a day; where the month's peak costs, mining stops in the declared hours and the battery charges
below the month's peak only.
"""

import msgspec
import numpy as np

from headrace.dispatch.assemble import problem_id, problem_of
from headrace.dispatch.commitment import by_hand
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.outlook import expected
from headrace.dispatch.peak_terms import desk_avoids, month_peak_charge_ccy_per_mw
from headrace.dispatch.plan import Plan
from headrace.dispatch.policies.always_on import market_price, present
from headrace.dispatch.policies.jobs import jobs_by_hand
from headrace.dispatch.policies.proposal import Memory, Proposal, Sight
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve
from headrace.dispatch.uses import SiteModel, UseKind

__all__ = ["Desk"]


class Desk:
    """Policy `desk`."""

    name = "desk"

    def propose(self, model: SiteModel, sight: Sight) -> Proposal:
        """Ask by rule of thumb."""
        site = model.site
        problem = by_hand(model, present(model, sight), sight.inputs, sight.now_s, for_price=True)
        memory = self._switch(model, sight, problem, self._day_plan(model, sight))
        charge_mw, discharge_mw = _follow(model, sight, memory)
        jobs = jobs_by_hand(model, sight, problem, for_price=True)
        import_limit_mw = site.connection.import_max_mw
        if month_peak_charge_ccy_per_mw(site, sight.now_s, sight.month) > 0.0:
            load_mw = _load_mw(problem) + sum(order.power_mw for order in jobs)
            import_limit_mw = min(import_limit_mw, max(sight.peak_mw, load_mw))
        return Proposal(
            use_limit_mw=tuple(
                None if on or (stays > 0.0 and most <= 0.0) else stays
                for on, stays, most in zip(
                    memory.is_on, _stays_mw(problem), problem.use_max_mw[:, 0].tolist(), strict=True
                )
            ),
            use_worth_ccy_per_mwh=tuple(problem.use_value_ccy_per_mwh[:, 0].tolist()),
            may_fill=tuple((problem.use_value_ccy_per_mwh[:, 0] > problem.export_value_ccy_per_mwh[0]).tolist()),
            source_limit_mw=_output(problem, memory.is_on),
            charge_mw=charge_mw,
            discharge_mw=discharge_mw,
            import_limit_mw=import_limit_mw,
            price_seen_ccy_per_mwh=market_price(model, problem),
            bid_ccy_per_mwh=None,
            ask_ccy_per_mwh=None,
            problem_id=problem_id(problem),
            memory=None if memory is sight.memory else memory,
            unit_is_on=problem.units_at(0),
            jobs=jobs,
        )

    def _switch(self, model: SiteModel, sight: Sight, problem: Problem, memory: Memory) -> Memory:
        """Break-even rule with a hold time; mining also stops in declared peak hours."""
        site = model.site
        count = len(model.uses)
        is_on = memory.is_on or (True,) * count
        switched_s = memory.switched_s or (sight.now_s - site.desk.hold_s,) * count
        pays = problem.use_value_ccy_per_mwh[:, 0] > problem.import_cost_ccy_per_mwh[0]
        bills_peak = month_peak_charge_ccy_per_mw(site, sight.now_s, sight.month) > 0.0
        stops = bills_peak and sight.hour_local in site.desk.peak_hours_local
        stops = stops or (bool(site.charges) and desk_avoids(site, sight.inputs, sight.now_s, sight.hour_local))
        wanted = [bool(pays[i]) and not (stops and use.kind is UseKind.MINING) for i, use in enumerate(model.uses)]
        changes = [
            want != on and sight.now_s - at >= site.desk.hold_s
            for want, on, at in zip(wanted, is_on, switched_s, strict=True)
        ]
        if not any(changes) and memory.is_on:
            return memory
        return msgspec.structs.replace(
            memory,
            is_on=tuple(w if c else on for w, on, c in zip(wanted, is_on, changes, strict=True)),
            switched_s=tuple(sight.now_s if c else at for at, c in zip(switched_s, changes, strict=True)),
        )

    def _day_plan(self, model: SiteModel, sight: Sight) -> Memory:
        """Once a day: the stored-energy path that is best for the day-ahead prices of the local day."""
        site = model.site
        memory = sight.memory
        is_fresh = sight.now_s < memory.path_start_s + len(memory.path_mwh) * site.control_step_s
        if site.battery is None or is_fresh:
            return memory
        starts_s = np.arange(sight.now_s, min(sight.day_end_s, sight.end_s), site.control_step_s, dtype=np.int64)
        step_h = np.full(len(starts_s), site.control_step_s / 3600.0)
        outlook = expected(model, _day_ahead_only(sight), sight.now_s, starts_s, step_h)
        mean = float(outlook.price_ccy_per_mwh.mean()) - site.tariff.export_deduction_ccy_per_mwh
        plan = solve(
            problem_of(
                model,
                outlook,
                month=sight.month,
                stored_mwh=sight.stored_mwh,
                end_value_ccy_per_mwh=mean * site.battery.discharge_efficiency_ratio,
                peak=None,
            )
        )
        path = plan.stored_mwh[1:] if isinstance(plan, Plan) else np.full(len(starts_s), sight.stored_mwh)
        return msgspec.structs.replace(memory, path_start_s=sight.now_s, path_mwh=tuple(path.tolist()))


def _stays_mw(problem: Problem) -> list[float]:
    """Part of each block that terms keep on, whatever the price."""
    if problem.terms is None:
        return [0.0] * len(problem.use_names)
    stays: list[float] = problem.terms.use_min_mw[:, 0].tolist()
    return stays


def _load_mw(problem: Problem) -> float:
    """Import of every load at full power: a good desk never buys a new peak to fill the battery."""
    return float(problem.firm_mw[0] + problem.use_max_mw[:, 0].sum() - problem.source_max_mw[:, 0].sum())


def _output(problem: Problem, is_on: tuple[bool, ...]) -> tuple[float | None, ...]:
    """All of what exporting pays for; of the rest, cheapest first, what own load takes where buying would cost more."""
    need_mw = float(problem.firm_mw[0]) + float(problem.use_max_mw[list(is_on), 0].sum())
    cost = problem.source_cost_ccy_per_mwh[:, 0].tolist()
    limits: list[float | None] = [0.0] * len(cost)
    for j in sorted(range(len(cost)), key=cost.__getitem__):
        if cost[j] < problem.export_value_ccy_per_mwh[0]:
            limits[j] = None
        elif cost[j] < problem.import_cost_ccy_per_mwh[0]:
            limits[j] = max(need_mw, 0.0)
        low_mw, high_mw = float(problem.source_min_mw[j, 0]), float(problem.source_max_mw[j, 0])
        limit_mw = limits[j]
        need_mw -= high_mw if limit_mw is None else max(low_mw, min(high_mw, limit_mw))
    return tuple(limits)


def _day_ahead_only(sight: Sight) -> Inputs:
    """Day-ahead prices alone, without the present deviation of real time."""
    inputs = sight.inputs
    return inputs if inputs.day_ahead is None else msgspec.structs.replace(inputs, real_time=inputs.day_ahead)


def _follow(model: SiteModel, sight: Sight, memory: Memory) -> tuple[float, float]:
    """Bus power that takes the store to the path's next point, within the battery's limits: charge, discharge."""
    battery = model.site.battery
    if battery is None or not memory.path_mwh:
        return 0.0, 0.0
    step_s = model.site.control_step_s
    target = memory.path_mwh[min((sight.now_s - memory.path_start_s) // step_s, len(memory.path_mwh) - 1)]
    rate_mw = (target - sight.stored_mwh) * 3600.0 / step_s
    if rate_mw >= 0.0:
        return min(rate_mw / battery.charge_efficiency_ratio, battery.charge_max_mw), 0.0
    return 0.0, min(-rate_mw * battery.discharge_efficiency_ratio, battery.discharge_max_mw)
