"""A node's agent stops real processes, only those it may, and obeys nobody who does not have the key."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from headrace.adapters.nodes.fleet import FleetLimits, NodeFleet
from headrace.adapters.nodes.wire import Cap, Notify, Pause, Resume, Status
from headrace.control.assets import WhenLost
from headrace.control.commands import Action, Command, Result
from node_cases import KEY, Jobs, agent_for, agents_and_fleet, asset_for, family, now_us, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent reads Linux's table of processes")

NODE = "hall.n00"
NUMBERS = count()


@pytest.fixture
def jobs(tmp_path):
    found = Jobs(tmp_path)
    yield found
    found.close()


def in_a_minute():
    return now_us() + 60_000_000


def command(action, asset=NODE, power_mw=None, expires_us=None):
    at_us = now_us()
    return Command(
        id=f"o1.{next(NUMBERS)}", asset=asset, action=action, power_mw=power_mw, commanded_us=at_us,
        expires_us=expires_us or at_us + 60_000_000, reason="order.grid.shed",
    )  # fmt: skip


def stands(process):
    return all(each.is_stopped for each in family(process.pid))


def runs(process):
    return not any(each.is_stopped for each in family(process.pid))


async def test_flexible_jobs_stop_with_their_children_and_firm_ones_go_on(jobs):
    flexible, firm = jobs.start("1"), jobs.start("2", partition="firm")
    elsewhere = jobs.start("3", node="n01")
    async with agents_and_fleet([agent_for("n00")]) as (fleet, _):
        (stopped,) = await fleet.send([command(Action.STOP)])
        assert stopped.result is Result.ACKNOWLEDGED, stopped.reason
        assert stopped.commanded_us <= stopped.sent_us <= stopped.acknowledged_us
        assert stands(flexible)
        assert runs(firm)
        assert runs(elsewhere)
        (reading,) = await fleet.read()
        assert (reading.is_running, reading.work_ratio) == (False, 0.0)
        (resumed,) = await fleet.send([command(Action.RUN)])
        assert resumed.result is Result.ACKNOWLEDGED, resumed.reason
        assert runs(flexible)


async def test_a_job_that_starts_in_a_paused_tier_is_stopped_too(jobs):
    async with agents_and_fleet([agent_for("n00")]) as (fleet, _):
        await fleet.tell({NODE: Pause(tiers=("tier2",), expires_us=in_a_minute())})
        late, other = jobs.start("5", partition="flex2"), jobs.start("6", partition="flex1")
        await until(lambda: stands(late), "the late job stands")
        assert runs(other)


async def test_a_group_is_paused_alone_and_stays_so_while_its_tier_is_paused(jobs):
    one, two = jobs.start("7"), jobs.start("8")
    async with agents_and_fleet([agent_for("n00")]) as (fleet, _):
        await fleet.tell({NODE: Pause(groups=("7",), expires_us=in_a_minute())})
        assert stands(one)
        assert runs(two)
        await fleet.tell({NODE: Pause(tiers=("tier1",), expires_us=in_a_minute())})
        told = await fleet.tell({NODE: Resume(groups=("7",), expires_us=in_a_minute())})
        assert told[NODE].result is Result.REFUSED
        assert "still stand" in told[NODE].reason
        assert stands(one)


async def test_what_somebody_else_had_stopped_is_not_let_go(jobs):
    suspended, running = jobs.start("18"), jobs.start("19")
    async with agents_and_fleet([agent_for("n00")]) as (fleet, _):
        os.killpg(suspended.pid, signal.SIGSTOP)
        await until(lambda: stands(suspended), "the scheduler suspended it")
        await fleet.send([command(Action.STOP)])
        (outcome,) = await fleet.send([command(Action.RUN)])
        assert outcome.result is Result.ACKNOWLEDGED, outcome.reason
        assert stands(suspended)
        assert runs(running)
        await fleet.send([command(Action.STOP)])
        os.killpg(suspended.pid, signal.SIGCONT)
        await until(lambda: stands(suspended), "the agent stops it, for its tier is paused")
        await fleet.send([command(Action.RUN)])
        assert runs(suspended)


async def test_an_agent_that_was_restarted_lets_go_what_it_had_stopped(jobs):
    job = jobs.start("20")
    for action, is_standing in ((Action.STOP, True), (Action.RUN, False)):
        async with agents_and_fleet([agent_for("n00")]) as (fleet, _):
            await fleet.send([command(action)])
            assert stands(job) is is_standing


async def test_a_checkpoint_signal_reaches_only_those_that_handle_it(jobs, tmp_path):
    hears = jobs.start("9", program="trap 'echo saved > saved' USR1; echo ready > ready; while :; do sleep 0.05; done")
    deaf = jobs.start("10")
    await until((tmp_path / "ready").exists, "the trap is set")
    async with agents_and_fleet([agent_for("n00")]) as (fleet, _):
        told = await fleet.tell({NODE: Notify(signal="USR1", expires_us=in_a_minute())})
        assert told[NODE].result is Result.ACKNOWLEDGED
        await until((tmp_path / "saved").exists, "the checkpoint is written")
        assert hears.poll() is None
        assert deaf.poll() is None
        refused = await fleet.tell({NODE: Notify(signal="KILL", expires_us=in_a_minute())})
        assert refused[NODE].result is Result.REFUSED


TRAINING = """
import multiprocessing, sys, time
def worker(rank, barrier, folder):
    with open(f"{folder}/rank{rank}", "a", buffering=1) as out:
        for step in range(1000000):
            barrier.wait(timeout=60.0)  # the all-reduce: who is stopped makes the others wait, and nobody fails
            print(step, file=out)
            time.sleep(0.002)
