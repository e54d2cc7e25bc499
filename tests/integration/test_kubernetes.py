"""The Kubernetes driver against an emulated API, through the official client: what it changes, and what it refuses."""

import kmock
import pytest

from headrace.control.commands import Result
from headrace.control.workloads import WorkState
from kubernetes_cases import JOBS, KUEUE, LIMITS, TIER, emulated, job, kueue_workload, scheduler_at


def raw(api, name, resource=JOBS):
    return api.objects[resource, "ai", name]


async def test_only_labelled_work_is_listed_with_tier_and_accelerators():
    async with emulated(job("a", active=2), job("b", tier="", active=2), job("c", suspend=True)) as (_, scheduler):
        listing = await scheduler.workloads()
        found = {work.id: work for work in listing.workloads}
        assert set(found) == {"job/ai/a", "job/ai/c"}
        assert (found["job/ai/a"].tier, found["job/ai/a"].gpus) == ("flex1", 8)
        assert found["job/ai/a"].state is WorkState.RUNNING
        assert found["job/ai/c"].state is WorkState.HELD


async def test_a_job_is_suspended_and_resumed_and_marked():
    async with emulated(job("a")) as (api, scheduler):
        (paused,) = await scheduler.pause(["job/ai/a"])
        assert (paused.result, paused.state) == (Result.ACKNOWLEDGED, WorkState.HELD)
        assert raw(api, "a")["spec"]["suspend"] is True
        assert raw(api, "a")["metadata"]["annotations"]["headrace.io/paused-by"] == "k8s"
        (resumed,) = await scheduler.resume(["job/ai/a"])
        assert resumed.result is Result.ACKNOWLEDGED
        assert raw(api, "a")["spec"]["suspend"] is False


async def test_what_its_owner_suspended_stays_suspended():
    async with emulated(job("a", suspend=True)) as (api, scheduler):
        (outcome,) = await scheduler.resume(["job/ai/a"])
        assert (outcome.result, outcome.reason) == (Result.REFUSED, "somebody else suspended it")
        assert raw(api, "a")["spec"]["suspend"] is True


async def test_a_pause_is_not_done_while_pods_are_left():
    async with emulated(job("a", active=2, grace_s=0)) as (_, scheduler):
        (outcome,) = await scheduler.pause(["job/ai/a"])
        assert outcome.result is Result.REFUSED
        assert outcome.reason == "2 of its pods are still there after 0.1 s"


async def test_a_job_that_kueue_queues_is_changed_through_its_workload_alone():
    jobs = [job("a", uid="u1", labels={"kueue.x-k8s.io/queue-name": "q"}, active=1), job("b")]
    workloads = [kueue_workload("job-a", owner="u1", admitted=False), kueue_workload("other", owner="u9")]
    async with emulated(*jobs, workloads=workloads, kueue=True) as (api, scheduler):
        listing = await scheduler.workloads()
        found = {work.id: work for work in listing.workloads}
        assert set(found) == {"workload/ai/job-a", "job/ai/b"}
        assert (found["workload/ai/job-a"].tier, found["workload/ai/job-a"].gpus) == ("flex1", 24)
        (outcome,) = await scheduler.pause(["workload/ai/job-a"])
        assert outcome.result is Result.ACKNOWLEDGED, outcome.reason
        assert raw(api, "job-a", KUEUE)["spec"]["active"] is False
        assert "suspend" not in raw(api, "a")["spec"]


async def test_a_conflict_is_read_again_and_tried_again():
    async with emulated(job("a", resourceVersion="7")) as (api, scheduler):
        api.conflicts = 2
        (outcome,) = await scheduler.pause(["job/ai/a"])
        assert outcome.result is Result.ACKNOWLEDGED, outcome.reason
        assert api.conflicts == 0
        assert raw(api, "a")["spec"]["suspend"] is True


async def test_endless_conflicts_are_told():
    async with emulated(job("a")) as (api, scheduler):
        api.conflicts = 99
        (outcome,) = await scheduler.pause(["job/ai/a"])
        assert (outcome.result, outcome.reason) == (Result.REFUSED, "changed by somebody else 5 times in a row")


@pytest.mark.parametrize(
    ("status", "result"),
    [(403, Result.REFUSED), (404, Result.REFUSED), (422, Result.REFUSED), (503, Result.UNREACHABLE)],
)
async def test_a_refusal_comes_with_the_servers_words(status, result):
    async with emulated(job("a")) as (api, scheduler):
        api[kmock.method.PATCH] << status << {"message": f"because of {status}"}
        (outcome,) = await scheduler.pause(["job/ai/a"])
        assert outcome.result is result
        assert str(status) in outcome.reason


async def test_an_answer_that_is_no_list_is_garbled_and_no_crash():
    async with emulated(job("a")) as (api, scheduler):
        api[kmock.action.LIST] << {"items": "none"}
        listing = await scheduler.workloads()
        assert listing.workloads is None
        (outcome,) = await scheduler.pause(["job/ai/a"])
        assert outcome.result is Result.GARBLED
        assert outcome.reason


async def test_odd_objects_are_left_out():
    async with emulated(job("a")) as (api, scheduler):
        odd = [
            None,
            7,
            {},
            {"metadata": None},
            {"metadata": {"name": 3, "namespace": "x", "labels": {TIER: "t"}}, "spec": 1},
        ]
        api[kmock.action.LIST] << {"items": odd, "metadata": []}
        assert (await scheduler.workloads()).workloads == ()


async def test_no_server_is_a_reason():
    scheduler = scheduler_at("http://127.0.0.1:9", limits=LIMITS)
    (outcome,) = await scheduler.pause(["job/ai/a"])
    assert outcome.result is Result.UNREACHABLE
    assert outcome.reason
    await scheduler.close()
