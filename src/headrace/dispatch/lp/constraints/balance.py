"""Balance at the bus: what comes in goes out.

g⁺_t + Σ_j y_jt + d_t − g⁻_t − Σ_i x_it − c_t = firm_t
"""

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["add"]


def add(model: Model, problem: Problem) -> None:
    """Add one row per step; its dual per MW, over the step's hours, is the worth of a MWh at the bus."""
    columns = model.columns
    entries: list[tuple[NDArray[np.int64], float]] = [(columns["import"], 1.0), (columns["export"], -1.0)]
    entries += [(use, -1.0) for use in columns["use"]]
    entries += [(source, 1.0) for source in columns["source"]]
    if problem.battery is not None:
        entries += [(columns["discharge"], 1.0), (columns["charge"], -1.0)]
    model.add_rows("balance", problem.steps, low=problem.firm_mw, high=problem.firm_mw, entries=entries)
