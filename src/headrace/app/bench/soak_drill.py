"""A live site on a simulated clock, killed and started again until its time is over, and what it did meanwhile."""

import asyncio
import os
import resource
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np

from headrace.app.bench.soak_doors import (
    FailingPolicy,
    Killed,
    LateSolver,
    Life,
    MortalJournal,
    TroubledDriver,
    TroubledFeeds,
    TroubledMeters,
    Troubles,
)
from headrace.app.bench.soak_script import Act, Event, draw_faults, draw_script
from headrace.app.live.plan import LOOK_BACK_S, LivePlan, live_header
from headrace.control.commands import Command
from headrace.control.orders import Authority, LockOut, Order, OrderKind
from headrace.core import BadInput, Interval
from headrace.dispatch.policies import Policy
from headrace.energy import Series
from headrace.engine.clock import SimulatedClock
from headrace.engine.journal import JournalWriter, recover
from headrace.engine.live.engine import Engine, JournalLost
from headrace.engine.live.journal import read_live
from headrace.engine.live.records import Delivered
from headrace.engine.live.site import LiveSite
from headrace.sim.world import Conditions, World
from headrace.sim.world.doors import SimMeters, sim_drivers

__all__ = ["Drill", "OnDisk"]

US_PER_S: Final = 1_000_000
REACTION_S: Final = 45.0
"""Time after a disturbance in which a limit may be exceeded: reading, shedding, a switch, and devices' own delay."""
OVER_RATIO: Final = 0.01
"""How far above a limit a sample counts: twice the share from which the guard sheds."""
RESET_EVERY_S: Final = 1800.0
DOWN_MOST_S: Final = 420.0
"""Longest time an engine is down after it died: beyond a control interval."""


