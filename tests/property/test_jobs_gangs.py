"""Gangs in a closed loop on random sites: whole, left running, within their cluster; and against a MILP."""

import highspy
import numpy as np
import pytest

from dispatch_cases import lossless_battery, small_problem
from headrace.dispatch.jobs.first import FirstStep, first_step
from headrace.dispatch.jobs.gangs import GangPlan
from headrace.dispatch.jobs.lp.reference import build_jobs_reference
from headrace.loads.jobs import NEW, Job, JobCluster, advance

STEP_S = 900
CLUSTER = JobCluster(name="c", it_max_mw=10.0, nodes=10, cooling="hall")
AT_MW = 1e-6
PLACING_RATIO = 0.1


def _job(rng, n, steps, **changes):
    release = int(rng.integers(0, steps // 2))
    length = int(rng.integers(8, steps))
    nodes = int(rng.integers(1, 7))
    work = nodes * length * 0.25 * float(rng.uniform(0.1, 0.7))
    fields = {
        "name": f"job {n}",
        "cluster": "c",
        "release_s": release * STEP_S,
        "deadline_s": (release + length) * STEP_S,
        "work_mwh": work,
        "power_mw": float(nodes),
        "nodes": nodes,
        "value_ccy": work * float(rng.uniform(80.0, 400.0)),
        "is_malleable": False,
        "checkpoint_interval_s": int(rng.choice([0, 1800])),
        "restart_s": int(rng.choice([0, 600])),
        "min_run_s": int(rng.choice([0, 3600])),
    }
    return Job(**(fields | changes))


def _window(price, t, stored):
    rest = price[t:]
    steps = len(rest)
    problem = small_problem(
        import_cost_ccy_per_mwh=rest,
        step_h=np.full(steps, 0.25),
        battery=lossless_battery(),
        stored_mwh=stored,
        end_value_ccy_per_mwh=30.0,
    )
    return problem, np.arange(t, t + steps) * STEP_S, np.full((1, steps), 1.1)


@pytest.mark.inv("D9")
@pytest.mark.parametrize("seed", range(6))
def test_a_gang_runs_whole_is_left_running_and_fits_its_cluster(seed):
    rng = np.random.default_rng(seed)
    steps = 48
    price = np.clip(rng.normal(40.0, 40.0, steps), 5.0, 400.0)
    jobs = [_job(rng, n, steps, **({"is_malleable": True} if n == 0 else {})) for n in range(7)]
    states = [NEW] * len(jobs)
    stored, ran = 5.0, 0
    for t in range(steps):
        problem, starts_s, pue = _window(price, t, stored)
        answer = first_step(problem, jobs, states, (CLUSTER,), starts_s=starts_s, pue_ratio=pue)
        assert isinstance(answer, FirstStep)
        if isinstance(answer.plan, GangPlan):
            assert answer.plan.gap_ccy >= -1e-6 * abs(answer.plan.fluid.objective_ccy)
        gangs = [j for j, job in enumerate(jobs) if not job.is_malleable]
        for j in gangs:
            assert answer.power_mw[j] in {0.0, jobs[j].power_mw}
            if answer.power_mw[j] > 0.0:
                assert jobs[j].release_s <= t * STEP_S < jobs[j].deadline_s
            is_locked = states[j].is_running and states[j].since_s < jobs[j].min_run_s
            if is_locked and states[j].done_mwh < jobs[j].work_mwh - 1e-6 and t * STEP_S < jobs[j].deadline_s:
                assert answer.power_mw[j] > 0.0, f"step {t}: {jobs[j].name} was stopped within its least run"
        assert sum(jobs[j].nodes for j in gangs if answer.power_mw[j] > 0.0) <= CLUSTER.nodes
        assert answer.power_mw.sum() <= CLUSTER.it_max_mw + AT_MW
        states = [
            advance(*pair, float(power), STEP_S) for *pair, power in zip(jobs, states, answer.power_mw, strict=True)
        ]
        stored = float(answer.core.stored_mwh[1])
        ran += int((answer.power_mw > 0.0).sum())
    assert ran > 20


def _whole(problem, window, jobs):
    """Optimum with every gang's power all or nothing in each step, restarts and least runs free: a bound."""
    model = build_jobs_reference(problem, window)
    column = model.columns["job"]
    model.add_columns("on", column.shape, value=0.0, low=0.0, high=1.0)
    power = np.array([jobs[j].power_mw for j in window.job_of_power])
    model.add_rows("whole", len(column), low=0.0, high=0.0, entries=[(column, 1.0), (model.columns["on"], -power)])
    highs = model.to_highs()
    on = model.columns["on"].astype(np.int32)
    highs.changeColsIntegrality(len(on), on, np.full(len(on), highspy.HighsVarType.kInteger))
    highs.setOptionValue("solver", "choose")
    highs.run()
    return float(highs.getObjectiveValue())


@pytest.mark.parametrize("seed", range(4))
def test_placing_lies_below_the_fluid_bound_and_within_a_tenth_of_the_best_of_whole_gangs(seed):
    rng = np.random.default_rng(100 + seed)
    steps = 24
    price = np.clip(rng.normal(40.0, 40.0, steps), 5.0, 400.0)
    free = {"release_s": 0, "deadline_s": steps * STEP_S, "restart_s": 0, "min_run_s": 0, "checkpoint_interval_s": 0}
    jobs = []
    for n in range(4):
        job = _job(rng, n, steps)
        units = int(rng.integers(4, 16))
        jobs.append(_job(rng, n, steps, nodes=job.nodes, power_mw=job.power_mw, work_mwh=units * job.power_mw * 0.25,
                         value_ccy=units * job.power_mw * 50.0, **free))  # fmt: skip
    problem, starts_s, pue = _window(price, 0, 5.0)
    answer = first_step(problem, jobs, [NEW] * 4, (CLUSTER,), starts_s=starts_s, pue_ratio=pue)
    plan = answer.plan
    best = _whole(problem, plan.fluid.window, jobs)
    scale = abs(plan.fluid.objective_ccy)
    assert plan.objective_ccy <= best + 1e-6 * scale
    assert best <= plan.fluid.objective_ccy + 1e-6 * scale
    assert plan.objective_ccy >= best - PLACING_RATIO * scale
