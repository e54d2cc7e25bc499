"""linopy with its persistent solver: one model, changed between windows, of which only the changes go to HiGHS.

Two statements of one problem. In IT power, as the campus is described, PUE is a coefficient of the balance and changes
from window to window; in facility power at the bus it hides in bounds and costs, which suits linopy's updates better.
"""

import logging

import numpy as np
import pandas as pd
import xarray as xr
from linopy import LinearExpression, Model
from linopy.solvers import Solver
from numpy.typing import NDArray

from headrace.dispatch.problem import Problem

__all__ = ["LinopyPersistent"]

Floats = NDArray[np.float64]


class LinopyPersistent:
    """One linopy model that moves through time; HiGHS keeps its basis.

    Parameters
    ----------
    use_it_max_mw
        IT power of each use, for the statement in IT power; None for facility power at the bus.
    """

    def __init__(self, use_it_max_mw: Floats | None = None) -> None:
        logging.getLogger("linopy").setLevel(logging.ERROR)
        self._use_it_max_mw = use_it_max_mw
        self._model: Model | None = None
        self._solver: Solver | None = None

    def __call__(self, problem: Problem) -> float:
        """Objective of the next window."""
        pue = self._pue(problem)
        if self._model is None:
            self._model = _model(problem, pue)
            options = {"threads": 1, "output_flag": False}
            self._solver = Solver.from_name("highs", self._model, io_api="direct", track_updates=True, options=options)
            self._solver.solve(assign=True)
        else:
            model = self._model
            if self._use_it_max_mw is None:
                model.variables["use"].upper = _by_use(problem, problem.use_max_mw)
            else:
                model.constraints["balance"].lhs = _balance(model, problem, pue)
            model.add_objective(_objective(model, problem, pue), overwrite=True)
            model.constraints["balance"].rhs = _over_time(problem.firm_mw)
            model.constraints["storage"].rhs = _start(problem)
            assert self._solver is not None
            self._solver.solve(model, assign=True)
        return -float(self._model.objective.value)

    def _pue(self, problem: Problem) -> Floats | None:
        """Facility power per unit of each use's variable, shape (N, T); None where that is 1."""
        if self._use_it_max_mw is None:
            return None
        return problem.use_max_mw / self._use_it_max_mw[:, None]


def _over_time(values: Floats) -> xr.DataArray:
    return xr.DataArray(values, coords={"t": pd.RangeIndex(len(values), name="t")}, dims="t")


def _by_use(problem: Problem, values: Floats) -> xr.DataArray:
    coords = {"n": pd.Index(problem.use_names, name="n"), "t": pd.RangeIndex(problem.steps, name="t")}
    return xr.DataArray(values, coords=coords, dims=("n", "t"))


def _start(problem: Problem) -> xr.DataArray:
    start = np.zeros(problem.steps)
    start[0] = problem.stored_mwh
    return _over_time(start)


def _model(problem: Problem, pue: Floats | None) -> Model:
    battery = problem.battery
    assert battery is not None
    model = Model()
    time = [pd.RangeIndex(problem.steps, name="t")]
    widest = problem.use_max_mw if pue is None else problem.use_max_mw / pue
    model.add_variables(lower=0, upper=_over_time(problem.import_max_mw), name="import")
    model.add_variables(lower=0, upper=_over_time(problem.export_max_mw), name="export")
    model.add_variables(lower=0, upper=_by_use(problem, widest), name="use")
    charge = model.add_variables(lower=0, upper=battery.charge_max_mw, coords=time, name="charge")
    discharge = model.add_variables(lower=0, upper=battery.discharge_max_mw, coords=time, name="discharge")
    stored = model.add_variables(lower=battery.stored_min_mwh, upper=battery.stored_max_mwh, coords=time, name="stored")
    model.add_constraints(_balance(model, problem, pue) == _over_time(problem.firm_mw), name="balance")
    hours = _over_time(problem.step_h)
    charged = hours * battery.charge_efficiency_ratio * charge
    released = hours / battery.discharge_efficiency_ratio * discharge
    before = stored.shift(t=1).fillna(0)
    model.add_constraints(stored - before - charged + released == _start(problem), name="storage")
    model.add_objective(_objective(model, problem, pue))
    return model


def _balance(model: Model, problem: Problem, pue: Floats | None) -> LinearExpression:
    used = model["use"] if pue is None else model["use"] * _by_use(problem, pue)
    return model["import"] - model["export"] - used.sum("n") - model["charge"] + model["discharge"]


def _objective(model: Model, problem: Problem, pue: Floats | None) -> LinearExpression:
    battery, hours = problem.battery, problem.step_h
    assert battery is not None
    worth = problem.use_value_ccy_per_mwh * hours
    bought = model["import"] * _over_time(problem.import_cost_ccy_per_mwh * hours)
    sold = model["export"] * _over_time(problem.export_value_ccy_per_mwh * hours)
    used = model["use"] * _by_use(problem, worth if pue is None else worth * pue)
    worn = model["discharge"] * _over_time(battery.wear_ccy_per_mwh * hours)
    end = model["stored"].isel(t=-1) * problem.end_value_ccy_per_mwh
    return bought.sum() - sold.sum() - used.sum() + worn.sum() - end
