"""The site follows its services: requests rise, mining makes room, and no limit is passed meanwhile.

    ask the services' servers and read the meters -> let what there is room for -> steer anew -> mining falls
          -> meters show it -> let the rest

It runs every `poll_s` beside the watch and waits for nobody's plan. What may be drawn is decided by `control.follow`;
caps and stops are written before they are sent, like every command.
"""

import asyncio
from typing import Final

import msgspec

from headrace.control.fleet import counted_by_feeder
from headrace.control.follow import Letting, let, let_mw, rising_mw, wanted_mw
from headrace.control.layout import US_PER_S
from headrace.engine.live.engine import Engine
from headrace.engine.live.intervals import Intervals

__all__ = ["Following"]

HOLD_S: Final = 30.0
"""How long demand must be lower before head-room is given back to mining, seconds: a dip between two peaks is none."""
RISE_S: Final = 10.0
"""How long a machine that was told to rise may need until meters show it, seconds."""
GRANT_RATIO: Final = 0.1
"""Of what is missing, caps rise by this share at least at a time: servers are not told ten times a second."""
SMALL_RATIO: Final = 0.002
"""Share of the connection below which nothing is steered anew."""


class _Service(msgspec.Struct, kw_only=True):
    """What is remembered of one service between looks."""

    drivers: tuple[str, ...]
    full_mw: float
    wanted_mw: float = 0.0
    low_us: int | None = None


class Following:
    """Lets services rise, and has mining make room.

    Parameters
    ----------
    engine
        Journal and doors.
    intervals
        The slow time scale, which is steered anew.
    """

    def __init__(self, engine: Engine, intervals: Intervals) -> None:
        self._engine = engine
        self._intervals = intervals
        self._steered_mw = 0.0
        self._number = 0
        layout, model = engine.state.layout, engine.state.model
        self._services: dict[str, _Service] = {}
        if engine.state.rules.headroom_ratio is None:
            return
        for each in model.site.inference:
            own = [asset for asset in layout.inventory.assets if asset.load == each.name]
            if own and all(asset.least_mw is not None for asset in own):
                self._services[each.name] = _Service(
                    drivers=tuple(sorted({asset.driver for asset in own})),
                    full_mw=sum(asset.full_mw for asset in own),
                )

    async def look(self) -> None:
        """Look once, and see to it that what is asked gets its power."""
        engine = self._engine
        if self._is_bound():
            return
        if engine.state.model.site.generators:
            await engine.read_meters()
            self._intervals.steer_again()
        if not self._services:
            return
        await self._hear()
        self._intervals.wanted_mw = {name: each.wanted_mw for name, each in self._services.items()}
        wanted = sum(self._intervals.wanted_mw.values())
        letting = self._letting()
        if letting is None:
            return
        small_mw = SMALL_RATIO * engine.state.model.site.connection.import_max_mw
        if abs(wanted - self._steered_mw) > small_mw or letting.short_mw > small_mw:
            self._steered_mw = wanted
            self._intervals.steer_again()
        if letting.short_mw > small_mw:
            await self._make_room(letting, small_mw)
        else:
            await self._tell(letting)

    async def _make_room(self, letting: Letting, small_mw: float) -> None:
        """Have mining fall, and let services rise as meters show it."""
        engine = self._engine
        rules = engine.state.rules
        short_mw = letting.short_mw
        falling = asyncio.ensure_future(self._intervals.act(short_mw))
        await asyncio.sleep(0)  # what makes room is told first
        await self._tell(letting)
        until_s = engine.clock.now_s() + max(rules.poll_s, rules.settle_grace_s)
        while short_mw > small_mw and engine.clock.now_s() < until_s:
            await engine.clock.sleep_until(engine.clock.now_s() + rules.verify_s)
            await self._hear()
            granted = self._letting()
            if granted is None:
                break
            if granted.rise_mw >= GRANT_RATIO * short_mw or granted.short_mw <= small_mw:
                await self._tell(granted)
                short_mw = granted.short_mw
        await falling

    async def _hear(self) -> None:
        """Ask servers what their queues want, and meters what is drawn."""
        engine = self._engine
        state, layout = engine.state, engine.state.layout
        drivers = sorted({driver for each in self._services.values() for driver in each.drivers})
        asked_w: dict[str, int] = {}
        silent: set[str] = set()
        for reading in await engine.read_assets(drivers):
            i = layout.position.get(reading.asset)
            name = "" if i is None else layout.asset(i).load
            if name not in self._services:
                continue
            if reading.asked_w is None:
                silent.add(name)
            asked_w[name] = asked_w.get(name, 0) + (reading.asked_w or 0)
        await engine.read_meters()
        now_us = engine.clock.now_us()
        for name, each in self._services.items():
            drawn_mw = sum(
                float(state.fleet.drawn_mw[layout.position[a.name]]) for a in layout.inventory.assets if a.load == name
            )
            wanted = wanted_mw(
                asked_mw=None if name in silent or name not in asked_w else asked_w[name] * 1e-6,
                drawn_mw=drawn_mw,
                let_now_mw=let_mw(layout, state.fleet, name),
                full_mw=each.full_mw,
                headroom_mw=(state.rules.headroom_ratio or 0.0) * each.full_mw,
            )
            self._remember(each, wanted, now_us)

    def _remember(self, service: _Service, wanted: float, now_us: int) -> None:
        """Rise at once, fall when it has been lower for a while."""
        if wanted >= service.wanted_mw:
            service.wanted_mw, service.low_us = wanted, None
            return
        service.low_us = now_us if service.low_us is None else service.low_us
        if now_us - service.low_us >= HOLD_S * US_PER_S:
            service.wanted_mw, service.low_us = wanted, None

    async def _tell(self, letting: Letting) -> None:
        """Move caps."""
        await self._engine.carry_out(letting.commands, expected_mw=-letting.rise_mw, reasons=("follow",))

    def _letting(self) -> Letting | None:
        """What there is room for; None if no meter says how much that is."""
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        site_mw, targets = engine.site_mw(), self._intervals.targets
        if site_mw is None or targets is None:
            return None
        self._number += 1
        return let(
            state.layout,
            state.fleet,
            {name: each.wanted_mw for name, each in self._services.items()},
            targets.pue_ratio,
            state.worth_ccy_per_mwh(),
            site_mw=site_mw,
            most_mw=self._intervals.most_mw(),
            rising_mw=rising_mw(
                state.layout,
                state.fleet,
                since_us=now_us - round(RISE_S * US_PER_S),
                besides=tuple(self._services),
            ),
            feeder_mw=counted_by_feeder(state.layout, state.fleet, now_us=now_us, age_max_s=state.rules.meter_age_max_s)
            + state.kept_free_mw(now_us),
            record=f"f{state.records}.{self._number}",
            now_us=now_us,
        )

    def _is_bound(self) -> bool:
        """Does an order, a hold or a restoration go before?"""
        state = self._engine.state
        return bool(state.binding(self._engine.clock.now_us()).is_held or state.waking is not None)
