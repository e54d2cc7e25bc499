"""Whole gangs on top of the fluid plan: each runs on all of its nodes or none, restarts, and runs on once started.

The fluid plan gives the prices: what a MWh at the bus and room in the cluster are worth in every step. Gangs are then
placed one by one, running ones first, then those whose work is worth most at those prices; each gets its best times
among the nodes still free, by an exact dynamic programme (`headrace.dispatch.kernel.network_gang`). What is left undone
because room was too dear is offered once more, without the rent. Malleable jobs keep their fluid power as far as it
fits, and the dynamic programme of the core plans the site around all of them.

The fluid optimum bounds every such plan, so `GangPlan.gap_ccy` says how much the placing can have lost at most.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.jobs.plan import JobPlan
from headrace.dispatch.jobs.solve import around_jobs, lost_ccy
from headrace.dispatch.kernel.network_gang import FRESH, PAUSED, RUNNING, schedule_gang
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve
from headrace.loads.jobs import AT_MW, Job, JobCluster, JobState, advance, lock_s

__all__ = ["GangPlan", "place_gangs"]

Floats = NDArray[np.float64]

UNIT_S: Final = 900
"""Time in which gangs are planned, seconds; every step is a whole number of them."""
ROUNDS_MOST: Final = 8
"""Orders tried: after each, the jobs that came short go ahead of the others."""
SHORT_UNITS: Final = 2.0
"""Work missing beyond the fluid plan's that makes a job come short, in units of time at its power."""
SHARE_LEAST: Final = 1e-9
"""Room missing for a gang that counts as none, per its own size."""


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


class _Placing(NamedTuple):
    """Every job's power and work, and what that costs at the fluid plan's prices."""

    power_mw: Floats
    work_mwh: Floats
    cost_ccy: float


class _Free(NamedTuple):
    """What is not taken yet."""

    nodes: NDArray[np.int64]
    """Shape (K, T)."""
    it_mw: Floats
    """Shape (K, T)."""
    bus_mw: Floats
    """Shape (T,)."""


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
    room_mw = np.maximum(problem.import_max_mw + problem.source_max_mw.sum(axis=0) - problem.firm_mw, 0.0)
    locks = [lock_s(job, state) for job, state in zip(jobs, states, strict=True)]
    gangs = [j for j in range(len(jobs)) if not jobs[j].is_malleable]
    order = sorted(gangs, key=lambda j: (not locks[j], not states[j].is_running, -fluid.window.value_ccy_per_mwh[j], j))
    best: _Placing | None = None
    for _ in range(ROUNDS_MOST):
        placing = _place_in(order, problem, fluid, jobs, states, clusters, room_mw)
        if best is None or placing.cost_ccy < best.cost_ccy:
            best = placing
        short = placing.work_mwh + fluid.unserved_mwh < fluid.window.work_mwh - SHORT_UNITS * _units_mwh(jobs)
        behind = [j for j in order if short[j] and not locks[j]]
        ahead = [j for j in order if locks[j]]
        following = ahead + behind + [j for j in order if not locks[j] and not short[j]]
        if not behind or following == order:
            break
        order = following
    assert best is not None
    return _around(problem, fluid, jobs, states, best.power_mw, best.work_mwh)


def _place_in(
    order: Sequence[int],
    problem: Problem,
    fluid: JobPlan,
    jobs: Sequence[Job],
    states: Sequence[JobState],
    clusters: Sequence[JobCluster],
    room_mw: Floats,
) -> _Placing:
    """Place the gangs in this order, then the malleable jobs."""
    window = fluid.window
    nodes = np.repeat([[cluster.nodes] for cluster in clusters], problem.steps, axis=1)
    free = _Free(nodes, window.cluster_max_mw.copy(), room_mw.copy())
    power, work = np.zeros_like(fluid.power_mw), np.zeros(len(jobs))
    for rent_share in (1.0, 0.0):
        for j in order:
            if rent_share < 1.0 and work[j] >= window.work_mwh[j] - _unit_mwh(jobs[j]):
                continue
            at = slice(window.begin[j], window.begin[j + 1])
            _take(free, fluid, j, jobs[j], power[at], -1)
            power[at], work[j] = _place(problem, fluid, j, jobs[j], states[j], free, rent_share)
            _take(free, fluid, j, jobs[j], power[at], 1)
    for j in range(len(jobs)):
        if jobs[j].is_malleable:
            at = slice(window.begin[j], window.begin[j + 1])
            power[at], work[j] = _pour(problem, fluid, j, free)
            _take(free, fluid, j, jobs[j], power[at], 1)
    step = window.step_of_power
    price = window.pue_ratio[window.cluster[window.job_of_power], step] * fluid.price_ccy_per_mwh[step]
    cost = float((price + window.late_ccy_per_mwh) @ (power * problem.step_h[step]))
    return _Placing(power, work, cost + float(window.value_ccy_per_mwh @ np.maximum(window.work_mwh - work, 0.0)))


