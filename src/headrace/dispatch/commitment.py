"""Which units run when: a small exact dynamic programme over on and off, on top of the core problem.

Minimum load, start costs and minimum times make a unit's choice non-convex, which the core problem is not. So the
choice is taken out of it. Given the rest of the site, a unit at work in step t gains

    G_t = max over P_min ≤ P ≤ P_max of  h_t [ S_t(A_t + P) − S_t(A_t) − k_t P − a φ_t ]

S_t(q): worth of the q MW best placed, every use, export, import forgone and output forgone counted at its price; A_t:
what import, other sources and battery can give; k: fuel and upkeep of one more MWh; a φ: fuel of an hour at work. Over
runs [i, e) from start command to stop, with r(i) the first step at minimum load and ρ the worth of a permit hour,

    On_i  = −start_i + max over e ≥ up(i) of  Σ_{r(i) ≤ t < e} G_t − ρ (τ_e − τ_i) + Off_e
    Off_e = max( 0, max over i ≥ down(e) of On_i )

one backward pass with running maxima. What it finds is optimal

- for one unit at a site whose steps nothing else couples (no battery, no peak charge): exactly, because G_t is then the
  whole effect of running in step t, whatever the other steps do;
- otherwise against the battery's flows and the other units as the last pass left them. Passes repeat until the choice
  stands still; each is weighed by an exact solve of the core problem under it, fixed costs included, and the best of
  them, all units off among them, is kept. So a unit never makes a plan worse; how far from the best it can be is
  measured against the mixed-integer programme in the tests.

ρ: with hours R left of a permit until the year ends, T hours away, the threshold that the dearest R of T hours clear,
prices coming as they came (`headrace.dispatch.allowance`); with hindsight the lowest ρ at which each year's runs fit.
"""

from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import from_epoch_s
from headrace.dispatch.allowance import shadow_price
from headrace.dispatch.asked import Asked
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.plant_terms import fuel_prices, source_row
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve
from headrace.dispatch.uses import SiteModel
from headrace.energy import Series
from headrace.energy.plant import Unit, UnitState

