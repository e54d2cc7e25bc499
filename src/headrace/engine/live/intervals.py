"""The slow time scale: at each control boundary close what is over, decide what comes, and tell the machines.

    read counters -> close and settle the interval that is over -> solve within a deadline -> write the decision
    -> steer, allocate, send

Solving is waited for as long as it may take; the watch and the orders go on beside it. What feeds bring meanwhile is
written after the decision that did not see it, so that a journal run again decides on the same.
"""

import asyncio
import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from headrace.control.allocate import allocate
from headrace.control.assets import AssetKind
from headrace.control.commands import Action, Command, Result
from headrace.control.fleet import counted_by_feeder
from headrace.control.follow import unused_by_feeder
from headrace.control.layout import US_PER_S
from headrace.control.ramps import shaped_mw
from headrace.control.readings import CounterReading
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Proposal, Sight
from headrace.engine.live.engine import Engine
from headrace.engine.live.feeds import FeedDoor, FeedNews
from headrace.engine.live.meters import Amounts, amounts_of, counter_names, reading_of, split_evenly
from headrace.engine.live.moment import decision_of, moment_of, setpoints_digest, settle_interval, sight_of, stale_roles
from headrace.engine.live.pace import Pace
from headrace.engine.live.records import Based, Closed, Decided
from headrace.engine.live.resettling import due, resettled
from headrace.engine.live.solver import LATE, Solver
from headrace.engine.live.steering import Drawn, Targets, steer

__all__ = ["Intervals"]

FAILED: Final = "feed.failed."
"""How the alarm of a role begins that brought nothing when it was asked last."""

HEARD: Final = (Result.ACKNOWLEDGED, Result.SENT, Result.METERED)
"""Outcomes of a command that has arrived as far as anybody can tell."""

BATTERY_STEP_MW: Final = 0.001
"""A battery is told of a change of its power of at least this, MW."""


