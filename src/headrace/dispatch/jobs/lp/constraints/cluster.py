"""Cluster: its jobs' powers are its draw, which has its limit.

q_kt − Σ_{j in k} p_jt = 0
"""

from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["add"]


def add(model: Model, problem: Problem, window: JobWindow) -> None:
    """Add one row per cluster and step."""
    draw = model.columns["draw"]
    model.add_rows("cluster", draw.size, low=0.0, high=0.0, entries=[(draw.ravel(), 1.0)])
    row = window.cluster[window.job_of_power] * window.steps + window.step_of_power
    model.add_sparse_terms("cluster", row, model.columns["job"], -1.0)