class OnDisk:
    """What lay on disk when an engine died: nothing of it may ever change."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes() if path.exists() else b""
        self.size = content.rfind(b"\n") + 1
        self.lines = content.count(b"\n")
        self._digest = blake2b(content[: self.size]).digest()

    def is_kept(self, content: bytes) -> bool:
        """Does a later journal begin with it?"""
        return blake2b(content[: self.size]).digest() == self._digest


class Drill:
    """One soak.

    Parameters
    ----------
    plan
        The site.
    path
        Its journal.
    window
        Period of the soak.
    series
        Data by feed role.
    seed
        Of everything that happens.
    """

    def __init__(self, plan: LivePlan, path: Path, *, window: Interval, series: dict[str, Series], seed: int) -> None:
        rng = np.random.default_rng([seed, 4])
        inventory = plan.devices.inventory
        length_s = float(window.end_s - window.start_s)
        self.plan = plan
        self.path = path
        self.clock = SimulatedClock(float(window.start_s))
        self.start_s, self.end_s = float(window.start_s), float(window.end_s)
        self.faults = draw_faults(inventory, rng=rng, length_s=length_s)
        import_mw = plan.loaded.site.connection.import_max_mw
        self.script = draw_script(inventory, rng=rng, length_s=length_s, import_mw=import_mw)
        self.world = World(
            plan.loaded.site,
            inventory,
            start_us=self.clock.now_us(),
            seed=seed,
            conditions=Conditions(temperature=series.get("temperature"), profiles=dict(series)),
            faults=self.faults,
        )
        self.troubles = Troubles(self.clock.now_s)
        self.happened: Counter[str] = Counter()
        """Faults and events that happened, by kind."""
        self.broken: Counter[str] = Counter()
        """Rules that the drill itself saw broken."""
        self.told: list[str] = []
        self.heard_path = path.with_suffix(".heard")
        """Every command that was sent ("s ID") and every one that a device acted on ("h ID"), line by line."""
        self.promised: list[str] = []
        """Orders and locks of which somebody was told that they were taken."""
        self.on_disk: list[OnDisk] = []
        self.rss_mb: list[tuple[float, float, int]] = []
        """Site time in days, memory then, and in which life of the engine."""
        self.over_s: Counter[str] = Counter()
        """Seconds above a limit, by what had happened."""
        self.import_wh = 0.0
        """What the world had drawn when counters were last read."""
        self.last: dict[str, str] = {}
        """What still was wrong when it ended."""
        self._series = series
        self._rng = rng
        self._todo = deque(self.script)
        self._unanswered: dict[str, Order] = {}
        self._calm_from_s = 0.0
        self._looked_s = self.start_s
        self._over_since: dict[str, float] = {}
        self._limits: dict[str, float] = {"": import_mw} | {each.name: each.limit_mw for each in inventory.feeders}
        self._firm_missed = 0.0
        self._plan_fails = [
            (self.start_s + each.at_s, self.start_s + each.at_s + each.value, each.how)
            for each in self.script
            if each.act is Act.PLAN_FAILS
        ]
        self._is_full = False
        self._heard: list[str] = []
        self.heard_path.write_text("", encoding="ascii")

    def planner(self) -> Policy:
        """A fresh policy, failing when the script says so."""
        return FailingPolicy(self.plan.planner(), self._plan_fails)

    def run(self) -> None:
        """Live, die and start again until the time is over."""
        while self.clock.now_s() < self.end_s:
            self._calm_from_s = self.clock.now_s() + REACTION_S
            ended = asyncio.run(self._life())
            self._lift_limit()
            if self.clock.now_s() >= self.end_s:
                break
            self.happened[ended] += 1
            self.on_disk.append(OnDisk(self.path))
            self.clock.step(float(self._rng.uniform(0.5, DOWN_MOST_S)))
        self._write_heard()

    def breach(self, rule: str, what: str) -> None:
        """Note that a rule was broken."""
        self.broken[rule] += 1
        if len(self.told) < 20:
            self.told.append(f"{rule}: {what} at {self.clock.now_s() - self.start_s:.1f} s")

    async def _life(self) -> str:
        """One life of the engine; says what ended it."""
        life = Life()
        try:
            site = self._born(life)
        except BadInput as error:
            self.breach("not_started", str(error))
            raise
        running = asyncio.ensure_future(site.run(self.end_s))
        beside = [asyncio.ensure_future(each) for each in (self.clock.run(), self._act(site, life), self._again(site))]
        watched: set[asyncio.Future[None]] = {running, *beside[1:]}
        while not running.done() and not life.is_dead:
            done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            watched -= done - {running}
            for each in done - {running}:
                if each.exception() is not None and not isinstance(each.exception(), Killed | JournalLost):
                    self.breach("script_failed", repr(each.exception()))
        life.is_dead |= not running.done()
        everything = asyncio.all_tasks() - {asyncio.current_task()}
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, running, return_exceptions=True)
        return self._ended(running, life)

    def _ended(self, running: "asyncio.Future[None]", life: Life) -> str:
        if life.is_dead:
            return f"kill.{life.dies or 'idle'}"
        error = None if running.cancelled() else running.exception()
        if isinstance(error, JournalLost):
            return "disk_full" if self._is_full else self._unexpected(error)
        if error is not None:
            return self._unexpected(error)
        return "ended"

    def _unexpected(self, error: BaseException) -> str:
        self.breach("engine_ended", repr(error))
        return "unexpected"

    def _born(self, life: Life) -> LiveSite:
        """An engine that goes on with the journal as it is."""
        plan, clock = self.plan, self.clock
        header = live_header(plan, is_shadow=False, at_s=int(self.start_s))
        found = recover(self.path, header)
        writer = JournalWriter(self.path, header, fsync_every=plan.rules.fsync_every, recovered=found)
        journal = MortalJournal(writer, life, self._tear)
        state = plan.state()
        records = read_live(self.path)[1]
        for seq, record in enumerate(records, start=1):
            state.absorb(seq, record)
        del records, found
        drivers = sim_drivers(self.world, clock)
        meters = SimMeters(self.world, clock)
        engine = self._engine = Engine(
            state=state,
            journal=journal,
            clock=clock,
            drivers={
                name: TroubledDriver(each, self.troubles, life, self._note_sent) for name, each in drivers.items()
            },
            meters=TroubledMeters(meters, self.troubles, life, looked=self._look, counted=self._count),
        )
        self._site = LiveSite(
            engine,
            solver=LateSolver(self.planner(), self.troubles, clock.sleep_until),
            feeds=TroubledFeeds(self._series, dict.fromkeys(self._series, LOOK_BACK_S), self.troubles),
        )
        return self._site

    async def _act(self, site: LiveSite, life: Life) -> None:
        """Go on with the script."""
        while self._todo:
            event = self._todo[0]
            await self.clock.sleep_until(self.start_s + event.at_s)
            self._todo.popleft()
            self.happened[event.act.value] += 1
            match event.act:
                case Act.ORDER | Act.RESTORE:
                    self._order(site, event)
                case Act.LOCK:
                    now_us = self.clock.now_us()
                    lock = LockOut(asset=event.name, holder=event.how, since_us=now_us, reason="soak")
                    if site.lock(lock) == "":
                        self.promised.append(f"lock {event.name} {event.how}")
                case Act.RELEASE:
                    self._release(site, event)
                case Act.KILL:
                    self._kill(life, event)
                case Act.DISK_FULL:
                    self._fill_disk(event)
                case Act.CLOCK_STEP:
                    self.clock.step(event.value)
                    self._calm_from_s = self.clock.now_s() + REACTION_S + max(0.0, -event.value)
                case Act.BREAKERS_RESET:
                    self._calm_from_s = max(self._calm_from_s, self.clock.now_s() + REACTION_S)
                    for feeder in self.plan.devices.inventory.feeders:
                        self.world.reset(feeder.name)
                case Act.PLAN_FAILS:
                    pass  # the policy itself knows when
                case _:
                    self.troubles.begin(event)

    def _release(self, site: LiveSite, event: Event) -> None:
        held = {(each.asset, each.holder) for each in site.status().locks}
        refused = site.release(event.name, holder=event.how)
        if (refused == "") != ((event.name, event.how) in held):
            self.breach("released_by_another", f"{event.name} by {event.how}")
        if refused == "":
            self.promised.append(f"release {event.name} {event.how}")

    def _order(self, site: LiveSite, event: Event) -> None:
        """Give an order, or the restore that ends one."""
        now_us = self.clock.now_us()
        is_restore = event.act is Act.RESTORE
        starts_us = now_us + round(event.starts_after_s * US_PER_S)
        order = Order(
            id=f"{event.name}.{event.how or 'restore'}" if is_restore else event.name,
            kind=OrderKind.RESTORE if is_restore else event.kind,
            authority=event.authority,
            mw=event.value if not is_restore else 0.0,
            feeder=event.feeder,
            received_us=now_us,
            starts_us=starts_us,
            ends_us=None if event.lasts_s is None else starts_us + round(event.lasts_s * US_PER_S),
            within_s=1.0 if event.authority <= Authority.SITE else 600.0,
            ends=event.name if is_restore else "",
            issued_by="soak",
            reason="soak",
        )
        self._unanswered[order.id] = order
        self._calm_from_s = max(self._calm_from_s, self.clock.now_s() + REACTION_S)
        self._submit(site, order)

    def _submit(self, site: LiveSite, order: Order) -> None:
        async def submit() -> None:
            delivered: Delivered = await site.submit(order)
            self._unanswered.pop(order.id, None)
            if delivered.order != order.id:
                self.breach("wrong_answer", f"{order.id} was answered for {delivered.order}")
            self.promised.append(f"order {order.id}")

        task = asyncio.ensure_future(submit())
        task.add_done_callback(self._submitted)

    def _submitted(self, task: "asyncio.Future[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Killed | JournalLost | asyncio.CancelledError):
            self.breach("submit_failed", repr(error))

    async def _again(self, site: LiveSite) -> None:
        """Give orders again that were never answered: whoever gave them does not know whether they were taken."""
        for order in list(self._unanswered.values()):
            self._submit(site, order)
            await asyncio.sleep(0)

    def _kill(self, life: Life, event: Event) -> None:
        life.dies = event.how
        if event.how == "idle":
            life.is_dead = True

    def _tear(self, seq: int) -> None:
        """Leave a part of the last line only."""
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            file.seek(max(0, size - 4_000_000))
            tail = file.read()
        last = len(tail) - (tail[:-1].rfind(b"\n") + 1)
        with suppress(OSError):
            os.truncate(self.path, size - 1 - int(self._rng.integers(last)))

    def _fill_disk(self, event: Event) -> None:
        """Let no file grow beyond what the journal has now and a few bytes: the kernel itself then refuses."""
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        room = int(self._rng.integers(300))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.path.stat().st_size + room, hard))
        self._is_full = True

    def _lift_limit(self) -> None:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        self._is_full = False

    def _note_sent(self, commands: Sequence[Command]) -> None:
        self._heard += [f"s {command.id}\n" for command in commands]
        held = {each.asset for each in self._site.status().locks}
        for command in commands:
            if command.asset in held:
                self.breach("sent_locked", f"{command.id} to {command.asset}")

    def _write_heard(self) -> None:
        """Put aside what was sent and heard, once the disk has room: it must not look like the site's own memory."""
        self._heard += [f"h {effect.command}\n" for effect in self.world.effects if effect.command]
        self.world.effects.clear()
        if not self._is_full:
            with self.heard_path.open("a", encoding="ascii") as file:
                file.writelines(self._heard)
            self._heard.clear()

    def _look(self) -> None:
        """Look at what the site really draws."""
        now_s = self.clock.now_s()
        if int(now_s // 3600.0) != int(self._looked_s // 3600.0):
            self._write_heard()
            self.rss_mb.append(((now_s - self.start_s) / 86_400.0, _rss_mb(), len(self.on_disk)))
        passed_s = min(max(0.0, now_s - self._looked_s), 60.0)
        self._looked_s = now_s
        world = self.world
        power_w = world.feeder_w()
        drawn_mw = {"": float(power_w.sum() - world.generated_w()) / 1e6}
        drawn_mw |= {name: float(power_w[i]) / 1e6 for name, i in world.layout.feeder_index.items() if name}
        why = self._disturbed(now_s)
        self._orders(drawn_mw, now_s, why)
        for name, mw in drawn_mw.items():
            if mw <= self._limits[name] * (1.0 + OVER_RATIO):
                self._over_since.pop(name, None)
                continue
            self.over_s[f"{name or 'site'}.{why or 'undisturbed'}"] += round(passed_s * 1000)
            since_s = self._over_since.setdefault(name, now_s)
            if not why and now_s - since_s > REACTION_S:
                self.breach("over_limit", f"{name or 'site'} draws {mw:.3f} MW")
                self._over_since[name] = now_s

    def _disturbed(self, now_s: float) -> str:
        """What excuses a limit that is exceeded now; empty if nothing does."""
        if self.world.faults.kinds:
            self._calm_from_s = max(self._calm_from_s, now_s + REACTION_S)
            return "fault"
        if self.troubles.any:
            self._calm_from_s = max(self._calm_from_s, now_s + REACTION_S)
            return "door"
        return "reaction" if now_s < self._calm_from_s else ""

    def _count(self) -> None:
        self.import_wh = self.world.totals.import_ws / 3600.0
        self._firm()

    def _firm(self) -> None:
        """Firm leases get what they are let, but for emergencies, reserve and what broke."""
        missed = self.world.totals.firm_missed()
        short, self._firm_missed = missed - self._firm_missed, missed
        self._disturbed(self.clock.now_s())
        calm_s = self.clock.now_s() - self._calm_from_s
        if short < 60.0 or calm_s < self.plan.model.site.control_step_s:
            return
        status = self._site.status()
        tripped = bool(self.world.circuits.has_tripped.any() or self.world.circuits.is_cut.any())
        above = [each for each in status.orders if each.authority < Authority.FIRM]
        if not above and not tripped and not status.is_restoring and not status.locks:
            self.breach("firm_short", f"{short:.0f} GPU seconds")

    def _orders(self, drawn_mw: dict[str, float], now_s: float, why: str) -> None:
        """What an order of an emergency or of reserve was told to be met stays met as long as it binds."""
        state = self._engine.state
        is_raised = any(each.order.kind is OrderKind.RAISE for each in state.orders.values())
        for name, held in state.orders.items():
            order = held.order
            said = state.delivered.get(name)
            if order.authority >= Authority.FIRM or is_raised or said is None or not said.is_met:
                continue
            if order.kind not in (OrderKind.SHED, OrderKind.LIMIT) or now_s < order.starts_us / US_PER_S:
                continue
            most_mw = held.before_mw - order.mw if order.kind is OrderKind.SHED else order.mw
            key = f"order {name}"
            if drawn_mw[order.feeder] <= most_mw + OVER_RATIO * self._limits[order.feeder] or why:
                self._over_since.pop(key, None)
            elif now_s - self._over_since.setdefault(key, now_s) > REACTION_S:
                found = f"{name} on {order.feeder or 'site'}: {drawn_mw[order.feeder]:.3f} MW over {most_mw:.3f} MW"
                self.breach("order_undone", found)
                self._over_since[key] = now_s + 600.0


def _rss_mb() -> float:
    """Memory of this process now, MB."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
