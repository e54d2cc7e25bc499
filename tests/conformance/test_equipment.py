"""Battery, meters and contactors: the same facts in process and through the real drivers over Modbus TCP."""

import pytest

from equipment_rigs import rig
from headrace.control.commands import Action, Result
from headrace.sim.world import Fault, FaultKind

HOWS = ["in process", "over Modbus"]
pytestmark = pytest.mark.parametrize("how", HOWS)


@pytest.mark.inv("L16")
@pytest.mark.parametrize(("action", "sign"), [(Action.CHARGE, 1), (Action.DISCHARGE, -1)])
async def test_charging_draws_power_and_raises_the_state_of_charge(how, action, sign):
    async with rig(how) as site:
        before = await site.meter("storage")
        site_w = (await site.meter("poi")).power_w
        (outcome,) = await site.battery.send([site.command("battery", action, 0.1)])
        assert outcome.result is Result.ACKNOWLEDGED
        assert outcome.sent_us <= outcome.acknowledged_us
        site.clock.at_s += 30.0
        during = await site.meter("storage")
        assert during.power_w == sign * 100_000
        assert ((await site.meter("poi")).power_w - site_w) == pytest.approx(sign * 100_000, abs=20_000)
        await site.battery.read()
        for _ in range(6):
            site.clock.at_s += 50.0
            (reading,) = await site.battery.read()
            assert reading.power_w == sign * 100_000
        after = await site.meter("storage")
        assert sign * (after.soc_ratio - before.soc_ratio) > 0.01
        charged, discharged = await site.counter("charge_wh"), await site.counter("discharge_wh")
        moved = charged if sign > 0 else discharged
        assert moved == pytest.approx(100_000 * 330 / 3600, rel=0.01)
        assert min(charged, discharged) == 0


async def test_a_battery_told_to_stop_rests(how):
    async with rig(how) as site:
        await site.battery.send([site.command("battery", Action.CHARGE, 0.1)])
        site.clock.at_s += 10.0
        (outcome,) = await site.battery.send([site.command("battery", Action.STOP)])
        assert outcome.result is Result.ACKNOWLEDGED
        site.clock.at_s += 5.0
        assert (await site.meter("storage")).power_w == 0


async def test_a_battery_that_hears_nothing_goes_back_to_rest(how):
    async with rig(how) as site:
        await site.battery.send([site.command("battery", Action.CHARGE, 0.1)])
        site.clock.at_s += 50.0
        assert (await site.meter("storage")).power_w == 100_000
        site.clock.at_s += 100.0
        await site.battery.read()
        site.clock.at_s += 5.0
        assert (await site.meter("storage")).power_w == 0


async def test_a_command_that_makes_no_sense_is_refused_with_a_reason(how):
    async with rig(how) as site:
        (outcome,) = await site.battery.send([site.command("battery", Action.CLOSE)])
        assert outcome.result is Result.REFUSED
        assert "close" in outcome.reason
        late = site.command("battery", Action.CHARGE, 0.1, life_s=0.0)
        (outcome,) = await site.battery.send([late])
        assert outcome.result is Result.EXPIRED
        assert outcome.sent_us is None


async def test_an_open_contactor_takes_its_feeder_off_and_a_closed_one_brings_it_back(how):
    async with rig(how) as site:
        full_w = (await site.meter("rack")).power_w
        assert full_w > 200_000
        (outcome,) = await site.coils.send([site.command("rack.k1", Action.OPEN)])
        assert outcome.result is Result.ACKNOWLEDGED
        site.clock.at_s += 1.0
        assert (await site.meter("rack")).power_w == 0
        (reading,) = await site.coils.read()
        assert reading.is_running is False
        await site.coils.send([site.command("rack.k1", Action.CLOSE)])
        site.clock.at_s += 30.0
        assert (await site.meter("rack")).power_w == full_w


async def test_the_connection_meter_is_the_sum_of_what_is_behind_it(how):
    async with rig(how) as site:
        power_w = {each.meter: each.power_w for each in await site.meters.power()}
        overhead_ratio = 1.15
        assert power_w["poi"] == pytest.approx(power_w["rack"] * overhead_ratio + power_w["storage"], abs=100)
        site.clock.at_s += 3600.0
        assert await site.counter("import_wh") == pytest.approx(power_w["poi"], rel=0.01)
        assert await site.counter("export_wh") == 0


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (FaultKind.MUTE, Result.MUTE),
        (FaultKind.DEAF, Result.MUTE),
        (FaultKind.REFUSING, Result.REFUSED),
        (FaultKind.GARBLED, Result.GARBLED),
    ],
)
async def test_a_battery_that_misbehaves_is_reported_with_a_reason(how, kind, result):
    async with rig(how, (Fault(kind=kind, target="battery", start_s=1.0),)) as site:
        site.clock.at_s += 2.0
        await site.meter("storage")
        (outcome,) = await site.battery.send([site.command("battery", Action.CHARGE, 0.1)])
        # A frame cut to pieces is as good as none: over the wire nobody can tell them apart.
        assert outcome.result in ({result, Result.MUTE} if kind is FaultKind.GARBLED else {result})
        assert outcome.reason


async def test_a_meter_that_does_not_answer_is_absent(how):
    async with rig(how, (Fault(kind=FaultKind.METER_GAP, target="rack", start_s=1.0, end_s=60.0),)) as site:
        site.clock.at_s += 2.0
        assert {each.meter for each in await site.meters.power()} >= {"poi", "storage"}
        names = {each.meter for each in await site.meters.power()}
        assert names == {"poi", "storage"}
        site.clock.at_s += 60.0
        await site.meters.power()
        assert {each.meter for each in await site.meters.power()} == {"poi", "rack", "storage"}
