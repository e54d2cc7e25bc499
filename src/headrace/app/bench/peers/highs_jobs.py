"""HiGHS on the fluid problem of a window with jobs: cold, and warm from the window before.

The warm one starts from the last optimal basis moved in time: each step's columns and rows take what stood for the same
instant (or a day before it, past the old window's end), each job's what stood for that job; a job that is new starts
undone. HiGHS completes the basis where the grids differ. Only passing model and basis, solving and reading the solution
are timed, not the building of the arrays.
"""

from time import process_time
from typing import Final

import highspy
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.jobs.lp.reference import build_jobs_reference
from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.lp.model import OPTIONS
from headrace.dispatch.problem import Problem

__all__ = ["HighsJobs"]

Ints = NDArray[np.int64]

DAY_S: Final = 86_400
OF_STEP: Final = ("import", "export", "use", "source", "charge", "discharge", "stored", "draw")
ROWS_OF_STEP: Final = ("balance", "storage", "cluster")


class HighsJobs:
    """One peer that moves through time; `is_cold` forgets the basis."""

    def __init__(self, *, is_cold: bool) -> None:
        self._is_cold = is_cold
        self._before: tuple[highspy.HighsBasis, dict[str, Ints], dict[str, Ints], JobWindow, Ints] | None = None
        self.iterations = 0

    def __call__(self, problem: Problem, window: JobWindow, starts_s: Ints) -> tuple[float, float]:
        """Objective of the next window, and the CPU seconds it took."""
        model = build_jobs_reference(problem, window)
        basis = None
        if self._before is not None and not self._is_cold:
            basis = _moved(self._before, model.columns, model.rows, window, starts_s)
        lp = model.lp()
        started = process_time()
        highs = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy is not fully annotated
        for option, setting in OPTIONS:
            highs.setOptionValue(option, setting)
        highs.passModel(lp)
        if basis is not None:
            highs.setBasis(basis)
        highs.run()
        np.array(highs.getSolution().col_value)
        taken = process_time() - started
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError("HiGHS found no optimum of a feasible window")
        self.iterations = highs.getInfo().simplex_iteration_count
        self._before = highs.getBasis(), model.columns, model.rows, window, starts_s
        return float(highs.getObjectiveValue()), taken


def _moved(
    before: tuple[highspy.HighsBasis, dict[str, Ints], dict[str, Ints], JobWindow, Ints],
    columns: dict[str, Ints],
    rows: dict[str, Ints],
    window: JobWindow,
    starts_s: Ints,
) -> highspy.HighsBasis:
    """The basis of the window before, at this window's instants and jobs."""
    basis, old_columns, old_rows, old, old_starts_s = before
    at_s = np.where(starts_s > old_starts_s[-1], starts_s - DAY_S, starts_s)
    step = np.clip(np.searchsorted(old_starts_s, at_s, side="right") - 1, 0, len(old_starts_s) - 1)
    statuses = np.array(basis.col_status, dtype=object), np.array(basis.row_status, dtype=object)
    status = highspy.HighsBasisStatus
    column = np.full(1 + max(int(block.max(initial=-1)) for block in columns.values()), status.kLower, dtype=object)
    row = np.full(1 + max(int(block.max(initial=-1)) for block in rows.values()), status.kBasic, dtype=object)
    for name in OF_STEP:
        if name in columns and columns[name].size:
            column[columns[name]] = statuses[0][old_columns[name][..., step]]
    for name in ROWS_OF_STEP:
        shape = (-1, len(starts_s))
        row[rows[name].reshape(shape)] = statuses[1][old_rows[name].reshape(-1, len(old_starts_s))[:, step]]
    column[columns["unserved"]] = status.kBasic
    row[rows["work"]] = status.kLower
    place = {name: j for j, name in enumerate(old.names)}
    for j, name in enumerate(window.names):
        i = place.get(name)
        if i is None:
            continue
        column[columns["unserved"][j]] = statuses[0][old_columns["unserved"][i]]
        row[rows["work"][j]] = statuses[1][old_rows["work"][i]]
        own = slice(window.begin[j], window.begin[j + 1])
        was = step[window.step_of_power[own]] - old.first[i]
        inside = (was >= 0) & (was < old.begin[i + 1] - old.begin[i])
        column[columns["job"][own][inside]] = statuses[0][old_columns["job"][old.begin[i] + was[inside]]]
    moved = highspy.HighsBasis()
    moved.col_status, moved.row_status = list(column), list(row)
    moved.valid = moved.alien = True
    return moved
