"""The fleet engine against simulated miners over real TCP: what it says of each command is what happened to it."""

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager

import msgspec
import pytest

from headrace.adapters.miners.codec import Credentials
from headrace.adapters.miners.fleet import FleetLimits, MinerAccess, MinerFleet
from headrace.control.assets import Asset, AssetKind
from headrace.control.commands import Action, Command, Result
from headrace.sim.miners import antminer, braiins_rest, whatsminer_v2, whatsminer_v3
from headrace.sim.miners.faults import FaultRates, Manner
from headrace.sim.miners.serve import TWINS, FleetSpec, addresses, build

QUICK = FleetLimits(answer_s=2.0, keep_every_s=0.02)
FAULTS = FaultRates(
    delay_least_s=0.0,
    delay_mean_extra_s=0.01,
    mute_ratio=0.05,
    refusing_ratio=0.05,
    garbled_ratio=0.05,
    dropping_ratio=0.05,
    lying_ratio=0.05,
)
PROMPT = FaultRates(delay_least_s=0.0, delay_mean_extra_s=0.0)


LOG_INS = {
    "braiins-rest": Credentials(user=braiins_rest.USER, password=braiins_rest.PASSWORD),
    "antminer": Credentials(user=antminer.USER, password=antminer.PASSWORD),
    "whatsminer-v2": Credentials(password=whatsminer_v2.PASSWORD),
    "whatsminer-v3": Credentials(user=whatsminer_v3.ACCOUNT, password=whatsminer_v3.PASSWORD),
}


def now_us() -> int:
    return time.time_ns() // 1000


def miner(n: int, host: str, port: int) -> Asset:
    return Asset(
        name=f"m{n}",
        kind=AssetKind.MINER,
        load="s21",
        feeder="f1",
        driver="miners",
        address=f"{host}:{port}",
        full_mw=0.0034,
    )


def command(n: int, action: Action = Action.STOP, *, order: str = "o1", at_us: int | None = None, lives_s=60.0):
    at_us = now_us() if at_us is None else at_us
    return Command(
        id=f"{order}.{n}",
        asset=f"m{n}",
        action=action,
        commanded_us=at_us,
        expires_us=at_us + round(lives_s * 1e6),
        reason="order.site.shed",
    )


@asynccontextmanager
async def fleet_of(count: int, *, dialect="braiins", faults=PROMPT, limits=QUICK, armed=True, now_us=now_us):
    """A simulated fleet and the engine that drives it."""
    spec = FleetSpec(dialect=dialect, count=count, port=0, network="127.31", faults=faults)
    simulated = build(spec)
    listening = await simulated.listen(addresses(spec))
    assets = [miner(n, host, port) for n, (host, port) in enumerate(listening)]
    log_in = MinerAccess(dialect=dialect, credentials=LOG_INS.get(dialect, Credentials()))
    access = {asset.name: log_in for asset in assets}
    driver = MinerFleet(access, now_us=now_us, monotonic=time.perf_counter, limits=limits)
    await driver.arm(assets if armed else ())
    try:
        yield simulated, driver, assets
    finally:
        await driver.close()
        await simulated.close()


async def until(is_so, tries=400):
    for _ in range(tries):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass")


@pytest.mark.parametrize("dialect", sorted(TWINS))
async def test_every_command_has_one_outcome_and_it_is_what_happened(dialect):
    async with fleet_of(100, dialect=dialect, faults=FAULTS) as (simulated, driver, assets):
        commands = [command(n) for n in range(len(assets))]
        outcomes = await driver.send(commands)
        assert [(o.command, o.asset) for o in outcomes] == [(c.id, c.asset) for c in commands]
        expected = {
            Manner.HONEST: Result.ACKNOWLEDGED,
            # Antminer's stop ends by reading its mode back; elsewhere only a meter finds a lie out
            Manner.LYING: Result.REFUSED if dialect == "antminer" else Result.ACKNOWLEDGED,
            Manner.MUTE: Result.MUTE,
            Manner.REFUSING: Result.REFUSED,
            Manner.GARBLED: Result.GARBLED,
            Manner.DROPPING: Result.GARBLED,
        }
        for device, outcome in zip(simulated.devices, outcomes, strict=True):
            assert outcome.result is expected[device.manner], (device.manner, outcome)
            assert (outcome.acknowledged_us is not None) == (outcome.result is Result.ACKNOWLEDGED)
            assert bool(outcome.reason) == (outcome.result is not Result.ACKNOWLEDGED)
            if outcome.sent_us is None:
                assert outcome.reason.startswith("log-in: ")
                assert device.manner is Manner.MUTE
            else:
                assert outcome.sent_us >= outcome.commanded_us
            if outcome.result is Result.ACKNOWLEDGED:
                assert outcome.acknowledged_us >= outcome.sent_us
                assert device.model.is_asleep == (device.manner is Manner.HONEST)
        assert Counter(o.result for o in outcomes)[Result.MUTE] == 5


