"""What jobs add to the reference model, one constraint per file, in the order they are added."""

from collections.abc import Callable

from headrace.dispatch.jobs.lp.constraints import bounds, cluster, draw, work
from headrace.dispatch.jobs.window import JobWindow
from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["RULES"]

RULES: tuple[Callable[[Model, Problem, JobWindow], None], ...] = (bounds.add, draw.add, cluster.add, work.add)
"""Every rule: bounds make the columns, draw joins them to the bus, the others are the rows."""
