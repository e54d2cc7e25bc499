"""Why a horizon can't be served: where the limits meet first, and what giving way in each of them would take.

The clash comes from the reachable stored energy: charge whenever possible, and see where that still falls short (or,
with output that can't be turned down, discharge whenever possible and see where the surplus has nowhere to go). The
ways out come from the reference linear programme with one limit at a time made elastic, at a price so high that as
little energy as possible breaks it.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.lp.reference import build_reference, run
from headrace.dispatch.plan import Clash, Infeasible, Relaxation
from headrace.dispatch.problem import Problem
from headrace.energy import Battery

__all__ = ["explain_infeasible", "find_clash"]

Floats = NDArray[np.float64]

SHORTAGE_MW = 1e-9
"""Missing power that counts, MW."""
STEPS_MAX = 2016
"""Longest horizon analysed, steps (a week of five-minute steps, the clash inside): the linear programme of a year takes
minutes."""
BREACH_RATIO = 1e3
"""Price of breaking a limit, per the dearest price in the problem."""
IDLE = Battery(
    charge_max_mw=0.0,
    discharge_max_mw=0.0,
    stored_min_mwh=0.0,
    stored_max_mwh=0.0,
    stored_start_mwh=0.0,
    charge_efficiency_ratio=1.0,
    discharge_efficiency_ratio=1.0,
    wear_ccy_per_mwh=0.0,
)
"""Stands for no battery."""


class _Elastic(msgspec.Struct, frozen=True, kw_only=True):
    """One limit made elastic by a new column per step: where it enters, and what a MWh of it costs."""

    limit: str
    bus: float
    """Coefficient in the power balance."""
    store: Floats | None
    """Coefficient in the storage balance, shape (T,)."""
    high_mw: Floats | float
    cost_ccy_per_mwh: Floats | float


def explain_infeasible(problem: Problem) -> Infeasible:
    """Find where the limits clash and what each costs to relax.

    Parameters
    ----------
    problem
        A problem without any plan.

    Returns
    -------
    Infeasible
        The clash; each limit of its kind with the least energy by which it would have to give if it gave alone,
        cheapest first. Unserved firm load counts at the dearest price in the horizon, energy missing in store at the
        dearest import.
    """
    clash, most_mwh, is_short = _first_clash(problem)
    first = max(0, clash.step + 1 - STEPS_MAX)
    window = _cut(problem, first, min(problem.steps, first + STEPS_MAX), float(most_mwh[first]))
    limits = _shortage_limits(window) if is_short else _surplus_limits(window)
    ways = [_relax(window, elastic) for elastic in limits]
    relaxations = sorted(ways, key=lambda way: (np.inf if way.cost_ccy is None else way.cost_ccy, way.limit))
    return Infeasible(clash=clash, relaxations=tuple(relaxations))


def find_clash(problem: Problem) -> Infeasible:
    """Find where the limits clash, without working out what each costs to relax: microseconds, not milliseconds."""
    return Infeasible(clash=_first_clash(problem)[0], relaxations=())


def _first_clash(problem: Problem) -> tuple[Clash, Floats, bool]:
    """First step that can't be served, the most that can be in store before each step, and whether power is short."""
    battery = problem.battery or IDLE
    floor_mwh, roof_mwh = battery.stored_min_mwh, battery.stored_max_mwh
    need_mw = problem.firm_mw - problem.import_max_mw - problem.source_max_mw.sum(axis=0)
    room_mw = (
        problem.firm_mw + problem.export_max_mw + problem.use_max_mw.sum(axis=0) - problem.source_min_mw.sum(axis=0)
    )
    start_mwh = problem.stored_mwh if problem.battery else 0.0
    least = most = start_mwh
    most_mwh = np.full(problem.steps + 1, start_mwh)
    for t in range(problem.steps):
        h = float(problem.step_h[t])
        short = _shortage(problem, battery, t, float(need_mw[t]), most)
        if short is not None:
            return short, most_mwh, True
        surplus = _surplus(problem, battery, t, float(room_mw[t]), least)
        if surplus is not None:
            return surplus, most_mwh, False
        most = min(roof_mwh, most + h * _fastest_rise(battery, float(need_mw[t])))
        least = max(floor_mwh, least - h * _fastest_fall(battery, float(room_mw[t])))
        most_mwh[t + 1] = most
    last = problem.steps - 1
    served_mw = float(problem.firm_mw[last])
    return Clash(step=last, need_mw=served_mw, have_mw=served_mw, limits=("stored energy",)), most_mwh, True


def _fastest_rise(battery: Battery, need_mw: float) -> float:
    """Greatest rate at which stored energy can rise, MW: negative where the battery must help."""
    if need_mw > 0.0:
        return -need_mw / battery.discharge_efficiency_ratio
    return min(battery.charge_max_mw, -need_mw) * battery.charge_efficiency_ratio


def _fastest_fall(battery: Battery, room_mw: float) -> float:
    """Greatest rate at which stored energy can fall, MW: negative where the battery must take a surplus."""
    out_mw = min(battery.discharge_max_mw, room_mw)
    both_mw = min(battery.charge_max_mw - max(-out_mw, 0.0), battery.discharge_max_mw - max(out_mw, 0.0))
    charge_mw, discharge_mw = max(-out_mw, 0.0), max(out_mw, 0.0)
    loss = 1.0 / battery.discharge_efficiency_ratio - battery.charge_efficiency_ratio
    fall_mw = discharge_mw / battery.discharge_efficiency_ratio - charge_mw * battery.charge_efficiency_ratio
    return fall_mw + max(both_mw, 0.0) * loss


