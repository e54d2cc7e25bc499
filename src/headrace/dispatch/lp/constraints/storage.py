"""Storage: energy after a step is energy before it plus what charging keeps less what discharging takes.

s_{t+1} − s_t − h_t η_c c_t + h_t d_t / η_d = 0, with s_0 given
"""

import numpy as np

from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["add"]


def add(model: Model, problem: Problem) -> None:
    """Add one row per step if there is a battery."""
    battery = problem.battery
    if battery is None:
        return
    stored, h = model.columns["stored"], problem.step_h
    before = np.concatenate(([-1], stored[:-1]))
    start = np.zeros(problem.steps)
    start[0] = problem.stored_mwh
    model.add_rows(
        "storage",
        problem.steps,
        low=start,
        high=start,
        entries=[
            (stored, 1.0),
            (before, -1.0),
            (model.columns["charge"], -h * battery.charge_efficiency_ratio),
            (model.columns["discharge"], h / battery.discharge_efficiency_ratio),
        ],
    )