class Intervals:
    """Closes and decides control intervals.

    Parameters
    ----------
    engine
        Journal and doors.
    solver
        Who makes plans.
    feeds
        Where data come from.
    """

    def __init__(self, engine: Engine, solver: Solver, feeds: FeedDoor) -> None:
        self._engine = engine
        self._solver = solver
        self._feeds = feeds
        self._planning = asyncio.Lock()
        """Held while a plan is made: what arrives meanwhile is written after the decision that did not see it."""
        self._names = counter_names(engine.state.model.site)
        self.targets: Targets | None = None
        self._sight: Sight | None = None
        self._record = ""
        self._acts = 0
        self.pace = Pace(engine)
        self._unheard: set[str] = set()
        """What did not say that it heard its last command: a battery is told again once it can be reached."""
        self._is_restrained = False
        self.wanted_mw: dict[str, float] = {}
        """IT power that services which follow demand are to be let: their caps are not this scale's to move."""
        layout = engine.state.layout
        self._rounding_mw = 0.5 * sum(
            float(layout.full_mw[layout.is_load & (layout.load_of == k)].max(initial=0.0))
            for k in range(len(layout.load_names))
        )

    async def ask_feeds(self) -> bool:
        """Take in what the feeds have that the book has not; did the price of the running interval come?"""
        if not self._feeds.is_prompt:  # nobody waits for an operator's server
            now_us = self._engine.clock.now_us()
            news = await self._news(now_us)
        async with self._planning:
            if self._feeds.is_prompt:
                now_us = self._engine.clock.now_us()
                news = await self._news(now_us)
            return self._take_in(news, now_us)

    async def _news(self, now_us: int) -> FeedNews:
        """What the feeds have; nothing, with an alarm, where their door is broken: a decision must not wait for it."""
        engine = self._engine
        try:
            news = await self._feeds.news(engine.state.book, now_us // US_PER_S, now_us)
        except Exception as error:  # noqa: BLE001  whatever broke them, the site decides on what it knows
            engine.alarm("door.feeds", f"{type(error).__name__}: {error}", is_up=True)
            return FeedNews(arrived=(), failed={})
        engine.alarm("door.feeds", "", is_up=False)
        return news

    def _take_in(self, news: FeedNews, now_us: int) -> bool:
        engine = self._engine
        for arrived in news.arrived:
            engine.note(arrived)
        for code in [each for each in engine.state.alarms if each.startswith(FAILED)]:
            engine.alarm(code, "", is_up=code.removeprefix(FAILED) in news.failed)
        for role, why in news.failed.items():
            engine.alarm(f"{FAILED}{role}", why, is_up=True)
        stale = stale_roles(engine.state, now_us // US_PER_S)
        for role in engine.state.book.roles:
            engine.alarm(f"feed.stale.{role}", "its newest value is older than it may be", is_up=role in stale)
        return any(
            each.role in engine.state.rules.deciding_roles
            and each.start_s <= now_us // US_PER_S < each.start_s + each.step_s * len(each.values)
            for each in news.arrived
        )

    async def hear(self) -> None:
        """Ask the feeds; a price that comes for the running interval is not left until the next boundary."""
        if not await self.ask_feeds():
            return
        async with self._planning:
            decision, now_s = self._engine.state.decision, self._engine.clock.now_s()
            if decision is None or now_s >= decision.at_s + self._engine.state.model.site.control_step_s:
                return
            await self._decide(decision.at_s, is_anew=True)
        await self.act()

    async def turn(self) -> None:
        """Do everything that is due at the boundary that has come."""
        engine = self._engine
        state, step_s = engine.state, engine.state.model.site.control_step_s
        now_s = engine.clock.now_us() // US_PER_S
        at_s = max(state.next_s, now_s // step_s * step_s)
        counters = await engine.read_counters()
        await engine.read_meters()
        if self._feeds.is_prompt:
            await self.ask_feeds()
        async with self._planning:
            await self._close(at_s, counters)
            self._settle_again()
            await engine.observe()
            await self._decide(at_s)
        await self.act()

    async def act(self, rise_beside_mw: float = 0.0) -> None:
        """Tell machines what the decision in force asks of them, as far as ramps let it.

        While a restoration goes on its waves alone raise power; after a limit had to be kept nothing does until the
        next decision.

        Parameters
        ----------
        rise_beside_mw
            Power at the bus that services will add once these machines have made room.
        """
        engine, targets = self._engine, self.targets
        state = engine.state
        now_us = engine.clock.now_us()
        if targets is None or engine.shedding or state.binding(now_us).is_held:
            return
        self._acts += 1
        record = f"{self._record}.{self._acts}"
        battery, moved_mw = self._battery(targets, record, now_us)
        allocation = allocate(
            state.layout,
            state.fleet,
            self._load_mw(targets, moved_mw),
            targets.worth_ccy_per_mwh,
            feeder_mw=counted_by_feeder(state.layout, state.fleet, now_us=now_us, age_max_s=state.rules.meter_age_max_s)
            + unused_by_feeder(state.layout, state.fleet, tuple(self.wanted_mw))
            + state.kept_free_mw(now_us),
            since_move_s=max(0.0, self.pace.since_s() - self.pace.used_s(moved_mw)),
            record=record,
            now_us=now_us,
            rise_beside_mw=rise_beside_mw,
        )
        commands = (*allocation.commands, *battery)
        if commands:
            self.pace.moved(moved_mw, allocation.rise_mw, -allocation.fall_mw)
        for outcome in await engine.carry_out(commands):
            (self._unheard.discard if outcome.result in HEARD else self._unheard.add)(outcome.asset)

    def take_up(self, record: str) -> None:
        """Go on with the decision in force after a restart, from what devices say now: nothing is sent again."""
        state = self._engine.state
        if state.decision is not None:
            self._record, self._acts = record, 0
            self._sight = sight_of(state, moment_of(state.model.site, state.decision.at_s))
            self.steer_again()

    def restrain(self) -> None:
        """Raise nothing more under the decision in force: the meter showed more than it had reckoned with."""
        self._is_restrained = True

    def steer_again(self) -> None:
        """Balance anew under the decision in force: orders came or went."""
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        if state.decision is not None and self._sight is not None:
            self.targets = steer(
                state.model,
                self._sight,
                state.decision.setpoints,
                drawn=self._drawn(),
                binding=state.binding(now_us),
                rounding_mw=self._rounding_mw,
            )
            self.pace.bus_ratio = max((1.0, *self.targets.pue_ratio.values()))

    def most_mw(self) -> float:
        """Most net import that anything may be raised to, MW: rounding of whole machines stays below the limits."""
        state = self._engine.state
        limit_mw = state.model.site.connection.import_max_mw
        return min(limit_mw, state.binding(self._engine.clock.now_us()).most_mw) - self._rounding_mw

    def _room_mw(self) -> float:
        """How far the site's load may rise under the orders in force, MW; without any the plan knows its limits."""
        state, site_mw = self._engine.state, self._engine.site_mw()
        if site_mw is None or state.binding(self._engine.clock.now_us()).most_by is None:
            return math.inf
        return max(0.0, self.most_mw() - site_mw)

    def _load_mw(self, targets: Targets, beside_mw: float) -> dict[str, float]:
        """What each load's machines are to draw: no rise that orders leave no room for, beside the battery's."""
        state = self._engine.state
        target_mw = {name: mw for name, mw in targets.load_mw.items() if name not in self.wanted_mw}
        is_kept = state.waking is not None or self._is_restrained
        room_mw = 0.0 if is_kept else self._room_mw() - max(0.0, beside_mw)
        if math.isinf(room_mw):
            return target_mw
        layout = state.layout
        drawn_mw = np.bincount(layout.load_of, state.fleet.drawn_mw, len(layout.load_names))
        now_mw = dict(zip(layout.load_names, drawn_mw.tolist(), strict=True))
        for name in sorted(target_mw, key=lambda name: -targets.worth_ccy_per_mwh.get(name, 0.0)):
            pue_ratio = targets.pue_ratio.get(name, 1.0)
            rise_mw = max(0.0, target_mw[name] - now_mw.get(name, target_mw[name]))
            granted_mw = min(rise_mw, max(0.0, room_mw) / pue_ratio)
            room_mw -= granted_mw * pue_ratio
            target_mw[name] -= rise_mw - granted_mw
        return target_mw

    async def _close(self, at_s: int, counters: tuple[CounterReading, ...]) -> None:
        """Close every interval that is over, oldest first; several read as one share what was counted evenly."""
        engine = self._engine
        state, step_s = engine.state, engine.state.model.site.control_step_s
        totals = {each.name: each.total for each in counters}
        if state.open_s is None:
            engine.note(Based(at_us=engine.clock.now_us(), at_s=at_s, counters=totals))
            return
        count = (at_s - state.open_s) // step_s
        if count <= 0:
            return
        names = tuple(dict.fromkeys((*self._names, *state.booked, *totals)))  # one that fell silent is still counted
        amounts = amounts_of(names, totals, state.booked, state.estimated, state.usual)
        reasons = amounts.reasons + ((f"interval.shared.{count}",) if count > 1 else ())
        for number, moved in enumerate(split_evenly(amounts.moved, count)):
            is_last = number == count - 1
            await self._close_one(state.open_s, moved, amounts, reasons, is_last=is_last, counters=counters)

    def _settle_again(self) -> None:
        """Settle intervals again whose price has come."""
        state = self._engine.state
        for start_s in list(due(state)):
            self._engine.note(resettled(state, start_s, self._engine.clock.now_us()))

    async def _close_one(
        self,
        at_s: int,
        moved: Mapping[str, int],
        amounts: Amounts,
        reasons: tuple[str, ...],
        *,
        is_last: bool,
        counters: tuple[CounterReading, ...],
    ) -> None:
        engine = self._engine
        state = engine.state
        site = state.model.site
        reading = reading_of(
            state.model,
            moved,
            at_s=at_s,
            duration_s=site.control_step_s,
            stored_mwh=self.stored_mwh(),
            load_wh=engine.take_load_wh() if is_last else {},
            width_mw=self.targets.width_mw if self.targets is not None else (0.0,) * len(state.model.uses),
        )
        closed = Closed(
            at_us=engine.clock.now_us(),
            cycle=settle_interval(state, reading, at_s),
            moved=dict(moved),
            counters=amounts.booked if is_last else state.booked,
            estimated=amounts.estimated if is_last else state.estimated,
            reasons=reasons,
        )
        engine.note(closed)
        await engine.attest(closed, counters)

    async def _decide(self, at_s: int, *, is_anew: bool = False) -> None:
        """Ask for a plan, and write what follows from the answer or from its absence.

        An interval that is over by the time it has been decided anew stays as it was.
        """
        engine = self._engine
        state = engine.state
        moment = moment_of(state.model.site, at_s)
        sight = sight_of(state, moment, is_anew=is_anew)
        answer, missing = await self._answer(sight)
        if is_anew and (state.decision is None or state.decision.at_s != at_s):
            return
        decision = decision_of(state, moment, answer, missing=missing)
        decided = Decided(
            at_us=engine.clock.now_us(),
            at_s=at_s,
            proposal=answer if isinstance(answer, Proposal) else None,
            infeasible=answer if isinstance(answer, Infeasible) else None,
            missing=missing,
            mode=decision.setpoints.mode,
            reasons=decision.setpoints.reasons,
            setpoints_digest=setpoints_digest(decision),
            is_anew=is_anew,
        )
        seq = engine.note(decided)
        engine.settle_disk()
        self._record, self._acts = f"d{seq}", 0
        self._is_restrained = False
        self._sight = sight
        self.steer_again()

    async def _answer(self, sight: Sight) -> tuple[Proposal | Infeasible | None, str]:
        state = self._engine.state
        stale = [role for role in stale_roles(state, sight.now_s) if role in state.rules.deciding_roles]
        if stale:
            return None, f"feed.stale.{stale[0]}"
        until_s = self._engine.clock.now_s() + state.rules.solve_deadline_s
        answer = await self._solver.solve(state.model, sight, until_s)
        self._engine.alarm("plan.late", "the plan took longer than it may", is_up=answer == LATE)
        return (None, answer) if isinstance(answer, str) else (answer, "")

    def stored_mwh(self) -> float:
        """Energy in store as the battery's meter says; what was last known where it says nothing."""
        state = self._engine.state
        battery, reading = state.model.site.battery, state.fleet.battery
        if battery is None or reading is None or reading.soc_ratio is None:
            return state.cycle.stored_mwh
        return reading.soc_ratio * battery.stored_max_mwh

    def _drawn(self) -> Drawn | None:
        """What the site draws now, by fresh meters."""
        engine = self._engine
        site_mw, fleet, layout = engine.site_mw(), engine.state.fleet, engine.state.layout
        if site_mw is None:
            return None
        by_load = np.bincount(layout.load_of, np.where(layout.is_load, fleet.drawn_mw, 0.0), len(layout.load_names))
        return Drawn(
            site_mw=site_mw,
            battery_mw=sum(float(fleet.drawn_mw[i]) for i in layout.batteries),
            load_mw=dict(zip(layout.load_names, by_load.tolist(), strict=True)),
            wanted_mw=self.wanted_mw,
            is_followed=engine.state.rules.headroom_ratio is not None,
        )

    def _battery(self, targets: Targets, record: str, now_us: int) -> tuple[tuple[Command, ...], float]:
        """What the battery is told, if that is another power than it was told last, and how far that moves it, MW.

        It moves within the registered ramp as all else does, before machines, and rises no further than orders leave.
        """
        state, inventory = self._engine.state, self._engine.state.layout.inventory
        layout, commands, moved_mw = state.layout, [], 0.0
        for number, i in enumerate(layout.batteries if not self._is_restrained else ()):
            since_s = max(0.0, self.pace.since_s() - self.pace.used_s(moved_mw))
            is_unheard = layout.asset(i).name in self._unheard
            if is_unheard and not state.fleet.is_trusted()[i]:
                continue
            now_mw = _told_mw(None if is_unheard else state.fleet.told[i], float(state.fleet.drawn_mw[i]))
            net_mw = shaped_mw(
                now_mw,
                min(targets.charge_mw - targets.discharge_mw, now_mw + max(0.0, self._room_mw() - max(0.0, moved_mw))),
                elapsed_s=since_s,
                up_max_mw_per_min=inventory.ramp_up_max_mw_per_min,
                down_max_mw_per_min=inventory.ramp_down_max_mw_per_min,
            )
            net_mw = net_mw if abs(net_mw) >= BATTERY_STEP_MW else 0.0
            action = Action.CHARGE if net_mw > 0.0 else Action.DISCHARGE if net_mw < 0.0 else Action.STOP
            told = state.fleet.told[i]
            if (
                not is_unheard
                and told is not None
                and told.action is action
                and abs((told.power_mw or 0.0) - abs(net_mw)) < BATTERY_STEP_MW
            ):
                continue
            if layout.asset(i).kind is AssetKind.BATTERY:
                commands.append(
                    Command(
                        id=f"{record}.b{number}",
                        asset=layout.asset(i).name,
                        action=action,
                        power_mw=abs(net_mw) if action is not Action.STOP else None,
                        commanded_us=now_us,
                        expires_us=now_us + round(state.rules.command_life_s * US_PER_S),
                        reason="plan.battery",
                    )
                )
                moved_mw += net_mw - now_mw
        return tuple(commands), moved_mw


def _told_mw(told: Command | None, drawn_mw: float) -> float:
    """Power that a battery was told last, load-positive, MW; what it draws if it was told nothing."""
    if told is None:
        return drawn_mw
    mw = told.power_mw or 0.0
    return mw if told.action is Action.CHARGE else -mw if told.action is Action.DISCHARGE else 0.0
