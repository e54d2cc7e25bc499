"""Batch jobs: the network simplex against the reference linear programme, and what must hold in every fluid plan."""

import msgspec
import numpy as np
import pytest

from headrace.dispatch.jobs.lp.reference import solve_jobs_reference
from headrace.dispatch.jobs.plan import JobPlan, Method
from headrace.dispatch.jobs.solve import solve_jobs
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.problem import Peak
from headrace.dispatch.solve import solve
from jobs_cases import random_case

FEW = range(40)
MANY = [range(first, first + 60) for first in range(40, 640, 60)]
OBJECTIVE_RATIO = 1e-9
AT_MW = 1e-6
DUAL_RATIO = 1e-6


def _equal(seeds):
    for seed in seeds:
        problem, window = random_case(seed)
        plan, reference = solve_jobs(problem, window), solve_jobs_reference(problem, window)
        if reference is None:
            assert isinstance(plan, Infeasible), f"seed {seed}"
            continue
        assert isinstance(plan, JobPlan), f"seed {seed}"
        assert plan.method is Method.NETWORK, f"seed {seed}: the certificate failed"
        error = abs(plan.objective_ccy - reference.objective_ccy) / max(1.0, abs(reference.objective_ccy))
        assert error <= OBJECTIVE_RATIO, f"seed {seed}: {plan.objective_ccy} against {reference.objective_ccy}"


@pytest.mark.inv("D4")
def test_the_network_simplex_finds_the_optimum_of_the_reference():
    _equal(FEW)


@pytest.mark.slow
@pytest.mark.inv("D4")
@pytest.mark.parametrize("seeds", MANY, ids=lambda batch: f"seeds {batch.start}..{batch.stop - 1}")
def test_the_network_simplex_finds_the_optimum_of_the_reference_on_600_more(seeds):
    _equal(seeds)


@pytest.fixture(scope="module")
def plans():
    """(seed, problem, window, plan) of the cases that have a plan."""
    cases = [(seed, *random_case(seed)) for seed in FEW]
    solved = [(seed, problem, window, solve_jobs(problem, window)) for seed, problem, window in cases]
    return [case for case in solved if isinstance(case[3], JobPlan)]


def test_cost_and_the_bound_of_the_duals_meet(plans):
    for seed, _, _, plan in plans:
        assert abs(plan.gap_ratio) <= OBJECTIVE_RATIO, f"seed {seed}"
        assert plan.residual_mw <= AT_MW, f"seed {seed}"


@pytest.mark.inv("D8")
def test_no_cluster_limit_is_exceeded_and_no_work_is_done_outside_a_jobs_steps(plans):
    for seed, _, window, plan in plans:
        assert (plan.draw_mw <= window.cluster_max_mw + AT_MW).all(), f"seed {seed}"
        assert (plan.power_mw >= -AT_MW).all(), f"seed {seed}"
        assert (plan.power_mw <= window.power_max_mw + AT_MW).all(), f"seed {seed}"
        dense = plan.job_mw
        for j in range(window.jobs):
            count = window.begin[j + 1] - window.begin[j]
            assert not dense[j, : window.first[j]].any(), f"seed {seed}"
            assert not dense[j, window.first[j] + count :].any(), f"seed {seed}"


@pytest.mark.inv("E1")
def test_the_bus_balances_with_the_clusters_and_their_cooling(plans):
    for seed, problem, window, plan in plans:
        core = plan.core
        given = core.import_mw + core.source_mw.sum(axis=0) + core.discharge_mw
        taken = core.export_mw + core.use_mw.sum(axis=0) + core.charge_mw
        jobs = np.zeros_like(window.pue_ratio)
        np.add.at(jobs, (window.cluster[window.job_of_power], window.step_of_power), plan.power_mw)
        need = problem.firm_mw + (window.pue_ratio * jobs).sum(axis=0)
        assert np.abs(given - taken - need).max() <= AT_MW, f"seed {seed}"


def test_work_done_and_undone_make_up_what_each_job_needs(plans):
    for seed, problem, window, plan in plans:
        done = np.bincount(
            window.job_of_power, plan.power_mw * problem.step_h[window.step_of_power], minlength=window.jobs
        )
        assert np.abs(done + plan.unserved_mwh - window.work_mwh).max(initial=0.0) <= AT_MW, f"seed {seed}"


@pytest.mark.inv("D5")
def test_the_price_lies_between_the_bid_and_ask_around_the_jobs(plans):
    for seed, _, _, plan in plans:
        slack = DUAL_RATIO * np.maximum(1.0, np.abs(plan.price_ccy_per_mwh))
        assert (plan.price_ccy_per_mwh >= plan.core.bid_ccy_per_mwh - slack).all(), f"seed {seed}"
        assert (plan.price_ccy_per_mwh <= plan.core.ask_ccy_per_mwh + slack).all(), f"seed {seed}"


def test_a_job_that_runs_in_part_pays_the_bus_and_the_room_exactly_its_worth(plans):
    for seed, _, window, plan in plans:
        j, t = window.job_of_power, window.step_of_power
        k = window.cluster[j]
        pays = window.pue_ratio[k, t] * plan.price_ccy_per_mwh[t] + plan.rent_ccy_per_mwh[k, t]
        pays = pays + window.late_ccy_per_mwh
        inside = (plan.power_mw > AT_MW) & (plan.power_mw < window.power_max_mw - AT_MW)
        inside &= plan.draw_mw[k, t] > AT_MW
        worth = plan.worth_ccy_per_mwh[j]
        slack = DUAL_RATIO * np.maximum(1.0, np.abs(worth))
        assert (np.abs(pays - worth) <= slack)[inside].all(), f"seed {seed}"


@pytest.mark.inv("D3")
def test_more_cluster_never_lowers_the_optimum(plans):
    for seed, problem, window, plan in plans[:20]:
        wider = msgspec.structs.replace(window, cluster_max_mw=window.cluster_max_mw * 1.5 + 1.0)
        more = solve_jobs(problem, wider)
        assert more.objective_ccy >= plan.objective_ccy - OBJECTIVE_RATIO * abs(plan.objective_ccy), f"seed {seed}"


def test_the_plan_depends_on_the_problem_alone(plans):
    for _, problem, window, plan in plans[:10]:
        again = solve_jobs(problem, window)
        assert (again.power_mw == plan.power_mw).all()
        assert (again.worth_ccy_per_mwh == plan.worth_ccy_per_mwh).all()


def test_without_jobs_the_plan_is_the_cores():
    problem, window = random_case(3, jobs_max=1)
    assert window.jobs == 0
    plan, core = solve_jobs(problem, window), solve(problem)
    assert isinstance(plan, JobPlan)
    assert isinstance(core, Plan)
    assert plan.objective_ccy == pytest.approx(core.objective_ccy, rel=1e-12)


def test_a_peak_charge_is_answered_by_the_linear_programme():
    problem, window = random_case(5)
    peak = Peak(charge_ccy_per_mw=400.0, period=np.zeros(problem.steps, np.int64), so_far_mw=np.array([10.0]))
    charged = msgspec.structs.replace(problem, peak=peak)
    plan, reference = solve_jobs(charged, window), solve_jobs_reference(charged, window)
    assert plan.method is Method.LINEAR_PROGRAMME
    assert plan.objective_ccy == pytest.approx(reference.objective_ccy, rel=1e-7)
