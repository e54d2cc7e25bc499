"""The watch, once a second: limits kept, silent assets found, orders ended, what was shed brought back in waves."""

import asyncio
from typing import Final

import numpy as np

from headrace.control.authority import is_emergency
from headrace.control.commands import Action
from headrace.control.fleet import counted_by_feeder
from headrace.control.layout import US_PER_S
from headrace.control.orders import Authority, Order, OrderKind
from headrace.control.orders_in_force import Binding, is_active
from headrace.control.readings import AssetReading
from headrace.control.restore import next_wave
from headrace.control.shed import Shedding, shed
from headrace.control.watch import watch
from headrace.engine.live.engine import Engine
from headrace.engine.live.intervals import Intervals
from headrace.engine.live.records import Believed, Delivered, OrdersEnded, Waking
from headrace.engine.live.verdicts import Verdicts

__all__ = ["Guard"]

MET_RATIO: Final = 0.99
"""Share of an order that counts as met."""

ANNOUNCED: Final = ("order.starts_later",)
"""What is answered to an order that begins later: the watch meets it when it does."""

BY_RAMP: Final = ("order.by_ramp",)
"""What is answered to a limit or a raise that is met along the ramp: the watch tells when the meter shows it."""

ORDER_LIMIT: Final = "limit.order."
"""How the code of an alarm begins that says that an order's limit is exceeded."""

SMALL_MW: Final = 1e-3
"""Power that nothing is switched for, MW."""