@pytest.mark.parametrize("dialect", sorted(TWINS))
async def test_a_fleet_that_was_never_armed_still_stops(dialect):
    limits = FleetLimits(answer_s=2.0, connecting_max=7, sweep_s=0.0)
    async with fleet_of(60, dialect=dialect, limits=limits) as (simulated, driver, assets):
        assert driver.standing().ready < len(assets)
        outcomes = await driver.send([command(n) for n in range(len(assets))])
        assert {o.result for o in outcomes} == {Result.ACKNOWLEDGED}
        assert all(device.model.is_asleep for device in simulated.devices)


@pytest.mark.parametrize("dialect", sorted(TWINS))
async def test_a_stopped_fleet_runs_again_and_says_so(dialect):
    async with fleet_of(20, dialect=dialect) as (simulated, driver, assets):
        assert {r.is_running for r in await driver.read()} == {True}
        await driver.send([command(n) for n in range(len(assets))])
        await until(lambda: driver.standing().ready == len(assets))
        outcomes = await driver.send([command(n, Action.RUN, order="o2") for n in range(len(assets))])
        assert {o.result for o in outcomes} == {Result.ACKNOWLEDGED}
        assert not any(device.model.is_asleep for device in simulated.devices)


@pytest.mark.parametrize("dialect", ["whatsminer-v2", "whatsminer-v3"])
async def test_a_miner_that_was_capped_runs_at_full_when_told_to_run(dialect):
    async with fleet_of(4, dialect=dialect) as (simulated, driver, assets):
        await driver.arm([msgspec.structs.replace(asset, least_mw=0.001) for asset in assets])
        caps = [msgspec.structs.replace(command(n, Action.CAP), power_mw=0.002) for n in range(len(assets))]
        assert {o.result for o in await driver.send(caps)} == {Result.ACKNOWLEDGED}
        assert {device.model.limit_w for device in simulated.devices} == {2000.0}
        await driver.send([command(n, Action.RUN, order="o2") for n in range(len(assets))])
        assert all(each.model.limit_w >= min(3400.0, each.model.full_w) for each in simulated.devices)


async def test_the_same_command_has_no_second_effect():
    async with fleet_of(30, faults=FAULTS) as (simulated, driver, assets):
        commands = [command(n) for n in range(len(assets))]
        first, joined = await asyncio.gather(driver.send(commands), driver.send(commands))
        requests = simulated.receipts.requests.tolist()
        again = await driver.send(commands)
        assert first == joined == again
        assert simulated.receipts.requests.tolist() == requests


async def test_nothing_is_sent_to_an_expired_command():
    async with fleet_of(10) as (simulated, driver, assets):
        late = [command(n, at_us=now_us() - 2_000_000, lives_s=1.0) for n in range(len(assets))]
        outcomes = await driver.send(late)
        assert {o.result for o in outcomes} == {Result.EXPIRED}
        assert all(o.sent_us is None for o in outcomes)
        assert sum(simulated.receipts.requests) == 0


async def test_a_command_that_expires_while_it_waits_to_connect_is_not_sent():
    ticks = iter(range(1_000_000))
    limits = FleetLimits(answer_s=1.0, connecting_max=1, sweep_s=0.0)
    async with fleet_of(20, limits=limits, now_us=lambda: 1_000 + next(ticks)) as (simulated, driver, assets):
        # each look at this clock moves it on, so that it passes the end of their time while connections are opened
        now = 1_000 + next(ticks)
        commands = [command(n, at_us=now, lives_s=6e-5) for n in range(len(assets))]
        outcomes = await driver.send(commands)
        sent = [o.sent_us is not None for o in outcomes]
        assert [bool(n) for n in simulated.receipts.requests] == sent
        assert {o.result for o in outcomes if o.sent_us is None} == {Result.EXPIRED}


