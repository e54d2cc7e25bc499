"""Which units run when: a small exact dynamic programme over on and off, on top of the core problem.

Minimum load, start costs and minimum times make a unit's choice non-convex, which the core problem is not. So the
choice is taken out of it. Given the rest of the site, a unit at work in step t gains

    G_t = max over P_min ≤ P ≤ P_max of  h_t [ S_t(A_t + P) − S_t(A_t) − k_t P − a φ_t ]

S_t(q): worth of the q MW best placed, every use, export, import forgone and output forgone counted at its price; A_t:
what import, other sources and battery can give; k: upkeep and fuel of one more MWh; a φ: fuel of an hour at work. The
runs that gather most of G, starts paid, are found exactly (`headrace.dispatch.commitment_runs`). They are optimal

- for one unit at a site whose steps nothing else couples (no battery, no peak charge): G_t is then the whole effect of
  running in step t, whatever the other steps do;
- otherwise against the battery's flows and the other units as the last pass left them. Passes repeat until the choice
  stands still; each is weighed by an exact solve of the core problem under it, fixed costs included, and the best of
  them is kept, all units off among them. So a unit never makes a plan worse; how far from the best it may stay is
  measured against the mixed-integer programme in the tests.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.asked import Asked
from headrace.dispatch.commitment_permit import permit_price, permit_prices_of_years
from headrace.dispatch.commitment_runs import Commitment, best_runs
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.plant_terms import fuel_prices, source_row
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve
from headrace.dispatch.uses import SiteModel
from headrace.energy.plant import Unit, UnitState

__all__ = ["by_hand", "commit", "fixed_ccy", "has_units", "relaxed"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PASSES: Final = 4
"""Times the units are chosen anew against the plan before; the choice stands still after two or three."""

SHORT_OVER_DEAREST: Final = 10.0
"""Worth of firm load over the dearest price or use, where a unit decides whether it can be served."""


def has_units(model: SiteModel) -> bool:
    """Does the site have units to commit?"""
    return model.site.plant is not None and bool(model.site.plant.units)


def commit(model: SiteModel, problem: Problem, asked: Asked) -> Problem:
    """The same problem with every unit set on or off in every step.

    Parameters
    ----------
    model, problem
        The site, and its problem with units free between zero and full output.
    asked
        When, on which steps, what is known, and what the units are doing.
    """
    units = _units(model)
    starts_s, steps = asked.outlook.starts_s, problem.steps
    bounds_s = np.append(starts_s, starts_s[-1] + round(float(problem.step_h[-1]) * 3600.0))
    states = asked.units or (UnitState(),) * len(units)
    fuel = fuel_prices(model, asked.inputs, asked.now_s, starts_s)

    # Off, but for what minimum times force: gains that never pay a start.
    chosen = [
        best_runs(np.full(steps, -1.0), np.zeros(steps), bounds_s, unit, state)
        for unit, state in zip(units, states, strict=True)
    ]
    best = _under(model, problem, chosen)
    plan = solve(best, explain=False)
    best_ccy = _value(plan, units, chosen, fuel, problem.step_h)
    free = solve(problem, explain=False)
    plan = plan if isinstance(free, Infeasible) else free
    for _ in range(PASSES):
        before = chosen
        chosen = list(chosen)
        for u, unit in enumerate(units):
            gain = _gain(model, _under(model, problem, chosen), plan, unit, fuel[u])
            chosen[u] = _permitted(model, asked, unit, states[u], gain, bounds_s, fuel[u])
        if all(np.array_equal(old.is_on, new.is_on) for old, new in zip(before, chosen, strict=True)):
            break
        candidate = _under(model, problem, chosen)
        plan = solve(candidate, explain=False)
        value_ccy = _value(plan, units, chosen, fuel, problem.step_h)
        if value_ccy > best_ccy or value_ccy == best_ccy == -np.inf:
            best, best_ccy = candidate, value_ccy
    return best


def relaxed(model: SiteModel, problem: Problem, fuel_ccy_per_gj: Floats) -> Problem:
    """The problem with units free between zero and full output at their lowest cost: no choice can be worth more.

    Parameters
    ----------
    model, problem
        The site and its problem.
    fuel_ccy_per_gj
        Price of each unit's fuel, shape (U, T).
    """
    cost = problem.source_cost_ccy_per_mwh.copy()
    for unit, price in zip(_units(model), fuel_ccy_per_gj, strict=True):
        load_mw = unit.maximum_mw if unit.no_load_gj_per_h > 0.0 else unit.minimum_mw
        cost[source_row(model, unit)] += unit.no_load_gj_per_h / load_mw * price if load_mw > 0.0 else 0.0
    return msgspec.structs.replace(problem, source_cost_ccy_per_mwh=cost)


def by_hand(model: SiteModel, problem: Problem, inputs: Inputs, now_s: int, *, for_price: bool) -> Problem:
    """Commit the present step by rule of thumb: on where firm load needs it, and for price where full load pays.

    Parameters
    ----------
    model, problem
        The site, and its problem of one step.
    inputs, now_s
        Series, read as of this time.
    for_price
        Run for price too, not for firm load alone.
    """
    if not has_units(model):
        return problem
    units = _units(model)
    fuel = fuel_prices(model, inputs, now_s, np.array([now_s], np.int64))[:, 0].tolist()
    rows = [source_row(model, unit) for unit in units]
    most_mw = problem.source_max_mw.copy()
    others_mw = float(most_mw[:, 0].sum() - most_mw[rows, 0].sum())
    short_mw = float(problem.firm_mw[0] - problem.import_max_mw[0]) - others_mw
    is_on = []
    for unit, row, price in zip(units, rows, fuel, strict=True):
        average = float(problem.source_cost_ccy_per_mwh[row, 0]) + unit.no_load_gj_per_h * price / unit.maximum_mw
        runs = short_mw > 0.0 or (for_price and float(problem.import_cost_ccy_per_mwh[0]) > average)
        most_mw[row] = most_mw[row] if runs else 0.0
        short_mw -= float(most_mw[row, 0])
        is_on.append(runs)
    return msgspec.structs.replace(problem, source_max_mw=most_mw, unit_is_on=np.array(is_on)[:, None])


def fixed_ccy(units: tuple[Unit, ...], chosen: list[Commitment], fuel_ccy_per_gj: Floats, step_h: Floats) -> float:
    """Starts, and fuel of the hours at work beyond each MWh's own, of a commitment."""
    return float(
        sum(
            ((unit.start_ccy + unit.start_gj * price) * runs.starts).sum()
            + (unit.no_load_gj_per_h * price * step_h * runs.is_ready).sum()
            for unit, runs, price in zip(units, chosen, fuel_ccy_per_gj, strict=True)
        )
    )