def _shortage(problem: Problem, battery: Battery, t: int, need_mw: float, most_mwh: float) -> Clash | None:
    stored_mw = (most_mwh - battery.stored_min_mwh) * battery.discharge_efficiency_ratio / float(problem.step_h[t])
    give_mw = min(battery.discharge_max_mw, stored_mw)
    if need_mw <= give_mw + SHORTAGE_MW:
        return None
    firm_mw = float(problem.firm_mw[t])
    limits = ["import limit", "firm load"]
    if problem.source_names:
        limits.append("available generation")
    if problem.battery is not None:
        limits.append("stored energy" if stored_mw < battery.discharge_max_mw else "discharge power")
    return Clash(step=t, need_mw=firm_mw, have_mw=firm_mw - need_mw + give_mw, limits=tuple(limits))


def _surplus(problem: Problem, battery: Battery, t: int, room_mw: float, least_mwh: float) -> Clash | None:
    lacking_mw = -room_mw - battery.charge_max_mw
    over_mwh = 0.0
    if lacking_mw <= SHORTAGE_MW:
        over_mwh = least_mwh - float(problem.step_h[t]) * _fastest_fall(battery, room_mw) - battery.stored_max_mwh
        lacking_mw = over_mwh / battery.charge_efficiency_ratio / float(problem.step_h[t])
    if lacking_mw <= SHORTAGE_MW:
        return None
    must_mw = float(problem.source_min_mw[:, t].sum())
    limits = ["export limit", "generation minimum"]
    if problem.battery is not None:
        limits.append("stored energy" if over_mwh > 0.0 else "charge power")
    return Clash(step=t, need_mw=must_mw, have_mw=must_mw - lacking_mw, limits=tuple(limits))


def _cut(problem: Problem, first: int, last: int, stored_mwh: float) -> Problem:
    """Steps first..last-1 of a problem, without its peak charge, which no infeasibility can come from."""
    if first == 0 and last == problem.steps:
        return msgspec.structs.replace(problem, peak=None)
    arrays = {
        name: getattr(problem, name)[..., first:last]
        for name in problem.__struct_fields__
        if isinstance(getattr(problem, name), np.ndarray)
    }
    return msgspec.structs.replace(problem, peak=None, stored_mwh=stored_mwh, **arrays)


def _shortage_limits(problem: Problem) -> list[_Elastic]:
    dearest = _dearest_price(problem)
    limits = [
        _Elastic(
            limit="import limit", bus=1.0, store=None, high_mw=np.inf, cost_ccy_per_mwh=problem.import_cost_ccy_per_mwh
        ),
        _Elastic(limit="firm load", bus=1.0, store=None, high_mw=problem.firm_mw, cost_ccy_per_mwh=dearest),
    ]
    battery = problem.battery
    if battery is not None:
        limits += [
            _Elastic(
                limit="discharge power",
                bus=1.0,
                store=problem.step_h / battery.discharge_efficiency_ratio,
                high_mw=np.inf,
                cost_ccy_per_mwh=battery.wear_ccy_per_mwh,
            ),
            _Elastic(
                limit="stored energy",
                bus=0.0,
                store=-problem.step_h,
                high_mw=np.inf,
                cost_ccy_per_mwh=float(problem.import_cost_ccy_per_mwh.max()) / battery.charge_efficiency_ratio,
            ),
        ]
    return limits


def _surplus_limits(problem: Problem) -> list[_Elastic]:
    limits = [
        _Elastic(
            limit="export limit",
            bus=-1.0,
            store=None,
            high_mw=np.inf,
            cost_ccy_per_mwh=-problem.export_value_ccy_per_mwh,
        ),
        _Elastic(
            limit="generation minimum",
            bus=-1.0,
            store=None,
            high_mw=problem.source_min_mw.sum(axis=0),
            cost_ccy_per_mwh=0.0,
        ),
    ]
    battery = problem.battery
    if battery is not None:
        limits.append(
            _Elastic(
                limit="charge power",
                bus=-1.0,
                store=-problem.step_h * battery.charge_efficiency_ratio,
                high_mw=np.inf,
                cost_ccy_per_mwh=0.0,
            )
        )
    return limits


def _dearest_price(problem: Problem) -> float:
    """Largest price or value in the problem."""
    parts = (problem.import_cost_ccy_per_mwh, problem.use_value_ccy_per_mwh, problem.source_cost_ccy_per_mwh)
    return max(float(part.max(initial=0.0)) for part in parts)


def _relax(problem: Problem, elastic: _Elastic) -> Relaxation:
    """Let one limit give, as little energy as possible."""
    model = build_reference(problem)
    h, steps = problem.step_h, problem.steps
    breach = BREACH_RATIO * (1.0 + _dearest_price(problem))
    model.add_columns("breach", (steps,), value=-h * (elastic.cost_ccy_per_mwh + breach), low=0.0, high=elastic.high_mw)
    if elastic.bus:
        model.add_terms("balance", model.columns["breach"], elastic.bus)
    if elastic.store is not None:
        model.add_terms("storage", model.columns["breach"], elastic.store)
    column = run(model)
    if column is None:
        return Relaxation(limit=elastic.limit, worst_mw=None, energy_mwh=None, cost_ccy=None)
    breach_mw = np.maximum(column[model.columns["breach"]], 0.0)
    return Relaxation(
        limit=elastic.limit,
        worst_mw=float(breach_mw.max()),
        energy_mwh=float((h * breach_mw).sum()),
        cost_ccy=float((h * breach_mw * elastic.cost_ccy_per_mwh).sum()),
    )
