"""A live site on a simulated clock and in-process simulated devices: the demo campus with a handful of machines."""

import asyncio
from functools import lru_cache
from pathlib import Path

from headrace.control.assets import Asset, AssetKind, Feeder, Inventory
from headrace.control.layout import layout_of
from headrace.control.orders import Authority, Order, OrderKind
from headrace.core import Interval
from headrace.dispatch.policies import Rolling
from headrace.dispatch.uses import model_of
from headrace.energy import Series
from headrace.engine.clock import SimulatedClock
from headrace.engine.journal import JournalHeader
from headrace.engine.live.engine import Engine
from headrace.engine.live.feeds import RecordedFeeds
from headrace.engine.live.journal import read_live, reopen
from headrace.engine.live.records import LiveRecord
from headrace.engine.live.rules import LiveRules
from headrace.engine.live.site import LiveSite
from headrace.engine.live.solver import InlineSolver
from headrace.engine.live.state import LiveState
from headrace.sim.world.doors import SimMeters, sim_drivers
from headrace.sim.world.world import World
from replays import days_of, demo_site, world

LOADS = {"S21 hall": (AssetKind.MINER, 5.95), "S19 hall": (AssetKind.MINER, 4.02), "batch lab": (AssetKind.NODE, 2.99)}
RULES = LiveRules(poll_s=10.0, asset_poll_s=30.0, feed_poll_s=300.0, fsync_every=1_000_000)


def inventory(machines: int = 8) -> Inventory:
    """Some machines a load, each load on its own feeder, and a battery."""
    assets, feeders = [], []
    for name, (kind, load_mw) in (LOADS | {"firm lab": (AssetKind.NODE, 5.07), "chat": (AssetKind.NODE, 2.0)}).items():
        stem = name.replace(" ", "-")
        contactor = Asset(
            name=f"{stem}.k1", kind=AssetKind.CONTACTOR, load="", feeder=stem, driver="coils", address="", full_mw=0.0
        )
        feeders.append(
            Feeder(name=stem, meter=f"{stem}.m", limit_mw=9.0, ramp_up_max_mw_per_min=20.0, contactor=contactor.name)
        )
        full_mw = load_mw / machines
        standby_mw = (0.3 if kind is AssetKind.NODE else 0.02) * full_mw
        assets += [
            Asset(
                name=f"{stem}.{n}",
                kind=kind,
                load=name,
                feeder=stem,
                driver=kind.value,
                address=str(n),
                full_mw=full_mw,
                standby_mw=standby_mw,
            )
            for n in range(machines)
        ]
        assets.append(contactor)
    feeders.append(Feeder(name="storage", meter="storage.m", limit_mw=6.0, ramp_up_max_mw_per_min=60.0))
    assets.append(
        Asset(
            name="bess", kind=AssetKind.BATTERY, load="", feeder="storage", driver="inverter", address="", full_mw=5.0
        )
    )
    return Inventory(
        assets=tuple(assets),
        feeders=tuple(feeders),
        site_meter="poi",
        ramp_up_max_mw_per_min=20.0,
        ramp_down_max_mw_per_min=20.0,
        battery_meter="storage.m",
    )


@lru_cache
def surroundings(days: int) -> dict[str, Series]:
    """The demo's series by role."""
    loaded = demo_site()
    inputs = world(loaded, days_of(loaded, 10, days)).inputs
    named = {role: getattr(inputs, role) for role in inputs.__struct_fields__ if role not in ("profiles", "further")}
    return {r: s for r, s in named.items() if s is not None} | inputs.profiles | inputs.further


class Campus:
    """The demo site, its world, and as many engines, one after the other, as a test needs."""

    def __init__(
        self, path: Path, *, days: int = 1, rules: LiveRules = RULES, faults=(), machines: int = 8, policy=Rolling
    ) -> None:
        self.loaded = demo_site()
        self.window: Interval = days_of(self.loaded, 10, days)
        self.model = model_of(self.loaded.site)
        self.layout = layout_of(inventory(machines))
        self.rules = rules
        self.path = path
        self.policy = policy
        self.series = surroundings(days)
        self.clock = SimulatedClock(float(self.window.start_s) - 30.0)
        self.world = World(self.loaded.site, self.layout.inventory, start_us=self.clock.now_us(), faults=faults)
        self.solver = None
        self.spare = None

    def state(self) -> LiveState:
        """A state that nothing has happened in."""
        return LiveState(self.model, self.layout, self.rules)

    def engine(self, series=None) -> tuple[LiveSite, Engine]:
        """An engine that goes on with the journal as it is."""
        header = JournalHeader(
            kind="live",
            site=self.loaded.site.name,
            policy=self.policy.name,
            period="",
            config_digest=self.loaded.digest,
            input_digest="",
            versions={},
        )
        journal, records = reopen(self.path, header, fsync_every=self.rules.fsync_every, spare=self.spare)
        state = self.state()
        for seq, record in enumerate(records, start=1):
            state.absorb(seq, record)
        engine = Engine(
            state=state,
            journal=journal,
            clock=self.clock,
            drivers=sim_drivers(self.world, self.clock),
            meters=SimMeters(self.world, self.clock),
            spare=self.spare,
        )
        series = self.series if series is None else series
        feeds = RecordedFeeds(series, dict.fromkeys(series, 15 * 86_400))
        return LiveSite(engine, solver=self.solver or InlineSolver(self.policy()), feeds=feeds), engine

    def run(self, seconds: float, *beside, series=None) -> Engine:
        """Run an engine so many seconds of site time; `beside` are coroutine functions of the live site."""

        async def whole() -> Engine:
            site, engine = self.engine(series)
            moving = asyncio.ensure_future(self.clock.run())
            others = [asyncio.ensure_future(each(site)) for each in beside]
            await site.run(self.clock.now_s() + seconds)
            await asyncio.gather(*others)
            moving.cancel()
            return engine

        return asyncio.run(whole())

    def records(self) -> list[LiveRecord]:
        """What the journal holds."""
        return read_live(self.path)[1]


def order(campus: Campus, kind: OrderKind, mw: float = 0.0, *, name: str = "op.1", **fields) -> Order:
    """An order that begins now."""
    now_us = campus.clock.now_us()
    given = {"authority": Authority.GRID, "received_us": now_us, "starts_us": now_us, "within_s": 1.0}
    return Order(id=name, kind=kind, mw=mw, issued_by="test", reason="test", **(given | fields))
