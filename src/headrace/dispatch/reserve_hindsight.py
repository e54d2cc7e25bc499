"""What reserve would have been sold with everything known: the bound's choice, by linear programmes chained in time.

Each programme is the reference dispatch over two days with the reserve's own columns, of which the first day is kept:
r_{kih} on block i and r_{kBh} on the battery, for reserve k in hour h at clearing price ρ:

    maximise   dispatch + Σ ρ_kh r_kih
    blocks     x_it ≥ Σ_k r_kih                    every step t of hour h
    battery    d_t + Σ_k r_kBh ≤ d̄                 s_t, s_{t+1} ≥ s_min + Σ_k τ_k r_kBh / η_d
    quantity   Σ_i r_kih + r_kBh ≤ qualified_k     Σ_ik r_kih ≤ what the connection is sure to carry

It is no strict bound: a programme sees two days, calls are not foreseen, a monthly peak is taken from the plan without
reserve, and steps are settlement intervals. docs/reserves.md says how close it comes.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.lp.model import Model
from headrace.dispatch.lp.reference import build_reference, run
from headrace.dispatch.plan import Plan
from headrace.dispatch.problem import Problem
from headrace.dispatch.reserve import BATTERY, HOUR_S, Award, carriers
from headrace.dispatch.reserve_clearing import load_most_mw
from headrace.dispatch.reserve_offers import battery_most_mw, block_most_mw
from headrace.dispatch.uses import SiteModel
from headrace.energy.reserves import product_at

__all__ = ["SEEN_S", "Hindsight", "sell_in_hindsight"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KEPT_S: Final = 86_400
"""Part of each programme that is kept, seconds."""
SEEN_S: Final = 2 * 86_400
"""What each programme sees, seconds."""
LEAST_MW: Final = 1e-6
"""Awards below this are rounding."""
FULL_MW: Final = 1e-6
"""A block within this of its width runs in full."""


class Hindsight(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the programmes chose."""

    plan: Plan
    """Powers on the control grid, without prices."""
    awards: tuple[Award, ...]
    """Reserve sold, in order of start."""
    objective_ccy: float
    """Worth of the whole period, reserve and stored energy included."""


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """One reserve on one carrier in one hour."""

    reserve: int
    """Position among the site's reserves."""
    carrier: int
    """Block, or `BATTERY`."""
    hour: int
    """Hour since 1970."""
    most_mw: float
    """Most it can be."""
    price_ccy_per_mw_h: float
    """Clearing price."""
    duration_h: float
    """How long a call must be sustained."""


