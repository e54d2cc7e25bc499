"""Bounds of the jobs: what each power may be, and how much work may stay undone.

0 <= p_jt <= p̄_jt,  0 <= u_j <= E_j,  0 <= q_kt <= q̄_kt
"""

from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["add"]


def add(model: Model, problem: Problem, window: JobWindow) -> None:
    """Add job powers with their lateness, undone work with its cost, and the clusters' draw."""
    late = -problem.step_h[window.step_of_power] * window.late_ccy_per_mwh
    model.add_columns("job", window.power_max_mw.shape, value=late, low=0.0, high=window.power_max_mw)
    model.add_columns("unserved", (window.jobs,), value=-window.value_ccy_per_mwh, low=0.0, high=window.work_mwh)
    model.add_columns("draw", window.pue_ratio.shape, value=0.0, low=0.0, high=window.cluster_max_mw)
