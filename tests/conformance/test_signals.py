"""What every door for grid signals does, real or simulated: `control.ports.Signals`."""

import asyncio

import pytest

from grid_rigs import EMERGENCY, Adr2Rig, Adr3PollRig, Adr3Rig, Collected, ScriptedRig, until, wall_us
from headrace.control.orders import OrderKind

pytest.importorskip("openleadr", reason="the extra `live` is not installed")

MINUTE_US = 60_000_000


@pytest.fixture(params=[Adr2Rig, Adr3Rig, Adr3PollRig, ScriptedRig], ids=["adr2", "adr3", "adr3-poll", "scripted"])
async def rig(request):
    rig = request.param()
    await rig.start()
    yield rig
    await rig.stop()


async def test_an_event_becomes_an_order_of_the_declared_authority(rig):
    orders, starts_us = Collected(rig.door), wall_us() // 1_000_000 * 1_000_000 + MINUTE_US
    rig.issue("evt-7", 12.0, starts_us, 900)
    order = (await orders.count(1))[0]
    assert order.id.startswith(f"{rig.prefix}.")
    assert (order.kind, order.authority, order.mw) == (OrderKind.LIMIT, EMERGENCY.authority, 12.0)
    assert (order.starts_us, order.ends_us) == (starts_us, starts_us + 15 * MINUTE_US)
    assert order.within_s == EMERGENCY.within_s


async def test_an_event_delivered_again_is_the_same_order(rig):
    orders, starts_us = Collected(rig.door), wall_us() + MINUTE_US
    rig.issue("evt-7", 12.0, starts_us, 900)
    await orders.count(1)
    await rig.answered("evt-7", 1)
    rig.repeat("evt-7")
    await asyncio.sleep(0.35)  # three polls in which nothing may happen: there is no condition to wait for
    assert len({order.id for order in orders.orders}) == 1


async def test_a_changed_event_replaces_its_order_without_a_gap(rig):
    orders, starts_us = Collected(rig.door), wall_us() + MINUTE_US
    rig.issue("evt-7", 12.0, starts_us, 900)
    first = (await orders.count(1))[0]
    await rig.answered("evt-7", 1)
    rig.change("evt-7", 9.0, starts_us, 900)
    new, restore = (await orders.count(3))[1:]
    assert (new.kind, new.mw) == (OrderKind.LIMIT, 9.0)
    assert new.id != first.id
    assert (restore.kind, restore.ends) == (OrderKind.RESTORE, first.id)


async def test_a_cancelled_event_ends_its_order(rig):
    orders, starts_us = Collected(rig.door), wall_us() + MINUTE_US
    rig.issue("evt-7", 12.0, starts_us, 900)
    first = (await orders.count(1))[0]
    await rig.answered("evt-7", 1)
    rig.cancel("evt-7")
    restore = (await orders.count(2))[1]
    assert (restore.kind, restore.ends) == (OrderKind.RESTORE, first.id)
    assert restore.authority == first.authority


async def test_what_is_delivered_reaches_whoever_asked(rig):
    orders = Collected(rig.door)
    rig.issue("evt-7", 12.0, wall_us() + MINUTE_US, 900)
    order = (await orders.count(1))[0]
    await rig.door.report(order.id, 7.5, wall_us())
    await until(rig.delivered_mw, "a report")
    assert rig.delivered_mw() == [7.5]


async def test_a_closed_door_ends_its_orders(rig):
    orders = Collected(rig.door)
    await asyncio.sleep(0)
    await rig.door.close()
    await orders.ended()
    assert orders.orders == []
