"""Miners and servers: the same facts in process and through the real drivers over TCP."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from equipment_rigs import SITES, SteppedClock
from headrace.adapters.devicefile import load_devices
from headrace.adapters.miners.fleet import FleetLimits as MinerLimits
from headrace.adapters.miners.fleet import MinerAccess, MinerFleet
from headrace.adapters.nodes.fleet import FleetLimits as NodeLimits
from headrace.adapters.nodes.fleet import NodeFleet
from headrace.adapters.nodes.line import AgentLine
from headrace.adapters.sitefile import load_site
from headrace.app.sim_nodes import WorldNode
from headrace.control.assets import Asset
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.ports import Driver
from headrace.sim.miners.braiins import BraiinsTwin
from headrace.sim.miners.fleet import Fleet
from headrace.sim.world import Fault, FaultKind, World, sim_drivers
from headrace.sim.world.miner import WorldDevice
from headrace.sim.world.sense import meter_readings

KEY = b"k" * 40
COUNT = 6
FIRST = {"braiins": "A.m001", "agent": "firm-01"}
POWER_W = {"braiins": (3500, 60), "agent": (10_400, 3_120)}
pytestmark = [
    pytest.mark.parametrize("how", ["in process", "over TCP"]),
    pytest.mark.parametrize("driver", ["braiins", "agent"]),
]


class Rig:
    """Some machines and the door to them."""

    def __init__(self, world: World, clock: SteppedClock, door: Driver, assets: list[Asset]) -> None:
        self.world, self.clock, self.door, self.assets = world, clock, door, assets

    async def send(self, action: Action, mw: float | None = None, life_s: float = 60.0) -> tuple[CommandOutcome, ...]:
        now_us = self.clock.now_us()
        commands = [
            Command(
                id=f"o{now_us}.{i}",
                asset=each.name,
                action=action,
                power_mw=mw,
                commanded_us=now_us,
                expires_us=now_us + round(life_s * 1e6),
                reason="test",
            )
            for i, each in enumerate(self.assets)
        ]
        return await self.door.send(commands)

    def below_full_w(self, feeder: str) -> int:
        """How much less a feeder draws than with everything at full, W, once all has settled."""
        self.clock.at_s += 30.0
        self.world.advance(self.clock.now_us())
        full_w = sum(each.full_mw for each in self.world.layout.machines if each.feeder == feeder) * 1e6
        return round(full_w - next(each.power_w for each in meter_readings(self.world) if each.meter == feeder))


@asynccontextmanager
async def rig(how: str, driver: str, *faults: Fault) -> AsyncIterator[Rig]:
    site, clock = load_site(SITES / "live_demo.toml"), SteppedClock()
    inventory = load_devices(SITES / "live_demo.devices.toml", site).inventory
    world = World(site.site, inventory, start_us=clock.now_us(), faults=faults)
    clock.at_s += 10.0
    world.advance(clock.now_us())
    assets = [each for each in inventory.assets if each.driver == driver][:COUNT]
    if how == "in process":
        yield Rig(world, clock, sim_drivers(world, clock)[driver], assets)
        return
    served, addresses, door = await (_miners if driver == "braiins" else _nodes)(world, clock, assets)
    assets = [msgspec.structs.replace(a, address=f"{h}:{p}") for a, (h, p) in zip(assets, addresses, strict=True)]
    try:
        await door.arm(assets)
        yield Rig(world, clock, door, assets)
    finally:
        await door.close()
        for each in served:
            done = each.close()
            if asyncio.iscoroutine(done):
                await done


async def _miners(world: World, clock: SteppedClock, assets: list[Asset]):
    devices = [WorldDevice(i, BraiinsTwin(), world, each.name, clock.now_us) for i, each in enumerate(assets)]
    fleet = Fleet(devices, delays_s=(0.001,))
    addresses = await fleet.listen([("127.0.0.1", 0)] * len(assets))
    door = MinerFleet(
        {each.name: MinerAccess(dialect="braiins") for each in assets},
        now_us=clock.now_us,
        monotonic=time.perf_counter,
        limits=MinerLimits(answer_s=0.3, connect_s=0.3),
        name="braiins",
    )
    return [fleet], addresses, door


async def _nodes(world: World, clock: SteppedClock, assets: list[Asset]):
    loop, served, addresses = asyncio.get_running_loop(), [], []
    for each in assets:
        node = WorldNode(each, KEY, world, clock.now_us)
        server = await loop.create_server(lambda node=node: AgentLine(node), "127.0.0.1", 0)
        served += [node, server]
        addresses.append(("127.0.0.1", server.sockets[0].getsockname()[1]))
    return served, addresses, NodeFleet(key=KEY, now_us=clock.now_us, limits=NodeLimits(connect_s=0.5, answer_s=0.3))


def fault(kind: FaultKind, driver: str) -> Fault:
    return Fault(kind=kind, target=FIRST[driver], start_s=1.0)


async def test_what_is_told_to_stop_draws_standby_and_what_is_told_to_run_draws_full(how, driver):
    full_w, standby_w = POWER_W[driver]
    async with rig(how, driver) as site:
        feeder = site.assets[0].feeder
        stopped = await site.send(Action.STOP)
        assert {each.result for each in stopped} == {Result.ACKNOWLEDGED}
        assert [each.asset for each in stopped] == [each.name for each in site.assets]
        assert all(each.commanded_us <= each.sent_us <= each.acknowledged_us for each in stopped)
        assert site.below_full_w(feeder) == COUNT * (full_w - standby_w)
        readings = {each.asset: each for each in await site.door.read()}
        assert not any(readings[each.name].is_running for each in site.assets)
        assert {each.result for each in await site.send(Action.RUN)} == {Result.ACKNOWLEDGED}
        assert site.below_full_w(feeder) == 0
        readings = {each.asset: each for each in await site.door.read()}
        assert all(readings[each.name].is_running for each in site.assets)


async def test_a_command_whose_time_has_passed_is_not_sent(how, driver):
    async with rig(how, driver) as site:
        outcomes = await site.send(Action.STOP, life_s=-1.0)
        assert {each.result for each in outcomes} == {Result.EXPIRED}
        assert all(each.sent_us is None for each in outcomes)
        assert site.below_full_w(site.assets[0].feeder) == 0


async def test_one_that_refuses_says_why_and_the_others_obey(how, driver):
    async with rig(how, driver, fault(FaultKind.REFUSING, driver)) as site:
        first, *others = await site.send(Action.STOP)
        assert first.result is Result.REFUSED
        assert first.reason
        assert {each.result for each in others} == {Result.ACKNOWLEDGED}


async def test_one_that_lies_is_acknowledged_and_its_feeder_shows_it(how, driver):
    full_w, standby_w = POWER_W[driver]
    async with rig(how, driver, fault(FaultKind.LYING, driver)) as site:
        assert {each.result for each in await site.send(Action.STOP)} == {Result.ACKNOWLEDGED}
        assert site.below_full_w(site.assets[0].feeder) == (COUNT - 1) * (full_w - standby_w)


async def test_one_without_a_connection_is_reported_with_a_reason(how, driver):
    async with rig(how, driver, fault(FaultKind.LINK, driver)) as site:
        first, *others = await site.send(Action.STOP)
        assert first.result in {Result.UNREACHABLE, Result.MUTE, Result.GARBLED}
        assert first.reason
        assert {each.result for each in others} == {Result.ACKNOWLEDGED}
