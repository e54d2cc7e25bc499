"""A live site over simulated devices: the ladder, orders met and restored, locks, and the same bytes again."""

import asyncio
import errno
import os

import msgspec
import pytest

from headrace.control.commands import Action
from headrace.control.orders import Authority, LockOut, OrderKind
from headrace.control.setpoints import Mode
from headrace.dispatch.policies import AlwaysOn
from headrace.engine.live.engine import JournalLost
from headrace.engine.live.records import Alarmed, Closed, Commanded, Decided, Ordered, Outcomes, Released
from headrace.engine.live.reproduce import reproduced
from headrace.engine.live.solver import LATE, InlineSolver
from headrace.sim.world.faults import Fault, FaultKind
from live_cases import RULES, Campus, order

HALF_HOUR_S = 1800.0


class LateSolver(InlineSolver):
    """Answers the first questions, and is late from then on."""

    def __init__(self, policy, clock, answers: int) -> None:
        super().__init__(policy)
        self._clock, self._left = clock, answers

    async def solve(self, model, sight, until_s):
        if self._left == 0:
            await self._clock.sleep_until(until_s)
            return LATE
        self._left -= 1
        return await super().solve(model, sight, until_s)


class Failing:
    """A policy with a bug."""

    name = "rolling"

    def propose(self, model, sight):
        raise ZeroDivisionError


def decisions(campus: Campus) -> list[Decided]:
    return [each for each in campus.records() if isinstance(each, Decided)]


@pytest.mark.inv("L12")
def test_a_live_journal_runs_again_to_the_same_bytes(tmp_path):
    campus = Campus(tmp_path / "live.jsonl")

    async def shedding(site) -> None:
        await campus.clock.sleep_until(campus.clock.now_s() + 700.0)
        await site.submit(order(campus, OrderKind.SHED, 5.0))

    campus.run(3 * HALF_HOUR_S, shedding)
    campus.clock.step(400.0)  # the engine was down for a while
    campus.run(HALF_HOUR_S)
    was = campus.records()
    again = list(reproduced(campus.state(), was, campus.policy))
    assert [msgspec.json.encode(each) for each in again] == [msgspec.json.encode(each) for each in was]
    assert any(each.cycle.statement is not None for each in was if isinstance(each, Closed))


@pytest.mark.inv("L13")
def test_a_late_solver_leaves_the_last_plan_in_force_and_then_the_safe_rule(tmp_path):
    rules = msgspec.structs.replace(RULES, last_plan_max_s=600)
    campus = Campus(tmp_path / "live.jsonl", rules=rules)
    campus.solver = LateSolver(AlwaysOn(), campus.clock, answers=2)
    campus.run(2 * HALF_HOUR_S)
    rungs = [each.mode for each in decisions(campus)][:6]
    assert rungs == [Mode.PLAN] * 2 + [Mode.LAST_PLAN] * 2 + [Mode.SAFE_RULE] * 2
    assert decisions(campus)[2].reasons == (LATE,)
    assert decisions(campus)[5].reasons == (LATE, "plan.too_old")


@pytest.mark.inv("L13")
def test_a_stale_price_plans_nothing_new(tmp_path):
    campus = Campus(tmp_path / "live.jsonl")
    price = campus.series["real_time"]
    count = price.known_count(campus.window.start_s + 900)
    silent = msgspec.structs.replace(price, values=price.values[:count], known_s=price.known_s[:count])
    campus.run(4 * HALF_HOUR_S, series=campus.series | {"real_time": silent})
    late = decisions(campus)[-1]
    assert late.mode is Mode.LAST_PLAN
    assert late.missing == "feed.stale.real_time"
    assert decisions(campus)[0].mode is Mode.PLAN


@pytest.mark.inv("L13")
def test_a_policy_with_a_bug_is_no_plan_and_the_site_is_run(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=Failing)
    campus.run(HALF_HOUR_S)
    assert {each.mode for each in decisions(campus)} == {Mode.SAFE_RULE}
    assert decisions(campus)[0].missing == "plan.failed.ZeroDivisionError"


