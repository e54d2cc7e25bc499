"""Whole gangs on top of the fluid plan: each runs on all of its nodes or none, restarts, and runs on once started.

The fluid plan gives the prices: what a MWh at the bus and room in the cluster are worth in every step. Gangs are placed
one by one, those that run first, then the dearest work; each gets its best times among the nodes still free, by an
exact dynamic programme (`headrace.dispatch.kernel.network_gang`), first paying the rent of the room it takes and, where
work stays undone, once more without. Jobs that come short then go to the front and all are placed anew, some rounds;
last, each job still short is tried in the place of another, which moves. Malleable jobs keep their fluid power as far
as it fits, and the dynamic programme of the core plans the site around all of them.

The fluid optimum bounds every such plan where power is worth something (a restart at a negative price can earn more),
so `GangPlan.gap_ccy` says how much the placing can have lost at most.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.jobs.board import Board
from headrace.dispatch.jobs.plan import JobPlan
from headrace.dispatch.jobs.solve import around_jobs, lost_ccy
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve
from headrace.loads.jobs import AT_MW, Job, JobCluster, JobState, advance, lock_s

__all__ = ["GangPlan", "place_gangs"]

Floats = NDArray[np.float64]

ROUNDS_MOST: Final = 4
"""Orders tried."""
TRIALS_MOST: Final = 60
"""Exchanges tried after that."""
SHORT_UNITS: Final = 1.0
"""Work missing beyond the fluid plan's that makes a job come short, in units of time at its power."""


class GangPlan(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A plan of a site whose gangs run whole."""

    fluid: JobPlan
    """The bound, and the prices it came from."""
    core: Plan
    """The site around the gangs."""
    objective_ccy: float
    """Value of the plan, as `JobPlan.objective_ccy`."""
    gap_ccy: float
    """The fluid optimum less it: the most that a better placing could add."""
    power_mw: Floats
    """Mean IT power of each job in each of its steps, as `JobPlan.power_mw`."""
    first_mw: Floats
    """What each job is given in the first step: nothing or its whole power, unless it is malleable, shape (J,)."""


def place_gangs(
    problem: Problem, fluid: JobPlan, jobs: Sequence[Job], states: Sequence[JobState], clusters: Sequence[JobCluster]
) -> GangPlan | Infeasible:
    """Place every gang of a window.

    Parameters
    ----------
    problem
        The site without its jobs, whose steps are whole numbers of `UNIT_S`.
    fluid
        Its fluid plan.
    jobs, states, clusters
        As the plan's window was laid out from.

    Returns
    -------
    GangPlan | Infeasible
        The plan and its distance from the fluid bound.
    """
    locks = [lock_s(job, state) for job, state in zip(jobs, states, strict=True)]
    value = fluid.window.value_ccy_per_mwh
    gangs = [j for j in range(len(jobs)) if not jobs[j].is_malleable]
    order = sorted(gangs, key=lambda j: (not locks[j], not states[j].is_running, -value[j], j))
    best, least_ccy = None, np.inf
    for _ in range(ROUNDS_MOST):
        board = Board(problem, fluid, jobs, states, clusters)
        _place_all(board, order)
        cost = sum(board.cost_ccy(j) for j in gangs)
        if cost < least_ccy:
            best, least_ccy = board, cost
        short = _short(board, fluid, [j for j in order if not locks[j]])
        following = [j for j in order if locks[j]] + short + [j for j in order if not locks[j] and j not in short]
        if following == order:
            break
        order = following
    if best is None:
        best = Board(problem, fluid, jobs, states, clusters)
    _exchange(best, fluid, [j for j in gangs if not locks[j]])
    for j in range(len(jobs)):
        if jobs[j].is_malleable:
            best.pour(j)
    return _around(problem, fluid, jobs, states, best.power_mw, best.work_mwh)


def _place_all(board: Board, order: Sequence[int]) -> None:
    """Place gangs in this order, those with work undone a second time without the rent."""
    for j in order:
        board.place(j, 1.0)
    for j in order:
        if board.short_mwh(j) >= board.unit_mwh(j):
            board.lift(j)
            board.place(j, 0.0)


def _short(board: Board, fluid: JobPlan, gangs: Sequence[int]) -> list[int]:
    """Gangs that the board gives less work than the fluid plan does."""
    undone = fluid.unserved_mwh
    return [j for j in gangs if board.short_mwh(j) > undone[j] + SHORT_UNITS * board.unit_mwh(j)]


def _exchange(board: Board, fluid: JobPlan, gangs: Sequence[int]) -> None:
    """Let each gang that is short take its best times before another one, which then takes what is left."""
    value = fluid.window.value_ccy_per_mwh
    trials = 0
    for j in sorted(_short(board, fluid, gangs), key=lambda j: (-value[j] * board.short_mwh(j), j)):
        for other in sorted(gangs, key=lambda i: (value[i], i)):
            if other == j:
                continue
            if trials >= TRIALS_MOST or board.short_mwh(j) < board.unit_mwh(j):
                break
            trials += 1
            before = board.cost_ccy(j) + board.cost_ccy(other)
            given, others = board.lift(j), board.lift(other)
            board.place(j, 0.0)
            board.place(other, 0.0)
            if board.cost_ccy(j) + board.cost_ccy(other) >= before:
                board.lift(j)
                board.lift(other)
                board.put(j, *given)
                board.put(other, *others)


def _around(
    problem: Problem,
    fluid: JobPlan,
    jobs: Sequence[Job],
    states: Sequence[JobState],
    power_mw: Floats,
    work_mwh: Floats,
) -> GangPlan | Infeasible:
    """The site around the gangs; the first step with what they will really draw in it."""
    window = fluid.window
    draw = np.zeros_like(window.pue_ratio)
    np.add.at(draw, (window.cluster[window.job_of_power], window.step_of_power), power_mw)
    first = np.zeros(len(jobs))
    draw[:, 0] = 0.0
    step_s = round(float(problem.step_h[0]) * 3600.0)
    for j, (job, state) in enumerate(zip(jobs, states, strict=True)):
        begins = window.first[j] == 0 and window.begin[j + 1] > window.begin[j]
        mean = float(power_mw[window.begin[j]]) if begins else 0.0
        first[j] = mean if job.is_malleable or mean <= AT_MW else job.power_mw
        after = advance(job, state, float(first[j]), step_s)
        draw[window.cluster[j], 0] += (after.drawn_mwh - state.drawn_mwh) / float(problem.step_h[0])
    core = solve(around_jobs(problem, window, draw))
    if isinstance(core, Infeasible):
        return core
    unserved = np.maximum(window.work_mwh - work_mwh, 0.0)
    objective = core.objective_ccy - lost_ccy(problem, window, power_mw, unserved)
    return GangPlan(
        fluid=fluid,
        core=core,
        objective_ccy=objective,
        gap_ccy=fluid.objective_ccy - objective,
        power_mw=power_mw,
        first_mw=first,
    )