def _units(model: SiteModel) -> tuple[Unit, ...]:
    return () if model.site.plant is None else model.site.plant.units


def _gain(model: SiteModel, problem: Problem, plan: Plan | Infeasible, unit: Unit, fuel: Floats) -> Floats:
    """G of one unit, the others as the problem has them, battery and accepted peak as the plan has them; shape (T,)."""
    row = source_row(model, unit)
    others = np.arange(len(problem.source_names)) != row
    import_max_mw = problem.import_max_mw
    had_mw = problem.source_max_mw[others].sum(axis=0)
    if isinstance(plan, Plan):
        had_mw = had_mw + plan.discharge_mw - plan.charge_mw
        if problem.peak is not None:
            import_max_mw = np.minimum(import_max_mw, plan.peak_mw[problem.peak.period])
    had_mw = had_mw + import_max_mw
    dearest = SHORT_OVER_DEAREST * max(
        1.0, float(problem.import_cost_ccy_per_mwh.max()), float(problem.use_value_ccy_per_mwh.max(initial=0.0))
    )
    everywhere = np.ones((1, problem.steps))
    blocks = (
        (dearest * everywhere, problem.firm_mw[None]),
        (problem.use_value_ccy_per_mwh, problem.use_max_mw),
        (problem.source_cost_ccy_per_mwh[others], (problem.source_max_mw - problem.source_min_mw)[others]),
        (problem.import_cost_ccy_per_mwh[None], import_max_mw[None]),
        (problem.export_value_ccy_per_mwh[None], problem.export_max_mw[None]),
        (-dearest * everywhere, np.inf * everywhere),
    )
    price, width = (np.concatenate(part) for part in zip(*blocks, strict=True))
    cost = problem.source_cost_ccy_per_mwh[row]
    pays_mw = np.where(price > cost, width, 0.0)[:-1].sum(axis=0) - had_mw
    output_mw = np.clip(pays_mw, unit.minimum_mw, unit.maximum_mw)
    gain = _stack(price, width, had_mw + output_mw) - _stack(price, width, had_mw) - cost * output_mw
    is_out = problem.terms is not None and problem.terms.source_max_mw[row] <= 0.0
    worth: Floats = problem.step_h * np.where(is_out, -dearest, gain - unit.no_load_gj_per_h * fuel)
    return worth