def test_a_grid_order_is_met_by_the_meter_and_ended_by_the_grid_alone(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    told = {}

    async def desk(site) -> None:
        await campus.clock.sleep_until(campus.clock.now_s() + 700.0)
        told["before"] = site.status().site_mw
        told["shed"] = await site.submit(order(campus, OrderKind.SHED, 5.0))
        told["again"] = await site.submit(order(campus, OrderKind.SHED, 5.0))
        await campus.clock.sleep_until(campus.clock.now_s() + 900.0)
        told["during"] = site.status().site_mw
        ask = {"ends": "op.1", "authority": Authority.SITE}
        told["refused"] = await site.submit(order(campus, OrderKind.RESTORE, name="op.2", **ask))
        told["ended"] = await site.submit(order(campus, OrderKind.RESTORE, name="op.3", ends="op.1"))
        await campus.clock.sleep_until(campus.clock.now_s() + 900.0)
        told["after"] = site.status().site_mw

    campus.run(2 * HALF_HOUR_S, desk)
    assert told["shed"].is_met
    assert told["again"] == told["shed"]
    assert told["during"] <= told["before"] - 5.0 * 0.99
    assert not told["refused"].is_met
    assert told["refused"].reasons == ("restore.needs_grid",)
    assert told["after"] == pytest.approx(told["before"], abs=1.0)
    orders = [each for each in campus.records() if isinstance(each, Ordered) and each.order.kind is OrderKind.SHED]
    assert len(orders) == 1


def test_mute_machines_are_made_up_for_by_a_switch(tmp_path):
    deaf = [Fault(kind=FaultKind.DEAF, target=f"S21-hall.{n}", start_s=0.0) for n in range(8)]
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn, faults=deaf)
    told = []

    async def desk(site) -> None:
        await campus.clock.sleep_until(campus.clock.now_s() + 100.0)
        told.append(await site.submit(order(campus, OrderKind.SHED, 4.0, feeder="S21-hall")))

    campus.run(HALF_HOUR_S, desk)
    assert told[0].is_met
    opened = [
        command.asset
        for each in campus.records()
        if isinstance(each, Commanded)
        for command in each.commands
        if command.action is Action.OPEN
    ]
    assert opened == ["S21-hall.k1"]


def test_a_lying_machine_is_found_by_its_feeder_and_not_counted_on(tmp_path):
    campus = Campus(
        tmp_path / "live.jsonl",
        policy=AlwaysOn,
        faults=[Fault(kind=FaultKind.LYING, target="S21-hall.3", start_s=0.0)],
        rules=msgspec.structs.replace(RULES, poll_s=1.0),
    )
    told = {}

    async def desk(site) -> None:
        await campus.clock.sleep_until(campus.clock.now_s() + 100.0)
        await site.submit(order(campus, OrderKind.SHED, 3.0, feeder="S21-hall"))
        await campus.clock.sleep_until(campus.clock.now_s() + 10.0)
        told["health"] = site.status().health

    campus.run(600.0, desk)
    assert "S21-hall.3" in told["health"] or "S21-hall" in told["health"]


