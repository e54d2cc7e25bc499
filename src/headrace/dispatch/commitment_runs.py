"""The runs of one unit that together are worth most, given what each step at work gains: one exact backward pass.

Over runs [i, e) from start command to stop, with r(i) the first step at minimum load,

    On_i  = −start_i + max over e ≥ up(i) of  Σ_{r(i) ≤ t < e} G_t − ρ (τ_e − τ_i) + Off_e
    Off_e = max( 0, max over i ≥ down(e) of On_i )

A run may be cut short by the horizon's end: what comes after is not this plan's.
"""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.energy.plant import Unit, UnitState

__all__ = ["Commitment", "best_runs"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Commitment(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """When one unit burns fuel, and when it is up, on T steps."""

    is_on: Flags
    """Burns fuel, shape (T,)."""
    is_ready: Flags
    """At minimum load or above, shape (T,)."""
    starts: Flags
    """Start commanded at the step's beginning, shape (T,)."""


class _Best(NamedTuple):
    """What the backward pass found."""

    stop: list[int]
    """Best stop of a run begun in each step."""
    start: list[int]
    """Best next start from each boundary on; T for none."""
    off: list[float]
    """Off_e."""


def best_runs(
    gain_ccy: Floats,
    start_ccy: Floats,
    bounds_s: Ints,
    unit: Unit,
    state: UnitState,
    *,
    permit_ccy_per_h: Floats | float = 0.0,
) -> Commitment:
    """Choose the runs of one unit that together are worth most.

    Parameters
    ----------
    gain_ccy
        G: gain of each step at work, shape (T,).
    start_ccy
        Cost of a start commanded at each step, shape (T,).
    bounds_s
        Step boundaries, epoch seconds, shape (T+1,).
    unit, state
        The unit, and what it is doing at the first boundary.
    permit_ccy_per_h
        ρ: worth of a permit hour, one or of each step.
    """
    steps = len(gain_ccy)
    total = np.concatenate(([0.0], np.cumsum(gain_ccy)))
    burnt = np.concatenate(([0.0], np.cumsum(np.diff(bounds_s) / 3600.0 * permit_ccy_per_h)))
    ready = np.minimum(np.searchsorted(bounds_s, bounds_s[:-1] + unit.start_s), steps).tolist()
    earliest = np.searchsorted(bounds_s, bounds_s[:-1] + unit.up_min_s)
    stop_from = np.clip(earliest, np.arange(1, steps + 1), steps).tolist()
    start_from = np.searchsorted(bounds_s, bounds_s + unit.down_min_s).tolist()
    best = _backward(total.tolist(), burnt.tolist(), start_ccy.tolist(), ready, stop_from, start_from)

    is_on, is_ready, starts = np.zeros((3, steps), np.bool_)
    may_run = unit.run_max_h is None or state.run_s + unit.run_used_h * 3600.0 < unit.run_max_h * 3600.0
    if state.is_on and may_run:
        up = min(int(np.searchsorted(bounds_s, state.since_s + unit.start_s)), steps)
        soonest = min(int(np.searchsorted(bounds_s, state.since_s + unit.up_min_s)), steps)
        worth = [total[e] - total[min(up, e)] - burnt[e] + best.off[e] for e in range(soonest, steps + 1)]
        stop = soonest + int(np.argmax(worth))
        is_on[:stop], is_ready[up:stop] = True, True
        start = best.start[start_from[stop]]
    else:
        rested_s = state.since_s + unit.down_min_s if state.since_s else int(bounds_s[0])
        start = best.start[int(np.searchsorted(bounds_s, rested_s))] if may_run else steps
    while start < steps:
        stop = best.stop[start]
        starts[start] = True
        is_on[start:stop], is_ready[ready[start] : stop] = True, True
        start = best.start[start_from[stop]]
    return Commitment(is_on=is_on, is_ready=is_ready, starts=starts)


def _backward(
    total: list[float],
    burnt: list[float],
    start_cost: list[float],
    ready: list[int],
    stop_from: list[int],
    start_from: list[int],
) -> _Best:
    """On and Off of every boundary, last first; running maxima stand for the inner ones."""
    steps = len(ready)
    off = [0.0] * (steps + 1)
    stop_worth, stop_at = [0.0] * (steps + 1), list(range(steps + 1))
    start_worth, start_at = [0.0] * (steps + 2), [steps] * (steps + 2)
    stop_worth[steps] = total[steps] - burnt[steps]
    best_stop = [steps] * steps
    for i in range(steps - 1, -1, -1):
        stop = best_stop[i] = stop_at[stop_from[i]]
        on = stop_worth[stop_from[i]] - total[min(ready[i], stop)] + burnt[i] - start_cost[i]
        start_worth[i], start_at[i] = (on, i) if on > start_worth[i + 1] else (start_worth[i + 1], start_at[i + 1])
        off[i] = start_worth[start_from[i]]
        here, later = total[i] - burnt[i] + off[i], stop_worth[i + 1]
        stop_worth[i], stop_at[i] = (here, i) if here > later else (later, stop_at[i + 1])
    return _Best(best_stop, start_at, off)
