"""The driver pack: `pyasic-rs` in its own process, against simulated miners that it identifies by itself.

It identified the simulated LuxOS, WhatsMiner API 2 and Antminer firmware; Braiins OS and WhatsMiner API 3 it knows by
other doors (GraphQL, a signed request) that the simulated machines do not have.
"""

import sys

import pytest

from headrace.adapters.miners.codec import Credentials
from headrace.adapters.miners.driver_pack import DriverPack
from headrace.control.assets import Asset, AssetKind
from headrace.control.commands import Action, Command, Result
from headrace.sim.miners.faults import FaultRates, Manner
from headrace.sim.miners.fleet import Device, Fleet
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.serve import TWINS

pytest.importorskip("pyasic_rs", reason="the driver pack needs pip install 'headrace[live]'")

NOW_US = 1_700_000_000_000_000
HOSTS = {"luxos": "127.93.1.1", "whatsminer-v2": "127.93.1.2"}
PORT = 4028  # the library looks nowhere else


def _asset(name: str, host: str) -> Asset:
    return Asset(
        name=name,
        kind=AssetKind.MINER,
        load="s21",
        feeder="f1",
        driver="driver-pack",
        address=f"{host}:{PORT}",
        full_mw=0.0034,
    )


def _command(asset: str, action: Action, power_mw: float | None = None, lasts_us: int = 1) -> Command:
    return Command(
        id=f"o1.{asset}.{action}",
        asset=asset,
        action=action,
        power_mw=power_mw,
        commanded_us=NOW_US,
        expires_us=NOW_US + lasts_us,
        reason="test",
    )


async def _fleet(dialect: str, manner: Manner = Manner.HONEST) -> Fleet:
    model = MinerModel(ramp_down_s=0.0, ramp_up_s=0.0)
    fleet = Fleet([Device(0, TWINS[dialect][0](), model, manner)], delays_s=(FaultRates().delay_least_s,))
    try:
        await fleet.listen([(HOSTS[dialect], PORT)])
    except OSError as error:
        pytest.skip(f"{HOSTS[dialect]}:{PORT} cannot be listened on here: {error}")
    return fleet


def _pack(**more) -> DriverPack:
    return DriverPack({"a": Credentials(password="admin")}, now_us=lambda: NOW_US, **more)


@pytest.mark.slow
@pytest.mark.parametrize("dialect", HOSTS)
async def test_it_stops_and_wakes_a_miner_it_identified_itself(dialect):
    fleet, pack = await _fleet(dialect), _pack(within_s=20.0)
    try:
        await pack.arm([_asset("a", HOSTS[dialect])])
        (stopped,) = await pack.send([_command("a", Action.STOP)])
        assert stopped.result is Result.ACKNOWLEDGED, stopped.reason
        assert fleet.power_w() == 60.0
        (reading,) = await pack.read()
        assert reading.power_w == 60
        (woken,) = await pack.send([_command("a", Action.RUN)])
        assert woken.result is Result.ACKNOWLEDGED, woken.reason
        assert fleet.power_w() == 3400.0
    finally:
        await pack.close()
        await fleet.close()


@pytest.mark.slow
async def test_a_miner_that_says_yes_and_goes_on_is_told_apart():
    fleet, pack = await _fleet("whatsminer-v2", Manner.LYING), _pack(within_s=20.0)
    try:
        await pack.arm([_asset("a", HOSTS["whatsminer-v2"])])
        (outcome,) = await pack.send([_command("a", Action.STOP)])
        assert outcome.result is Result.ACKNOWLEDGED
        assert "still mines" in outcome.reason
    finally:
        await pack.close()
        await fleet.close()


async def test_where_nothing_answers_the_reason_says_so():
    pack = _pack(within_s=20.0)
    try:
        await pack.arm([_asset("a", "127.93.1.9")])
        (outcome,) = await pack.send([_command("a", Action.STOP)])
        assert outcome.result is Result.REFUSED
        assert "nothing" in outcome.reason
        (reading,) = await pack.read()
        assert reading.is_running is None
        assert reading.reason
    finally:
        await pack.close()


async def test_a_process_that_dies_is_the_reason_and_the_next_command_gets_a_new_one():
    pack = _pack(arguments=(sys.executable, "-c", "import os, sys; sys.stdin.readline(); os.abort()"))
    try:
        await pack.arm([_asset("a", "127.93.1.9")])
        for _ in range(2):
            (outcome,) = await pack.send([_command("a", Action.STOP)])
            assert outcome.result is Result.UNREACHABLE
            assert "ended with code -6" in outcome.reason
    finally:
        await pack.close()


async def test_a_process_that_says_nothing_is_mute_after_its_time():
    pack = _pack(arguments=(sys.executable, "-c", "import sys; sys.stdin.read()"), within_s=0.2)
    try:
        await pack.arm([_asset("a", "127.93.1.9")])
        (outcome,) = await pack.send([_command("a", Action.STOP)])
        assert outcome.result is Result.MUTE
        assert outcome.sent_us == NOW_US
    finally:
        await pack.close()


async def test_nonsense_from_the_process_is_a_reason():
    pack = _pack(arguments=(sys.executable, "-c", "import sys; sys.stdin.readline(); print('{nonsense', flush=True)"))
    try:
        await pack.arm([_asset("a", "127.93.1.9")])
        (outcome,) = await pack.send([_command("a", Action.STOP)])
        assert outcome.result is Result.UNREACHABLE
    finally:
        await pack.close()


async def test_what_has_expired_is_not_sent():
    pack = _pack(arguments=("no-such-program",))
    await pack.arm([_asset("a", "127.93.1.9")])
    late, unknown, unfit = await pack.send(
        [_command("a", Action.STOP, lasts_us=0), _command("b", Action.STOP), _command("a", Action.OPEN)]
    )
    assert late.result is Result.EXPIRED
    assert unknown.result is unfit.result is Result.REFUSED
    (outcome,) = await pack.send([_command("a", Action.STOP)])
    assert outcome.result is Result.UNREACHABLE
    assert "does not start" in outcome.reason
    assert outcome.sent_us is None
