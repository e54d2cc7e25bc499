"""The reference campus with a batch cluster over a period: what each way of running its jobs earns.

Every control step a policy sees the price of the step, the day-ahead prices known, the present PUE and the jobs that
are booked; it sets the site and the jobs, and the step is paid at its true price. A job's value is earned for the work
done by its deadline, in proportion.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.closed_loop import LoopPrices, LoopSite
from headrace.dispatch.jobs.first import first_step
from headrace.dispatch.jobs.gangs import GangPlan
from headrace.dispatch.jobs.layout import job_window
from headrace.dispatch.jobs.plan import JobPlan
from headrace.dispatch.jobs.solve import solve_jobs
from headrace.dispatch.outlook import PRICE_FADE_S, WEATHER_FADE_S
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.policies.rolling import FINE_S
from headrace.dispatch.problem import Problem
from headrace.dispatch.telescope import window_grid
from headrace.energy.forecast_kernel import fill_forecast
from headrace.loads.jobs import NEW, Job, JobCluster, JobState, advance

__all__ = ["JobsRun", "run_asap", "run_bound", "run_rolling_jobs"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DONE_MWH: Final = 1e-9


class JobsRun(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What one way of running the jobs earned and did."""

    worth_ccy: float
    """Margin of the site, value of the work done in time, and worth of the energy left in store."""
    unfinished: int
    """Jobs not complete at their deadline."""
    restarts: int
    """Starts of a gang after a stop."""
    gap_ratio: float
    """Gangs: mean over the steps of what placing them loses against the window's fluid bound, at most, per that bound;
    0 without gangs."""
    undone_ccy: float
    """Value of the work not done in time."""
    draw_mw: Floats
    """IT power of the cluster in each step, shape (T,)."""


def run_rolling_jobs(
    site: LoopSite,
    prices: LoopPrices,
    jobs: Sequence[Job],
    cluster: JobCluster,
    *,
    start_s: int,
    horizon_s: int,
    notice_s: int,
    end_value_ccy_per_mwh: float,
) -> JobsRun:
    """Plan the window anew in every control step and apply its first step.

    Parameters
    ----------
    site, prices
        The campus and what energy costs.
    jobs, cluster
        The jobs, by release, and the machines they share.
    start_s
        Start of the first step, epoch seconds.
    horizon_s, notice_s
        How far the plan looks, and how long before its release a job is known, seconds.
    end_value_ccy_per_mwh
        Worth of a MWh left in store at the end of the period.
    """
    step_s = round(site.step_h * 3600.0)
    end_s = start_s + site.steps * step_s
    states: list[JobState] = [NEW] * len(jobs)
    stored, margin, gaps, draw = site.battery.stored_start_mwh, 0.0, 0.0, np.zeros(site.steps)
    release_s = np.array([job.release_s for job in jobs])
    deadline_s = np.array([job.deadline_s for job in jobs])
    for t in range(site.steps):
        now_s = start_s + t * step_s
        starts, step_h = window_grid(now_s=now_s, step_s=step_s, fine_s=FINE_S, horizon_s=horizon_s, end_s=end_s)
        problem, pue = _expected(site, prices, t, starts - start_s, step_h, stored)
        booked = np.nonzero((release_s <= now_s + notice_s) & (deadline_s > now_s))[0].tolist()
        answer = first_step(
            problem,
            [jobs[i] for i in booked],
            [states[i] for i in booked],
            (cluster,),
            starts_s=starts,
            pue_ratio=pue[None],
        )
        if isinstance(answer, Infeasible):
            raise RuntimeError(f"no plan in step {t}: {answer}")
        for i, power_mw in zip(booked, answer.power_mw, strict=True):
            after = advance(jobs[i], states[i], float(power_mw), step_s)
            draw[t] += (after.drawn_mwh - states[i].drawn_mwh) / site.step_h
            states[i] = after
        if isinstance(answer.plan, GangPlan):
            gaps += answer.plan.gap_ccy / abs(answer.plan.fluid.objective_ccy)
        margin += _earned(problem, answer.core)
        stored = float(answer.core.stored_mwh[1])
    return JobsRun(
        worth_ccy=margin + end_value_ccy_per_mwh * stored + _value(jobs, states),
        unfinished=sum(state.done_mwh < job.work_mwh - DONE_MWH for job, state in zip(jobs, states, strict=True)),
        restarts=sum(state.restarts for state in states),
        gap_ratio=gaps / site.steps,
        undone_ccy=sum(job.value_ccy for job in jobs) - _value(jobs, states),
        draw_mw=draw,
    )


