"""A fleet in several processes: each command has its outcome, and a process that dies is started again."""

import asyncio
import os
import signal
import time

from headrace.adapters.miners.fleet import FleetLimits, MinerAccess
from headrace.adapters.miners.shards import ShardedFleet
from headrace.control.assets import Asset, AssetKind
from headrace.control.commands import Action, Command, Result
from headrace.engine.clock import WallClock
from headrace.sim.miners.faults import FaultRates
from headrace.sim.miners.serve import FleetSpec, addresses, build

NOW_US = WallClock().now_us
LIMITS = FleetLimits(answer_s=2.0, sweep_s=10.0)


def stops(count: int, order: str) -> list[Command]:
    at_us = NOW_US()
    return [
        Command(
            id=f"{order}.{n}",
            asset=f"m{n}",
            action=Action.STOP,
            commanded_us=at_us,
            expires_us=at_us + 60_000_000,
            reason="order.grid.shed",
        )
        for n in range(count)
    ]


async def test_shards_carry_out_each_command_and_a_dead_one_comes_back():
    spec = FleetSpec(count=20, port=0, network="127.32", faults=FaultRates(delay_least_s=0.0, delay_mean_extra_s=0.0))
    simulated = build(spec)
    listening = await simulated.listen(addresses(spec))
    assets = [
        Asset(
            name=f"m{n}",
            kind=AssetKind.MINER,
            load="s21",
            feeder="f1",
            driver="miners",
            address=f"{host}:{port}",
            full_mw=0.0034,
        )
        for n, (host, port) in enumerate(listening)
    ]
    access = {asset.name: MinerAccess(dialect="braiins") for asset in assets}
    fleet = ShardedFleet(access, shards=2, now_us=NOW_US, monotonic=time.perf_counter, limits=LIMITS)
    try:
        await fleet.arm(assets)
        assert (await fleet.standing()).ready == 20
        commands = [*stops(20, "o1"), *stops(21, "o1")[20:]]
        outcomes = await fleet.send(commands)
        assert [o.command for o in outcomes] == [c.id for c in commands]
        assert {o.result for o in outcomes[:20]} == {Result.ACKNOWLEDGED}
        assert outcomes[20].result is Result.UNREACHABLE
        assert all(device.model.is_asleep for device in simulated.devices)
        assert {r.asset for r in await fleet.read() if r.is_running is not None} == {a.name for a in assets}

        first, second = fleet.pids()
        os.kill(first, signal.SIGKILL)
        while fleet.pids()[0] == first:
            await asyncio.sleep(0.01)
        outcomes = await fleet.send(stops(20, "o2"))
        assert {o.result for o in outcomes[1::2]} == {Result.ACKNOWLEDGED}
        assert {o.result for o in outcomes[::2]} == {Result.UNREACHABLE}
        assert all("died" in o.reason for o in outcomes[::2])
        for _ in range(1_000):
            if (await fleet.standing()).ready == 20:
                break
            await asyncio.sleep(0.02)
        outcomes = await fleet.send(stops(20, "o3"))
        assert {o.result for o in outcomes} == {Result.ACKNOWLEDGED}
        assert fleet.pids()[1] == second
    finally:
        await fleet.close()
        await simulated.close()
    assert fleet.pids() == (None, None)