async def test_a_stop_overtakes_a_run_under_way_and_an_older_command_comes_too_late():
    slow = FaultRates(delay_least_s=0.2, delay_mean_extra_s=0.0)
    async with fleet_of(5, faults=slow, limits=FleetLimits(answer_s=2.0)) as (simulated, driver, assets):
        begun_us = now_us()
        running = asyncio.ensure_future(
            driver.send([command(n, Action.RUN, order="wake", at_us=begun_us) for n in range(len(assets))])
        )
        await until(lambda: sum(simulated.receipts.requests) == len(assets))
        stopped = await driver.send([command(n, order="shed") for n in range(len(assets))])
        assert {o.result for o in stopped} == {Result.ACKNOWLEDGED}
        overtaken = await running
        assert {o.result for o in overtaken} == {Result.SENT}
        assert overtaken[0].reason == "overtaken by shed.0"
        late = await driver.send([command(0, Action.RUN, order="late", at_us=begun_us)])
        assert late[0].result is Result.EXPIRED
        assert all(device.model.is_asleep for device in simulated.devices)


async def test_a_miner_nobody_can_reach_is_unreachable_with_the_systems_words():
    async with fleet_of(3) as (simulated, driver, assets):
        await simulated.close()
        await asyncio.sleep(0)
        stranger = command(99)
        outcomes = await driver.send([*(command(n) for n in range(len(assets))), stranger])
        assert outcomes[-1].result is Result.UNREACHABLE
        assert "arm it first" in outcomes[-1].reason


async def test_an_idle_connection_that_the_peer_closes_is_opened_again():
    opened = []

    async def hang_up(reader, writer):
        opened.append(writer)

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    limits = FleetLimits(answer_s=0.3, keep_every_s=0.01, retry_s=0.01)
    driver = MinerFleet(
        {"m0": MinerAccess(dialect="braiins")}, now_us=now_us, monotonic=time.perf_counter, limits=limits
    )
    await driver.arm([miner(0, host, port)])
    await until(lambda: len(opened) == 1)
    assert driver.standing().ready == 1
    opened[0].close()
    await until(lambda: len(opened) == 2)
    await until(lambda: driver.standing().ready == 1)
    await driver.close()
    server.close()


@pytest.mark.parametrize(
    ("reply", "result", "words"),
    [
        (b"{" * 200_000, Result.GARBLED, "longer than 65536 bytes"),
        (b"\x00\xff\x00 no json at all", Result.GARBLED, ""),
        (b"", Result.GARBLED, "closed"),
        (b'{"STATUS":[{"STATUS":"E","Msg":"cannot"}]}', Result.REFUSED, "cannot"),
    ],
)
async def test_an_answer_that_is_none_has_a_reason(reply, result, words):
    async def answer(reader, writer):
        await reader.read(100)
        writer.write(reply)
        writer.close()

    outcome = await fired_at(answer)
    assert outcome.result is result
    assert words in outcome.reason


async def test_a_peer_that_answers_byte_by_byte_for_ever_is_mute():
    async def drip(reader, writer):
        await reader.read(100)
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)

    outcome = await fired_at(drip)
    assert outcome.result is Result.MUTE
    assert outcome.reason == "no answer within 0.3 s of the bytes leaving"


async def fired_at(peer):
    """Outcome of a stop sent to a peer of our own."""
    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    driver = MinerFleet(
        {"m0": MinerAccess(dialect="braiins")},
        now_us=now_us,
        monotonic=time.perf_counter,
        limits=FleetLimits(answer_s=0.3),
    )
    await driver.arm([miner(0, host, port)])
    (outcome,) = await driver.send([command(0)])
    await driver.close()
    server.close()
    return outcome


async def test_an_address_that_is_no_address_is_a_reason_not_a_crash():
    driver = MinerFleet(
        {"m0": MinerAccess(dialect="braiins"), "m1": MinerAccess(dialect="betamax")},
        now_us=now_us,
        monotonic=time.perf_counter,
    )
    await driver.arm([miner(0, "miner.example", 4028), miner(1, "127.0.0.1", 4028)])
    outcomes = await driver.send([command(0), command(1)])
    assert [o.result for o in outcomes] == [Result.UNREACHABLE] * 2
    assert "no IP address" in outcomes[0].reason
    assert "betamax" in outcomes[1].reason
    assert [r.is_running for r in await driver.read()] == [None, None]
    await driver.close()
