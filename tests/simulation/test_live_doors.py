"""What happens when a door, a gateway or a companion of a live site fails: an alarm, and the site goes on."""

import asyncio
import json

from headrace.app.live.beside import Companions
from headrace.app.live.logs import opened_log
from headrace.control.orders import OrderKind
from headrace.control.readings import AssetReading
from headrace.dispatch.policies import AlwaysOn, Desk
from headrace.engine.live.listening import listen
from headrace.engine.live.records import Alarmed, Attested, Closed, Commanded
from headrace.engine.live.reproduce import reproduced
from headrace.settlement.telemetry import IntervalRoot
from headrace.sim.grid.scripted import ScriptedSignals
from live_cases import Campus, order

CHARGING_S = 32_500.0
"""When the desk charges the battery that day, seconds after the start: what a shed turns first."""


def run(campus: Campus, seconds: float, *beside, prepare=lambda engine: None):
    """Run an engine; `beside` are coroutine functions of site and engine."""

    async def whole():
        site, engine = campus.engine()
        prepare(engine)
        others = [asyncio.ensure_future(each(site, engine)) for each in beside]
        moving = asyncio.ensure_future(campus.clock.run())
        await site.run(campus.clock.now_s() + seconds)
        for each in (moving, *others):
            each.cancel()
        await asyncio.gather(moving, *others, return_exceptions=True)

    asyncio.run(whole())


def alarms(campus: Campus, code: str) -> list[bool]:
    return [each.is_up for each in campus.records() if isinstance(each, Alarmed) and each.code == code]


class Late(ScriptedSignals):
    """A door that can't start the first time."""

    def __init__(self, now_us) -> None:
        super().__init__(now_us)
        self.starts = 0

    async def orders(self):
        self.starts += 1
        if self.starts == 1:
            raise OSError("port is taken")
        async for each in super().orders():
            yield each


def test_a_door_that_cannot_start_is_an_alarm_and_tried_again(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    door = Late(campus.clock.now_us)

    async def grid(site, engine):
        listening = asyncio.ensure_future(listen(engine, (door,), site.submit))
        await campus.clock.sleep_until(campus.clock.now_s() + 600.0)
        door.issue(order(campus, OrderKind.SHED, 3.0))
        await listening

    run(campus, 1_500.0, grid)
    assert alarms(campus, "door.signals.1") == [True, False]
    assert [name for name, met_mw, _ in door.reported if met_mw >= 3.0 * 0.99] == ["op.1"]


def test_an_order_is_not_kept_waiting_by_one_that_waits_for_its_meter(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    door = ScriptedSignals(campus.clock.now_us)

    async def grid(site, engine):
        listening = asyncio.ensure_future(listen(engine, (door,), site.submit))
        await campus.clock.sleep_until(campus.clock.now_s() + 600.0)
        door.issue(order(campus, OrderKind.SHED, 500.0, name="op.much", within_s=600.0))
        door.issue(order(campus, OrderKind.HOLD, name="op.hold"))
        await campus.clock.sleep_until(campus.clock.now_s() + 60.0)
        assert [name for name, _, _ in door.reported] == ["op.hold"]
        await listening

    run(campus, 1_500.0, grid)


def test_what_an_order_took_off_stays_off_whatever_the_plan_asked_for_before(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=Desk)
    seen = []

    async def grid(site, engine):
        await campus.clock.sleep_until(campus.clock.now_s() + CHARGING_S)
        assert engine.state.fleet.drawn_mw[list(engine.state.layout.batteries)].sum() > 0.1
        before_mw = site.status().site_mw
        await site.submit(order(campus, OrderKind.SHED, 4.0, within_s=600.0))
        for _ in range(20):
            await campus.clock.sleep_until(campus.clock.now_s() + 10.0)
            seen.append(site.status().site_mw - before_mw)

    run(campus, CHARGING_S + 400.0, grid)
    assert max(seen) <= -4.0 * 0.99


def test_a_gateway_that_fails_is_an_alarm_until_it_signs_again_and_its_roots_are_journalled(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    calls = []

    async def attest(closed: Closed, _):
        calls.append(closed)
        if len(calls) == 1:
            raise OSError("no key")
        at_s = closed.cycle.at_s
        return IntervalRoot(
            site="demo",
            gateway="g1",
            sequence=len(calls),
            interval_start_s=at_s,
            duration_s=300,
            root=bytes(32),
            count=7,
            absent=1,
            missing=0,
            refused=0,
            previous=bytes(32),
        )

    def prepare(engine):
        engine._on_closed = attest

    run(campus, 1_000.0, prepare=prepare)
    assert alarms(campus, "telemetry.unsigned") == [True, False]
    signed = [each for each in campus.records() if isinstance(each, Attested)]
    assert [each.sequence for each in signed] == list(range(2, len(calls) + 1))
    assert (signed[0].interval_s, signed[0].readings, signed[0].root) == (calls[1].cycle.at_s, 7, "00" * 32)
    again = list(reproduced(campus.state(), campus.records(), AlwaysOn))
    assert again == campus.records()


class Shy:
    """A driver that can't start the first time."""

    name = "shy"

    def __init__(self) -> None:
        self.armed = 0

    async def arm(self, assets) -> None:
        self.armed += 1
        if self.armed == 1:
            raise ConnectionError("broker is away")

    async def send(self, commands):
        return ()

    async def read(self) -> tuple[AssetReading, ...]:
        return ()

    async def close(self) -> None:
        """Nothing is held."""


def test_a_driver_that_cannot_start_is_an_alarm_until_it_can(tmp_path):
    campus, shy = Campus(tmp_path / "live.jsonl", policy=AlwaysOn), Shy()

    def prepare(engine):
        engine._drivers = {**engine._drivers, "shy": shy}
        engine._unarmed.add("shy")

    run(campus, 200.0, prepare=prepare)
    assert alarms(campus, "door.shy") == [True, False]
    assert shy.armed == 2


def test_a_companion_that_fails_is_an_alarm_and_ends_nothing(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)

    async def broken(site):
        raise OSError("port is taken")

    async def api(site, engine):
        async with Companions(site, engine, [("api", broken)]):
            await asyncio.Event().wait()

    run(campus, 700.0, api)
    assert alarms(campus, "beside.api") == [True]
    assert any(isinstance(each, Closed) for each in campus.records())


def test_the_log_tells_starts_orders_and_stops_in_json_lines(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)

    async def grid(site, engine):
        with opened_log(tmp_path / "live.log") as log:
            engine.on_noted = log.noted
            await campus.clock.sleep_until(campus.clock.now_s() + 600.0)
            await site.submit(order(campus, OrderKind.SHED, 3.0))
            await asyncio.Event().wait()

    run(campus, 900.0, grid)
    lines = [json.loads(line) for line in (tmp_path / "live.log").read_text().splitlines()]
    told = [each["event"] for each in lines]
    assert told[0] == "live.started"
    assert told.index("order.taken") < told.index("order.delivered")
    taken = lines[told.index("order.taken")]
    assert (taken["order"], taken["authority"], taken["mw"]) == ("op.1", "grid", 3.0)
    assert any(isinstance(each, Commanded) for each in campus.records())
