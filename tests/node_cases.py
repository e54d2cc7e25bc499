"""Processes as a scheduler starts them, and agents that stop them, for tests of the fast path."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager

from headrace.adapters.nodes.agent import AgentSettings, NodeAgent
from headrace.adapters.nodes.fleet import FleetLimits, NodeFleet
from headrace.adapters.nodes.groups import FrozenGroups, JobGroups
from headrace.adapters.nodes.proc import ProcessTable, Sweep
from headrace.control.assets import Asset, AssetKind

KEY = bytes(range(32))
TIERS = {"flex1": "tier1", "flex2": "tier2"}


def now_us():
    return time.time_ns() // 1000


class Jobs:
    """Real processes that carry a job's environment; all are ended at exit."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []

    def start(self, job, *, node="n00", partition="flex1", program="while :; do sleep 0.05; done"):
        env = os.environ | {"SLURM_JOB_ID": job, "SLURM_JOB_PARTITION": partition, "SLURMD_NODENAME": node}
        argv = [sys.executable, "-c", program] if "import " in program else ["/bin/sh", "-c", program]
        process = subprocess.Popen(argv, env=env, cwd=self.folder, start_new_session=True)
        self.started.append(process)
        return process

    def close(self):
        for process in self.started:
            for number in (signal.SIGKILL, signal.SIGCONT):
                try:
                    os.killpg(process.pid, number)
                except ProcessLookupError:
                    break
            process.wait()


def family(pid, table=None):
    """A process and its descendants as the kernel shows them now."""
    seen = (table or ProcessTable()).scan()
    return [seen.processes[each] for each in seen.spread({pid: "x"})]


async def until(claim, what, within_s=10.0):
    """Wait for a claim to hold."""
    async with asyncio.timeout(within_s):
        while not claim():
            await asyncio.sleep(0.01)
    assert claim(), what


def agent_for(node, *, sweep=None, power_cap=None, control_groups=None, **settings):
    groups = JobGroups(node=node, tier_of_partition=TIERS)
    return NodeAgent(
        AgentSettings(node=node, **({"refresh_s": 0.05} | settings)),
        key=KEY,
        groups=[groups, FrozenGroups(control_groups or {})],
        sweep=sweep or Sweep(ProcessTable()),
        now_us=now_us,
        passed_s=time.perf_counter,
        power_cap=power_cap,
    )


def asset_for(node, port):
    return Asset(
        name=f"hall.{node}",
        kind=AssetKind.NODE,
        load="training",
        feeder="f1",
        driver="node-agent",
        address=f"127.0.0.1:{port}/{node}",
        full_mw=0.01,
        standby_mw=0.002,
    )


@asynccontextmanager
async def agents_and_fleet(agents, *, key=KEY, limits=None):
    """Agents that listen, and a fleet that is armed with them."""
    ports = [await agent.start() for agent in agents]
    fleet = NodeFleet(key=key, now_us=now_us, limits=limits or FleetLimits())
    assets = [asset_for(agent.node, port) for agent, port in zip(agents, ports, strict=True)]
    try:
        await fleet.arm(assets)
        yield fleet, assets
    finally:
        await fleet.close()
        for agent in agents:
            await agent.close()
