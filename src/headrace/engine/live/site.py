"""A live site: the face that the command line, the API and the doors of the grid see.

Two time scales run beside each other: `Intervals` decides at each control boundary, `Guard` watches once a second, and
an order is met the moment it comes. docs/live.md tells how they fit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from headrace.control.commands import Action
from headrace.control.layout import US_PER_S
from headrace.control.orders import LockOut, Order
from headrace.control.ports import Signals
from headrace.control.shed import Shedding
from headrace.engine.live.desk import OrderDesk
from headrace.engine.live.engine import Engine, JournalLost
from headrace.engine.live.feeds import FeedDoor
from headrace.engine.live.following import Following
from headrace.engine.live.guard import Guard
from headrace.engine.live.intervals import Intervals
from headrace.engine.live.listening import listen
from headrace.engine.live.records import Delivered, Locked, Released, Started, Stopped
from headrace.engine.live.solver import Solver
from headrace.engine.live.status import LiveStatus, status_of
from headrace.engine.live.verdicts import Verdicts

__all__ = ["LiveSite"]


class LiveSite:
    """Runs one site until it is told to stop.

    Parameters
    ----------
    engine
        State, journal and doors.
    solver
        Who makes plans.
    feeds
        Where data come from.
    signals
        Where orders come from, beside `submit`.
    is_shadow
        It decides beside the real site and touches simulated devices only.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        solver: Solver,
        feeds: FeedDoor,
        signals: Sequence[Signals] = (),
        is_shadow: bool = False,
    ) -> None:
        self._engine = engine
        self._signals = tuple(signals)
        self._is_shadow = is_shadow
        self._intervals = Intervals(engine, solver, feeds)
        verdicts = Verdicts(engine)
        self._guard = Guard(engine, self._intervals, verdicts)
        self._following = Following(engine, self._intervals)
        self._desk = OrderDesk(engine, verdicts, self._intervals.pace, self._intervals.steer_again)
        self._bells: set[asyncio.Future[None]] = set()
        self._is_stopping = False

    async def start(self) -> None:
        """Stand where the journal ends: arm, look at what is there, and take up orders in force.

        Nothing that was commanded before is sent again; what orders still ask for follows from what devices say now.
        """
        engine = self._engine
        step_s = engine.state.model.site.control_step_s
        await engine.arm()
        await engine.read_meters()
        await engine.read_assets()
        first_s = -(-engine.clock.now_us() // (step_s * US_PER_S)) * step_s
        decision = engine.state.decision
        if decision is not None and decision.at_s == first_s:
            first_s += step_s
        seq = engine.note(
            Started(at_us=engine.clock.now_us(), first_s=first_s, stored_mwh=self._intervals.stored_mwh())
        )
        await self._intervals.ask_feeds()
        engine.settle_disk()
        if decision is not None and first_s - step_s <= decision.at_s:
            self._intervals.take_up(f"s{seq}")

    async def run(self, until_s: float | None = None) -> None:
        """Run until `until_s`, epoch seconds of the site's clock, or until `stop`."""
        await self.start()
        listening = asyncio.ensure_future(listen(self._engine, self._signals, self._desk.submit))
        turns = [self._every_interval(), self._watch(), self._follow(), self._feeds()]
        if until_s is not None:
            turns.append(self._end_at(until_s))
        loops = [asyncio.ensure_future(each) for each in turns]
        try:
            await asyncio.gather(*loops)
        finally:
            self.stop()
            await asyncio.gather(*loops, return_exceptions=True)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await self._wind_up()

    def stop(self) -> None:
        """Ask it to stop: what is under way is finished and written, devices stay as they were told."""
        self._is_stopping = True
        for bell in self._bells:
            bell.cancel()

    async def submit(self, order: Order) -> Delivered:
        """Give an order and wait for the meter's word. The same id twice is the same order."""
        return await self._desk.submit(order)

    def preview(self, order: Order) -> Shedding:
        """What an order would take off now; nothing is written and nothing sent."""
        return self._desk.preview(order)

    def mw_of_load(self, shedding: Shedding) -> dict[str, float]:
        """What each load would give of it, MW; a battery under its own name."""
        layout, drawn_mw = self._engine.state.layout, self._engine.state.fleet.drawn_mw
        found: dict[str, float] = {}
        for command in shedding.commands:
            asset = layout.asset(layout.position[command.asset])
            left_mw = asset.standby_mw if command.power_mw is None else command.power_mw
            if command.action is Action.DISCHARGE:
                left_mw = -left_mw
            given_mw = float(drawn_mw[layout.position[command.asset]]) - left_mw
            name = asset.load or asset.name
            found[name] = found.get(name, 0.0) + given_mw
        return found

    def lock(self, lock: LockOut) -> str:
        """Lock an asset or a feeder out: no command reaches it until its holder releases it; why not, else empty."""
        layout = self._engine.state.layout
        if lock.asset not in layout.position and lock.asset not in layout.feeder_position:
            return "lock.unknown_asset"
        self._engine.note(Locked(at_us=self._engine.clock.now_us(), lock=lock))
        self._engine.settle_disk()
        return ""

    def release(self, asset: str, *, holder: str) -> str:
        """Release a lock-out; why not, if `holder` does not hold it, else empty."""
        held = [each for each in self._engine.state.fleet.locks if each.asset == asset]
        refused = "" if any(each.holder == holder for each in held) else "lock.not_held"
        self._engine.note(Released(at_us=self._engine.clock.now_us(), asset=asset, by=holder, refused=refused))
        self._engine.settle_disk()
        return refused

    def status(self) -> LiveStatus:
        """What the site is doing now."""
        targets = self._intervals.targets
        return status_of(self._engine, is_shadow=self._is_shadow, target_mw={} if targets is None else targets.load_mw)

    async def _every_interval(self) -> None:
        engine = self._engine
        while await self._waited_until(float(engine.state.next_s)):
            due_s = engine.state.next_s
            await self._guarded("interval", self._intervals.turn)
            if engine.state.next_s == due_s:  # nothing could be decided: what was told stands until the next boundary
                engine.state.next_s += engine.state.model.site.control_step_s

    async def _watch(self) -> None:
        engine = self._engine
        at_s = engine.clock.now_s()
        while await self._waited_until(at_s):
            await self._guarded("watch", self._guard.look)
            at_s = max(at_s + engine.state.rules.poll_s, engine.clock.now_s())

    async def _follow(self) -> None:
        engine = self._engine
        at_s = engine.clock.now_s()
        while engine.state.rules.headroom_ratio is not None and await self._waited_until(at_s):
            await self._guarded("follow", self._following.look)
            at_s = max(at_s + engine.state.rules.poll_s, engine.clock.now_s())

    async def _feeds(self) -> None:
        engine = self._engine
        while await self._waited_until(engine.clock.now_s() + engine.state.rules.feed_poll_s):
            await self._guarded("feeds", self._intervals.hear)

    async def _guarded(self, name: str, turn: Callable[[], Awaitable[None]]) -> None:
        """Do one turn of a loop; a fault in it raises an alarm and leaves the other loops, and its next turn, alone."""
        engine = self._engine
        try:
            await turn()
        except JournalLost:
            raise
        except Exception as error:  # noqa: BLE001  one loop's fault must not end the watch over the site
            engine.alarm(f"engine.{name}", f"{type(error).__name__}: {error}", is_up=True)
            return
        engine.alarm(f"engine.{name}", "", is_up=False)

    async def _waited_until(self, at_s: float) -> bool:
        """Wait; false if it was asked to stop meanwhile."""
        if self._is_stopping:
            return False
        bell = asyncio.ensure_future(self._engine.clock.sleep_until(at_s))
        self._bells.add(bell)
        try:
            await asyncio.wait([bell])
        finally:
            self._bells.discard(bell)
        return not self._is_stopping

    async def _end_at(self, until_s: float) -> None:
        if await self._waited_until(until_s):
            self.stop()

    async def _wind_up(self) -> None:
        engine = self._engine
        await self._desk.drain()
        await self._guard.close()
        with suppress(JournalLost):
            engine.note(Stopped(at_us=engine.clock.now_us(), reason="asked to"))
        for signals in self._signals:
            await signals.close()
        await engine.close()
