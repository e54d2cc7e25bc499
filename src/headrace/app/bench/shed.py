"""`headrace bench shed`: from the decision to the last miner that has received it, on simulated miners over real TCP.

Each fleet is served by a process of its own, which notes when a stop's last byte reached each machine, by the same
monotonic clock. Devices answer after 50 ms and an exponential 100 ms, and 2 % are mute: what the bench measures is the
sender. The peer stops the same fleet in the same run, in its own process too, its miners made beforehand.
"""

import asyncio
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from headrace.adapters.miners.codec import Credentials
from headrace.adapters.miners.fleet import FleetLimits, MinerAccess, MinerFleet
from headrace.adapters.miners.shards import ShardedFleet
from headrace.app.bench.discovery import bench_discovery
from headrace.app.bench.loop import on_fast_loop
from headrace.app.bench.machine import machine, versions
from headrace.control.assets import Asset, AssetKind
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.engine.clock import WallClock
from headrace.sim.miners.faults import FaultRates
from headrace.sim.miners.process import FleetProcess
from headrace.sim.miners.serve import FleetSpec
from headrace.sim.miners.whatsminer_v2 import PASSWORD as WHATSMINER_PASSWORD

__all__ = ["bench_shed", "print_shed"]

MUTE_RATIO: Final = 0.02
REPEATS: Final = 3
ARMED_WITHIN_S: Final = 20.0
PEER_WITHIN_S: Final = 90.0
PEER_STILL_S: Final = 6.0
"""A peer whose miners have received nothing new for this long is taken to be done."""
LARGE_MOCKS: Final = 4
"""Mock processes for the large fleet: each holds a listening socket and a connection a miner."""

LOG_INS: Final = {
    "braiins": Credentials(),
    "luxos": Credentials(),
    "whatsminer-v2": Credentials(user="admin", password=WHATSMINER_PASSWORD),
}
"""Dialects that are compared, and how the simulated machines are logged in to."""

_now_us = WallClock().now_us


