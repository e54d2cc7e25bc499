"""`headrace bench stop`: a hundred jobs of a real Slurm stopped by the nodes' agents, and by the scheduler alone.

64 virtual nodes, as many agents in one process of their own (with the real-time priority that `headrace agent` takes),
the site's client in another. An observer, again a process of its own, reads the kernel's table all the time: the figure
is when it has seen every process of every job stopped, counted from before the first byte or command was sent. Both
ways run in turn, on the same jobs. After the agents' way the scheduler is told, until its own table says the same; at
the end every job must still be there, have lost no line of its own count and be counting.
"""

import asyncio
import contextlib
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from headrace.adapters.nodes.agent import AgentSettings
from headrace.adapters.nodes.fleet import NodeFleet
from headrace.adapters.nodes.proc import ProcessTable, Sweep
from headrace.adapters.nodes.wire import Pause
from headrace.adapters.schedulers.slurm import SlurmScheduler
from headrace.app.bench.machine import machine, versions
from headrace.app.node_agents import agent_of, go_first, wall_us
from headrace.control.assets import Asset, AssetKind
from headrace.control.commands import Action, Command, Result
from headrace.control.workloads import WorkState
from headrace.core import BadInput
from headrace.sim.slurm import PARTITIONS, SlurmCluster, why_no_slurm

__all__ = ["bench_stop", "print_stop"]

NODES: Final = 64
JOBS: Final = 100
ROUNDS: Final = 5
TIERS: Final = {name: name for name in PARTITIONS[1:]}
SETTLE_S: Final = 1.0
"""Pause between two ways, so that each finds running jobs, seconds."""
GIVEN_UP_S: Final = 30.0
LOOK_S: Final = 0.001
"""Pause between two looks of the observer, seconds; it must not take a core from those it observes."""
COUNTS: Final = """#!/bin/sh
n=0
while :; do n=$((n+1)); echo $n >> {folder}/$SLURM_JOB_ID; sleep 0.5; done
"""


def bench_stop(*, nodes: int = NODES, jobs: int = JOBS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure both ways in turn.

    Parameters
    ----------
    nodes, jobs
        Virtual nodes, and jobs of one accelerator on them.
    rounds
        How often each way is measured.
    """
    if reason := why_no_slurm():
        raise BadInput("bench stop", reason, "It needs a Linux machine where it may start a virtual cluster")
    with tempfile.TemporaryDirectory(prefix="headrace-stop-") as folder:
        progress = Path(folder, "progress")
        progress.mkdir()
        with SlurmCluster(Path(folder, "slurm"), nodes=nodes) as cluster:
            ids = [_submit(cluster, progress) for _ in range(jobs)]
            cluster.wait(lambda: len(list(progress.iterdir())) == jobs, f"{jobs} jobs counting")
            with _agents(cluster.nodes) as ports:
                found = asyncio.run(_measure(cluster, ids, ports, rounds))
            found["lost"] = _lost(cluster, ids, progress)
    return found | {"nodes": nodes, "jobs": jobs, "rounds": rounds, "versions": versions(), "machine": machine()}


async def _measure(cluster: SlurmCluster, ids: list[str], ports: Mapping[str, int], rounds: int) -> dict[str, Any]:
    fleet = NodeFleet(key=_KEY, now_us=wall_us)
    scheduler = SlurmScheduler(name="virtual", tier_of_partition=TIERS, env=cluster.env)
    assets = [_asset(node, port) for node, port in ports.items()]
    taken_ms: dict[str, list[float]] = {"agents": [], "slurm": []}
    signalled_ms: list[float] = []
    reconciled_s: list[float] = []
    reconciled = acknowledged = True
    await fleet.arm(assets)
    try:
        for number in range(rounds):
            await asyncio.sleep(SETTLE_S)
            with _observer(ids) as seen:
                started_us = wall_us()
                stop = Pause(expires_us=started_us + 10_000_000)
                told = await fleet.tell(dict.fromkeys(ports, stop))
                taken_ms["agents"].append((await seen.stopped_us() - started_us) / 1e3)
            acknowledged &= all(each.result is Result.ACKNOWLEDGED for each in told.values())
            answers = [each.answer for each in told.values() if each.answer is not None]
            signalled_ms.append(max((each.acted_us - started_us) / 1e3 for each in answers))
            started_us = wall_us()
            after = await scheduler.pause(ids)
            reconciled &= all(each.state is WorkState.PAUSED for each in after)
            reconciled_s.append((wall_us() - started_us) / 1e6)
            await fleet.send([_command(Action.RUN, asset.name, number) for asset in assets])
            reconciled &= all(each.state is WorkState.RUNNING for each in await scheduler.resume(ids))
            await asyncio.sleep(SETTLE_S)
            with _observer(ids) as seen:
                started_us = wall_us()
                scontrol = await asyncio.create_subprocess_exec("scontrol", "suspend", ",".join(ids), env=cluster.env)
                taken_ms["slurm"].append((await seen.stopped_us() - started_us) / 1e3)
                await scontrol.wait()
            reconciled &= all(each.state is WorkState.RUNNING for each in await scheduler.resume(ids))
    finally:
        await fleet.close()
    return {
        "agents": _spread(taken_ms["agents"]) | {"last_signalled_ms": statistics.median(signalled_ms)},
        "slurm": _spread(taken_ms["slurm"]),
        "ratio": {
            "scontrol_suspend": statistics.median(taken_ms["slurm"]) / statistics.median(taken_ms["agents"]),
        },
        "acknowledged": acknowledged,
        "reconciled": reconciled,
        "reconcile_s": statistics.median(reconciled_s),
    }


def _spread(taken_ms: list[float]) -> dict[str, float]:
    return {
        "last_stopped_ms": statistics.median(taken_ms),
        "last_stopped_best_ms": min(taken_ms),
        "last_stopped_worst_ms": max(taken_ms),
    }


def _submit(cluster: SlurmCluster, progress: Path) -> str:
    return cluster.submit(COUNTS.format(folder=progress), "-p", PARTITIONS[1], "-N1", "--gres=gpu:1")


def _lost(cluster: SlurmCluster, ids: list[str], progress: Path) -> int:
    """Jobs that are gone, were started again, skipped a count, or count no more."""
    before = {each: (progress / each).stat().st_size for each in ids}
    time.sleep(2.0 * SETTLE_S)
    there = set(cluster.run("squeue", "-h", "-t", "R", "-o", "%A").split())
    lost = 0
    for each in ids:
        text = (progress / each).read_text(encoding="ascii")
        counts = [int(line) for line in text.split()]
        is_whole = counts == list(range(1, len(counts) + 1))
        lost += not (is_whole and each in there and len(text) > before[each])
    return lost


_KEY: Final = os.urandom(32)


def _asset(node: str, port: int) -> Asset:
    return Asset(
        name=node,
        kind=AssetKind.NODE,
        load="training",
        feeder="hall",
        driver=NodeFleet.name,
        address=f"127.0.0.1:{port}",
        full_mw=0.01,
    )


def _command(action: Action, node: str, number: int) -> Command:
    at_us = wall_us()
    return Command(
        id=f"bench.{number}.{action}.{node}",
        asset=node,
        action=action,
        commanded_us=at_us,
        expires_us=at_us + 10_000_000,
        reason="bench",
    )


@contextlib.contextmanager
def _agents(nodes: tuple[str, ...]) -> Any:  # noqa: ANN401 - a context manager of a mapping
    """Ports of agents that run in a process of their own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve_agents, args=(there, nodes, _KEY), daemon=True)
    process.start()
    try:
        if not here.poll(GIVEN_UP_S):
            raise BadInput("bench stop", f"{len(nodes)} agents did not start", "Look at the output above")
        yield dict(zip(nodes, here.recv(), strict=True))
        here.send("end")
        process.join(5.0)
    finally:
        if process.is_alive():
            process.kill()
            process.join()


