"""The simulated scheduler: who runs, what a requeue costs, and what paused work still draws."""

import pytest

from headrace.control.commands import Result
from headrace.control.workloads import WorkState
from headrace.sim.scheduler import SimulatedScheduler


class Clock:
    def __init__(self):
        self.at_s = 0.0

    def __call__(self):
        return self.at_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def scheduler(clock):
    return SimulatedScheduler(name="sim", gpus={"n00": 8, "n01": 8}, now_s=clock, requeue_delay_s=10.0)


async def test_a_pause_loses_no_work_and_stops_the_count(scheduler, clock):
    job = scheduler.submit(tier="flex1", gpus=8, work_s=100.0)
    clock.at_s = 30.0
    await scheduler.pause([job])
    clock.at_s = 90.0
    assert scheduler.done_s(job) == 30.0
    await scheduler.resume([job])
    clock.at_s = 159.0
    assert scheduler.done_s(job) == 99.0


@pytest.mark.parametrize(("signal", "kept_s"), [("", 20.0), ("USR1", 25.0)])
async def test_a_requeue_falls_back_to_the_last_checkpoint_or_writes_one(scheduler, clock, signal, kept_s):
    job = scheduler.submit(
        tier="flex1", gpus=8, work_s=100.0, checkpoint_every_s=10.0, checkpoint_signal=signal, notice_s=5.0
    )
    clock.at_s = 25.0
    await scheduler.requeue([job])
    assert scheduler.done_s(job) == kept_s
    clock.at_s = 35.0 + 1.0
    assert scheduler.done_s(job) == kept_s + 1.0


async def test_paused_work_keeps_accelerators_and_their_idle_power_and_requeued_work_does_not(scheduler):
    flexible = [scheduler.submit(tier="flex1", gpus=8, work_s=100.0) for _ in range(2)]
    await scheduler.pause(flexible)
    firm = scheduler.submit(tier="", gpus=8, work_s=100.0)
    by_id = {work.id: work for work in (await scheduler.workloads()).workloads}
    assert by_id[firm].state is WorkState.QUEUED
    assert scheduler.power_mw(gpu_full_mw=0.001, gpu_idle_mw=0.0001) == pytest.approx(16 * 0.0001)
    await scheduler.requeue(flexible[:1])
    by_id = {work.id: work for work in (await scheduler.workloads()).workloads}
    assert (by_id[firm].state, by_id[firm].nodes) == (WorkState.RUNNING, ("n00",))
    assert scheduler.power_mw(gpu_full_mw=0.001, gpu_idle_mw=0.0001) == pytest.approx(8 * 0.001 + 8 * 0.0001)


async def test_jobs_end_and_others_start_in_between(scheduler, clock):
    first = [scheduler.submit(tier="flex1", gpus=8, work_s=10.0) for _ in range(2)]
    second = scheduler.submit(tier="flex1", gpus=16, work_s=10.0)
    clock.at_s = 15.0
    assert scheduler.done_s(second) == 5.0
    (outcome,) = await scheduler.pause(first[:1])
    assert outcome.result is Result.REFUSED


async def test_a_mute_scheduler_says_why(scheduler):
    scheduler.mute_reason = "no answer within 2 s"
    assert (await scheduler.workloads()).reason == "no answer within 2 s"
    (outcome,) = await scheduler.pause(["1"])
    assert outcome.result is Result.UNREACHABLE