def bench_shed(*, count: int = 5_000, large: int = 20_000, repeats: int = REPEATS) -> dict[str, Any]:
    """Measure how fast a fleet hears a stop.

    Parameters
    ----------
    count
        Miners of the fleet.
    large
        Miners of the fleet that several processes drive.
    repeats
        Stops of each kind; the median is quoted, the others are beside it.

    Returns
    -------
    dict
        Keys as in docs/reference/benches.md; a peer that is not installed is None, with the reason under `missing`.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load_before = os.getloadavg()[0]
    has_peer = importlib.util.find_spec("pyasic") is not None
    figures: dict[str, Any] = {"miners": count, "ratio": {}, "dialects": {}, "missing": {}}
    if not has_peer:
        figures["missing"]["pyasic"] = 'not installed: the dependency group "bench" holds it (make bench)'
    for dialect in LOG_INS:
        with FleetProcess(_spec(dialect, count)) as mock:
            armed = on_fast_loop(_stops(mock, dialect, repeats=repeats, is_armed=True))
            if dialect == "braiins":
                figures["armed"] = armed
                figures["cold"] = on_fast_loop(_stops(mock, dialect, repeats=repeats, is_armed=False))
            mock.reset()
            peer_ms = _pyasic_ms(mock, dialect) if has_peer else None
        ratio = None if peer_ms is None else peer_ms / armed["last_received_ms"]
        figures["ratio"][dialect] = {"pyasic": ratio}
        figures["dialects"][dialect] = {"armed": armed, "pyasic_last_received_ms": peer_ms}
    figures["twenty_thousand"] = _large(large, repeats)
    figures["discovery"] = bench_discovery()
    load = {"before": load_before, "after": os.getloadavg()[0]}
    return {**figures, "load_average": load, "versions": versions(), "machine": machine()}


def _spec(dialect: str, count: int, network: str = "127.10") -> FleetSpec:
    return FleetSpec(dialect=dialect, count=count, network=network, faults=FaultRates(mute_ratio=MUTE_RATIO))


def _assets(mocks: Sequence[FleetProcess]) -> list[Asset]:
    found = [address for mock in mocks for address in mock.addresses]
    return [
        Asset(
            name=f"m{n}",
            kind=AssetKind.MINER,
            load="mine",
            feeder="f1",
            driver="miners",
            address=f"{host}:{port}",
            full_mw=0.0034,
        )
        for n, (host, port) in enumerate(found)
    ]


async def _stops(mock: FleetProcess, dialect: str, *, repeats: int, is_armed: bool) -> dict[str, Any]:
    """Stop the fleet several times from one process; the figures of the median."""
    assets = _assets([mock])
    access = {asset.name: MinerAccess(dialect=dialect, credentials=LOG_INS[dialect]) for asset in assets}
    runs = []
    arm_s = 0.0
    for repeat in range(repeats):
        limits = FleetLimits() if is_armed else FleetLimits(sweep_s=0.0, keep_every_s=3_600.0)
        fleet = MinerFleet(access, now_us=_now_us, monotonic=time.perf_counter, limits=limits)
        begun_s = time.perf_counter()
        await fleet.arm(assets)
        arm_s = time.perf_counter() - begun_s
        mock.reset()
        runs.append(await _stop(fleet.send, assets, [mock], repeat))
        await fleet.close()
        await asyncio.sleep(0.5)  # what the mock still answers is not to be counted against the next
    return {**_median(runs), "arm_s": arm_s if is_armed else None}


async def _stop(
    send: Callable[[Sequence[Command]], Coroutine[Any, Any, tuple[CommandOutcome, ...]]],
    assets: Sequence[Asset],
    mocks: Sequence[FleetProcess],
    repeat: int,
) -> dict[str, Any]:
    """Stop a fleet once."""
    begun_ns, begun_us = time.monotonic_ns(), _now_us()
    commands = [
        Command(
            id=f"o{repeat}.{n}",
            asset=asset.name,
            action=Action.STOP,
            commanded_us=begun_us,
            expires_us=begun_us + 10_000_000,
            reason="order.grid.shed",
        )
        for n, asset in enumerate(assets)
    ]
    outcomes = await send(commands)
    returned_ms = (time.monotonic_ns() - begun_ns) * 1e-6
    received_ns = [each for mock in mocks for each in mock.records().first_ns if each]
    took_ms = sorted(1e-3 * (each.acknowledged_us - begun_us) for each in outcomes if each.acknowledged_us is not None)
    results = Counter(each.result for each in outcomes)
    return {
        "last_received_ms": (max(received_ns, default=begun_ns) - begun_ns) * 1e-6,
        "received": len(received_ns),
        "returned_ms": returned_ms,
        "acked": results[Result.ACKNOWLEDGED],
        "mute": results[Result.MUTE],
        "p50_ack_ms": _quantile(took_ms, 0.50),
        "p99_ack_ms": _quantile(took_ms, 0.99),
    }


def _quantile(sorted_ms: Sequence[float], share: float) -> float | None:
    return sorted_ms[min(len(sorted_ms) - 1, int(share * len(sorted_ms)))] if sorted_ms else None


def _median(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The run whose last miner heard in the median time, with the times of all."""
    last_ms = [float(run["last_received_ms"]) for run in runs]
    middle = statistics.median_low(last_ms)
    return {**runs[last_ms.index(middle)], "runs_last_received_ms": last_ms}