def _stack(price: Floats, width: Floats, amount_mw: Floats) -> Floats:
    """S: worth of the best-placed `amount_mw` of blocks, currency per hour, shape (T,)."""
    order = np.argsort(-price, axis=0, kind="stable")
    sorted_price, sorted_width = np.take_along_axis(price, order, axis=0), np.take_along_axis(width, order, axis=0)
    before = np.zeros_like(sorted_width)
    np.cumsum(sorted_width[:-1], axis=0, out=before[1:])
    worth: Floats = (sorted_price * np.clip(amount_mw - before, 0.0, sorted_width)).sum(axis=0)
    return worth


def _permitted(
    model: SiteModel, asked: Asked, unit: Unit, state: UnitState, gain: Floats, bounds_s: Ints, fuel: Floats
) -> Commitment:
    """The best runs at the worth of the permit's hours."""
    start = unit.start_ccy + unit.start_gj * fuel

    def runs(price: Floats | float) -> Commitment:
        return best_runs(gain, start, bounds_s, unit, state, permit_ccy_per_h=price)

    if unit.run_max_h is None:
        return runs(0.0)
    if asked.now_s is not None:
        live, now_s = asked.inputs.real_time, asked.now_s
        return runs(permit_price(model, live, unit, state, now_s=now_s, fuel_ccy_per_gj=float(fuel[0])))
    most = 1.0 + float(np.max(gain * 3600.0 / np.diff(bounds_s), initial=0.0))
    zone = model.site.time_zone
    return runs(permit_prices_of_years(lambda price: runs(price).is_on, bounds_s, unit, zone=zone, most_ccy_per_h=most))


def _under(model: SiteModel, problem: Problem, chosen: list[Commitment]) -> Problem:
    """The problem under this commitment of every unit."""
    least_mw, most_mw = problem.source_min_mw.copy(), problem.source_max_mw.copy()
    for unit, runs in zip(_units(model), chosen, strict=True):
        row = source_row(model, unit)
        most_mw[row] = np.where(runs.is_ready, problem.source_max_mw[row], 0.0)
        least_mw[row] = np.where(runs.is_ready, np.minimum(unit.minimum_mw, most_mw[row]), 0.0)
    return msgspec.structs.replace(
        problem,
        source_min_mw=least_mw,
        source_max_mw=most_mw,
        unit_is_on=np.array([runs.is_on for runs in chosen]),
    )


def _value(
    plan: Plan | Infeasible, units: tuple[Unit, ...], chosen: list[Commitment], fuel: Floats, step_h: Floats
) -> float:
    """Objective of a plan less what its commitment costs; -inf where there is none."""
    return -np.inf if isinstance(plan, Infeasible) else plan.objective_ccy - fixed_ccy(units, chosen, fuel, step_h)
