"""A site under an outlook becomes a `Problem`: IT power turns into facility power, dollars into dollars at the bus."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import content_id
from headrace.dispatch.outlook import Outlook
from headrace.dispatch.plant_feeders import clip_to_feeders, feeder_of_uses
from headrace.dispatch.problem import Peak, Problem
from headrace.dispatch.terms import Terms
from headrace.dispatch.uses import SiteModel
from headrace.loads.cooling import pue_at

__all__ = ["REQUEST_MW_PER_WH", "problem_id", "problem_of", "pue_of"]

Floats = NDArray[np.float64]

REQUEST_MW_PER_WH = 3600.0 * 1e-6
"""MW of one request per second that takes one Wh: 3600 s/h × 1e-6 MWh/Wh."""


def pue_of(model: SiteModel, temp_c: Floats) -> Floats:
    """PUE of each cooling at each temperature, shape (C, T)."""
    coolings = model.site.coolings
    return np.array([pue_at(c, temp_c) for c in coolings]).reshape(len(coolings), len(temp_c))


def problem_of(
    model: SiteModel,
    outlook: Outlook,
    *,
    month: int | NDArray[np.int64],
    stored_mwh: float,
    end_value_ccy_per_mwh: float,
    peak: Peak | None,
    import_max_mw: float | None = None,
    terms: Terms | None = None,
) -> Problem:
    """Make the dispatch problem of a site under an outlook.

    Parameters
    ----------
    model, outlook
        The site's blocks and the conditions on T steps.
    month
        Local calendar month (1..12) of every step, or one for all; heat is taken in some months only.
    stored_mwh, end_value_ccy_per_mwh
        Energy in store at the start, MWh, and its worth at the end.
    peak
        Peak charge on the horizon, if any.
    import_max_mw
        Import limit below the connection's own, e.g. a grid instruction.
    terms
        What contracts, tariffs, plant and sold reserve change, on the same steps; None for nothing.
    """
    site = model.site
    steps = len(outlook.step_h)
    pue = pue_of(model, outlook.temp_c)
    use_pue = pue[model.cooling]
    price = outlook.price_ccy_per_mwh
    available = outlook.available_ratio * model.source_capacity_mw
    problem = Problem(
        step_h=outlook.step_h,
        import_cost_ccy_per_mwh=price + site.tariff.import_adder_ccy_per_mwh,
        export_value_ccy_per_mwh=price - site.tariff.export_deduction_ccy_per_mwh,
        import_max_mw=np.full(steps, site.connection.import_max_mw if import_max_mw is None else import_max_mw),
        export_max_mw=np.full(steps, site.connection.export_max_mw),
        firm_mw=model.firm_it_mw @ pue,
        use_names=model.use_names,
        use_value_ccy_per_mwh=_worth(model, outlook, month) / use_pue,
        use_max_mw=_width_it_mw(model, outlook) * use_pue,
        source_names=model.source_names,
        source_cost_ccy_per_mwh=model.source_cost_ccy_per_mwh + np.zeros(steps),
        source_min_mw=available * model.source_must_run_ratio,
        source_max_mw=available,
        battery=site.battery,
        stored_mwh=stored_mwh,
        end_value_ccy_per_mwh=end_value_ccy_per_mwh,
        peak=peak,
    )
    if terms is None:
        return problem
    problem = _under(problem, terms)
    return _behind_feeders(model, problem) if len(terms.feeder_room_mw) else problem


def _under(problem: Problem, terms: Terms) -> Problem:
    """The same problem under terms; the part of a use that stays on joins the firm load."""
    width_mw = np.minimum(problem.use_max_mw, terms.use_max_mw)
    stays_mw = np.minimum(terms.use_min_mw, width_mw)
    import_cost = problem.import_cost_ccy_per_mwh + terms.import_adder_ccy_per_mwh
    source_max_mw = np.minimum(problem.source_max_mw, terms.source_max_mw)
    return msgspec.structs.replace(
        problem,
        import_cost_ccy_per_mwh=import_cost,
        export_value_ccy_per_mwh=np.minimum(
            problem.export_value_ccy_per_mwh + terms.export_adder_ccy_per_mwh, import_cost
        ),
        import_max_mw=np.minimum(problem.import_max_mw, terms.import_max_mw),
        export_max_mw=np.minimum(problem.export_max_mw, terms.export_max_mw),
        firm_mw=problem.firm_mw + terms.firm_mw + stays_mw.sum(axis=0),
        use_value_ccy_per_mwh=problem.use_value_ccy_per_mwh + terms.use_adder_ccy_per_mwh,
        use_max_mw=width_mw - stays_mw,
        source_cost_ccy_per_mwh=problem.source_cost_ccy_per_mwh + terms.source_adder_ccy_per_mwh,
        source_min_mw=np.minimum(np.maximum(problem.source_min_mw, terms.source_min_mw), source_max_mw),
        source_max_mw=source_max_mw,
        terms=msgspec.structs.replace(terms, use_min_mw=stays_mw),
    )


def _behind_feeders(model: SiteModel, problem: Problem) -> Problem:
    """The same problem with no use wider than its feeder leaves it; what stays on comes first."""
    terms = problem.terms
    assert terms is not None
    feeder_of, worth, room_mw = feeder_of_uses(model), problem.use_value_ccy_per_mwh, terms.feeder_room_mw
    firm_mw, stays_mw = problem.firm_mw, terms.use_min_mw
    if stays_mw.any():
        stays_mw = clip_to_feeders(stays_mw, worth, room_mw, feeder_of)
        firm_mw = firm_mw - (terms.use_min_mw - stays_mw).sum(axis=0)
        room_mw = room_mw - [stays_mw[feeder_of == f].sum(axis=0) for f in range(len(room_mw))]
    return msgspec.structs.replace(
        problem,
        firm_mw=firm_mw,
        use_max_mw=clip_to_feeders(problem.use_max_mw, worth, room_mw, feeder_of),
        terms=msgspec.structs.replace(terms, use_min_mw=stays_mw, use_max_mw=problem.use_max_mw),
    )


def _worth(model: SiteModel, outlook: Outlook, month: int | NDArray[np.int64]) -> Floats:
    """Value of one IT MWh to each block, shape (N, T)."""
    worth = model.value_ccy_per_mwh + model.kept_hash_phs_per_mw * (outlook.hashprice_ccy_per_phs_day / 24.0)
    for row in model.heat_rows:
        use = model.uses[row]
        worth[row] += use.heat_ccy_per_mwh * np.isin(month, use.heat_months)
    return worth


def _width_it_mw(model: SiteModel, outlook: Outlook) -> Floats:
    """Widest IT power of each block: its own, or what demand asks of it, shape (N, 1) or (N, T)."""
    if not model.inference_rows:
        return model.it_max_mw
    widest = np.repeat(model.it_max_mw, len(outlook.step_h), axis=1)
    for row in model.inference_rows:
        use = model.uses[row]
        service = model.site.inference[use.load]
        below_mw = use.heat_it_from_mw - service.idle_ratio * service.it_max_mw
        asked_mw = outlook.demand_per_s[use.load] * (service.wh_per_request * REQUEST_MW_PER_WH) - below_mw
        widest[row] = np.minimum(np.maximum(asked_mw, 0.0), use.it_max_mw)
    return widest


def problem_id(problem: Problem) -> str:
    """Digest of everything a decision rested on: two cycles with one id were asked the same question."""
    arrays = (
        problem.step_h,
        problem.import_cost_ccy_per_mwh,
        problem.import_max_mw,
        problem.firm_mw,
        problem.use_value_ccy_per_mwh,
        problem.use_max_mw,
        problem.source_max_mw,
        np.array((problem.stored_mwh, problem.end_value_ccy_per_mwh)),
    )
    peak = b"" if problem.peak is None else problem.peak.so_far_mw.tobytes()
    return content_id(b"".join([array.tobytes() for array in arrays]), peak)