def _pyasic_ms(mock: FleetProcess, dialect: str) -> float:
    """Time until the last miner that pyasic reaches has received its stop, ms."""
    asked = {
        "dialect": dialect,
        "hosts": [host for host, _ in mock.addresses],
        "password": LOG_INS[dialect].password,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "headrace.app.bench.peers.pyasic_stop"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        peer.stdin.write(msgspec.json.encode(asked) + b"\n")
        peer.stdin.flush()
        peer.stdout.readline()
        peer.stdin.write(b"go\n")
        peer.stdin.flush()
        begun_ns = int(peer.stdout.readline())
        last_ns = _last_received_ns(mock, len(mock.addresses))
        peer.kill()
    return (last_ns - begun_ns) * 1e-6


def _last_received_ns(mock: FleetProcess, everybody: int) -> int:
    """Time at which the last miner received anything, once nothing new comes."""
    until_s = time.perf_counter() + PEER_WITHIN_S
    received, changed_s, last_ns = 0, time.perf_counter(), 0
    while time.perf_counter() < until_s:
        time.sleep(1.0)
        found_ns = [each for each in mock.records().first_ns if each]
        if len(found_ns) != received:
            received, changed_s, last_ns = len(found_ns), time.perf_counter(), max(found_ns)
        is_still = received > 0 and time.perf_counter() > changed_s + PEER_STILL_S
        if received == everybody or is_still:
            break
    return last_ns


def _large(count: int, repeats: int) -> dict[str, Any]:
    """Stop a large fleet from several processes."""
    with ExitStack() as stack:
        mocks = [
            stack.enter_context(FleetProcess(_spec("braiins", count // LARGE_MOCKS, f"127.{20 + n}")))
            for n in range(LARGE_MOCKS)
        ]
        return on_fast_loop(_sharded_stops(mocks, repeats))


async def _sharded_stops(mocks: Sequence[FleetProcess], repeats: int) -> dict[str, Any]:
    assets = _assets(mocks)
    shards = max(2, min(4, os.cpu_count() or 2))
    access = {asset.name: MinerAccess(dialect="braiins") for asset in assets}
    fleet = ShardedFleet(access, shards=shards, now_us=_now_us, monotonic=time.perf_counter)
    begun_s = time.perf_counter()
    await fleet.arm(assets)
    arm_s = time.perf_counter() - begun_s
    runs = []
    for repeat in range(repeats):
        until_s = time.perf_counter() + ARMED_WITHIN_S
        while (await fleet.standing()).ready < len(assets) and time.perf_counter() < until_s:
            await asyncio.sleep(0.2)
        for mock in mocks:
            mock.reset()
        runs.append(await _stop(fleet.send, assets, mocks, repeat))
    await fleet.close()
    return {**_median(runs), "miners": len(assets), "shards": shards, "mocks": len(mocks), "arm_s": arm_s}


def print_shed(figures: dict[str, Any], console: Console) -> None:
    """Print the figures as tables."""
    table = Table(title=f"{figures['miners']:,} simulated miners over TCP, 2 % mute, one process, median of the runs")
    for column in ("", "last received ms", "returned ms", "acked", "mute", "p50 ack ms", "p99 ack ms"):
        table.add_column(column, justify="left" if not column else "right")
    rows = {"armed": figures["armed"], "cold": figures["cold"]}
    rows |= {f"armed, {name}": each["armed"] for name, each in figures["dialects"].items() if name != "braiins"}
    rows[f"{figures['twenty_thousand']['miners']:,} in processes"] = figures["twenty_thousand"]
    for name, row in rows.items():
        keys = ("last_received_ms", "returned_ms", "acked", "mute", "p50_ack_ms", "p99_ack_ms")
        table.add_row(name, *("n/a" if row[key] is None else f"{row[key]:,.0f}" for key in keys))
    console.print(table)
    for dialect, row in figures["ratio"].items():
        if row["pyasic"] is None:
            console.print(f"{dialect}: pyasic n/a, {figures['missing']['pyasic']}")
        else:
            peer_ms = figures["dialects"][dialect]["pyasic_last_received_ms"]
            console.print(f"{dialect}: pyasic {peer_ms:,.0f} ms to last received, {row['pyasic']:.1f} times ours")
    found = figures["discovery"]
    console.print(f"discovery of {found['addresses']:,} addresses: {found['found']} miners in {found['seconds']:.1f} s")
