"""Batch jobs under the policies.

`rolling` decides the jobs on a beat of their own, a quarter of an hour, and the rest of the site every control step
around them: jobs run for hours and their gangs are planned in quarters of an hour, while price and demand move every
step. Between two beats the orders stand; what they draw is firm load in the site's plan, and the draw planned for later
is firm load there. A job that arrives waits for the next beat, nodes that fall free are given out on it.

By hand, `always-on` runs what comes as soon as its nodes are free and never stops it. `desk` gives free nodes to the
earliest deadline, and holds a job while power costs more than its work is worth, each state for its hold time.
"""

from math import lcm
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.assemble import pue_of
from headrace.dispatch.jobs.first import first_step
from headrace.dispatch.jobs.gangs import GangPlan
from headrace.dispatch.jobs.plan import JobPlan
from headrace.dispatch.outlook import Outlook, expected
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies.job_orders import JobOrder, JobsAhead
from headrace.dispatch.problem import Problem
from headrace.dispatch.uses import SiteModel
from headrace.loads.jobs import Job, JobState, advance, lock_s

if TYPE_CHECKING:
    from headrace.dispatch.policies.proposal import Memory, Sight

__all__ = ["beat_s", "is_beat", "jobs_by_hand", "orders_in_force", "plan_jobs", "pue_of_clusters", "with_draw"]

Floats = NDArray[np.float64]

UNIT_S: Final = 900
"""Gangs are planned in these, seconds (`headrace.dispatch.jobs.gangs`)."""
AT_MW: Final = 1e-9
"""Power this small is none, MW."""


def beat_s(step_s: int) -> int:
    """How often jobs are decided at a site with this control step, seconds."""
    return lcm(step_s, UNIT_S)


def is_beat(model: SiteModel, sight: "Sight") -> bool:
    """Is it time to decide the jobs anew?"""
    return not sight.memory.jobs.starts_s or sight.now_s % beat_s(model.site.control_step_s) == 0


def plan_jobs(model: SiteModel, sight: "Sight", problem: Problem, outlook: Outlook) -> "Memory":
    """Solve the window with its jobs: orders until the next beat, and what jobs are to draw later.

    Parameters
    ----------
    model, sight
        The site and what may be seen.
    problem, outlook
        The site without its jobs on the window's steps, the first as long as a beat, and what is expected on them.

    Returns
    -------
    Memory
        Where no plan serves the firm load beside the jobs, nothing is ordered: the jobs that run are stopped.
    """
    jobs = sight.jobs
    assert jobs is not None
    clusters = model.site.job_clusters
    starts_s = outlook.starts_s
    draw = np.zeros(problem.steps)
    orders: tuple[JobOrder, ...] = ()
    gap_ratio = 0.0
    if jobs.at:
        pue = pue_of_clusters(model, outlook.temp_c)
        answer = first_step(problem, jobs.jobs, jobs.states, clusters, starts_s=starts_s, pue_ratio=pue)
        if not isinstance(answer, Infeasible):
            orders = tuple(
                JobOrder(job=at, power_mw=float(mw), bid_ccy_per_mwh=float(bid))
                for at, mw, bid in zip(jobs.at, answer.power_mw, answer.bid_ccy_per_mwh, strict=True)
                if mw > AT_MW
            )
            draw = planned_draw_mw(answer.plan)
            if isinstance(answer.plan, GangPlan):
                gap_ratio = answer.plan.gap_ccy / max(1.0, abs(answer.plan.fluid.objective_ccy))
    ahead = JobsAhead(
        orders=orders, starts_s=tuple(starts_s.tolist()), draw_mw=tuple(draw.tolist()), gap_ratio=gap_ratio
    )
    return msgspec.structs.replace(sight.memory, jobs=ahead)


def planned_draw_mw(plan: GangPlan | JobPlan) -> Floats:
    """What the jobs of a plan draw at the bus in each step."""
    window = plan.fluid.window if isinstance(plan, GangPlan) else plan.window
    step = window.step_of_power
    pue = window.pue_ratio[window.cluster[window.job_of_power], step]
    draw = np.zeros(window.steps)
    np.add.at(draw, step, pue * plan.power_mw)
    return draw


def orders_in_force(sight: "Sight", ahead: JobsAhead) -> tuple[JobOrder, ...]:
    """The orders of the last beat for jobs that can still run."""
    assert sight.jobs is not None
    live = frozenset(sight.jobs.at)
    return tuple(order for order in ahead.orders if order.job in live)


def with_draw(
    model: SiteModel,
    sight: "Sight",
    problem: Problem,
    outlook: Outlook,
    orders: tuple[JobOrder, ...],
    ahead: JobsAhead | None,
) -> Problem:
    """The site's problem with its jobs as firm load: now what the orders draw, later what the last beat planned."""
    draw = np.zeros(problem.steps)
    if ahead is not None and ahead.starts_s:
        at = np.searchsorted(np.array(ahead.starts_s), outlook.starts_s, side="right") - 1
        draw = np.array(ahead.draw_mw)[at]
    draw[0] = _present_draw_mw(model, sight, orders, outlook)
    return msgspec.structs.replace(problem, firm_mw=problem.firm_mw + draw)


