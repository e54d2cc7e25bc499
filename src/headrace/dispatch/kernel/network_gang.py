"""The best times for one gang to run, given what power and room cost: an exact dynamic programme over its work left.

Work is counted in units of time at full speed. In each step a gang that stands may start (through its restart and its
least run) or wait; one that runs may go on or pause. The tables hold the most that can be earned from a step on, for a
gang that has never run, stands after a stop, or runs, by units of work left.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["FRESH", "PAUSED", "RUNNING", "schedule_gang"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FRESH = 0
PAUSED = 1
RUNNING = 2
NEVER = -1e300


@njit(cache=True, error_model="numpy")
def schedule_gang(
    units: Ints, gain: Floats, cost: Floats, is_open: Bools, work: int, mode: int, locked: int, restart_left: int,
    restart: int, least_run: int, idle: float, lost: int, toll: float, busy: Ints,
) -> int:  # fmt: skip
    """Choose when a gang runs.

    Parameters
    ----------
    units
        Units of time in each step, shape (T,).
    gain
        What a unit of work in each step earns, before what the unit costs, shape (T,).
    cost
        What a unit of running costs in each step, working or restarting, shape (T,).
    is_open
        Whether the gang may run in each step, shape (T,).
    work
        Units of work left; what remains at the end earns nothing.
    mode, locked, restart_left
        Where it stands: `FRESH`, `PAUSED` or `RUNNING`; units it must run on yet; units of a restart in progress.
    restart, least_run
        Units a restart takes without work; units a start commits to.
    idle
        What a unit of standing after a stop costs.
    lost
        Units of work that a later stop loses, on average.
    toll
        What a stop costs beyond the power it wastes: the room in the cluster that others miss.
    busy
        Written: units in which it runs in each step, shape (T,).

    Returns
    -------
    int
        Units of work left at the end.
    """
    steps = len(units)
    busy[:] = 0
    most = work + lost
    best = np.zeros((steps + 1, 3, most + 1))
    for t in range(steps - 1, -1, -1):
        _back(units, gain, cost, is_open, best, t, PAUSED, restart, restart + least_run, idle)
        if mode == FRESH:
            _back(units, gain, cost, is_open, best, t, FRESH, 0, least_run, 0.0)
        net = gain[t] - cost[t]
        for left in range(1, most + 1):
            stand = best[t + 1, PAUSED, min(left + lost, most)] - idle * units[t] - toll
            works = min(units[t], left)
            runs = works * net + best[t + 1, RUNNING, left - works]
            best[t, RUNNING, left] = runs if is_open[t] and runs > stand else stand
    t, left = 0, work
    if mode == RUNNING and (locked > 0 or restart_left > 0):
        t, left = _run(units, 0, left, restart_left, max(locked, 1), busy)
    while t < steps and left > 0:
        _, runs = _choose(units, gain, cost, is_open, best, t, mode, left, restart, least_run, idle, lost, toll, most)
        if runs:
            first = restart if mode == PAUSED else 0
            run = 1 if mode == RUNNING else first + least_run
            t, left = _run(units, t, left, first, run, busy)
            mode = RUNNING
        else:
            if mode == RUNNING:
                left = min(left + lost, most)
                mode = PAUSED
            t += 1
    return left


@njit(cache=True, error_model="numpy")
def _back(
    units: Ints, gain: Floats, cost: Floats, is_open: Bools, best: Floats, t: int, mode: int, first: int, run: int,
    idle: float,
) -> None:  # fmt: skip
    """Write the best of a gang that stands before step t, for every work left: wait, or start and run for `run` units.

    What a start earns is summed once for all who have work left after it; who finishes within it is summed alone.
    """
    end, done, earned, rest, waits_left = t, 0, 0.0, run, first
    while end < len(units) and is_open[end] and (rest > 0 or end == t):
        waits = min(waits_left, units[end])
        earned += (units[end] - waits) * gain[end] - units[end] * cost[end]
        done += units[end] - waits
        waits_left -= waits
        rest -= units[end]
        end += 1
    is_whole = end > t and (rest <= 0 or end == len(units))
    for left in range(1, best.shape[2]):
        stand = best[t + 1, mode, left] - idle * units[t]
        if left > done:
            runs = earned + best[end, RUNNING, left - done] if is_whole else NEVER
        else:
            runs = _finish(units, gain, cost, t, left, first)
        best[t, mode, left] = max(stand, runs)


@njit(cache=True, error_model="numpy")
def _finish(units: Ints, gain: Floats, cost: Floats, t: int, left: int, first: int) -> float:
    """What a start in step t earns that is done before its least run is over."""
    earned = 0.0
    while left > 0:
        waits = min(first, units[t])
        works = min(units[t] - waits, left)
        earned += works * gain[t] - (waits + works) * cost[t]
        first -= waits
        left -= works
        t += 1
    return earned


@njit(cache=True, error_model="numpy")
def _choose(
    units: Ints, gain: Floats, cost: Floats, is_open: Bools, best: Floats, t: int, mode: int, left: int, restart: int,
    least_run: int, idle: float, lost: int, toll: float, most: int,
) -> tuple[float, bool]:  # fmt: skip
    """Most that can be earned from step t on, and whether the gang runs in it."""
    if mode == RUNNING:
        stand = best[t + 1, PAUSED, min(left + lost, most)] - idle * units[t] - toll
        first, run = 0, 1
    elif mode == PAUSED:
        stand = best[t + 1, PAUSED, left] - idle * units[t]
        first, run = restart, restart + least_run
    else:
        stand = best[t + 1, FRESH, left]
        first, run = 0, least_run
    if not is_open[t]:
        return stand, False
    earned = 0.0
    while t < len(units) and left > 0:
        if not is_open[t]:
            if run > 0:
                return stand, False
            break
        waits = min(first, units[t])
        works = min(units[t] - waits, left)
        earned += works * gain[t] - (waits + works) * cost[t]
        first -= waits
        left -= works
        run -= units[t]
        t += 1
        if run <= 0:
            break
    earned += best[t, RUNNING, left] if left > 0 else 0.0
    return (earned, True) if earned > stand else (stand, False)


@njit(cache=True, error_model="numpy")
def _run(units: Ints, t: int, left: int, first: int, run: int, busy: Ints) -> tuple[int, int]:
    """Run from step t for `run` units, of which the first do no work: (step after, work left)."""
    while t < len(units) and left > 0:
        waits = min(first, units[t])
        works = min(units[t] - waits, left)
        busy[t] = waits + works
        first -= waits
        left -= works
        run -= units[t]
        t += 1
        if run <= 0:
            break
    return t, left
