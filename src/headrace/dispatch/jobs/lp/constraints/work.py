"""Work: what a job does and what stays undone make up what it needs.

Σ_t h_t p_jt + u_j = E_j
"""

from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["add"]


def add(model: Model, problem: Problem, window: JobWindow) -> None:
    """Add one row per job; its dual is the worth of a MWh of its work."""
    work = window.work_mwh
    model.add_rows("work", window.jobs, low=work, high=work, entries=[(model.columns["unserved"], 1.0)])
    hours = problem.step_h[window.step_of_power]
    model.add_sparse_terms("work", window.job_of_power, model.columns["job"], hours)
