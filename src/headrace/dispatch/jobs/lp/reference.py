"""Solve a problem with jobs by the reference linear programme."""

import highspy
import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.jobs.lp.constraints import RULES
from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.lp.model import Model
from headrace.dispatch.lp.reference import build_reference
from headrace.dispatch.problem import Problem

__all__ = ["JobsReference", "build_jobs_reference", "solve_jobs_reference"]

Floats = NDArray[np.float64]


class JobsReference(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What HiGHS found, with the fields of `JobPlan`."""

    objective_ccy: float
    power_mw: Floats
    unserved_mwh: Floats
    draw_mw: Floats
    worth_ccy_per_mwh: Floats
    price_ccy_per_mwh: Floats
    rent_ccy_per_mwh: Floats


def build_jobs_reference(problem: Problem, window: JobWindow) -> Model:
    """The problem and its jobs as rows and columns."""
    model = build_reference(problem)
    for add in RULES:
        add(model, problem, window)
    return model


def solve_jobs_reference(problem: Problem, window: JobWindow) -> JobsReference | None:
    """Solve with HiGHS: cold, one thread, simplex; None without an optimum."""
    model = build_jobs_reference(problem, window)
    highs = model.to_highs()
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution = highs.getSolution()
    column, dual = np.array(solution.col_value), np.array(solution.row_dual)
    peak = problem.peak
    has_peak = peak is not None and peak.charge_ccy_per_mw > 0.0
    paid = float(peak.charges_ccy_per_mw @ peak.so_far_mw) if has_peak and peak is not None else 0.0
    price = -dual[model.rows["balance"]] / problem.step_h
    within = -dual[model.rows["cluster"]].reshape(window.pue_ratio.shape) / problem.step_h
    return JobsReference(
        objective_ccy=float(highs.getObjectiveValue()) + paid,
        power_mw=column[model.columns["job"]],
        unserved_mwh=column[model.columns["unserved"]],
        draw_mw=column[model.columns["draw"]],
        worth_ccy_per_mwh=-dual[model.rows["work"]],
        price_ccy_per_mwh=price,
        rent_ccy_per_mwh=np.maximum(within - window.pue_ratio * price, 0.0),
    )