def _serve_agents(pipe: Connection, nodes: tuple[str, ...], key: bytes) -> None:
    go_first()
    asyncio.run(_serve(pipe, nodes, key))


async def _serve(pipe: Connection, nodes: tuple[str, ...], key: bytes) -> None:
    sweep = Sweep(ProcessTable())
    agents = [agent_of(AgentSettings(node=node), key=key, tier_of_partition=TIERS, sweep=sweep) for node in nodes]
    pipe.send([await agent.start() for agent in agents])
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    for agent in agents:
        await agent.close()


class _Seen:
    """What the observer reports."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    async def stopped_us(self) -> int:
        """When every process had first been seen stopped, epoch microseconds."""
        came = await asyncio.get_running_loop().run_in_executor(None, self._pipe.poll, GIVEN_UP_S)
        if not came:
            raise BadInput("bench stop", f"jobs not stopped within {GIVEN_UP_S:.0f} s", "Look at Slurm's logs")
        at_us: int = self._pipe.recv()
        return at_us


@contextlib.contextmanager
def _observer(ids: list[str]) -> Any:  # noqa: ANN401 - a context manager of what is seen
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_observe, args=(there, frozenset(ids)), daemon=True)
    process.start()
    try:
        here.recv()
        yield _Seen(here)
    finally:
        process.join(1.0)
        if process.is_alive():
            process.kill()
            process.join()


def _observe(pipe: Connection, ids: frozenset[str]) -> None:
    """Report that it is ready, then when all processes of these jobs stand; what forked meanwhile counts too."""
    table = ProcessTable()
    left = known = _members(table, ids)
    pipe.send("ready")
    until_s = time.perf_counter() + GIVEN_UP_S
    while time.perf_counter() < until_s:
        left = [pid for pid in left if _runs(table, pid)]
        if not left:
            at_us = wall_us()  # after the look, so that it is never too early
            now = _members(table, ids)
            left = [pid for pid in now if _runs(table, pid)]
            if now and not left:
                pipe.send(at_us if set(now) <= set(known) else wall_us())
                return
            known = now
        time.sleep(LOOK_S)


def _members(table: ProcessTable, ids: frozenset[str]) -> list[int]:
    seen = table.scan()
    marks = [each for of_node in seen.marks.values() for each in of_node.items()]
    return list(seen.spread({pid: mark.job for pid, mark in marks if mark.job in ids}))


def _runs(table: ProcessTable, pid: int) -> bool:
    process = table.look(pid)
    return process is not None and not (process.is_stopped or process.is_gone)


def print_stop(figures: dict[str, Any], console: Console) -> None:
    """Print the figures in two lines."""
    agents, slurm = figures["agents"], figures["slurm"]
    console.print(
        f"{figures['jobs']} jobs on {figures['nodes']} nodes, last process stopped: agents "
        f"{agents['last_stopped_ms']:.0f} ms (worst {agents['last_stopped_worst_ms']:.0f}), scontrol suspend "
        f"{slurm['last_stopped_ms']:.0f} ms (worst {slurm['last_stopped_worst_ms']:.0f}): "
        f"{figures['ratio']['scontrol_suspend']:.1f}x, {figures['rounds']} rounds each"
    )
    console.print(
        f"Slurm says the same {figures['reconcile_s']:.1f} s later: {'yes' if figures['reconciled'] else 'no'}; "
        f"jobs lost: {figures['lost']}"
    )
