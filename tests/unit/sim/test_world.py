"""The simulated world: energy adds up, time may pass in any steps, faults strike whom they name."""

import msgspec
import numpy as np
import pytest

from equipment_rigs import SITES, START_S, SteppedClock
from headrace.adapters.devicefile import load_devices
from headrace.adapters.sitefile import load_site
from headrace.control.commands import Action, Command, Result
from headrace.sim.world import Conditions, Fault, FaultFile, FaultKind, SimMeters, World, random_faults, sim_drivers
from headrace.sim.world.sense import asset_readings, counter_readings, meter_readings

START_US = round(START_S * 1e6)


def world(*faults: Fault, seed: int = 1) -> World:
    site = load_site(SITES / "live_demo.toml")
    devices = load_devices(SITES / "live_demo.devices.toml", site)
    return World(site.site, devices.inventory, start_us=START_US, seed=seed, faults=faults)


def after(at_s: float) -> int:
    return START_US + round(at_s * 1e6)


def meter_w(simulated: World, name: str) -> int:
    return next(each.power_w for each in meter_readings(simulated) if each.meter == name)


def counters(simulated: World) -> dict[str, int]:
    return {each.name: each.total for each in counter_readings(simulated)}


def command(asset: str, action: Action, clock: SteppedClock, number: int = 1) -> Command:
    now_us = clock.now_us()
    return Command(
        id=f"o.{number}",
        asset=asset,
        action=action,
        commanded_us=now_us,
        expires_us=now_us + 60_000_000,
        reason="test",
    )


def test_a_day_in_many_steps_is_a_day_in_few():
    coarse, fine = world(), world()
    for each in (coarse, fine):
        each.tell("A.m001", Action.STOP, at_us=after(100.0))
        each.tell("battery", Action.CHARGE, 0.1e6, at_us=after(200.0))
        each.tell("batch-01", Action.CAP, 6000.0, at_us=after(5000.0))
    coarse.advance(after(7200.0))
    for t in np.arange(0.0, 7200.01, 7.3):
        fine.advance(after(float(t)))
    fine.advance(after(7200.0))
    a, b = counters(coarse), counters(fine)
    assert a.keys() == b.keys()
    assert all(abs(a[name] - b[name]) <= 2 for name in a), {n: (a[n], b[n]) for n in a if a[n] != b[n]}


def test_the_connection_sees_its_feeders_and_their_cooling():
    simulated = world()
    simulated.advance(after(60.0))
    feeders = sum(meter_w(simulated, name) for name in "ABC")
    overhead = meter_w(simulated, "poi") - feeders
    machines = simulated.machines.power_w
    assert overhead == pytest.approx(
        float(machines[:200].sum()) * 0.0367 + float(machines[200:].sum()) * 0.12, rel=0.02
    )


def test_work_follows_power():
    simulated = world()
    simulated.advance(after(3600.0))
    before = counters(simulated)
    assert before["work_ph.hall A"] == pytest.approx(120 * 0.2 * 3600, rel=0.001)
    assert before["lease_delivered_gpu_s.firm lab"] == 64 * 3600
    for n in range(1, 121):
        simulated.tell(f"A.m{n:03}", Action.STOP, at_us=after(3600.0))
    simulated.advance(after(3610.0))
    stopped = counters(simulated)["work_ph.hall A"]
    simulated.advance(after(7200.0))
    assert counters(simulated)["work_ph.hall A"] == stopped
    assert meter_w(simulated, "A") == pytest.approx(120 * 60.0)


def test_a_battery_stops_at_its_limits_and_loses_what_its_efficiency_says():
    simulated = world()
    simulated.tell("battery", Action.CHARGE, 0.2e6, at_us=after(0.0))
    simulated.advance(after(4 * 3600.0))
    storage, battery = simulated.storage, simulated.site.battery
    assert storage.stored_mwh == pytest.approx(battery.stored_max_mwh)
    assert storage.power_w == 0.0
    stored_mwh = battery.stored_max_mwh - battery.stored_start_mwh
    assert counters(simulated)["charge_wh"] == pytest.approx(stored_mwh / 0.92 * 1e6, abs=1)


def test_a_breaker_trips_on_overload_and_stays_open_until_it_is_reset():
    simulated = world(Fault(kind=FaultKind.BREAKER_TRIP, target="A", start_s=10.0, end_s=20.0))
    simulated.advance(after(30.0))
    assert meter_w(simulated, "A") == 0
    (reading,) = asset_readings(simulated, [simulated.layout.machines[0]])
    assert reading.is_running is None
    assert reading.reason == "no connection"
    simulated.reset("A")
    simulated.advance(after(60.0))
    assert meter_w(simulated, "A") == pytest.approx(420_000)


def test_a_miner_that_lies_claims_to_sleep_and_its_feeder_knows_better():
    simulated = world(Fault(kind=FaultKind.LYING, target="A.m00*", start_s=1.0))
    simulated.advance(after(5.0))
    for n in range(1, 21):
        simulated.tell(f"A.m{n:03}", Action.STOP, at_us=after(5.0))
    simulated.advance(after(10.0))
    claimed_w = sum(each.power_w for each in asset_readings(simulated, simulated.layout.machines[:120]))
    assert claimed_w == pytest.approx(100 * 3500 + 20 * 60)
    assert meter_w(simulated, "A") == pytest.approx(109 * 3500 + 11 * 60)