def sell_in_hindsight(
    model: SiteModel,
    problem: Problem,
    start_s: int,
    prices: dict[int, Floats],
    *,
    step_s: int,
    import_max_mw: Floats | None = None,
    seen_s: int = SEEN_S,
) -> Hindsight | None:
    """Choose reserve and dispatch with hindsight.

    Parameters
    ----------
    model
        The site.
    problem
        The whole period on the control grid as it really came, no reserve sold.
    start_s
        Its start, epoch seconds, on a full hour.
    prices
        Clearing price of each reserve by hour of the period, NaN where none.
    step_s
        Length of the programmes' steps, seconds: whole control steps, a whole number to the hour.
    import_max_mw
        Import limit below the problem's own, shape (T,): the month's peak.
    seen_s
        What each programme sees, seconds; the whole period makes it the strict bound on its steps.

    Returns
    -------
    Hindsight | None
        None where a programme has no solution.
    """
    control_s = round(problem.step_h[0] * 3600.0)
    coarse = _coarse(problem, step_s // control_s, import_max_mw)
    lots = _lots(model, start_s, prices)
    stored_mwh, worth_ccy = problem.stored_mwh, 0.0
    parts: list[dict[str, Floats]] = []
    awards: list[Award] = []
    kept = coarse.steps if seen_s >= coarse.steps * step_s else KEPT_S // step_s
    for first in range(0, coarse.steps, kept):
        last = min(first + seen_s // step_s, coarse.steps)
        keep = min(kept, coarse.steps - first)
        window = _window(coarse, first, last, stored_mwh)
        hours = (start_s + step_s * np.arange(first, last, dtype=np.int64)) // HOUR_S
        own = [lot for lot in lots if hours[0] <= lot.hour <= hours[-1]]
        lp = _programme(model, window, hours, own)
        column = run(lp)
        if column is None:
            return None
        part: dict[str, Floats] = {name: column[lp.columns[name]][..., :keep] for name in NAMES if name in lp.columns}
        parts.append(part)
        taken = column[lp.columns["reserve"]] if own else np.empty(0)
        inside = hours[:keep]
        for lot, mw in zip(own, taken.tolist(), strict=True):
            if mw > LEAST_MW and lot.hour <= inside[-1]:
                awards.append(_award(lot, mw))
                worth_ccy += mw * lot.price_ccy_per_mw_h
        worth_ccy += _worth(window, part, keep)
        if "stored" in part:
            stored_mwh = float(part["stored"][-1])
    worth_ccy += problem.end_value_ccy_per_mwh * stored_mwh if problem.battery is not None else 0.0
    plan = _plan(problem, parts, step_s // control_s, worth_ccy)
    return Hindsight(plan=plan, awards=tuple(sorted(awards, key=lambda a: a.start_s)), objective_ccy=worth_ccy)


NAMES: Final = ("import", "export", "use", "source", "charge", "discharge", "stored")


def _lots(model: SiteModel, start_s: int, prices: dict[int, Floats]) -> list[Lot]:
    lots = []
    for r, price in prices.items():
        reserve = model.site.reserves[r]
        for h, at_ccy in enumerate(price.tolist()):
            product = product_at(reserve, start_s + h * HOUR_S)
            if product is None or not product.is_sold_ahead or at_ccy != at_ccy:  # noqa: PLR0124  NaN: no price
                continue
            most = {i: block_most_mw(model, i) for i in carriers(model, r)}
            if reserve.has_battery:
                most[BATTERY] = battery_most_mw(model, product)
            lots += [
                Lot(
                    reserve=r,
                    carrier=carrier,
                    hour=start_s // HOUR_S + h,
                    most_mw=most_mw,
                    price_ccy_per_mw_h=at_ccy,
                    duration_h=product.duration_h,
                )
                for carrier, most_mw in most.items()
            ]
    return lots


def _programme(model: SiteModel, problem: Problem, hours: Ints, lots: list[Lot]) -> Model:
    lp = build_reference(problem)
    if not lots:
        return lp
    price = [lot.price_ccy_per_mw_h for lot in lots]
    lp.add_columns("reserve", (len(lots),), value=price, low=0.0, high=[lot.most_mw for lot in lots])
    by_hour: dict[int, list[int]] = {}
    for k, lot in enumerate(lots):
        by_hour.setdefault(lot.hour, []).append(k)
    for carrier in sorted({lot.carrier for lot in lots}):
        pairs = [(t, k) for t, hour in enumerate(hours.tolist()) for k in by_hour.get(hour, [])]
        _keep_ready(lp, problem, carrier, [(t, k) for t, k in pairs if lots[k].carrier == carrier], lots)
    _quantities(model, lp, lots, by_hour)
    return lp


def _keep_ready(lp: Model, problem: Problem, carrier: int, pairs: list[tuple[int, int]], lots: list[Lot]) -> None:
    """What a carrier keeps in every step, for the (step, lot) pairs that concern it."""
    steps = problem.steps
    if carrier != BATTERY:
        on = [(lp.columns["use"][carrier], -1.0)]
        lp.add_rows(f"on {carrier}", steps, low=-np.inf, high=0.0, entries=on)
        _add_lots(lp, f"on {carrier}", pairs, 1.0)
        return
    battery = problem.battery
    assert battery is not None
    feeding = [(lp.columns["discharge"], 1.0)]
    lp.add_rows("ready power", steps, low=-np.inf, high=battery.discharge_max_mw, entries=feeding)
    _add_lots(lp, "ready power", pairs, 1.0)
    kept = np.array([lots[k].duration_h for _, k in pairs]) / battery.discharge_efficiency_ratio
    stored = lp.columns["stored"]
    have_mwh = np.full(steps, -battery.stored_min_mwh)
    lp.add_rows("ready energy", steps, low=-np.inf, high=have_mwh, entries=[(stored, -1.0)])
    _add_lots(lp, "ready energy", pairs, kept)
    # At the start of a step as well: a control step inside it may not find less.
    before = np.concatenate(([-1], stored[:-1]))
    have_mwh[0] += problem.stored_mwh
    lp.add_rows("ready energy before", steps, low=-np.inf, high=have_mwh, entries=[(before, -1.0)])
    _add_lots(lp, "ready energy before", pairs, kept)


def _quantities(model: SiteModel, lp: Model, lots: list[Lot], by_hour: dict[int, list[int]]) -> None:
    """Qualified quantity of each reserve, and load that the connection is sure to carry, in every hour."""
    hour_list = sorted(by_hour)
    site = model.site
    for r in sorted({lot.reserve for lot in lots}):
        pairs = [(h, k) for h, hour in enumerate(hour_list) for k in by_hour[hour] if lots[k].reserve == r]
        _sum_rows(lp, f"qualified {r}", len(hour_list), site.reserves[r].qualified_mw, pairs)
    pairs = [(h, k) for h, hour in enumerate(hour_list) for k in by_hour[hour] if lots[k].carrier != BATTERY]
    _sum_rows(lp, "carried", len(hour_list), load_most_mw(model), pairs)


def _sum_rows(lp: Model, name: str, count: int, most: float, pairs: list[tuple[int, int]]) -> None:
    lp.add_rows(name, count, low=-np.inf, high=most, entries=[])
    _add_lots(lp, name, pairs, 1.0)


def _add_lots(lp: Model, name: str, pairs: list[tuple[int, int]], factor: Floats | float) -> None:
    """Add lot k to row i of a block for every pair (i, k)."""
    rows, lots = np.array(pairs, np.int64).reshape(-1, 2).T
    lp.add_sparse_terms(name, rows, lp.columns["reserve"][lots], factor)


def _coarse(problem: Problem, times: int, import_max_mw: Floats | None) -> Problem:
    """The problem on steps `times` as long, each the mean of what it covers."""

    def mean(values: Floats) -> Floats:
        whole = values.shape[-1] // times * times
        merged: Floats = values[..., :whole].reshape(*values.shape[:-1], whole // times, times).mean(axis=-1)
        return merged

    most_mw = problem.import_max_mw if import_max_mw is None else np.minimum(problem.import_max_mw, import_max_mw)
    return msgspec.structs.replace(
        problem,
        step_h=mean(problem.step_h) * times,
        import_cost_ccy_per_mwh=mean(problem.import_cost_ccy_per_mwh),
        export_value_ccy_per_mwh=mean(problem.export_value_ccy_per_mwh),
        import_max_mw=mean(most_mw),
        export_max_mw=mean(problem.export_max_mw),
        firm_mw=mean(problem.firm_mw),
        use_value_ccy_per_mwh=mean(problem.use_value_ccy_per_mwh),
        use_max_mw=mean(problem.use_max_mw),
        source_cost_ccy_per_mwh=mean(problem.source_cost_ccy_per_mwh),
        source_min_mw=mean(problem.source_min_mw),
        source_max_mw=mean(problem.source_max_mw),
        peak=None,
        terms=None,
        unit_is_on=None,
    )


def _window(problem: Problem, first: int, last: int, stored_mwh: float) -> Problem:
    cut = slice(first, last)
    arrays = {
        name: value[..., cut]
        for name in problem.__struct_fields__
        if isinstance(value := getattr(problem, name), np.ndarray)
    }
    return msgspec.structs.replace(problem, stored_mwh=stored_mwh, **arrays)


def _worth(problem: Problem, part: dict[str, Floats], keep: int) -> float:
    """Worth of the kept steps without what is left in store."""
    cut = slice(0, keep)
    flow = (
        (problem.use_value_ccy_per_mwh[:, cut] * part["use"]).sum(axis=0)
        - (problem.source_cost_ccy_per_mwh[:, cut] * part["source"]).sum(axis=0)
        - problem.import_cost_ccy_per_mwh[cut] * part["import"]
        + problem.export_value_ccy_per_mwh[cut] * part["export"]
    )
    if problem.battery is not None:
        flow = flow - problem.battery.wear_ccy_per_mwh * part["discharge"]
    return float((problem.step_h[cut] * flow).sum())


def _award(lot: Lot, mw: float) -> Award:
    return Award(
        start_s=lot.hour * HOUR_S,
        reserve=lot.reserve,
        carrier=lot.carrier,
        mw=mw,
        price_ccy_per_mw_h=lot.price_ccy_per_mw_h,
    )


def _plan(problem: Problem, parts: list[dict[str, Floats]], times: int, objective_ccy: float) -> Plan:
    """Powers on the control grid; it prices nothing."""
    steps = problem.steps

    def laid(name: str) -> Floats:
        if name not in parts[0]:
            return np.zeros(steps)
        whole = np.repeat(np.concatenate([part[name] for part in parts], axis=-1), times, axis=-1)
        short = steps - whole.shape[-1]
        padded: Floats = (
            np.concatenate((whole, np.repeat(whole[..., -1:], short, axis=-1)), axis=-1) if short else whole
        )
        return padded

    return Plan(
        objective_ccy=objective_ccy,
        import_mw=laid("import"),
        export_mw=laid("export"),
        use_mw=_full_where_full(problem, laid("use"), times),
        source_mw=laid("source"),
        charge_mw=laid("charge"),
        discharge_mw=laid("discharge"),
        stored_mwh=np.concatenate(([problem.stored_mwh], laid("stored"))),
        bid_ccy_per_mwh=np.full(steps, -np.inf),
        ask_ccy_per_mwh=np.full(steps, np.inf),
        peak_mw=np.empty(0),
    )


def _full_where_full(problem: Problem, use_mw: Floats, times: int) -> Floats:
    """A block that runs in full follows its own width from control step to control step."""
    whole = problem.steps // times * times
    width_mw = problem.use_max_mw[:, :whole]
    mean_mw = np.repeat(width_mw.reshape(len(width_mw), -1, times).mean(axis=-1), times, axis=-1)
    full = use_mw[:, :whole] >= mean_mw - FULL_MW
    return np.concatenate((np.where(full, width_mw, use_mw[:, :whole]), use_mw[:, whole:]), axis=-1)
