"""Solve a dispatch problem exactly, in microseconds.

The concave piecewise-linear dynamic programme of `headrace.dispatch.kernel` finds the optimum; a peak charge adds a
search over the peak around it. The readable statement of the same problem is the linear programme in
`headrace.dispatch.lp`.
"""

import numpy as np

from headrace.core import require
from headrace.dispatch.arrays import NO_CAP, kernel_args, plan_from_rows
from headrace.dispatch.infeasible import explain_infeasible, find_clash
from headrace.dispatch.kernel.tolerance import AT_MWH
from headrace.dispatch.kernel.whole import solve_problem
from headrace.dispatch.peak import solve_with_peak
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.problem import Problem

__all__ = ["solve"]

NO_PEAK = np.empty(0)


def solve(problem: Problem, *, explain: bool = True) -> Plan | Infeasible:
    """Best plan over the problem's horizon, or the limits that clash.

    Parameters
    ----------
    problem
        The horizon; `stored_mwh` must lie within the battery's limits (up to rounding).

    Returns
    -------
    Plan | Infeasible
        Never an exception for a horizon that can't be served.
    """
    why = explain_infeasible if explain else find_clash
    battery = problem.battery
    if battery is not None:
        require(
            battery.stored_min_mwh - AT_MWH <= problem.stored_mwh <= battery.stored_max_mwh + AT_MWH,
            f"stored_mwh must be within {battery.stored_min_mwh}..{battery.stored_max_mwh}, was {problem.stored_mwh}",
        )
    if problem.peak is not None and problem.peak.charge_ccy_per_mw > 0.0:
        plan = solve_with_peak(problem)
        return why(problem) if plan is None else plan
    value, objective_ccy, rows, stored_mwh = solve_problem(*kernel_args(problem), NO_CAP, 0.0)
    if value != value:  # noqa: PLR0124  NaN says infeasible
        return why(problem)
    return plan_from_rows(problem, objective_ccy, rows, stored_mwh, NO_PEAK)
