"""Peak: no import above the billing period's peak, which costs the period's K per MW above what the period already has.

g⁺_t − D_{m(t)} <= 0,  D_m >= D⁰_m
"""

import numpy as np

from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["add"]


def add(model: Model, problem: Problem) -> None:
    """Add one column per period and one row per step if there is a peak charge."""
    peak = problem.peak
    if peak is None or peak.charge_ccy_per_mw <= 0.0:
        return
    model.add_columns("peak", peak.so_far_mw.shape, value=-peak.charges_ccy_per_mw, low=peak.so_far_mw, high=np.inf)
    model.add_rows(
        "peak",
        problem.steps,
        low=-np.inf,
        high=0.0,
        entries=[(model.columns["import"], 1.0), (model.columns["peak"][peak.period], -1.0)],
    )
