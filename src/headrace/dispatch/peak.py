"""The monthly peak charge: search each period's peak around the exact solver.

With import above the peak D allowed at an extra charge, the optimal value is concave and piecewise linear in D, and
every solve gives its exact one-sided slopes. Each period keeps a bracket: a peak left of its best one and a peak right
of it, each with its tangent. The tangents cross at the next trial, which lands on the best kink after a few solves;
where a bracket shrinks slowly its middle is tried instead. Periods touch only through the energy stored at their
border, so all are searched at once.

Whatever the search did, the plan is feasible and its distance from the optimum is known (`Plan.peak_gap_ccy`): for one
period from where the tangents cross; for several, the duals from both ends of each bracket, mixed so that their slopes
cancel, give a value no plan can exceed. If that leaves a gap, the periods do lean on each other, and a joint search
closes it.
"""

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.peak_value import PeakValue, search_jointly
from headrace.dispatch.plan import Plan
from headrace.dispatch.problem import Peak, Problem

__all__ = ["solve_with_peak"]

Floats = NDArray[np.float64]

GAP_RATIO = 1e-11
"""A period's search ends when its bracket can't gain more than this share of the value."""
GAP_WANTED_RATIO = 1e-10
"""Gap over value below which no joint search over the periods is needed."""
SLOPE_RATIO = 1e-9
"""Slope that counts as none, per K."""
FAR_RATIO = 4.0
"""Finite stand-in for an infinite dual, per the largest finite one: beyond every price, whatever the efficiency."""
PASSES_MAX = 80
"""Solves after which the search ends with the gap it has."""


class _Period:
    """The search in one billing period."""

    def __init__(self, span: slice, so_far_mw: float, most_mw: float, flat_ccy_per_mw: float) -> None:
        self.span = span
        self.low_mw, self.high_mw = so_far_mw, max(so_far_mw, most_mw)
        self.floor_mw, self.most_mw = self.low_mw, self.high_mw
        self.low_line: tuple[float, float] | None = None
        self.high_line: tuple[float, float] | None = None
        self.rising = self.falling = np.zeros((0, 0))
        self.trial_mw = so_far_mw
        self.best_mw = so_far_mw
        self.is_done = False
        self.bound_ccy = np.inf
        self._flat = flat_ccy_per_mw

    def learn(self, share: Floats, ends: Floats, tolerance_ccy: float) -> None:
        """Take in what a solve at `trial_mw` says, and choose the next trial."""
        value, right, left = (float(x) for x in share)
        at_mw, flat = self.trial_mw, self._flat
        width_mw = self.high_mw - self.low_mw
        if right <= flat and (left >= -flat or at_mw <= self.floor_mw):
            self.rising, self.falling = (
                _duals(ends[:, self.span], high=True),
                _duals(ends[:, self.span], high=False),
            )
            self.low_line, self.high_line = (value, left), (value, right)
            self.low_mw = self.best_mw = at_mw
            self.is_done, self.bound_ccy = True, value
            return
        if right > flat:
            self.low_mw, self.low_line = at_mw, (value, right)
            self.rising = _duals(ends[:, self.span], high=False)
        else:
            self.high_mw, self.high_line = at_mw, (value, left)
            self.falling = _duals(ends[:, self.span], high=True)
        if self.low_line is None or self.high_line is None:
            self.trial_mw = self.most_mw
            return
        (low, rise), (high, fall) = self.low_line, self.high_line
        self.best_mw = self.low_mw if low >= high else self.high_mw
        cross_mw = self.low_mw + (high - low - fall * (self.high_mw - self.low_mw)) / (rise - fall)
        gain_ccy = low + rise * (cross_mw - self.low_mw) - max(low, high)
        self.is_done = gain_ccy <= tolerance_ccy
        self.bound_ccy = max(low, high) + max(gain_ccy, 0.0)
        is_slow = self.high_mw - self.low_mw > 0.5 * width_mw
        is_inside = self.low_mw < cross_mw < self.high_mw
        self.trial_mw = cross_mw if is_inside and not is_slow else 0.5 * (self.low_mw + self.high_mw)

    def mixed_duals(self) -> Floats:
        """Duals (λ, μ) whose pressure on the peak is nil, or downward where it stays at its floor; shape (2, steps)."""
        if (self.best_mw <= self.floor_mw and self.is_done) or not self.rising.size:
            return self.falling
        if not self.falling.size or self.low_line is None or self.high_line is None:
            return self.rising
        rise, fall = self.low_line[1], self.high_line[1]
        share = rise / (rise - fall) if rise > fall else 0.0
        return (1.0 - share) * self.rising + share * self.falling


def _duals(ends: Floats, *, high: bool) -> Floats:
    """Balance and storage duals of some steps, all low ends or all high ends; infinite ends far out but finite."""
    far = FAR_RATIO * (1.0 + float(np.abs(ends[np.isfinite(ends)]).max(initial=0.0)))
    return np.clip(ends.reshape(2, 2, -1)[:, int(high)], -far, far)


def solve_with_peak(problem: Problem) -> Plan | None:
    """Best plan of a problem with a peak charge, or None if no plan exists."""
    peak = problem.peak
    if peak is None:
        return None
    value_at = PeakValue(problem, peak)
    periods = _periods(problem, peak)
    for _ in range(PASSES_MAX):
        seen = value_at(np.array([p.best_mw if p.is_done else p.trial_mw for p in periods]))
        if seen is None:
            return None
        tolerance_ccy = GAP_RATIO * max(1.0, abs(seen.value_ccy)) / len(periods)
        for period, share in zip(periods, seen.shares_ccy, strict=True):
            if not period.is_done:
                period.learn(share, seen.duals_ccy_per_mwh, tolerance_ccy)
        if all(p.is_done for p in periods):
            break
    best_mw = np.array([p.best_mw for p in periods])
    if len(periods) == 1:
        return value_at.plan(best_mw, periods[0].bound_ccy)
    lower_mw = np.array([p.low_mw for p in periods])
    duals = np.concatenate([p.mixed_duals() for p in periods if p.span.stop > p.span.start], axis=1)
    plan = value_at.plan(best_mw, value_at.bound_from_duals(best_mw, lower_mw, duals))
    if plan.peak_gap_ccy <= GAP_WANTED_RATIO * max(1.0, abs(plan.objective_ccy)):
        return plan
    value_at(best_mw)
    return search_jointly(value_at, np.array([(p.floor_mw, p.most_mw) for p in periods]), plan, GAP_WANTED_RATIO)


def _periods(problem: Problem, peak: Peak) -> list[_Period]:
    edges = np.searchsorted(peak.period, np.arange(len(peak.so_far_mw) + 1))
    flat_ccy_per_mw = SLOPE_RATIO * peak.charges_ccy_per_mw
    return [
        _Period(
            slice(int(a), int(b)), float(so_far_mw), float(problem.import_max_mw[a:b].max()) if b > a else 0.0, flat
        )
        for a, b, so_far_mw, flat in zip(edges[:-1], edges[1:], peak.so_far_mw, flat_ccy_per_mw.tolist(), strict=True)
    ]
