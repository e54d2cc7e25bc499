"""Solve a problem with the reference linear programme."""

from enum import StrEnum

import highspy
import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.lp.constraints import RULES
from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["ReferenceResult", "Status", "build_reference", "run", "solve_reference"]

Floats = NDArray[np.float64]


class Status(StrEnum):
    """How the reference ended."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    OTHER = "other"
    """Time limit, unbounded, numerical trouble: the result's arrays are empty."""


class ReferenceResult(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What HiGHS found; arrays are as in `Plan`, empty unless optimal."""

    status: Status
    objective_ccy: float
    """Value of the problem's objective; NaN unless optimal."""
    import_mw: Floats
    export_mw: Floats
    use_mw: Floats
    source_mw: Floats
    charge_mw: Floats
    discharge_mw: Floats
    stored_mwh: Floats
    """s_0..s_T, shape (T+1,); empty without a battery."""
    peak_mw: Floats
    """D_m; empty without a peak charge."""
    dual_ccy_per_mwh: Floats
    """Worth of one MWh injected at the bus in each step, shape (T,): some point between bid and ask."""


NOTHING = np.empty(0)


def build_reference(problem: Problem) -> Model:
    """The problem as rows and columns, one rule after the other."""
    model = Model()
    for add in RULES:
        add(model, problem)
    return model


def run(model: Model) -> Floats | None:
    """Column values at the optimum, or None without one."""
    highs = model.to_highs()
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.array(highs.getSolution().col_value)


def solve_reference(problem: Problem) -> ReferenceResult:
    """Solve with HiGHS: cold, one thread, simplex.

    Parameters
    ----------
    problem
        Any problem.

    Returns
    -------
    ReferenceResult
        Plan and balance duals, or the status that says why not.
    """
    model = build_reference(problem)
    highs = model.to_highs()
    highs.run()
    ended = highs.getModelStatus()
    if ended != highspy.HighsModelStatus.kOptimal:
        infeasible = ended in {highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible}
        return _empty(Status.INFEASIBLE if infeasible else Status.OTHER)
    solution = highs.getSolution()
    column = np.array(solution.col_value)
    row_dual = np.array(solution.row_dual)
    battery, peak = problem.battery, problem.peak
    idle = np.zeros(problem.steps)
    has_peak = peak is not None and peak.charge_ccy_per_mw > 0.0
    paid = 0.0 if not has_peak or peak is None else float(peak.charges_ccy_per_mw @ peak.so_far_mw)
    return ReferenceResult(
        status=Status.OPTIMAL,
        objective_ccy=float(highs.getObjectiveValue()) + paid,
        import_mw=column[model.columns["import"]],
        export_mw=column[model.columns["export"]],
        use_mw=column[model.columns["use"]],
        source_mw=column[model.columns["source"]],
        charge_mw=idle if battery is None else column[model.columns["charge"]],
        discharge_mw=idle if battery is None else column[model.columns["discharge"]],
        stored_mwh=NOTHING
        if battery is None
        else np.concatenate(([problem.stored_mwh], column[model.columns["stored"]])),
        peak_mw=column[model.columns["peak"]] if has_peak else NOTHING,
        dual_ccy_per_mwh=-row_dual[model.rows["balance"]] / problem.step_h,
    )


def _empty(status: Status) -> ReferenceResult:
    return ReferenceResult(
        status=status,
        objective_ccy=float("nan"),
        import_mw=NOTHING,
        export_mw=NOTHING,
        use_mw=NOTHING,
        source_mw=NOTHING,
        charge_mw=NOTHING,
        discharge_mw=NOTHING,
        stored_mwh=NOTHING,
        peak_mw=NOTHING,
        dual_ccy_per_mwh=NOTHING,
    )