def run_asap(
    site: LoopSite,
    prices: LoopPrices,
    jobs: Sequence[Job],
    cluster: JobCluster,
    *,
    start_s: int,
    end_value_ccy_per_mwh: float,
) -> JobsRun:
    """Everything always on, battery idle, jobs as soon as possible, the earliest deadline first.

    A gang waits until its nodes are free and is never stopped; what the connection cannot carry is cut from the uses,
    the cheapest first.
    """
    step_s = round(site.step_h * 3600.0)
    states: list[JobState] = [NEW] * len(jobs)
    draw = np.zeros(site.steps)
    order = sorted(range(len(jobs)), key=lambda i: jobs[i].deadline_s)
    for t in range(site.steps):
        now_s = start_s + t * step_s
        nodes, power = cluster.nodes, cluster.it_max_mw
        live = [i for i in order if jobs[i].release_s <= now_s < jobs[i].deadline_s]
        live = [i for i in live if states[i].done_mwh < jobs[i].work_mwh - DONE_MWH]
        for i in sorted(live, key=lambda i: not (states[i].is_running and not jobs[i].is_malleable)):
            job = jobs[i]
            given = min(job.power_mw, power) if job.is_malleable else job.power_mw * (job.nodes <= nodes)
            nodes -= 0 if job.is_malleable or given == 0.0 else job.nodes
            power -= given
            after = advance(job, states[i], given, step_s)
            draw[t] += (after.drawn_mwh - states[i].drawn_mwh) / site.step_h
            states[i] = after
    return JobsRun(
        worth_ccy=_always_on_ccy(site, prices, draw)
        + end_value_ccy_per_mwh * site.battery.stored_start_mwh
        + _value(jobs, states),
        unfinished=sum(state.done_mwh < job.work_mwh - DONE_MWH for job, state in zip(jobs, states, strict=True)),
        restarts=0,
        gap_ratio=0.0,
        undone_ccy=sum(job.value_ccy for job in jobs) - _value(jobs, states),
        draw_mw=draw,
    )


def run_bound(problem: Problem, jobs: Sequence[Job], cluster: JobCluster, *, starts_s: Ints, pue: Floats) -> JobPlan:
    """The fluid problem of the whole period with perfect foresight: one solve."""
    window = job_window(
        jobs, [NEW] * len(jobs), (cluster,), starts_s=starts_s, step_h=problem.step_h, pue_ratio=pue[None]
    )
    plan = solve_jobs(problem, window)
    if isinstance(plan, Infeasible):
        raise RuntimeError(f"no plan for the period: {plan}")
    return plan


def _value(jobs: Sequence[Job], states: Sequence[JobState]) -> float:
    return sum(job.value_ccy * state.done_mwh / job.work_mwh for job, state in zip(jobs, states, strict=True))


def _expected(
    site: LoopSite, prices: LoopPrices, t: int, times_s: Ints, step_h: Floats, stored_mwh: float
) -> tuple[Problem, Floats]:
    """Problem of a window as step t sees it, and PUE in its steps; forecasts as in `headrace.dispatch.closed_loop`."""
    step_s = round(site.step_h * 3600.0)
    price, pue = np.empty(len(times_s)), np.empty(len(times_s))
    fill_forecast(
        price, times_s, t * step_s, prices.day_ahead_ccy_per_mwh, 0, step_s, int(prices.day_ahead_known_steps[t]),
        float(prices.settled_ccy_per_mwh[t]), t * step_s, step_s, PRICE_FADE_S, 0, 1,
    )  # fmt: skip
    fill_forecast(
        pue, times_s, t * step_s, site.pue_ratio, 0, step_s, t + 1,
        float(site.pue_ratio[t]), t * step_s, step_s, WEATHER_FADE_S, 1, 1,
    )  # fmt: skip
    steps = len(times_s)
    mean = float(price @ step_h / step_h.sum())
    none = np.zeros((0, steps))
    problem = Problem(
        step_h=step_h,
        import_cost_ccy_per_mwh=price + site.import_adder_ccy_per_mwh,
        export_value_ccy_per_mwh=price - site.export_deduction_ccy_per_mwh,
        import_max_mw=np.full(steps, site.import_max_mw),
        export_max_mw=np.full(steps, site.export_max_mw),
        firm_mw=site.firm_it_mw * pue,
        use_names=site.use_names,
        use_value_ccy_per_mwh=site.use_known_ccy_per_mwh[:, t, None] / pue,
        use_max_mw=site.use_it_max_mw[:, None] * pue,
        source_names=(),
        source_cost_ccy_per_mwh=none,
        source_min_mw=none,
        source_max_mw=none,
        battery=site.battery,
        stored_mwh=stored_mwh,
        end_value_ccy_per_mwh=site.battery.discharge_efficiency_ratio * (mean - site.export_deduction_ccy_per_mwh),
        peak=None,
    )
    return problem, pue


def _earned(problem: Problem, plan: Plan) -> float:
    """Margin of the first step, whose price and PUE are the true ones."""
    battery = problem.battery
    assert battery is not None
    rate = float(problem.use_value_ccy_per_mwh[:, 0] @ plan.use_mw[:, 0])
    rate += float(problem.export_value_ccy_per_mwh[0] * plan.export_mw[0])
    rate -= float(problem.import_cost_ccy_per_mwh[0] * plan.import_mw[0])
    rate -= battery.wear_ccy_per_mwh * float(plan.discharge_mw[0])
    return rate * float(problem.step_h[0])


def _always_on_ccy(site: LoopSite, prices: LoopPrices, draw_mw: Floats) -> float:
    """Margin with every use at full width as far as the connection carries it beside the jobs."""
    room = site.import_max_mw - (site.firm_it_mw + draw_mw) * site.pue_ratio
    bought = site.import_max_mw - room
    margin = np.zeros(site.steps)
    # Dearest first, so that what the connection cannot carry is the cheapest; the reference campus lists them so.
    for n in range(len(site.use_names)):
        taken = np.minimum(site.use_it_max_mw[n] * site.pue_ratio, np.maximum(room, 0.0))
        margin += taken * site.use_earned_ccy_per_mwh[n] / site.pue_ratio
        room = room - taken
        bought = bought + taken
    margin -= bought * (prices.settled_ccy_per_mwh + site.import_adder_ccy_per_mwh)
    return float(margin.sum() * site.step_h)
