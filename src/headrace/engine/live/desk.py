"""The fast time scale: an order comes, is written down, and power falls; the meter has the last word.

    order -> journal -> choose by worth -> journal -> all drivers at once -> what became of it -> the meters
          -> what is still missing: other machines, then the feeders' switches -> journal

It never waits for the solver. An order that comes twice is one order.
"""

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from headrace.control.authority import is_emergency
from headrace.control.commands import Result
from headrace.control.escalate import escalate
from headrace.control.fleet import counted_by_feeder
from headrace.control.layout import US_PER_S
from headrace.control.orders import Order, OrderKind
from headrace.control.orders_in_force import refuse_restore
from headrace.control.shed import Shedding, shed
from headrace.engine.live.engine import Engine
from headrace.engine.live.guard import ANNOUNCED, BY_RAMP, MET_RATIO
from headrace.engine.live.pace import Pace
from headrace.engine.live.records import Delivered, Ordered, OrdersEnded, Waking
from headrace.engine.live.verdicts import Verdicts

__all__ = ["OrderDesk"]

DONE: Final = (Result.ACKNOWLEDGED, Result.METERED)
"""What a device answers that does as it was told."""

SMALL_MW: Final = 1e-3
"""Power that nothing is switched for, MW."""


class OrderDesk:
    """Takes orders and sees them met.

    Parameters
    ----------
    engine
        Journal and doors.
    verdicts
        Where meters judge what was told.
    pace
        The registered ramp, which orders keep to that are no emergency's.
    steer_again
        Asks the slow time scale to steer to what orders now leave.
    """

    def __init__(self, engine: Engine, verdicts: Verdicts, pace: Pace, steer_again: Callable[[], None]) -> None:
        self._engine = engine
        self._verdicts = verdicts
        self._pace = pace
        self._steer_again = steer_again
        self._running: dict[str, asyncio.Task[Delivered]] = {}

    async def submit(self, order: Order) -> Delivered:
        """Take an order and wait for the meter's word; whoever hangs up does not undo it."""
        state = self._engine.state
        held = state.orders.get(order.id)
        if held is not None and _asks(held.order) != _asks(order):
            refused = "order.same_id_asks_otherwise"  # nobody is told that it was met
            return msgspec.structs.replace(
                self._result(order, order.mw, 0.0, (refused,)), refused=refused, is_met=False
            )
        running = self._running.get(order.id)
        if running is None:
            if state.is_seen(order.id):
                return state.delivered.get(order.id) or self._result(order, 0.0, 0.0, ("order.came_before",))
            running = asyncio.ensure_future(self._take(order))
            self._running[order.id] = running
            self._engine.under_way.add(order.id)
            running.add_done_callback(lambda _: self._done(order.id))
        return await asyncio.shield(running)

    def preview(self, order: Order) -> Shedding:
        """What an order would take off now; nothing is written and nothing sent."""
        refused = self._why_not(order)
        if refused:
            return Shedding(commands=(), expected_mw=0.0, short_mw=order.mw, reasons=(refused,))
        load_mw = self._load_mw(order.feeder)
        mw = 0.0
        if order.kind is OrderKind.SHED:
            mw = order.mw
        elif order.kind is OrderKind.LIMIT and load_mw is not None:
            mw = max(0.0, load_mw - order.mw)
        return self._choose(order, "preview", mw)

    async def drain(self) -> None:
        """Wait for the orders under way."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _done(self, order: str) -> None:
        self._running.pop(order, None)
        self._engine.under_way.discard(order)

    async def _take(self, order: Order) -> Delivered:
        engine = self._engine
        refused = self._why_not(order)
        load_mw = None if refused else self._load_mw(order.feeder)
        seq = engine.note(Ordered(at_us=engine.clock.now_us(), order=order, load_mw=load_mw or 0.0, refused=refused))
        engine.settle_disk()
        record = f"o{seq}"
        if refused:
            result = msgspec.structs.replace(self._result(order, order.mw, 0.0, (refused,)), refused=refused)
        elif order.kind is OrderKind.RESTORE:
            engine.note(OrdersEnded(at_us=engine.clock.now_us(), orders=(order.ends,), reason="restore"))
            engine.note(Waking(at_us=engine.clock.now_us(), record=record))
            self._steer_again()  # else the plan goes on taking off what waves bring back
            result = self._result(order, 0.0, 0.0, ())
        elif order.starts_us > engine.clock.now_us():
            result = self._result(order, order.mw, 0.0, ANNOUNCED)
        else:
            result = await self.meet(order, record, load_mw)
        engine.note(result)
        return result

    async def meet(self, order: Order, record: str, load_mw: float | None) -> Delivered:
        """Do what an order asks, now."""
        if order.kind is OrderKind.SHED:
            take_off = self._shed if is_emergency(order.authority) else self._shed_by_ramp
            return await take_off(order, record, load_mw, order.mw)
        if order.kind is OrderKind.LIMIT and is_emergency(order.authority) and load_mw is not None:
            return await self._shed(order, record, load_mw, max(0.0, load_mw - order.mw))
        self._steer_again()
        if order.kind is OrderKind.HOLD:
            return self._result(order, 0.0, 0.0, ())
        asked_mw = order.mw if order.kind is OrderKind.RAISE or load_mw is None else max(0.0, load_mw - order.mw)
        return self._result(order, asked_mw, 0.0, BY_RAMP)

    async def _shed(self, order: Order, record: str, load_mw: float | None, mw: float) -> Delivered:
        engine = self._engine
        state = engine.state
        if mw <= SMALL_MW:
            return self._result(order, mw, 0.0, ())
        shedding = self._choose(order, record, mw)
        before = state.fleet
        engine.shedding += 1
        try:
            outcomes = await engine.carry_out(
                shedding.commands,
                expected_mw=shedding.expected_mw,
                short_mw=shedding.short_mw,
                reasons=shedding.reasons,
            )
        finally:
            engine.shedding -= 1
        self._steer_again()  # what the plan asked for before the order came must not raise what was shed
        self._verdicts.open(before, shedding.commands, outcomes)
        due_s = order.starts_us / US_PER_S + order.within_s + state.rules.settle_grace_s
        if is_emergency(order.authority) and any(each.result not in DONE for each in outcomes):
            await self._instead(order, f"{record}.i", load_mw, mw)
        met_mw = await self._metered(order.feeder, load_mw, mw, max(due_s, engine.clock.now_s()))
        reasons = shedding.reasons
        if met_mw < mw * MET_RATIO and is_emergency(order.authority):
            reasons = (*reasons, *await self._escalate(order, record, mw - met_mw))
            met_mw = await self._metered(order.feeder, load_mw, mw, engine.clock.now_s() + state.rules.settle_grace_s)
        return self._result(order, mw, met_mw, reasons)

    async def _instead(self, order: Order, record: str, load_mw: float | None, mw: float) -> None:
        """Tell other machines what mute ones and those that would not were told: feeders' switches are for later."""
        engine = self._engine
        settled_s = engine.clock.now_s() + engine.state.rules.device_settle_s
        met_mw = await self._metered(order.feeder, load_mw, mw, settled_s)
        if met_mw >= mw * MET_RATIO:
            return
        before, shedding = engine.state.fleet, self._choose(order, record, mw - met_mw)
        outcomes = await engine.carry_out(
            shedding.commands, expected_mw=shedding.expected_mw, reasons=("order.instead",)
        )
        self._verdicts.open(before, shedding.commands, outcomes)

    async def _shed_by_ramp(self, order: Order, record: str, load_mw: float | None, mw: float) -> Delivered:
        """Take off what is asked no faster than the registered ramp, until it is due: only an emergency may step."""
        engine, rules = self._engine, self._engine.state.rules
        self._steer_again()
        due_s = order.starts_us / US_PER_S + order.within_s + rules.settle_grace_s
        reasons: tuple[str, ...] = ()
        rounds = 0
        while True:
            met_mw = await self._metered(order.feeder, load_mw, mw, 0.0)
            if met_mw >= mw * MET_RATIO or engine.clock.now_s() >= due_s:
                return self._result(order, mw, met_mw, reasons)
            choose = partial(self._choose, order, f"{record}.{rounds}")
            shedding = self._pace.fitted(choose, mw - met_mw)
            if shedding is not None:
                rounds += 1
                self._pace.moved(-shedding.expected_mw)
                before, reasons = engine.state.fleet, shedding.reasons
                outcomes = await engine.carry_out(
                    shedding.commands, expected_mw=shedding.expected_mw, reasons=shedding.reasons
                )
                self._verdicts.open(before, shedding.commands, outcomes)
            elif not choose(mw - met_mw).commands:
                reasons = choose(mw - met_mw).reasons  # nothing is left to give
            wait_s = max(rules.poll_s, rules.device_settle_s)
            await engine.clock.sleep_until(min(max(due_s, engine.clock.now_s()), engine.clock.now_s() + wait_s))

    def _choose(self, order: Order, record: str, mw: float) -> Shedding:
        """Who gives that much up, by worth."""
        state = self._engine.state
        return shed(
            state.layout,
            state.fleet,
            state.worth_ccy_per_mwh(),
            mw,
            order=order,
            record=record,
            now_us=self._engine.clock.now_us(),
            rules=state.rules.ladder,
        )

    async def _metered(self, feeder: str, load_mw: float | None, mw: float, until_s: float) -> float:
        """Read meters until they show the fall, or its time is over; the fall they show, MW."""
        engine = self._engine
        while True:
            await engine.read_meters()
            now_mw = self._load_mw(feeder)
            met_mw = 0.0 if now_mw is None or load_mw is None else max(0.0, load_mw - now_mw)
            if met_mw >= mw * MET_RATIO or engine.clock.now_s() >= until_s:
                return met_mw
            await engine.clock.sleep_until(min(until_s, engine.clock.now_s() + engine.state.rules.verify_s))

    async def _escalate(self, order: Order, record: str, missing_mw: float) -> tuple[str, ...]:
        """Take off whole feeders until what is missing is covered."""
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        before = state.fleet
        commands = escalate(
            state.layout,
            state.fleet,
            state.worth_ccy_per_mwh(),
            missing_mw,
            order=order,
            feeder_mw=counted_by_feeder(
                state.layout, state.fleet, now_us=now_us, age_max_s=state.rules.meter_age_max_s
            ),
            record=f"{record}.k",
            now_us=now_us,
            rules=state.rules.ladder,
        )
        self._verdicts.open(before, commands, await engine.carry_out(commands))
        return tuple(f"verify.opened.{command.asset}" for command in commands) or ("verify.no_switch",)

    def _why_not(self, order: Order) -> str:
        """Why an order is not followed; empty if it is."""
        state = self._engine.state
        if order.feeder and order.feeder not in state.layout.feeder_position:
            return "order.unknown_feeder"
        if order.ends_us is not None and order.ends_us <= self._engine.clock.now_us():
            return "order.over"
        if not math.isfinite(order.mw) or order.mw < 0.0 or not math.isfinite(order.within_s):
            return "order.not_a_number"
        if order.kind is OrderKind.RESTORE:
            held = state.orders.get(order.ends)
            return refuse_restore(order, None if held is None else held.order, state.rules.ladder)
        return ""

    def _load_mw(self, feeder: str) -> float | None:
        """Net import of the site, or of one feeder, by a fresh meter; else as believed."""
        engine = self._engine
        measured_mw = engine.feeder_mw(feeder) if feeder else engine.site_mw()
        if measured_mw is not None:
            return measured_mw
        state = engine.state
        if not feeder:
            return float(state.fleet.drawn_mw.sum() + state.layout.base_mw.sum())
        f = state.layout.feeder_position[feeder]
        return float(state.fleet.drawn_mw[state.layout.feeder_of == f].sum() + state.layout.base_mw[f])

    def _result(self, order: Order, asked_mw: float, met_mw: float, reasons: tuple[str, ...]) -> Delivered:
        engine = self._engine
        if met_mw > 0.0 and (engine.feeder_mw(order.feeder) if order.feeder else engine.site_mw()) is None:
            reasons = (*reasons, "meter.silent")  # what is told is what devices said
        return Delivered(
            at_us=self._engine.clock.now_us(),
            order=order.id,
            asked_mw=asked_mw,
            met_mw=met_mw,
            is_met=met_mw >= asked_mw * MET_RATIO - SMALL_MW and not self._engine.state.seen.get(order.id),
            reasons=reasons,
        )


def _asks(order: Order) -> tuple[object, ...]:
    """What an order asks for, without when it came and why."""
    return (order.kind, order.mw, order.feeder, order.ends)