__all__ = ["Commitment", "best_runs", "by_hand", "commit", "fixed_ccy", "has_units", "relaxed", "worth_at_work"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

PASSES: Final = 4
"""Times the units are chosen anew against the plan before; it stands still after two or three."""

SHORT_OVER_DEAREST: Final = 10.0
"""Worth of firm load over the dearest price or use, where a unit decides whether it can be served."""

HALVINGS: Final = 24
"""Steps of the bisection for a permit's price with hindsight."""

DAY_S: Final = 86_400


class Commitment(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """When one unit burns fuel, and when it is up, on T steps."""

    is_on: Flags
    """Burns fuel, shape (T,)."""
    is_ready: Flags
    """At minimum load or above, shape (T,)."""
    starts: Flags
    """Start commanded at the step's beginning, shape (T,)."""


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
    plant = model.site.plant
    assert plant is not None
    units = plant.units
    starts_s = asked.outlook.starts_s
    bounds_s = np.append(starts_s, starts_s[-1] + round(float(problem.step_h[-1]) * 3600.0))
    states = asked.units or (UnitState(),) * len(units)
    fuel = fuel_prices(model, asked.inputs, asked.now_s, starts_s)
    nothing = np.zeros(problem.steps)
    chosen = [
        best_runs(nothing - 1.0, nothing, bounds_s, unit, state) for unit, state in zip(units, states, strict=True)
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
            others = _under(model, problem, chosen)
            gain = worth_at_work(model, others, plan, unit, fuel[u])
            start = unit.start_ccy + unit.start_gj * fuel[u]
            chosen[u] = _permitted(model, asked, unit, states[u], gain, start, bounds_s, fuel[u])
        if _are_equal(before, chosen):
            break
        candidate = _under(model, problem, chosen)
        plan = solve(candidate, explain=False)
        value_ccy = _value(plan, units, chosen, fuel, problem.step_h)
        if value_ccy > best_ccy or (value_ccy == best_ccy == -np.inf):
            best, best_ccy = candidate, value_ccy
    return best


def relaxed(model: SiteModel, problem: Problem, fuel: Floats) -> Problem:
    """The problem with units free between zero and full output at their lowest cost: no choice can be worth more.

    Parameters
    ----------
    model, problem
        The site and its problem.
    fuel
        Price of each unit's fuel per GJ, shape (U, T).
    """
    plant = model.site.plant
    assert plant is not None
    cost = problem.source_cost_ccy_per_mwh.copy()
    for unit, price in zip(plant.units, fuel, strict=True):
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
    plant = model.site.plant
    if plant is None or not plant.units:
        return problem
    fuel = fuel_prices(model, inputs, now_s, np.array([now_s], np.int64))[:, 0].tolist()
    rows = [source_row(model, unit) for unit in plant.units]
    others_mw = float(problem.source_max_mw[:, 0].sum() - problem.source_max_mw[rows, 0].sum())
    short_mw = float(problem.firm_mw[0] - problem.import_max_mw[0]) - others_mw
    wanted = []
    for unit, row, price in zip(plant.units, rows, fuel, strict=True):
        average = float(problem.source_cost_ccy_per_mwh[row, 0]) + unit.no_load_gj_per_h * price / unit.maximum_mw
        is_on = short_mw > 0.0 or (for_price and float(problem.import_cost_ccy_per_mwh[0]) > average)
        short_mw -= float(problem.source_max_mw[row, 0]) if is_on else 0.0
        wanted.append(is_on)
    most_mw = problem.source_max_mw.copy()
    most_mw[[row for row, is_on in zip(rows, wanted, strict=True) if not is_on]] = 0.0
    return msgspec.structs.replace(problem, source_max_mw=most_mw, unit_is_on=np.array(wanted)[:, None])


def worth_at_work(model: SiteModel, problem: Problem, plan: Plan | Infeasible, unit: Unit, fuel: Floats) -> Floats:
    """G of one unit in each step, the rest as it is.

    Parameters
    ----------
    model, problem
        The site, and its problem with the other units set.
    plan
        Gives the battery's flows and the peak that is accepted; what the unit adds to them is left out.
    unit, fuel
        The unit, and the price of its fuel per GJ, shape (T,).
    """
    row = source_row(model, unit)
    others = np.arange(len(problem.source_names)) != row
    import_max_mw = problem.import_max_mw
    given_mw = problem.source_max_mw[others].sum(axis=0)
    if isinstance(plan, Plan):
        given_mw = given_mw + plan.discharge_mw - plan.charge_mw
        if problem.peak is not None:
            import_max_mw = np.minimum(import_max_mw, plan.peak_mw[problem.peak.period])
    dearest = SHORT_OVER_DEAREST * max(
        1.0, float(problem.import_cost_ccy_per_mwh.max()), float(problem.use_value_ccy_per_mwh.max(initial=0.0))
    )
    steps = problem.steps
    price = np.concatenate(
        (
            np.full((1, steps), dearest),
            problem.use_value_ccy_per_mwh,
            problem.source_cost_ccy_per_mwh[others],
            problem.import_cost_ccy_per_mwh[None],
            problem.export_value_ccy_per_mwh[None],
            np.full((1, steps), -dearest),
        )
    )
    width = np.concatenate(
        (
            problem.firm_mw[None],
            problem.use_max_mw,
            (problem.source_max_mw - problem.source_min_mw)[others],
            import_max_mw[None],
            problem.export_max_mw[None],
            np.full((1, steps), np.inf),
        )
    )
    cost = problem.source_cost_ccy_per_mwh[row]
    had_mw = import_max_mw + given_mw
    asks_mw = np.where(price > cost, width, 0.0)[:-1].sum(axis=0) - had_mw
    least_mw = np.minimum(unit.minimum_mw, _capacity(model, row))
    output_mw = np.clip(asks_mw, least_mw, unit.maximum_mw)
    gain = _stack(price, width, had_mw + output_mw) - _stack(price, width, had_mw) - cost * output_mw
    # An element that is out gives nothing: no start can pay then.
    is_out = problem.terms is not None and np.less_equal(problem.terms.source_max_mw[row], 0.0)
    worth: Floats = problem.step_h * np.where(is_out, -dearest, gain - unit.no_load_gj_per_h * fuel)
    return worth


def _capacity(model: SiteModel, row: int) -> float:
    return float(model.source_capacity_mw[row, 0])


def _stack(price: Floats, width: Floats, amount_mw: Floats) -> Floats:
    """S: worth of the best-placed `amount_mw` of blocks, currency per hour, shape (T,)."""
    order = np.argsort(-price, axis=0, kind="stable")
    sorted_price = np.take_along_axis(price, order, axis=0)
    sorted_width = np.take_along_axis(width, order, axis=0)
    before = np.zeros_like(sorted_width)
    np.cumsum(sorted_width[:-1], axis=0, out=before[1:])
    filled = np.clip(amount_mw - before, 0.0, sorted_width)
    worth: Floats = (sorted_price * filled).sum(axis=0)
    return worth


def best_runs(
    gain: Floats, start_cost: Floats, bounds_s: Ints, unit: Unit, state: UnitState, *, hour: Floats | float = 0.0
) -> Commitment:
    """Choose the runs of one unit that together are worth most.

    Parameters
    ----------
    gain
        G, currency, shape (T,).
    start_cost
        Cost of a start commanded at each step, currency, shape (T,).
    bounds_s
        Step boundaries, epoch seconds, shape (T+1,).
    unit, state
        The unit, and what it is doing at the first boundary.
    hour
        ρ: worth of a permit hour, currency per hour, one or of each step.
    """
    steps = len(gain)
    total = np.concatenate(([0.0], np.cumsum(gain)))
    burnt = np.concatenate(([0.0], np.cumsum(np.diff(bounds_s) / 3600.0 * hour)))
    ready = np.minimum(np.searchsorted(bounds_s, bounds_s[:-1] + unit.start_s), steps)
    stop_from = np.clip(np.searchsorted(bounds_s, bounds_s[:-1] + unit.up_min_s), np.arange(1, steps + 1), steps)
    start_from = np.searchsorted(bounds_s, bounds_s + unit.down_min_s)
    idle = unit.run_max_h is not None and state.run_s + unit.run_used_h * 3600.0 >= unit.run_max_h * 3600.0
    best_stop, best_start, worth_off = _backward(
        total, burnt, start_cost, ready.tolist(), stop_from.tolist(), start_from.tolist()
    )
    is_on, is_ready, starts = np.zeros((3, steps), np.bool_)

    def run(first: int, up: int, last: int) -> None:
        is_on[first:last] = True
        is_ready[up:last] = True

    at = 0
    if state.is_on and not idle:
        up = int(np.searchsorted(bounds_s, state.since_s + unit.start_s))
        soonest = min(int(np.searchsorted(bounds_s, state.since_s + unit.up_min_s)), steps)
        up = min(up, steps)
        worth = [total[e] - total[min(up, e)] - burnt[e] + worth_off[e] for e in range(soonest, steps + 1)]
        at = soonest + int(np.argmax(worth))
        run(0, up, at)
        nxt = best_start[start_from[at]]
    else:
        rest_s = state.since_s + unit.down_min_s if state.since_s else int(bounds_s[0])
        nxt = steps if idle else best_start[int(np.searchsorted(bounds_s, rest_s))]
    while nxt < steps:
        last = best_stop[nxt]
        starts[nxt] = True
        run(nxt, int(ready[nxt]), last)
        nxt = best_start[start_from[last]]
    return Commitment(is_on=is_on, is_ready=is_ready, starts=starts)


def _backward(
    total: Floats, burnt: Floats, start_cost: Floats, ready: list[int], stop_from: list[int], start_from: list[int]
) -> tuple[list[int], list[int], list[float]]:
    """Best stop of a run begun in each step; best next start from each boundary on (T for none); worth of being off."""
    steps = len(ready)
    sums, hours, cost = total.tolist(), burnt.tolist(), start_cost.tolist()
    off = [0.0] * (steps + 1)
    stop_worth = [0.0] * (steps + 1)
    stop_at = list(range(steps + 1))
    start_worth = [0.0] * (steps + 2)
    start_at = [steps] * (steps + 2)
    stop_worth[steps] = sums[steps] - hours[steps]
    best_stop = [steps] * steps
    for i in range(steps - 1, -1, -1):
        best_stop[i] = stop_at[stop_from[i]]
        on = stop_worth[stop_from[i]] - sums[min(ready[i], best_stop[i])] + hours[i] - cost[i]
        start_worth[i], start_at[i] = start_worth[i + 1], start_at[i + 1]
        if on > start_worth[i]:
            start_worth[i], start_at[i] = on, i
        off[i] = start_worth[start_from[i]] if start_from[i] <= steps else 0.0
        here = sums[i] - hours[i] + off[i]
        later = stop_worth[i + 1]
        stop_worth[i], stop_at[i] = (here, i) if here > later else (later, stop_at[i + 1])
    return best_stop, start_at, off


def _permitted(
    model: SiteModel,
    asked: Asked,
    unit: Unit,
    state: UnitState,
    gain: Floats,
    start_cost: Floats,
    bounds_s: Ints,
    fuel: Floats,
) -> Commitment:
    """The best runs at the worth of the permit's hours."""
    if unit.run_max_h is None:
        return best_runs(gain, start_cost, bounds_s, unit, state)
    if asked.now_s is not None:
        hour = _permit_price(model, asked.inputs.real_time, unit, state, asked.now_s, float(fuel[0]))
        return best_runs(gain, start_cost, bounds_s, unit, state, hour=hour)
    years = _year_of(bounds_s[:-1], model.site.time_zone)
    hour_of = np.zeros(len(gain))
    for position, year in enumerate(np.unique(years)):
        inside = years == year
        allowed_h = max(0.0, unit.run_max_h - (unit.run_used_h if position == 0 else 0.0))

        def used_h(price: float, inside: Flags = inside) -> float:
            hour_of[inside] = price
            runs = best_runs(gain, start_cost, bounds_s, unit, state, hour=hour_of).is_on
            return float((np.diff(bounds_s) * (runs & inside)).sum()) / 3600.0

        low, high = 0.0, float(np.max(gain[inside] * 3600.0 / np.diff(bounds_s)[inside], initial=0.0)) + 1.0
        if used_h(0.0) <= allowed_h:
            continue
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if used_h(middle) > allowed_h else (low, middle)
        hour_of[inside] = high
    return best_runs(gain, start_cost, bounds_s, unit, state, hour=hour_of)


def _permit_price(model: SiteModel, live: Series, unit: Unit, state: UnitState, now_s: int, fuel: float) -> float:
    """Threshold rule for ρ from trailing prices: what the hours left are worth in an average hour of the year left."""
    assert unit.run_max_h is not None
    left_h = unit.run_max_h - unit.run_used_h - state.run_s / 3600.0
    local = from_epoch_s(now_s).astimezone(ZoneInfo(model.site.time_zone))
    year_end = local.replace(year=local.year + 1, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    ahead_h = max((year_end.timestamp() - now_s) / 3600.0, 1.0)
    generator = model.site.generators[source_row(model, unit)]
    average = generator.marginal_cost_ccy_per_mwh + fuel * (
        unit.fuel_gj_per_mwh + unit.no_load_gj_per_h / unit.maximum_mw
    )
    cost = _prices_known(live, now_s // DAY_S) + model.site.tariff.import_adder_ccy_per_mwh
    return unit.maximum_mw * shadow_price(cost, np.array([average]), np.ones(1), max(left_h, 0.0) / ahead_h)


@lru_cache(maxsize=4)
def _prices_known(live: Series, day: int) -> Floats:
    """Prices of up to a year that were known when a UTC day began, rising."""
    count = live.known_count(day * DAY_S)
    recent = live.values[max(0, count - 365 * DAY_S // live.step_s) : count]
    return np.sort(recent[~np.isnan(recent)])


def _year_of(starts_s: Ints, zone: str) -> Ints:
    """Local calendar year of each step."""
    tz = ZoneInfo(zone)
    hours, which = np.unique(starts_s // 3600, return_inverse=True)
    return np.array([from_epoch_s(hour * 3600).astimezone(tz).year for hour in hours.tolist()], np.int64)[which]


def _under(model: SiteModel, problem: Problem, chosen: list[Commitment]) -> Problem:
    """The problem under this commitment of every unit."""
    plant = model.site.plant
    assert plant is not None
    least_mw, most_mw = problem.source_min_mw.copy(), problem.source_max_mw.copy()
    for unit, runs in zip(plant.units, chosen, strict=True):
        row = source_row(model, unit)
        most_mw[row] = np.where(runs.is_ready, problem.source_max_mw[row], 0.0)
        least_mw[row] = np.where(runs.is_ready, np.minimum(unit.minimum_mw, most_mw[row]), 0.0)
    return msgspec.structs.replace(
        problem,
        source_min_mw=least_mw,
        source_max_mw=most_mw,
        unit_is_on=np.array([runs.is_on for runs in chosen]),
    )


def fixed_ccy(units: tuple[Unit, ...], chosen: list[Commitment], fuel: Floats, step_h: Floats) -> float:
    """Starts, and fuel of the hours at work beyond each MWh's own, of a commitment."""
    return float(
        sum(
            ((unit.start_ccy + unit.start_gj * price) * runs.starts).sum()
            + (unit.no_load_gj_per_h * price * step_h * runs.is_ready).sum()
            for unit, runs, price in zip(units, chosen, fuel, strict=True)
        )
    )


def _value(
    plan: Plan | Infeasible, units: tuple[Unit, ...], chosen: list[Commitment], fuel: Floats, step_h: Floats
) -> float:
    """Objective of a plan less what its commitment costs; -inf where there is none."""
    return -np.inf if isinstance(plan, Infeasible) else plan.objective_ccy - fixed_ccy(units, chosen, fuel, step_h)


def _are_equal(before: list[Commitment], after: list[Commitment]) -> bool:
    return all(np.array_equal(a.is_on, b.is_on) for a, b in zip(before, after, strict=True))
