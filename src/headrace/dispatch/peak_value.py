"""The optimal value as a function of the peaks: solves at trial peaks, the cuts they leave, and bounds from them.

Every solve at peaks D gives the value V(D) and, from its bids and its asks, two slopes g with V(D') <= V(D) + g·(D' −
D) for all D'. Together these cuts bound the best value from above; where they allow the most is the next trial (Kelley,
"The cutting-plane method for solving convex programs", 1960). It ends exactly, as V is piecewise linear.
"""

import highspy
import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.arrays import kernel_args, plan_from_rows
from headrace.dispatch.kernel.peaks import dual_bound, peak_shares
from headrace.dispatch.kernel.whole import solve_problem
from headrace.dispatch.lp.model import Model
from headrace.dispatch.plan import Plan
from headrace.dispatch.problem import Peak, Problem

__all__ = ["PeakValue", "Seen", "search_jointly"]

Floats = NDArray[np.float64]

OVER_RATIO = 2.0
"""Extra charge of import above a trial peak, per K: more than 1, so that the best peak leaves none."""
JOINT_PASSES_MAX = 60
"""Solves after which the joint search ends with the gap it has."""


class Seen(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One solve at trial peaks."""

    peak_mw: Floats
    """D, shape (M,)."""
    value_ccy: float
    """V(D)."""
    shares_ccy: Floats
    """Share of the value, and its right and left slope per MW, of each period, shape (M, 3)."""
    duals_ccy_per_mwh: Floats
    """Bid, ask, least and greatest water value of each step, shape (4, T)."""


class PeakValue:
    """V(D) of one problem, remembering its cuts."""

    def __init__(self, problem: Problem, peak: Peak) -> None:
        self.problem, self.peak = problem, peak
        self.cuts: list[Seen] = []
        self._args = kernel_args(problem)
        self._k = float(peak.charge_ccy_per_mw)
        self._charge = (
            np.ascontiguousarray(peak.period),
            np.ascontiguousarray(peak.so_far_mw),
            np.ascontiguousarray(peak.charges_ccy_per_mw),
        )

    def __call__(self, peak_mw: Floats) -> Seen | None:
        """Solve with the peaks given; None if there is no plan even with unlimited peaks."""
        over = OVER_RATIO * self._k
        value_ccy, _worth, rows, stored_mwh = solve_problem(*self._args, peak_mw[self._charge[0]], over)
        if value_ccy != value_ccy:  # noqa: PLR0124  NaN says infeasible
            return None
        step_h, cost, value, most, _, _, use_value, _, source_cost, _, _, battery, _, end_value = self._args
        shares = peak_shares(
            step_h, cost, value, most, use_value, source_cost, battery[4], end_value, *self._charge, over, peak_mw,
            rows, stored_mwh,
        )  # fmt: skip
        value_ccy -= self.peak.paid_ccy(peak_mw)
        seen = Seen(peak_mw=peak_mw, value_ccy=value_ccy, shares_ccy=shares, duals_ccy_per_mwh=rows[-4:])
        # A cut without its duals: an empty view of them would keep every row of the plan.
        self.cuts.append(msgspec.structs.replace(seen, duals_ccy_per_mwh=np.empty((4, 0))))
        return seen

    def plan(self, peak_mw: Floats, bound_ccy: float) -> Plan:
        """Best plan around given peaks, paying for the peaks it really has, and its distance from a bound."""
        _value, worth_ccy, rows, stored_mwh = solve_problem(*self._args, peak_mw[self._charge[0]], self._k)
        import_mw = rows[len(self.problem.use_names) + len(self.problem.source_names) + 1]
        reached_mw = np.array(self.peak.so_far_mw, float)
        np.maximum.at(reached_mw, self.peak.period, import_mw)
        objective_ccy = worth_ccy - self.peak.paid_ccy(reached_mw)
        plan = plan_from_rows(self.problem, objective_ccy, rows, stored_mwh, reached_mw)
        return msgspec.structs.replace(plan, peak_gap_ccy=max(bound_ccy - objective_ccy, 0.0))

    def bound_from_duals(self, peak_mw: Floats, lower_peak_mw: Floats, duals_ccy_per_mwh: Floats) -> float:
        """Upper bound from balance and storage duals, shape (2, T), that any search may have made up."""
        rows = np.ascontiguousarray(duals_ccy_per_mwh)
        return float(
            dual_bound(*self._args, *self._charge, OVER_RATIO * self._k, peak_mw, lower_peak_mw, rows[0], rows[1])
        )


def search_jointly(value_at: PeakValue, box_mw: Floats, plan: Plan, gap_ratio: float) -> Plan:
    """Search all periods' peaks together from the cuts seen so far.

    Parameters
    ----------
    value_at
        The value, with its cuts.
    box_mw
        Least and greatest peak of each period, shape (M, 2).
    plan
        Best plan so far.
    gap_ratio
        Gap over value at which to stop.

    Returns
    -------
    Plan
        The best plan found, with its gap.
    """
    bound_ccy = plan.objective_ccy + plan.peak_gap_ccy
    best = max(value_at.cuts, key=lambda seen: seen.value_ccy)
    for _ in range(JOINT_PASSES_MAX):
        trial_mw, most_ccy = _highest_point(value_at.cuts, box_mw, best)
        bound_ccy = min(bound_ccy, most_ccy)
        if bound_ccy - best.value_ccy <= gap_ratio * max(1.0, abs(best.value_ccy)):
            break
        seen = value_at(trial_mw)
        if seen is not None and seen.value_ccy > best.value_ccy:
            best = seen
    return value_at.plan(best.peak_mw, bound_ccy)


def _highest_point(cuts: list[Seen], box_mw: Floats, origin: Seen) -> tuple[Floats, float]:
    """Peaks at which the cuts allow the most, and how much; measured from `origin` to keep figures small."""
    model = Model()
    periods = len(box_mw)
    model.add_columns("rise", (1,), value=1.0, low=-np.inf, high=np.inf)
    low_mw, high_mw = (box_mw - origin.peak_mw[:, None]).T
    model.add_columns("move", (periods,), value=0.0, low=low_mw, high=high_mw)
    slopes = np.concatenate([seen.shares_ccy[:, 1:].T for seen in cuts])
    at_mw = np.repeat(np.stack([seen.peak_mw for seen in cuts]), 2, axis=0) - origin.peak_mw
    value_ccy = np.repeat([seen.value_ccy - origin.value_ccy for seen in cuts], 2)
    rows = len(slopes)
    columns: list[tuple[NDArray[np.int64], Floats | float]] = [(np.zeros(rows, np.int64), 1.0)]
    columns += [(np.full(rows, 1 + m, np.int64), -slopes[:, m]) for m in range(periods)]
    model.add_rows("cut", rows, low=-np.inf, high=value_ccy - (slopes * at_mw).sum(axis=1), entries=columns)
    highs = model.to_highs()
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return origin.peak_mw, np.inf
    move_mw = np.array(highs.getSolution().col_value)[1:]
    return origin.peak_mw + move_mw, origin.value_ccy + float(highs.getObjectiveValue())
