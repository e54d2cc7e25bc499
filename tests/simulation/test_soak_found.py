"""What soaks found, each under its own name."""

import asyncio

from headrace.control.orders import OrderKind
from headrace.dispatch.policies import AlwaysOn
from headrace.sim.world.faults import Fault, FaultKind
from live_cases import Campus, order


class Gone(RuntimeError):
    """A gateway that is not there."""


def test_the_alarm_of_silent_counters_goes_when_they_answer(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn, machines=2)
    told = {}

    async def gateway(site) -> None:
        engine = site._engine
        read = engine.meters.counters

        async def failing():
            raise Gone("no route")

        engine.meters.counters = failing
        await campus.clock.sleep_until(campus.window.start_s + 400.0)
        told["during"] = {each.code for each in site.status().alarms}
        engine.meters.counters = read
        await campus.clock.sleep_until(campus.window.start_s + 700.0)
        told["after"] = {each.code for each in site.status().alarms}

    campus.run(900.0, gateway)
    assert "door.counters" in told["during"]
    assert "door.counters" not in told["after"]


def test_the_alarm_of_an_orders_limit_goes_with_the_order(tmp_path):
    nobody = [Fault(kind=kind, target="*", start_s=0.0) for kind in (FaultKind.DEAF, FaultKind.STUCK)]
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn, machines=2, faults=nobody)
    told = {}

    async def desk(site) -> None:
        await campus.clock.sleep_until(campus.window.start_s + 100.0)
        giving = asyncio.ensure_future(site.submit(order(campus, OrderKind.LIMIT, 0.5)))
        await campus.clock.sleep_until(campus.window.start_s + 300.0)
        told["during"] = {each.code for each in site.status().alarms}
        await giving
        await site.submit(order(campus, OrderKind.RESTORE, name="op.2", ends="op.1"))
        await campus.clock.sleep_until(campus.window.start_s + 600.0)
        told["after"] = {each.code for each in site.status().alarms}

    campus.run(900.0, desk)
    assert "limit.order.op.1" in told["during"]
    assert "limit.order.op.1" not in told["after"]