async def test_a_command_heard_twice_takes_effect_once():
    simulated, clock = world(), SteppedClock()
    driver = sim_drivers(simulated, clock)["braiins"]
    for _ in range(2):
        (outcome,) = await driver.send([command("A.m001", Action.STOP, clock)])
        assert outcome.result is Result.ACKNOWLEDGED
    await driver.read()
    assert [(each.command, each.changed) for each in simulated.effects] == [("o.1", True), ("o.1", False)]


async def test_a_send_returns_within_its_timeout_whoever_is_mute():
    simulated, clock = world(Fault(kind=FaultKind.MUTE, target="A.m05*", start_s=0.0)), SteppedClock()
    simulated.advance(after(1.0))
    clock.at_s += 1.0
    driver = sim_drivers(simulated, clock, timeout_s=1.0)["braiins"]
    began_s = clock.at_s
    outcomes = await driver.send([command(f"A.m{n:03}", Action.STOP, clock, n) for n in range(1, 121)])
    assert clock.at_s <= began_s + 1.0 + 1e-6
    mute = [each for each in outcomes if each.result is Result.MUTE]
    assert len(mute) == 10
    assert all(each.reason for each in mute)


@pytest.mark.parametrize("kind", [FaultKind.METER_FREEZE, FaultKind.METER_GAP, FaultKind.METER_RESET])
async def test_a_meter_fault_strikes_the_meter_and_not_the_world(kind):
    simulated, clock = world(Fault(kind=kind, target="poi", start_s=10.0, end_s=20.0)), SteppedClock()
    meters = SimMeters(simulated, clock)
    first = {each.meter: each for each in await meters.power()}["poi"]
    clock.at_s += 15.0
    await meters.power()
    readings = {each.meter: each for each in await meters.power()}
    totals = {each.name: each.total for each in await meters.counters()}
    assert (readings.get("poi") == first) == (kind is FaultKind.METER_FREEZE)
    assert ("poi" not in readings) == (kind is FaultKind.METER_GAP)
    assert (totals.get("import_wh") == 0) == (kind is FaultKind.METER_RESET)
    clock.at_s += 60.0
    await meters.power()
    assert {each.meter: each for each in await meters.power()}["poi"].at_us == clock.now_us()
    again = {each.name: each.total for each in await meters.counters()}["import_wh"]
    assert again > 0


def test_a_hall_without_cooling_gets_hot_and_its_machines_stop():
    site = load_site(SITES / "live_demo.toml")
    text = (SITES / "live_demo.devices.toml").read_text(encoding="utf-8")
    cooling = (
        '[[cooling]]\nname = "A.fans"\nfeeder = "C"\ncooling = "air"\nhost = "127.0.0.1"\nfull_kw = 20.0\ncoil = 0\n'
        'feedback = 0\n[[feeder]]\nname = "A"\ncooling = "A.fans"'
    )
    from headrace.adapters.devicefile import parse_devices

    devices = parse_devices(text.replace('[[feeder]]\nname = "A"', cooling, 1), SITES / "x.toml", site)
    simulated = World(site.site, devices.inventory, start_us=START_US, conditions=Conditions(temp_c=25.0))
    simulated.tell("A.fans", Action.STOP, at_us=after(1.0))
    simulated.advance(after(60.0))
    assert meter_w(simulated, "A") == pytest.approx(420_000)
    simulated.advance(after(200.0))
    assert meter_w(simulated, "A") == pytest.approx(120 * 60)
    simulated.tell("A.fans", Action.RUN, at_us=after(200.0))
    simulated.advance(after(900.0))
    assert meter_w(simulated, "A") == pytest.approx(120 * 60), "they stay off until told to run"
    for n in range(1, 121):
        simulated.tell(f"A.m{n:03}", Action.RUN, at_us=after(900.0))
    simulated.advance(after(960.0))
    assert meter_w(simulated, "A") == pytest.approx(420_000)


def test_the_same_seed_gives_the_same_faults_and_another_seed_others():
    inventory = world().inventory
    drawn = [
        random_faults(inventory, rng=np.random.default_rng(seed), length_s=86_400.0, per_day=50.0) for seed in (5, 5, 6)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert 20 < len(drawn[0]) < 90


def test_a_week_of_random_faults_never_breaks_the_world():
    inventory = world().inventory
    faults = random_faults(inventory, rng=np.random.default_rng(11), length_s=7 * 86_400.0, per_day=30.0)
    simulated = world(*faults)
    for t in range(0, 7 * 86_400, 3600):
        simulated.advance(after(float(t)))
        meter_readings(simulated)
    assert simulated.now_us == after(7 * 86_400.0 - 3600)
    assert all(np.isfinite(simulated.machines.power_w))


def test_faults_are_read_from_toml():
    text = '[[fault]]\nkind = "lying"\ntarget = "A.*"\nstart_s = 600.0\nend_s = 1200.0\n'
    (fault,) = msgspec.toml.decode(text, type=FaultFile).fault
    assert fault.kind is FaultKind.LYING
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(text.replace("1200.0", "60.0"), type=FaultFile)