class Guard:
    """Looks after the site between decisions.

    Parameters
    ----------
    engine
        Journal and doors.
    intervals
        The slow time scale, asked to steer again where an order changed what it may.
    verdicts
        What meters have yet to judge.
    """

    def __init__(self, engine: Engine, intervals: Intervals, verdicts: Verdicts) -> None:
        self._engine = engine
        self._verdicts = verdicts
        self._intervals = intervals
        self._seen = engine.state.fleet
        self._asked_us = 0
        self._limited_us: dict[str, int] = {}
        self._wave_us = 0
        self._is_waking = False
        self._asking: asyncio.Future[tuple[AssetReading, ...]] | None = None

    async def look(self) -> None:
        """Look once."""
        engine = self._engine
        await engine.read_meters()
        engine.count_loads()
        now_us = engine.clock.now_us()
        is_due = now_us - self._asked_us >= engine.state.rules.asset_poll_s * US_PER_S
        if is_due:
            self._asked_us = now_us
            engine.look_after_disk()
            self._ask_assets()
        self._watch_assets()
        self._end_orders()
        await self._keep_limits()
        self._settle_orders()
        self._verdicts.look()
        if engine.state.waking is not None:
            await self._wake()
        if is_due:
            if any(self._is_on_its_way(held.order, now_us) for held in engine.state.orders.values()):
                self._intervals.steer_again()
            await self._intervals.act()

    def _is_on_its_way(self, order: Order, now_us: int) -> bool:
        """Does what it asks for move along a line now? For a look longer, so that its end is met."""
        passed_s = (now_us - order.starts_us) / US_PER_S
        is_paced = order.kind in (OrderKind.LIMIT, OrderKind.RAISE) and not is_emergency(order.authority)
        return is_paced and 0.0 <= passed_s <= order.within_s + 2.0 * self._engine.state.rules.asset_poll_s

    async def close(self) -> None:
        """Wait for no asset's answer any more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _ask_assets(self) -> None:
        """Ask every asset what it does, beside the watch: a mute one costs a timeout, and meters can't wait for it."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._engine.read_assets())

    def _watch_assets(self) -> None:
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        found = watch(state.layout, state.fleet, self._seen, now_us=now_us)
        state.fleet = self._seen = found.fleet
        if found.lost or found.back:
            changes = dict.fromkeys(found.lost, "lost: silent for longer than its watchdog allows")
            engine.note(Believed(at_us=now_us, changes=changes | dict.fromkeys(found.back, "")))

    def _end_orders(self) -> None:
        """Orders whose time is over and that need nobody's permission stop to bind."""
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        over = tuple(
            name
            for name, held in state.orders.items()
            if held.order.starts_us <= now_us and not is_active(held.order, now_us=now_us, rules=state.rules.ladder)
        )
        if over:
            sheds = [state.orders[name].order.kind in (OrderKind.SHED, OrderKind.LIMIT) for name in over]
            seq = engine.note(OrdersEnded(at_us=now_us, orders=over, reason="their time is over"))
            if any(sheds):
                engine.note(Waking(at_us=now_us, record=f"e{seq}"))
            self._intervals.steer_again()

    async def _keep_limits(self) -> None:
        """Shed what the meter shows above the connection, a feeder's rating or an order in force."""
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        site_mw = engine.site_mw()
        places = sorted({held.order.feeder for held in state.orders.values()})
        bindings = {place: state.binding(now_us, place) for place in places}
        tightest = {f"{ORDER_LIMIT}{each.most_by.id}" for each in bindings.values() if each.most_by is not None}
        for code in [each for each in state.alarms if each.startswith(ORDER_LIMIT) and each not in tightest]:
            engine.alarm(code, "", is_up=False)
        if site_mw is not None:
            connection_mw = state.model.site.connection.import_max_mw
            await self._keep_below("limit.connection", site_mw, connection_mw, None, "")
            await self._keep_order(bindings.get(""), site_mw, "")
        for feeder in state.layout.inventory.feeders:
            carried_mw = engine.feeder_mw(feeder.name)
            if carried_mw is not None:
                await self._keep_below(f"limit.feeder.{feeder.name}", carried_mw, feeder.limit_mw, None, feeder.name)
                await self._keep_order(bindings.get(feeder.name), carried_mw, feeder.name)

    async def _keep_order(self, binding: Binding | None, now_mw: float, feeder: str) -> None:
        """Shed what the meter shows above what orders leave of the site, or of one feeder, once they are due."""
        order = None if binding is None else binding.most_by
        if binding is not None and order is not None and self._is_due(order, self._engine.clock.now_us()):
            await self._keep_below(f"{ORDER_LIMIT}{order.id}", now_mw, binding.most_mw, order, feeder)

    def _settle_orders(self) -> None:
        """Write how orders were met that no desk is at: announced ones, and those whose engine was killed meanwhile."""
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        for name, held in state.orders.items():
            order = held.order
            said = state.delivered.get(name)
            if (said is not None and said.reasons not in (ANNOUNCED, BY_RAMP)) or not self._is_due(order, now_us):
                continue
            asked_mw = order.mw if order.kind is OrderKind.SHED else max(0.0, held.before_mw - order.mw)
            now_mw = engine.feeder_mw(order.feeder) if order.feeder else engine.site_mw()
            if order.kind not in (OrderKind.SHED, OrderKind.LIMIT) or now_mw is None:
                continue
            met_mw = max(0.0, held.before_mw - now_mw)
            if met_mw >= asked_mw * MET_RATIO:
                engine.note(
                    Delivered(
                        at_us=now_us,
                        order=name,
                        asked_mw=asked_mw,
                        met_mw=met_mw,
                        is_met=True,
                        reasons=() if said is not None else ("engine.down",),
                    )
                )
                return

    def _is_due(self, order: Order, now_us: int) -> bool:
        """Has an order had its own time, and its meter's, and is nobody at it?"""
        if order.id in self._engine.under_way:
            return False
        if order.starts_us > order.received_us:  # it was announced: the desk has left it to the watch
            return now_us >= order.starts_us
        allowed_s = order.within_s + self._engine.state.rules.settle_grace_s
        return now_us >= order.starts_us + round(allowed_s * US_PER_S)

    async def _keep_below(self, code: str, now_mw: float, most_mw: float, order: Order | None, feeder: str) -> None:
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        over_mw = now_mw - most_mw
        is_over = over_mw > max(SMALL_MW, abs(most_mw) * state.rules.over_limit_ratio)
        engine.alarm(code, f"{now_mw:.3f} MW where {most_mw:.3f} MW is allowed", is_up=is_over)
        again_us = round(state.rules.settle_grace_s * US_PER_S)
        if not is_over or now_us - self._limited_us.get(code, -again_us) < again_us:
            return
        self._limited_us[code] = now_us
        self._intervals.restrain()
        asked = order or _limit_order(code, over_mw, feeder, now_us)

        def choose(mw: float) -> Shedding:
            return shed(
                state.layout,
                state.fleet,
                state.worth_ccy_per_mwh(),
                mw,
                order=asked,
                record=f"w{state.records}",
                now_us=now_us,
                rules=state.rules.ladder,
            )

        shedding = choose(over_mw)
        if not is_emergency(asked.authority):
            paced = self._intervals.pace.fitted(choose, over_mw)
            if paced is None and shedding.commands:
                return  # the ramp allows it later
            shedding = paced or shedding
            self._intervals.pace.moved(-shedding.expected_mw)
        await engine.carry_out(
            shedding.commands,
            expected_mw=shedding.expected_mw,
            short_mw=shedding.short_mw,
            reasons=(code, *shedding.reasons),
        )

    async def _wake(self) -> None:
        """Start the next wave of what orders took off."""
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        if not self._is_waking:
            self._is_waking, self._wave_us = True, now_us
        layout, binding = state.layout, state.binding(now_us)
        site_mw = engine.site_mw()
        feeder_mw = counted_by_feeder(layout, state.fleet, now_us=now_us, age_max_s=state.rules.meter_age_max_s)
        wanted = self._shed_assets()
        withheld = self._verdicts.suspects.withheld(wanted)
        before = state.fleet
        wave = next_wave(
            layout,
            state.fleet,
            [name for name in wanted if name not in withheld],
            state.worth_ccy_per_mwh(),
            is_permitted=True,
            binding=binding,
            site_mw=float(feeder_mw.sum()) if site_mw is None else site_mw,
            feeder_mw=feeder_mw + state.kept_free_mw(now_us),
            since_wave_s=self._intervals.pace.for_wave_s(self._wave_us),
            record=f"v{state.records}",
            now_us=now_us,
            rules=state.rules.ladder,
        )
        if wave.commands:
            self._wave_us = now_us
            self._intervals.pace.moved(wave.rise_mw)
            outcomes = await engine.carry_out(wave.commands)
            self._verdicts.suspects.started(before, wave.commands, outcomes)
        if wave.is_done and not withheld:
            self._is_waking = False
            engine.note(Waking(at_us=now_us, record=""))
            self._intervals.steer_again()

    def _shed_assets(self) -> list[str]:
        """Assets that orders and limits took off and nobody has told otherwise since."""
        state = self._engine.state
        stopped = (Action.STOP, Action.OPEN)
        return [
            state.layout.asset(i).name
            for i in np.flatnonzero(state.fleet.runs != 1).tolist()
            if (told := state.fleet.told[i]) is not None
            and told.action in stopped
            and not told.reason.startswith("plan")
        ]


def _limit_order(code: str, over_mw: float, feeder: str, now_us: int) -> Order:
    """What keeping a limit of equipment is: an order of the site itself."""
    return Order(
        id=code,
        kind=OrderKind.SHED,
        authority=Authority.SAFETY,
        mw=over_mw,
        feeder=feeder,
        received_us=now_us,
        starts_us=now_us,
        within_s=0.0,
        issued_by="headrace",
        reason=code,
    )
