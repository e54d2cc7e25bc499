"""`headrace agent`: the daemon that stops and continues flexible work on its own node."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from headrace.adapters.caps.node import node_power_cap
from headrace.adapters.caps.nvml import NvmlCaps
from headrace.adapters.nodes.agent import AgentSettings, NodeAgent, PowerCap
from headrace.adapters.nodes.groups import FrozenGroups, JobGroups
from headrace.adapters.nodes.proc import ProcessTable, Sweep
from headrace.adapters.nodes.wire import read_key
from headrace.core import BadInput

__all__ = ["agent_of", "go_first", "pairs", "run_agent", "wall_us"]

LEASE_MAX_S: Final = 86_400.0
"""Longest silence of the site that an agent may be told to bear, seconds."""
PORT_MAX: Final = 65_535


def wall_us() -> int:
    """The machine's clock, epoch microseconds."""
    return time.time_ns() // 1000


def agent_of(
    settings: AgentSettings,
    *,
    key: bytes,
    tier_of_partition: Mapping[str, str],
    control_groups: Mapping[str, tuple[Path, str]] | None = None,
    sweep: Sweep | None = None,
    power_cap: PowerCap | None = None,
) -> NodeAgent:
    """Put an agent together for this machine."""
    return NodeAgent(
        settings,
        key=key,
        groups=(
            JobGroups(node=settings.node, tier_of_partition=tier_of_partition),
            FrozenGroups(control_groups or {}),
        ),
        sweep=sweep or Sweep(ProcessTable()),
        now_us=wall_us,
        passed_s=time.perf_counter,
        power_cap=power_cap,
    )


def run_agent(
    settings: AgentSettings,
    *,
    key: Path,
    host: str,
    port: int,
    partitions: Sequence[str],
    control_groups: Sequence[str],
    cap_rest_w: int | None = None,
) -> None:
    """Serve until stopped.

    Parameters
    ----------
    settings
        How the agent behaves.
    key
        File with the key that it shares with the site.
    host, port
        Where it listens.
    partitions
        "partition=tier", each.
    control_groups
        "tier=folder", each; the folder names the group.
    cap_rest_w
        What the node draws beside its accelerators, W, to cap these through NVML; None for no cap.

    Raises
    ------
    headrace.core.BadInput
        If one of these can't be, or the address can't be listened on.
    """
    if not 0.0 < settings.lease_s <= LEASE_MAX_S:
        raise BadInput(f"--lease-s {settings.lease_s:g}", f"not above 0 and at most {LEASE_MAX_S:g}", "Give seconds")
    if not 0 < port <= PORT_MAX:
        raise BadInput(f"--port {port}", "no such port", f"Give 1 to {PORT_MAX}")
    if cap_rest_w is not None and cap_rest_w < 0:
        raise BadInput(f"--cap-rest-w {cap_rest_w}", "negative", "Give what the node draws beside accelerators, W")
    folders = [(Path(folder), tier) for tier, folder in pairs("--cgroup", control_groups)]
    missing = [folder for folder, _ in folders if not folder.is_dir()]
    if missing:
        raise BadInput(f"--cgroup {missing[0]}", "no such control group", "Make it first, or correct the path")
    agent = agent_of(
        settings,
        key=read_key(key),
        tier_of_partition=dict(pairs("--partition", partitions)),
        control_groups={str(folder): (folder, tier) for folder, tier in folders},
        power_cap=None if cap_rest_w is None else node_power_cap(NvmlCaps(now_us=wall_us), rest_w=cap_rest_w),
    )
    if not go_first():
        sys.stderr.write("headrace: no real-time priority: on a busy node the agent waits for its turn\n")
    asyncio.run(_serve(agent, host, port))


def pairs(option: str, values: Sequence[str]) -> list[tuple[str, str]]:
    """Split each "name=value".

    Raises
    ------
    headrace.core.BadInput
        If one is not that.
    """
    found = []
    for value in values:
        name, equals, rest = value.partition("=")
        if not (name and equals and rest):
            raise BadInput(f"{option} {value}", "not NAME=VALUE", f"Write it like {option} flex1=tier1")
        found.append((name, rest))
    return found


def go_first() -> bool:
    """Run before the node's own work, which keeps it busy just when it is to stop; False if that is not allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except (AttributeError, OSError):
        return False
    return True


async def _serve(agent: NodeAgent, host: str, port: int) -> None:
    try:
        await agent.start(host, port)
    except OSError as error:
        where = f"{host}:{port}"
        raise BadInput(where, f"can't listen: {error.strerror}", "Choose another --host or --port") from error
    try:
        await asyncio.Event().wait()
    finally:
        await agent.close()
