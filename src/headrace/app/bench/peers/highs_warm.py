"""HiGHS on raw arrays, warm-started: the fastest way to drive an LP solver through a rolling horizon.

The problem is stated in facility power at the bus, so between windows only costs and bounds change: the model stays in
the solver, the optimal basis is moved ahead by the steps that passed (its end repeats what it held a day before), and
the simplex method starts from there. No timed part loops over steps in Python.
"""

from typing import Final

import highspy
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.problem import Problem

__all__ = ["HighsWarm"]

BLOCKS: Final = ("import", "export", "charge", "discharge", "stored")
"""Columns besides the uses; each block is T wide."""


class HighsWarm:
    """One HiGHS model that moves through time.

    Parameters
    ----------
    shift
        Steps that pass from one window to the next.
    day
        Steps in a day: how far back the new end of the basis looks.
    is_cold
        Forget the basis between windows (the sensitivity that shows what the warm start is worth).
    """

    def __init__(self, shift: int, day: int, *, is_cold: bool = False) -> None:
        self._shift = shift
        self._day = day
        self._is_cold = is_cold
        self._solver: highspy.Highs | None = None
        self.iterations = 0

    def __call__(self, problem: Problem) -> float:
        """Objective of the next window."""
        lower, upper, cost = _columns(problem)
        if self._solver is None:
            self._solver = _model(problem, lower, upper, cost)
        else:
            self._move(problem, lower, upper, cost)
        self._solver.run()
        self.iterations = self._solver.getInfo().simplex_iteration_count
        np.array(self._solver.getSolution().col_value)  # a plan is asked for, not its objective alone
        return -float(self._solver.getObjectiveValue())

    def _move(
        self, problem: Problem, lower: NDArray[np.float64], upper: NDArray[np.float64], cost: NDArray[np.float64]
    ) -> None:
        solver, steps = self._solver, problem.steps
        assert solver is not None
        basis = solver.getBasis()
        every = np.arange(len(cost), dtype=np.int32)
        solver.changeColsCost(len(cost), every, cost)
        solver.changeColsBounds(len(cost), every, lower, upper)
        rows_lower, rows_upper = _rows(problem)
        solver.changeRowsBounds(2 * steps, np.arange(2 * steps, dtype=np.int32), rows_lower, rows_upper)  # type: ignore[attr-defined]  # its stub forgets it
        if self._is_cold:
            solver.clearSolver()
            return
        moved = highspy.HighsBasis()
        moved.col_status = _ahead(basis.col_status, steps, self._shift, self._day)
        moved.row_status = _ahead(basis.row_status, steps, self._shift, self._day)
        moved.valid = True
        moved.alien = True
        solver.setBasis(moved)


def _ahead(status: list[highspy.HighsBasisStatus], steps: int, shift: int, day: int) -> list[highspy.HighsBasisStatus]:
    """Each block of `steps` statuses moved ahead by `shift`; the new end takes what stood a day before."""
    moved: list[highspy.HighsBasisStatus] = []
    for start in range(0, len(status), steps):
        block = status[start + shift : start + steps]
        block += block[-day : shift - day] if day > shift else block[-shift:]
        moved += block
    return moved


def _columns(problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Lower bounds, upper bounds and costs (HiGHS minimises): uses, import, export, charge, discharge, stored."""
    battery, hours, steps = problem.battery, problem.step_h, problem.steps
    assert battery is not None
    uses = problem.use_max_mw.size
    width = uses + len(BLOCKS) * steps
    lower, upper, cost = np.zeros(width), np.empty(width), np.zeros(width)
    upper[:uses] = problem.use_max_mw.ravel()
    cost[:uses] = (-problem.use_value_ccy_per_mwh * hours).ravel()
    imports, exports, charge, discharge, stored = (
        slice(uses + i * steps, uses + (i + 1) * steps) for i in range(len(BLOCKS))
    )
    upper[imports], cost[imports] = problem.import_max_mw, problem.import_cost_ccy_per_mwh * hours
    upper[exports], cost[exports] = problem.export_max_mw, -problem.export_value_ccy_per_mwh * hours
    upper[charge] = battery.charge_max_mw
    upper[discharge], cost[discharge] = battery.discharge_max_mw, battery.wear_ccy_per_mwh * hours
    lower[stored], upper[stored] = battery.stored_min_mwh, battery.stored_max_mwh
    cost[width - 1] = -problem.end_value_ccy_per_mwh
    return lower, upper, cost


def _rows(problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row bounds: the bus balance of each step, then the storage balance of each step."""
    start = np.zeros(problem.steps)
    start[0] = problem.stored_mwh
    both = np.concatenate([problem.firm_mw, start])
    return both, both.copy()


def _model(
    problem: Problem, lower: NDArray[np.float64], upper: NDArray[np.float64], cost: NDArray[np.float64]
) -> highspy.Highs:
    battery, steps, hours = problem.battery, problem.steps, problem.step_h
    assert battery is not None
    t = np.arange(steps)
    ones = np.ones(steps)
    first = len(problem.use_names) * steps
    imports, exports, charge, discharge, stored = (first + i * steps + t for i in range(len(BLOCKS)))
    entries = [(t, n * steps + t, -ones) for n in range(len(problem.use_names))]
    entries += [(t, imports, ones), (t, exports, -ones), (t, charge, -ones), (t, discharge, ones)]
    entries += [
        (steps + t, stored, ones),
        (steps + t[1:], stored[:-1], -ones[1:]),
        (steps + t, charge, -battery.charge_efficiency_ratio * hours),
        (steps + t, discharge, hours / battery.discharge_efficiency_ratio),
    ]
    row, col, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    order = np.lexsort((row, col))
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(cost), 2 * steps
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, lower, upper
    model.row_lower_, model.row_upper_ = _rows(problem)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.num_col_, model.a_matrix_.num_row_ = len(cost), 2 * steps
    model.a_matrix_.start_ = np.concatenate([[0], np.cumsum(np.bincount(col, minlength=len(cost)))]).astype(np.int32)
    model.a_matrix_.index_ = row[order].astype(np.int32)
    model.a_matrix_.value_ = value[order]
    solver = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy is not fully annotated
    for option, setting in (("output_flag", False), ("threads", 1), ("solver", "simplex")):
        solver.setOptionValue(option, setting)
    solver.passModel(model)
    return solver
