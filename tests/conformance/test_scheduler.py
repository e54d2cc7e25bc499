"""Every scheduler keeps the port's promises: the simulated one, a Kubernetes API, and a real Slurm."""

import asyncio
from contextlib import asynccontextmanager

import pytest

import slurm_cluster
from headrace.control.commands import Result
from headrace.control.workloads import WorkState
from headrace.sim.scheduler import SimulatedScheduler
from kubernetes_cases import emulated, job

STANDS = {True: WorkState.PAUSED, False: WorkState.HELD}
"""State of paused work, by whether it keeps its accelerators."""


@asynccontextmanager
async def simulated():
    scheduler = SimulatedScheduler(name="sim", gpus={"n00": 8, "n01": 8}, now_s=lambda: 0.0)
    flexible = [scheduler.submit(tier="flex1", gpus=2, work_s=100.0) for _ in range(2)]
    firm = scheduler.submit(tier="", gpus=2, work_s=100.0)
    yield scheduler, flexible, firm


@asynccontextmanager
async def kubernetes():
    async with emulated(job("a"), job("b"), job("firm", tier="")) as (_, scheduler):
        yield scheduler, ["job/ai/a", "job/ai/b"], "job/ai/firm"


@asynccontextmanager
async def slurm(cluster):
    flexible = [slurm_cluster.submit(cluster) for _ in range(2)]
    firm = slurm_cluster.submit(cluster, partition="firm")
    await asyncio.to_thread(
        cluster.wait, lambda: list(slurm_cluster.states(cluster).values()) == ["RUNNING"] * 3, "three jobs running"
    )
    yield slurm_cluster.scheduler_of(cluster), flexible, firm
    await asyncio.to_thread(cluster.cancel_all)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    yield from slurm_cluster.started(tmp_path_factory, nodes=2)


@pytest.fixture(params=["simulated", "kubernetes", "slurm"])
async def case(request):
    if request.param == "slurm":
        opened = slurm(request.getfixturevalue("cluster"))
    else:
        opened = {"simulated": simulated, "kubernetes": kubernetes}[request.param]()
    async with opened as found:
        yield found


async def state_of(scheduler, work):
    listing = await scheduler.workloads()
    return next((each.state for each in listing.workloads if each.id == work), None)


async def test_flexible_work_pauses_and_resumes_and_asking_twice_is_no_error(case):
    scheduler, flexible, _ = case
    for _ in range(2):
        outcomes = await scheduler.pause(flexible)
        assert [(each.workload, each.result) for each in outcomes] == [(w, Result.ACKNOWLEDGED) for w in flexible]
        stands = STANDS[scheduler.pause_keeps_accelerators]
        assert {await state_of(scheduler, work) for work in flexible} == {stands}
    for _ in range(2):
        outcomes = await scheduler.resume(flexible)
        assert {each.result for each in outcomes} == {Result.ACKNOWLEDGED}
        assert {await state_of(scheduler, work) for work in flexible} <= {WorkState.RUNNING, WorkState.QUEUED}


async def test_firm_and_unknown_work_is_refused_one_for_one_with_a_reason(case):
    scheduler, (first, second), firm = case
    for ask in (scheduler.pause, scheduler.requeue, scheduler.resume):
        outcomes = await ask([first, firm, "nobody/of/this-name", second])
        assert [each.workload for each in outcomes] == [first, firm, "nobody/of/this-name", second]
        assert [each.result is Result.REFUSED for each in outcomes[1:3]] == [True, True], ask
        assert all(each.reason for each in outcomes[1:3])
    assert await state_of(scheduler, firm) in {WorkState.RUNNING, None}


async def test_requeued_work_is_there_afterwards_and_waits_or_runs_again(case):
    scheduler, flexible, _ = case
    outcomes = await scheduler.requeue(flexible)
    assert {each.result for each in outcomes} == {Result.ACKNOWLEDGED}, outcomes
    assert {await state_of(scheduler, work) for work in flexible} <= {WorkState.QUEUED, WorkState.RUNNING}


async def test_nothing_asked_for_nothing_done(case):
    scheduler, _, _ = case
    assert await scheduler.pause([]) == await scheduler.resume([]) == await scheduler.requeue([]) == ()