barrier = multiprocessing.Barrier(3)
ranks = [multiprocessing.Process(target=worker, args=(rank, barrier, "."), daemon=True) for rank in range(3)]
[rank.start() for rank in ranks]
[rank.join() for rank in ranks]
"""


async def test_a_training_run_of_several_processes_loses_no_step_over_pauses(jobs, tmp_path):
    job = jobs.start("16", program=TRAINING)
    files = [tmp_path / f"rank{rank}" for rank in range(3)]

    def steps():
        return [len(file.read_text().split()) if file.exists() else 0 for file in files]

    await until(lambda: min(steps()) > 20, "the training has begun")
    async with agents_and_fleet([agent_for("n00")]) as (fleet, _):
        for _ in range(10):
            await fleet.send([command(Action.STOP)])
            assert stands(job)
            at = steps()
            await fleet.read()
            assert steps() == at
            await fleet.send([command(Action.RUN)])
            await until(lambda at=at: min(steps()) > max(at) + 5, "the training goes on")
    assert job.poll() is None
    for file in files:
        assert (done := [int(line) for line in file.read_text().split()]) == list(range(len(done)))


async def test_a_control_group_is_frozen_with_whatever_it_forks(jobs, freezer):
    job = jobs.start("17", partition="none")
    (freezer / "cgroup.procs").write_text(str(job.pid))
    agent = agent_for("n00", control_groups={"vm7": (freezer, "tier1")})
    async with agents_and_fleet([agent]) as (fleet, _):
        told = await fleet.tell({NODE: Pause(tiers=("tier1",), expires_us=in_a_minute())})
        assert told[NODE].result is Result.ACKNOWLEDGED, told[NODE].reason
        (group,) = told[NODE].answer.groups
        assert group.name == "vm7"
        assert group.stopped == group.processes > 0
        await fleet.send([command(Action.RUN)])
        told = await fleet.tell({NODE: Status()})
        assert told[NODE].answer.groups[0].stopped == 0


@pytest.fixture
def freezer(jobs):
    """A control group of our own, where that is allowed."""
    parents = [path for path in (Path("/sys/fs/cgroup/freezer"), Path("/sys/fs/cgroup")) if path.is_dir()]
    folder = parents[0] / f"headrace-test-{os.getpid()}" if parents else Path("none")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group of our own: {error}")
    if not any((folder / name).exists() for name in ("freezer.state", "cgroup.freeze")):
        folder.rmdir()
        pytest.skip("control groups here cannot be frozen")
    yield folder
    for name, words in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        if (folder / name).exists():
            (folder / name).write_text(words)
    jobs.close()
    for _ in range(500):  # what was killed leaves the group a moment later
        if not (folder / "cgroup.procs").read_text():
            break
        time.sleep(0.01)
    folder.rmdir()


async def test_silence_beyond_the_lease_leads_to_the_declared_state(jobs):
    job = jobs.start("11")
    agent = agent_for("n00", lease_s=0.3, when_lost=WhenLost.STOPS)
    async with agents_and_fleet([agent]) as (fleet, _):
        await until(lambda: stands(job), "the agent stopped it by itself")
        told = await fleet.tell({NODE: Status()})
        assert told[NODE].answer.is_alone
        await fleet.tell({NODE: Resume(expires_us=in_a_minute())})
        assert runs(job)


async def test_an_agent_that_keeps_lets_jobs_run_when_the_site_falls_silent(jobs):
    job = jobs.start("12")
    agent = agent_for("n00", lease_s=0.1, when_lost=WhenLost.KEEPS)
    async with agents_and_fleet([agent]):
        await until(lambda: agent.is_alone, "the lease ran out")
        assert runs(job)


async def test_the_cap_is_set_before_processes_go_on_and_lifted_with_them(jobs):
    job, caps = jobs.start("13"), []

    async def power_cap(power_w):
        caps.append((power_w, stands(job)))
        return "" if power_w != 1 else "below the least the node takes"

    async with agents_and_fleet([agent_for("n00", power_cap=power_cap)]) as (fleet, _):
        await fleet.send([command(Action.STOP)])
        (capped,) = await fleet.send([command(Action.CAP, power_mw=0.006)])
        assert capped.result is Result.ACKNOWLEDGED
        assert runs(job)
        await fleet.send([command(Action.RUN)])
        (refused,) = await fleet.send([command(Action.CAP, power_mw=0.000001)])
        assert (refused.result, refused.reason) == (Result.REFUSED, "below the least the node takes")
    assert caps == [(6000, True), (None, False), (1, False)]


async def test_what_an_agent_cannot_do_is_refused_with_the_reason(jobs):
    async with agents_and_fleet([agent_for("n00")]) as (fleet, _):
        outcomes = await fleet.send(
            [
                command(Action.CHARGE, power_mw=1.0),
                command(Action.STOP, expires_us=1),
                command(Action.STOP, asset="hall.n99"),
            ]
        )
        assert [each.result for each in outcomes] == [Result.REFUSED, Result.EXPIRED, Result.UNREACHABLE]
        assert all(each.reason for each in outcomes)
        told = await fleet.tell({NODE: Cap(power_w=500, expires_us=in_a_minute())})
        assert told[NODE].reason == "this node has no power cap"


async def test_another_key_or_another_nodes_name_gets_nowhere(jobs):
    job = jobs.start("14")
    agent = agent_for("n00")
    async with agents_and_fleet([agent], key=bytes(32)) as (fleet, _):
        (outcome,) = await fleet.send([command(Action.STOP)])
        assert outcome.result is Result.UNREACHABLE
        assert "another key" in outcome.reason
        assert runs(job)


async def test_a_recorded_connection_played_again_moves_nothing(jobs):
    job = jobs.start("15")
    agent = agent_for("n00")
    port = await agent.start()
    recorded = []

    async def relay(reader, writer):
        to_agent, from_agent = await asyncio.open_connection("127.0.0.1", port)

        async def copy(source, target, tape):
            while data := await source.read(4096):
                tape.append(data)
                target.write(data)
            target.close()

        await asyncio.gather(copy(reader, from_agent, recorded), copy(to_agent, writer, []))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)

    fleet = NodeFleet(key=KEY, now_us=now_us)
    await fleet.arm([asset_for("n00", server.sockets[0].getsockname()[1])])
    await fleet.tell({NODE: Pause(expires_us=in_a_minute())})
    await fleet.tell({NODE: Resume(expires_us=in_a_minute())})
    assert runs(job)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(recorded[:2]))  # hello and pause
    async with asyncio.timeout(5.0):
        while await reader.read(4096):
            pass
    assert runs(job)
    assert agent.refused["a frame whose signature does not hold"] == 1
    writer.close()
    await fleet.close()
    server.close()
    await agent.close()


async def test_the_daemon_serves_with_the_key_of_its_file(jobs, tmp_path):
    job, key = jobs.start("21"), tmp_path / "key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--node", "n00", "--key", str(key), "--port", str(port), "--partition", "flex1=tier1"]
    program = [sys.executable, "-c", "from headrace.app.cli import main; main()", "agent", *options]
    daemon = subprocess.Popen(program, stderr=subprocess.DEVNULL)
    fleet = NodeFleet(key=key.read_bytes().strip(), now_us=now_us)
    try:
        outcome = None
        async with asyncio.timeout(30.0):
            while outcome is None or outcome.result is Result.UNREACHABLE:
                await fleet.arm([asset_for("n00", port)])
                (outcome,) = await fleet.send([command(Action.STOP)])
        assert outcome.result is Result.ACKNOWLEDGED, outcome.reason
        assert stands(job)
    finally:
        await fleet.close()
        daemon.terminate()
        assert daemon.wait(10.0) is not None


async def test_strangers_are_turned_away_in_time(jobs):
    agent = agent_for("n00", hello_s=0.2, connections_max=3)
    port = await agent.start()
    try:
        mute = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        rude = socket.create_connection(("127.0.0.1", port))
        rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: agent.refused.total() >= 6, "all are turned away")
        assert agent.refused["not this protocol, or another version of it"] == 1
        for sock in (*mute, rude):
            sock.close()
    finally:
        await agent.close()


async def test_an_agent_that_says_nothing_costs_the_timeout_and_no_more():
    async def swallow(reader, writer):
        await reader.read(4096)

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)

    fleet = NodeFleet(key=KEY, now_us=now_us, limits=FleetLimits(connect_s=0.2, answer_s=0.2))
    await fleet.arm([asset_for("n00", server.sockets[0].getsockname()[1])])
    (outcome,) = await fleet.send([command(Action.STOP)])
    assert outcome.result is Result.UNREACHABLE
    assert "within 0.2 s" in outcome.reason
    await fleet.close()
    server.close()
