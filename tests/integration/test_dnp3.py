"""The DNP3 outstation against a master over TCP: telemetry up, base points and commands down."""

import msgspec
import pytest

from grid_rigs import Collected, free_port, until, wall_us

pytest.importorskip("opendnp3", reason="the extra `live` is not installed")

from headrace.adapters.grid.dnp3 import Dnp3, Dnp3Settings, Registered
from headrace.adapters.grid.programme import Programme
from headrace.adapters.grid.refusals import Why
from headrace.control.basepoints import RampCurve, RampPiece, Registration
from headrace.control.orders import Authority, OrderKind
from headrace.sim.grid.dnp3_master import Dnp3Master

MARKET = Programme(
    name="market", context="dnp3", authority=Authority.GRID, within_s=300.0, largest_mw=100.0, follows=True
)


class Rig:
    def __init__(self):
        port = free_port()
        self.door = Dnp3(Dnp3Settings(port=port, valid_s=600), MARKET, wall_us, shed_mw=40.0)
        self.port = port


@pytest.fixture
async def rig():
    rig = Rig()
    await rig.door.open()
    rig.master = Dnp3Master(rig.port)
    await until(lambda: rig.master.binary, "the master's first read")
    yield rig
    await rig.master.stop()
    await rig.door.close()


async def test_a_base_point_binds_from_above_and_below(rig):
    orders = Collected(rig.door)
    assert await rig.master.base_point(60.0) == "SUCCESS"
    limit, floor = await orders.count(2)
    assert (limit.kind, floor.kind) == (OrderKind.LIMIT, OrderKind.RAISE)
    assert limit.mw == floor.mw == 60.0
    assert limit.authority is Authority.GRID
    assert abs(limit.ends_us - limit.starts_us - 600_000_000) < 1_000_000


async def test_the_next_base_point_replaces_the_one_before(rig):
    orders = Collected(rig.door)
    await rig.master.base_point(60.0)
    first = (await orders.count(2))[:2]
    assert await rig.master.base_point(60.0) == "SUCCESS"  # the same again is no new order
    await rig.master.base_point(40.0)
    later = (await orders.count(6))[2:]
    assert [order.mw for order in later[:2]] == [40.0, 40.0]
    assert {order.ends for order in later[2:]} == {order.id for order in first}
    assert len(orders.orders) == 6


async def test_an_absurd_base_point_is_refused_to_the_masters_face(rig):
    assert await rig.master.base_point(5_000.0) == "OUT_OF_RANGE"
    assert await rig.master.base_point(float("nan")) == "FORMAT_ERROR"
    assert rig.door.refusals.counts[Why.ABSURD] == 1


async def test_a_command_must_be_selected_first(rig):
    assert await rig.master.base_point(50.0, selects=False) == "NO_SELECT"
    assert await rig.master.base_point(50.0, index=3) == "NOT_SUPPORTED"


async def test_the_binary_output_sheds_and_restores(rig):
    orders = Collected(rig.door)
    assert await rig.master.latch(is_on=True) == "SUCCESS"
    shed = (await orders.count(1))[0]
    assert (shed.kind, shed.mw, shed.ends_us) == (OrderKind.SHED, 40.0, None)
    assert await rig.master.latch(is_on=False) == "SUCCESS"
    restore = (await orders.count(2))[1]
    assert (restore.kind, restore.ends) == (OrderKind.RESTORE, shed.id)


async def test_telemetry_reaches_the_master(rig):
    rig.door.telemetry({"draw": 57.25, "most": 80.0}, {"available": True})
    await rig.door.report("dnp3.basepoint", 12.5, wall_us())
    rig.master.scan()
    await until(lambda: rig.master.analog.get(5) == 12_500.0, "telemetry")
    assert (rig.master.analog[0], rig.master.analog[2], rig.master.binary[0]) == (57_250.0, 80_000.0, True)


CLR = Registration(
    name="CLR1",
    least_mw=10.0,
    most_mw=80.0,
    normal=RampCurve(pieces=(RampPiece(to_mw=80.0, up_mw_per_min=2.0, down_mw_per_min=4.0),)),
    emergency=RampCurve(pieces=(RampPiece(to_mw=80.0, up_mw_per_min=20.0, down_mw_per_min=40.0),)),
)
POINTS = msgspec.structs.replace(
    MARKET, name="CLR1", context="dnp3.basepoints", authority=Authority.RESERVE, end_permits=True
)


async def test_a_registered_base_point_comes_on_its_ramps_within_its_limits():
    port, clock = free_port(), [wall_us()]
    registered = Registered(registration=CLR, programme=POINTS)
    door = Dnp3(Dnp3Settings(port=port), MARKET, lambda: clock[0], shed_mw=40.0, registered=registered)
    await door.open()
    master = Dnp3Master(port)
    await until(lambda: master.binary, "the master's first read")
    orders = Collected(door)
    door.telemetry({"draw": 70.0}, {})
    assert await master.base_point(30.0) == "SUCCESS"
    limit, floor = await orders.count(2)
    assert (limit.mw, limit.within_s, limit.authority) == (30.0, 600.0, Authority.RESERVE)  # 40 MW at 4 MW a minute
    assert floor.within_s == 600.0
    assert limit.ends_us - limit.starts_us == 600_000_000
    assert await master.latch(is_on=True) == "SUCCESS"
    shed = (await orders.count(3))[2]
    assert shed.authority is Authority.GRID
    clock[0] += 1_000_000
    await master.base_point(1.0)
    assert [(each.mw, each.within_s) for each in (await orders.count(7))[3:5]] == [(10.0, 300.0)] * 2  # emergency curve
    assert await master.base_point(5_000.0) == "OUT_OF_RANGE"
    await master.stop()
    await door.close()
