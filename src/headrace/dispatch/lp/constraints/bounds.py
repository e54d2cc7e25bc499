"""Bounds: what each power may be.

0 <= g⁺ <= ḡ⁺,  0 <= g⁻ <= ḡ⁻,  0 <= x_i <= x̄_i,  y̲_j <= y_j <= ȳ_j,  0 <= c <= c̄,  0 <= d <= d̄,  s_min <= s <= s_max
"""

import numpy as np

from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["add"]


def add(model: Model, problem: Problem) -> None:
    """Add every power of the problem with its worth per MW and its bounds, and stored energy at each step's end."""
    h, steps = problem.step_h, problem.steps
    add_power = model.add_columns
    add_power("import", (steps,), value=-h * problem.import_cost_ccy_per_mwh, low=0.0, high=problem.import_max_mw)
    add_power("export", (steps,), value=h * problem.export_value_ccy_per_mwh, low=0.0, high=problem.export_max_mw)
    add_power(
        "use", problem.use_max_mw.shape, value=h * problem.use_value_ccy_per_mwh, low=0.0, high=problem.use_max_mw
    )
    add_power(
        "source",
        problem.source_max_mw.shape,
        value=-h * problem.source_cost_ccy_per_mwh,
        low=problem.source_min_mw,
        high=problem.source_max_mw,
    )
    battery = problem.battery
    if battery is None:
        return
    add_power("charge", (steps,), value=0.0, low=0.0, high=battery.charge_max_mw)
    add_power("discharge", (steps,), value=-h * battery.wear_ccy_per_mwh, low=0.0, high=battery.discharge_max_mw)
    end = np.zeros(steps)
    end[-1] = problem.end_value_ccy_per_mwh
    add_power("stored", (steps,), value=end, low=battery.stored_min_mwh, high=battery.stored_max_mwh)
