"""The reference model's constraints, one per file, in the order they are added."""

from collections.abc import Callable

from headrace.dispatch.lp.constraints import balance, bounds, peak, storage
from headrace.dispatch.lp.model import Model
from headrace.dispatch.problem import Problem

__all__ = ["RULES"]

RULES: tuple[Callable[[Model, Problem], None], ...] = (bounds.add, balance.add, storage.add, peak.add)
"""Every rule of the model: bounds make the columns, the others the rows."""