def jobs_by_hand(model: SiteModel, sight: "Sight", problem: Problem, *, for_price: bool) -> tuple[JobOrder, ...]:
    """What a rule of thumb runs in this interval.

    Parameters
    ----------
    model, sight
        The site and what may be seen.
    problem
        The site without its jobs in this one interval.
    for_price
        Earliest deadline first and off above break-even (`desk`), or first come, first served at any price
        (`always-on`).
    """
    now = sight.jobs
    if now is None or not now.at:
        return ()
    clusters = {cluster.name: cluster for cluster in model.site.job_clusters}
    pue = dict(zip(clusters, _present_pue(model, sight), strict=True))
    nodes = {name: cluster.nodes for name, cluster in clusters.items()}
    room_mw = {name: cluster.it_max_mw for name, cluster in clusters.items()}
    bus_mw = float(problem.import_max_mw[0] + problem.source_max_mw[:, 0].sum() - problem.firm_mw[0])
    price = float(problem.import_cost_ccy_per_mwh[0])
    hold_s = model.site.desk.hold_s

    def turn(i: int) -> tuple[bool, int, int]:
        job, state = now.jobs[i], now.states[i]
        return not (state.is_running and not job.is_malleable), job.deadline_s if for_price else job.release_s, i

    orders = []
    for i in sorted(range(len(now.at)), key=turn):
        job, state = now.jobs[i], now.states[i]
        worth = job.value_ccy / job.work_mwh / pue[job.cluster]
        if for_price and not _may_run(job, state, worth > price, hold_s):
            continue
        above_mw = bus_mw - _dearer_mw(problem, worth)
        power_mw = min(job.power_mw, room_mw[job.cluster], max(above_mw, 0.0) / pue[job.cluster])
        if not job.is_malleable:
            fits = nodes[job.cluster] >= job.nodes and power_mw >= job.power_mw * (1.0 - AT_MW)
            if not (fits or state.is_running):
                continue
            nodes[job.cluster] -= job.nodes
            power_mw = job.power_mw
        if power_mw > AT_MW:
            room_mw[job.cluster] -= power_mw
            bus_mw -= power_mw * pue[job.cluster]
            orders.append(JobOrder(job=now.at[i], power_mw=power_mw, bid_ccy_per_mwh=worth))
    return tuple(orders)


def pue_of_clusters(model: SiteModel, temp_c: Floats) -> Floats:
    """PUE of each job cluster at each temperature, shape (K, T)."""
    cooling = {each.name: i for i, each in enumerate(model.site.coolings)}
    return pue_of(model, temp_c)[[cooling[cluster.cooling] for cluster in model.site.job_clusters]]


def _present_pue(model: SiteModel, sight: "Sight") -> list[float]:
    """PUE of each job cluster in this control step, as expected."""
    starts_s, step_h = np.array([sight.now_s], np.int64), np.array([model.site.control_step_s / 3600.0])
    temp_c = expected(model, sight.inputs, sight.now_s, starts_s, step_h).temp_c
    pue: list[float] = pue_of_clusters(model, temp_c)[:, 0].tolist()
    return pue


def _may_run(job: Job, state: JobState, pays: bool, hold_s: int) -> bool:
    """Does the desk let it run: what it does pays, or a change would come too soon?"""
    if lock_s(job, state) > 0:
        return True
    if state.drawn_mwh <= 0.0:
        return pays
    return pays if pays == state.is_running or state.since_s >= hold_s else state.is_running


def _dearer_mw(problem: Problem, worth_ccy_per_mwh: float) -> float:
    """Width of the uses worth more: a job never takes their room."""
    dearer = problem.use_value_ccy_per_mwh[:, 0] > worth_ccy_per_mwh
    return float(problem.use_max_mw[dearer, 0].sum())


def _present_draw_mw(model: SiteModel, sight: "Sight", orders: tuple[JobOrder, ...], outlook: Outlook) -> float:
    """What jobs draw at the bus in this control step if the orders are followed."""
    assert sight.jobs is not None
    step_s = model.site.control_step_s
    power = {order.job: order.power_mw for order in orders}
    names = [cluster.name for cluster in model.site.job_clusters]
    it_mw = np.zeros(len(names))
    for at, job, state in zip(sight.jobs.at, sight.jobs.jobs, sight.jobs.states, strict=True):
        after = advance(job, state, power.get(at, 0.0), step_s)
        it_mw[names.index(job.cluster)] += (after.drawn_mwh - state.drawn_mwh) * 3600.0 / step_s
    return float(it_mw @ pue_of_clusters(model, outlook.temp_c)[:, 0])