def test_nothing_reaches_a_locked_feeder_until_its_holder_releases_it(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    told = {}

    async def desk(site) -> None:
        await campus.clock.sleep_until(campus.clock.now_s() + 100.0)
        now_us = campus.clock.now_us()
        site.lock(LockOut(asset="S19-hall", holder="ann", since_us=now_us, reason="cable work"))
        told["other"] = site.release("S19-hall", holder="bob")
        await site.submit(order(campus, OrderKind.SHED, 30.0))
        told["own"] = site.release("S19-hall", holder="ann")

    campus.run(HALF_HOUR_S, desk)
    assert told == {"other": "lock.not_held", "own": ""}
    records = campus.records()
    shed_at = next(i for i, each in enumerate(records) if isinstance(each, Ordered))
    freed_at = next(i for i, each in enumerate(records) if isinstance(each, Released) and not each.refused)
    outcomes = [
        each for record in records[shed_at:freed_at] if isinstance(record, Outcomes) for each in record.outcomes
    ]
    reached = {each.asset for each in outcomes if each.sent_us is not None}
    assert reached
    assert not {name for name in reached if name.startswith("S19-hall")}


def test_the_site_stops_when_asked_and_writes_that_it_did(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)

    async def stopping(site) -> None:
        await asyncio.sleep(0)
        await campus.clock.sleep_until(campus.clock.now_s() + 700.0)
        site.stop()

    campus.run(1e6, stopping)
    assert campus.clock.now_s() < campus.window.start_s + 900.0
    assert type(campus.records()[-1]).__name__ == "Stopped"


def test_without_any_price_nothing_is_decided_and_orders_are_met(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    told = []

    async def desk(site) -> None:
        await campus.clock.sleep_until(campus.clock.now_s() + 400.0)
        told.append(await site.submit(order(campus, OrderKind.SHED, 3.0)))
        told.append(site.status())

    campus.run(HALF_HOUR_S, desk, series={role: s for role, s in campus.series.items() if role != "real_time"})
    assert told[0].is_met
    assert decisions(campus) == []
    assert any(alarm.code == "engine.interval" for alarm in told[1].alarms)


def test_a_meter_that_falls_silent_is_an_alarm_until_it_speaks(tmp_path):
    gap = Fault(kind=FaultKind.METER_GAP, target="S21-hall.m", start_s=100.0, end_s=400.0)
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn, faults=[gap])
    campus.run(HALF_HOUR_S)
    told = [each for each in campus.records() if isinstance(each, Alarmed)]
    assert [(each.code, each.is_up) for each in told] == [
        ("meter.silent.S21-hall", True),
        ("meter.silent.S21-hall", False),
    ]
    silent_s = (told[1].at_us - told[0].at_us) / 1e6
    assert silent_s == pytest.approx(300.0 - RULES.meter_age_max_s, abs=5.0)


def test_a_reading_of_a_time_to_come_is_no_reading(tmp_path):
    skew = Fault(kind=FaultKind.CLOCK_SKEW, target="S21-hall.m", start_s=100.0, end_s=400.0, value=86_400.0)
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn, faults=[skew])
    campus.run(HALF_HOUR_S)
    told = [(each.code, each.is_up) for each in campus.records() if isinstance(each, Alarmed)]
    assert told == [("meter.silent.S21-hall", True), ("meter.silent.S21-hall", False)]


def test_a_full_disk_ends_the_engine_before_it_acts_unwritten(tmp_path, monkeypatch):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn, rules=msgspec.structs.replace(RULES, fsync_every=1))
    before = os.fsync

    def full(descriptor: int) -> None:
        if campus.clock.now_s() > campus.window.start_s + 400.0:
            raise OSError(errno.ENOSPC, "No space left on device")
        before(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JournalLost, match="No space left"):
        campus.run(HALF_HOUR_S)
    monkeypatch.undo()
    campus.run(HALF_HOUR_S)
    written = {c.id for each in campus.records() if isinstance(each, Commanded) for c in each.commands}
    assert {effect.command for effect in campus.world.effects if effect.command} <= written


def test_an_announced_order_is_met_when_it_begins(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    told = {}

    async def desk(site) -> None:
        await campus.clock.sleep_until(campus.clock.now_s() + 100.0)
        starts_us = campus.clock.now_us() + 300_000_000
        told["at once"] = await site.submit(order(campus, OrderKind.SHED, 4.0, starts_us=starts_us))
        before = site.status().site_mw
        await campus.clock.sleep_until(starts_us * 1e-6 + 60.0)
        told["fall"] = before - site.status().site_mw
        told["later"] = site.status().delivered[-1]

    campus.run(HALF_HOUR_S, desk)
    assert told["at once"].reasons == ("order.starts_later",)
    assert told["fall"] >= 4.0 * 0.98
    assert told["later"].is_met


def test_a_broken_feed_door_ends_no_engine_and_holds_up_no_decision(tmp_path):
    campus = Campus(tmp_path / "live.jsonl")
    campus.run(700)
    site, engine = campus.engine()

    async def broken(*_):
        raise OSError("name server gone")

    site._intervals._feeds.news = broken

    async def whole():
        moving = asyncio.ensure_future(campus.clock.run())
        await site.run(campus.clock.now_s() + 700)
        moving.cancel()

    decided = sum(isinstance(each, Decided) for each in campus.records())
    asyncio.run(whole())
    assert sum(isinstance(each, Decided) for each in campus.records()) >= decided + 2
    assert "name server gone" in engine.state.alarms["door.feeds"].text
