"""A real Slurm pauses, resumes, requeues and hands over what it may, and says why where it may not."""

import re

import pytest

import slurm_cluster
from headrace.adapters.schedulers.slurm import SlurmLimits, SlurmScheduler
from headrace.control.commands import Result
from headrace.control.workloads import WorkState, power_by_tier
from slurm_cluster import LOOP, scheduler_of, states, submit

NODES = 4
GPUS = 8
SAVES = """#!/bin/sh
trap 'echo saved >> {file}' USR1
echo ready > {file}
while :; do sleep 0.1; done
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    yield from slurm_cluster.started(tmp_path_factory, nodes=NODES)


@pytest.fixture(autouse=True)
def _empty(cluster):
    yield
    cluster.cancel_all()


def all_are(cluster, ids, state):
    cluster.wait(lambda: [states(cluster).get(each) for each in ids] == [state] * len(ids), f"{ids} {state}", 30.0)


async def test_what_runs_is_listed_with_its_tier_its_nodes_and_its_accelerators(cluster):
    wide = cluster.submit(
        LOOP, "-p", "flex2", "-N3", "--gres=gpu:2", "-J", "a|b", "--comment=checkpoint=USR1 notice_s=7"
    )
    firm = submit(cluster, partition="firm", gpus=4)
    all_are(cluster, [wide, firm], "RUNNING")
    listing = await scheduler_of(cluster).workloads()
    found = {work.id: work for work in listing.workloads}
    assert found[wide].tier == "tier2"
    assert found[wide].nodes == ("n00", "n01", "n02")
    assert (found[wide].name, found[wide].gpus) == ("a|b", 6)
    assert (found[wide].checkpoint_signal, found[wide].notice_s) == ("USR1", 7.0)
    assert (found[firm].tier, found[firm].gpus, found[firm].state) == ("", 4, WorkState.RUNNING)
    by_tier = {each.tier: each for each in power_by_tier(listing.workloads, gpu_full_mw=0.001, gpu_idle_mw=0.0001)}
    assert by_tier["tier2"].power_mw == pytest.approx(0.006)


async def test_pause_and_resume_change_the_flexible_and_refuse_the_firm(cluster):
    flexible, firm = [submit(cluster) for _ in range(3)], submit(cluster, partition="firm")
    all_are(cluster, [*flexible, firm], "RUNNING")
    scheduler = scheduler_of(cluster)
    outcomes = await scheduler.pause([*flexible, firm, "999999"])
    assert [each.result for each in outcomes] == [Result.ACKNOWLEDGED] * 3 + [Result.REFUSED] * 2
    assert [each.reason for each in outcomes[3:]] == [
        "firm work is not interrupted here", "no such job, or it has ended",
    ]  # fmt: skip
    assert states(cluster)[firm] == "RUNNING"
    assert {states(cluster)[each] for each in flexible} == {"SUSPENDED"}
    again = await scheduler.pause(flexible)
    assert {each.result for each in again} == {Result.ACKNOWLEDGED}
    outcomes = await scheduler.resume(flexible)
    assert {each.state for each in outcomes} == {WorkState.RUNNING}


async def test_a_requeued_job_checkpoints_first_if_it_said_how(cluster, tmp_path):
    file = tmp_path / "saved"
    asks = submit(cluster, SAVES.format(file=file), options=["--comment=checkpoint=B:USR1 notice_s=1"])
    deaf = submit(cluster)
    all_are(cluster, [asks, deaf], "RUNNING")
    cluster.wait(file.exists, "the trap is set")
    outcomes = await scheduler_of(cluster).requeue([asks, deaf])
    assert {each.result for each in outcomes} == {Result.ACKNOWLEDGED}, outcomes
    assert file.read_text().split() == ["ready", "saved"]
    all_are(cluster, [asks, deaf], "RUNNING")


async def test_a_firm_tenant_gets_accelerators_from_a_requeue_and_not_from_a_pause(cluster):
    flexible = [submit(cluster, gpus=GPUS) for _ in range(NODES)]
    all_are(cluster, flexible, "RUNNING")
    scheduler = scheduler_of(cluster)
    await scheduler.pause(flexible)
    firm = submit(cluster, partition="firm", gpus=GPUS, options=["--nodelist=n02"])
    cluster.run("scontrol", "top", firm)
    assert states(cluster)[firm] == "PENDING"
    outcomes = await scheduler.vacate(["n02"])
    assert [each.result for each in outcomes] == [Result.ACKNOWLEDGED], outcomes
    all_are(cluster, [firm], "RUNNING")
    assert sorted(states(cluster)[each] for each in flexible) == ["PENDING"] + ["SUSPENDED"] * 3


async def test_nodes_are_powered_down_and_up_and_forcing_requeues_what_runs(cluster):
    job = submit(cluster, options=["--nodelist=n03"])
    all_are(cluster, [job], "RUNNING")
    scheduler = scheduler_of(cluster)
    assert await scheduler.power_nodes(["n03"], is_on=False, is_forced=True) == ""
    all_are(cluster, [job], "PENDING")
    cluster.wait(lambda: "powered_down" in cluster.run("sinfo", "-h", "-n", "n03", "-O", "StateComplete"), "down")
    assert await scheduler.power_nodes(["n03"], is_on=True) == ""
    rows = await scheduler.nodes()
    assert {row.name: row.gpus for row in rows} == {f"n{i:02d}": GPUS for i in range(NODES)}
    assert "not a node's name" in await scheduler.power_nodes(["--help"], is_on=True)


async def test_without_a_controller_every_outcome_says_why(tmp_path, cluster):
    conf = (cluster.folder / "slurm.conf").read_text()
    (tmp_path / "slurm.conf").write_text(re.sub("SlurmctldPort=.*", "SlurmctldPort=9", conf))
    env = cluster.env | {"SLURM_CONF": str(tmp_path / "slurm.conf")}
    lost = SlurmScheduler(name="lost", tier_of_partition={}, env=env, limits=SlurmLimits(call_s=0.5))
    assert (await lost.workloads()).workloads is None
    (outcome,) = await lost.pause(["1"])
    assert outcome.result is Result.UNREACHABLE
    assert outcome.reason
    gone = SlurmScheduler(name="gone", tier_of_partition={}, env={"PATH": str(tmp_path)})
    (outcome,) = await gone.pause(["1"])
    assert "squeue" in outcome.reason
