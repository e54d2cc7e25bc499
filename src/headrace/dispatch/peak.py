"""Stub."""

from headrace.dispatch.plan import Plan
from headrace.dispatch.problem import Problem


def solve_with_peak(problem: Problem) -> Plan | None:
    """Stub."""
    raise NotImplementedError
