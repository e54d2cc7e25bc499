"""Real jobs under agents and a real Slurm, paused and requeued at random: none is lost, and no count skips."""

import asyncio
from contextlib import AsyncExitStack

import numpy as np
import pytest

import slurm_cluster
from headrace.adapters.nodes.fleet import FleetLimits
from headrace.adapters.nodes.proc import ProcessTable, Sweep
from headrace.adapters.nodes.wire import Pause, Resume
from headrace.control.commands import Result
from headrace.control.workloads import WorkState
from node_cases import agent_for, agents_and_fleet, now_us, until
from slurm_cluster import scheduler_of, states

NODES = 8
SEED = 20_260_401
COUNTS = """#!/bin/sh
cd {folder}
n=$(cat $SLURM_JOB_ID.saved 2>/dev/null || echo 0)
trap 'echo $n > $SLURM_JOB_ID.new && mv $SLURM_JOB_ID.new $SLURM_JOB_ID.saved' USR1
echo $n >> $SLURM_JOB_ID.starts
while :; do n=$((n+1)); echo $n >> $SLURM_JOB_ID.counts; sleep 0.1; done
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    yield from slurm_cluster.started(tmp_path_factory, nodes=NODES)


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "jobs"
    found.mkdir()
    return found


def start(cluster, folder, count):
    options = ["-p", "flex1", "-N1", "--gres=gpu:2", "--comment=checkpoint=B:USR1 notice_s=1"]
    ids = [cluster.submit(COUNTS.format(folder=folder), *options) for _ in range(count)]
    cluster.wait(lambda: all((folder / f"{each}.counts").exists() for each in ids), "all count")
    return ids


def numbers(folder, job, what="counts"):
    return [int(line) for line in (folder / f"{job}.{what}").read_text().split()]


async def fleet_of(cluster, stack):
    sweep = Sweep(ProcessTable())
    agents = [agent_for(node, sweep=sweep) for node in cluster.nodes]
    fleet, assets = await stack.enter_async_context(agents_and_fleet(agents, limits=FleetLimits(answer_s=10.0)))
    return fleet, [asset.name for asset in assets]


async def test_what_the_agents_stopped_slurm_accounts_for_and_lets_go_on(cluster, folder):
    ids = await asyncio.to_thread(start, cluster, folder, 16)
    scheduler = scheduler_of(cluster)
    async with AsyncExitStack() as stack:
        fleet, nodes = await fleet_of(cluster, stack)
        told = await fleet.tell({node: Pause(expires_us=now_us() + 60_000_000) for node in nodes})
        assert {each.result for each in told.values()} == {Result.ACKNOWLEDGED}, told
        stopped = {group.name for each in told.values() for group in each.answer.groups}
        assert stopped == set(ids)
        assert set(states(cluster).values()) == {"RUNNING"}, "Slurm does not know yet"
        at = [len(numbers(folder, each)) for each in ids]
        outcomes = await scheduler.pause(ids)
        assert {each.state for each in outcomes} == {WorkState.PAUSED}, outcomes
        assert [len(numbers(folder, each)) for each in ids] == at
        await fleet.tell({node: Resume(expires_us=now_us() + 60_000_000) for node in nodes})
        outcomes = await scheduler.resume(ids)
        assert {each.state for each in outcomes} == {WorkState.RUNNING}, outcomes
        await until(lambda: all(len(numbers(folder, each)) > n for each, n in zip(ids, at, strict=True)), "all go on")
    for each in ids:
        assert (counts := numbers(folder, each)) == list(range(1, len(counts) + 1))
    await asyncio.to_thread(cluster.cancel_all)


@pytest.mark.slow
async def test_no_job_is_lost_in_50_random_cycles(cluster, folder):
    draw = np.random.default_rng(SEED)
    ids = await asyncio.to_thread(start, cluster, folder, 16)
    scheduler = scheduler_of(cluster)
    async with AsyncExitStack() as stack:
        fleet, nodes = await fleet_of(cluster, stack)
        for cycle in range(50):
            some = [each for each in ids if draw.random() < 0.4]
            match draw.integers(4):
                case 0:
                    expires_us = now_us() + 60_000_000
                    await fleet.tell({node: Pause(groups=tuple(some), expires_us=expires_us) for node in nodes})
                    await fleet.tell({node: Resume(groups=tuple(some), expires_us=expires_us) for node in nodes})
                case 1:
                    await scheduler.pause(some)
                case 2:
                    await scheduler.resume(some)
                case 3:
                    outcomes = await scheduler.requeue(some)
                    amiss = [each for each in outcomes if each.result is not Result.ACKNOWLEDGED]
                    assert not amiss, f"cycle {cycle} of seed {SEED}: {amiss}"
            assert set(states(cluster)) == set(ids), f"cycle {cycle} of seed {SEED}"
        await scheduler.resume(ids)

        def all_run():
            return list(states(cluster).values()) == ["RUNNING"] * len(ids)

        await asyncio.to_thread(cluster.wait, all_run, "all run again")
        at = {each: len(numbers(folder, each)) for each in ids}
        await until(lambda: all(len(numbers(folder, each)) > at[each] for each in ids), "all count on")
    for each in ids:
        counts, starts = numbers(folder, each), numbers(folder, each, "starts")
        assert set(counts) == set(range(1, max(counts) + 1)), f"job {each} skipped a count (seed {SEED})"
        assert starts == sorted(starts), f"job {each} began before its checkpoint (seed {SEED})"
    assert sum(len(numbers(folder, each, "starts")) for each in ids) > len(ids), "some were started again"
    await asyncio.to_thread(cluster.cancel_all)