def _units_mwh(jobs: Sequence[Job]) -> Floats:
    return np.array([_unit_mwh(job) for job in jobs])


def _unit_mwh(job: Job) -> float:
    return job.power_mw * UNIT_S / 3600.0


def _steps(fluid: JobPlan, j: int) -> slice:
    first = int(fluid.window.first[j])
    return slice(first, first + int(fluid.window.begin[j + 1] - fluid.window.begin[j]))


def _take(free: _Free, fluid: JobPlan, j: int, job: Job, power_mw: Floats, sign: int) -> None:
    """Take a job's nodes and power (sign 1), or give them back (-1)."""
    k, steps = fluid.window.cluster[j], _steps(fluid, j)
    if job.is_malleable:
        free.it_mw[k, steps] -= sign * power_mw
        return
    runs = power_mw > 0.0
    free.nodes[k, steps] -= sign * job.nodes * runs
    free.it_mw[k, steps] -= sign * job.power_mw * runs
    free.bus_mw[steps] -= sign * job.power_mw * runs * fluid.window.pue_ratio[k, steps]


def _place(
    problem: Problem, fluid: JobPlan, j: int, job: Job, state: JobState, free: _Free, rent_share: float
) -> tuple[Floats, float]:
    """Best times of one gang: mean power in each of its steps, and the work done in them, MWh."""
    window = fluid.window
    k, steps, at = window.cluster[j], _steps(fluid, j), slice(window.begin[j], window.begin[j + 1])
    pue, length_s = window.pue_ratio[k, steps], problem.step_h[steps] * 3600.0
    units = np.floor(window.power_max_mw[at] / job.power_mw * length_s / UNIT_S + 1e-6).astype(np.int64)
    per_unit = _unit_mwh(job)
    price = pue * fluid.price_ccy_per_mwh[steps] + rent_share * fluid.rent_ccy_per_mwh[k, steps]
    fits = job.power_mw * (1.0 - SHARE_LEAST)
    is_open = (free.nodes[k, steps] >= job.nodes) & (free.it_mw[k, steps] >= fits) & (units > 0)
    is_open &= free.bus_mw[steps] >= fits * pue
    if window.first[j] == 0 and units[0] * UNIT_S < length_s[0]:
        is_open[0] = False  # released within this step: it starts with the next
    lost = job.checkpoint_interval_s // (2 * UNIT_S)
    need = max(int(np.ceil(window.work_mwh[j] / per_unit - 1e-9)), 0)
    busy = np.zeros(len(units), np.int64)
    mode = RUNNING if state.is_running else PAUSED if state.drawn_mwh > 0.0 else FRESH
    restart = -(-job.restart_s // UNIT_S)
    schedule_gang(
        units, np.full(len(units), window.value_ccy_per_mwh[j] * per_unit),
        (price + window.late_ccy_per_mwh[at]) * per_unit, is_open, need, mode, -(-lock_s(job, state) // UNIT_S),
        -(-int(state.restart_left_s) // UNIT_S), restart, -(-job.min_run_s // UNIT_S),
        float(job.idle_ratio * per_unit * price.mean()), int(lost),
        float((restart + lost) * per_unit * window.value_ccy_per_mwh[j]), busy,
    )  # fmt: skip
    starts = (busy > 0) & (np.concatenate(([mode == RUNNING], busy[:-1] > 0)) == 0)
    restarts = int(starts.sum()) - (mode == FRESH and bool(starts.any()))
    worked = int(busy.sum()) - max(restarts, 0) * restart
    power = np.where(units > 0, busy / np.maximum(length_s / UNIT_S, 1), 0.0) * job.power_mw
    return power, float(min(max(worked, 0) * per_unit, window.work_mwh[j]))


def _pour(problem: Problem, fluid: JobPlan, j: int, free: _Free) -> tuple[Floats, float]:
    """A malleable job's fluid power as far as it fits."""
    window = fluid.window
    steps, at = _steps(fluid, j), slice(window.begin[j], window.begin[j + 1])
    power = np.minimum(fluid.power_mw[at], np.maximum(free.it_mw[window.cluster[j], steps], 0.0))
    return power, float((power * problem.step_h[steps]).sum())


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
