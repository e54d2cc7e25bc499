"""Draw at the bus: what a cluster's machines take, with their cooling.

The balance of step t takes −PUE_kt q_kt of each cluster.
"""

from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["add"]


def add(model: Model, problem: Problem, window: JobWindow) -> None:
    """Add each cluster to the balance rows."""
    for draw, pue in zip(model.columns["draw"], window.pue_ratio, strict=True):
        model.add_terms("balance", draw, -pue)
