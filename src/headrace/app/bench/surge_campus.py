"""The campus of `headrace bench surge`: the demo site with a larger service and a full connection, all simulated.

    S21 hall   1,700 miners, 5.95 MW     on four feeders
    S19 hall   1,200 miners, 4.02 MW     on four feeders
    labs       firm 5.07 MW, batch 2.99 MW, servers of 10.4 kW
    chat       8.00 MW in 64 blocks of 125 kW that can be capped, on two feeders

The connection carries 22 MW, about 6 MW less than everything at full: what AI leaves, mining takes. No battery, so that
mining alone makes room. Devices act after 20 ms and an exponential 50 ms; miners fall within 1 s and rise within 8 s,
servers rise within 2 s (`sim.world`).
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.app.inputs import read_inputs
from headrace.control.assets import Asset, AssetKind, Feeder, Inventory
from headrace.control.authority import LadderRules
from headrace.control.layout import layout_of
from headrace.core import BadInput, Interval
from headrace.dispatch.policies import Policy, Rolling
from headrace.dispatch.uses import model_of
from headrace.energy import Series
from headrace.engine.clock import Clock, SimulatedClock
from headrace.engine.journal import JournalHeader
from headrace.engine.live.engine import Engine
from headrace.engine.live.feeds import RecordedFeeds
from headrace.engine.live.journal import read_live, reopen
from headrace.engine.live.records import LiveRecord
from headrace.engine.live.rules import LiveRules
from headrace.engine.live.site import LiveSite
from headrace.engine.live.solver import InlineSolver, Solver
from headrace.engine.live.state import LiveState
from headrace.loads import Firmness
from headrace.sim.world import Conditions, Fault, SimMeters, World, sim_drivers

__all__ = ["CHAT", "IMPORT_MAX_MW", "SurgeCampus", "surge_inventory", "surge_site"]

CHAT: Final = "chat"
IMPORT_MAX_MW: Final = 22.0
CHAT_MW: Final = 8.0
LAB_SERVER_MW: Final = 0.0104
FEEDERS: Final = {"S21 hall": 4, "S19 hall": 4, "firm lab": 2, "batch lab": 2, CHAT: 2}
MACHINES: Final = {"S21 hall": 1700, "S19 hall": 1200, "firm lab": 487, "batch lab": 287, CHAT: 64}
FEEDER_MARGIN_RATIO: Final = 1.05
"""Rating of a feeder over everything behind it at full."""
RAMP_MW_PER_MIN: Final = 6.0
"""Registered ramp, both ways (assumption)."""
INRUSH_MW_PER_MIN: Final = 6.0
"""Inrush limit of each feeder (assumption)."""
LOOK_BACK_S: Final = 15 * 86_400
PERIOD_DAY: Final = 10
"""Day of the demo's period on which the campus runs."""


def surge_site() -> LoadedSite:
    """The demo site with a larger service, a smaller connection and no battery."""
    path = Path(str(resources.files("headrace.app"))) / "sites" / "demo.toml"
    loaded = load_site(path)
    site = loaded.site
    chat = msgspec.structs.replace(site.inference[0], it_max_mw=CHAT_MW)
    connection = msgspec.structs.replace(site.connection, import_max_mw=IMPORT_MAX_MW)
    return msgspec.structs.replace(
        loaded, site=msgspec.structs.replace(site, battery=None, inference=(chat,), connection=connection)
    )


def surge_inventory(loaded: LoadedSite) -> Inventory:
    """Its machines and feeders."""
    site = loaded.site
    full_mw = {each.name: each.power_mw[-1] for each in site.miners}
    full_mw |= {each.name: each.it_mw for each in site.leases} | {each.name: each.it_max_mw for each in site.inference}
    idle_ratio = {each.name: each.idle_ratio for each in site.leases}
    idle_ratio |= {each.name: each.idle_ratio for each in site.inference}
    assets, feeders = [], []
    for load, mw in full_mw.items():
        stem, count = load.replace(" ", "-"), FEEDERS[load]
        is_miner = load not in idle_ratio
        each_mw = mw / MACHINES[load]
        for f in range(count):
            limit_mw = FEEDER_MARGIN_RATIO * each_mw * -(-MACHINES[load] // count)
            feeders.append(
                Feeder(
                    name=f"{stem}.f{f}",
                    meter=f"{stem}.f{f}.meter",
                    limit_mw=limit_mw,
                    ramp_up_max_mw_per_min=INRUSH_MW_PER_MIN,
                )
            )
        for n in range(MACHINES[load]):
            standby_mw = (0.02 if is_miner else idle_ratio[load]) * each_mw
            assets.append(
                Asset(
                    name=f"{stem}.{n:04}",
                    kind=AssetKind.MINER if is_miner else AssetKind.NODE,
                    load=load,
                    feeder=f"{stem}.f{n * count // MACHINES[load]}",
                    driver=stem,
                    address=str(n),
                    full_mw=each_mw,
                    standby_mw=standby_mw,
                    least_mw=standby_mw if load == CHAT else None,
                )
            )
    return Inventory(
        assets=tuple(assets),
        feeders=tuple(feeders),
        site_meter="poi",
        ramp_up_max_mw_per_min=RAMP_MW_PER_MIN,
        ramp_down_max_mw_per_min=RAMP_MW_PER_MIN,
    )


class SurgeCampus:
    """The campus, its world and its live engine.

    Parameters
    ----------
    rules
        Limits of the engine.
    clock
        Its time; None for a simulated clock at the start of the period.
    faults, seed
        What goes wrong, and of everything drawn at random.
    edit
        Changes the site before it is laid out.
    series
        Series that take the place of the sample's, by role, made from the period's start.
    policy
        Who plans.
    """

    def __init__(
        self,
        rules: LiveRules,
        *,
        clock: Clock | None = None,
        faults: Sequence[Fault] = (),
        seed: int = 0,
        edit: Callable[[LoadedSite], LoadedSite] = lambda loaded: loaded,
        series: Mapping[str, Series] | None = None,
        policy: Callable[[], Policy] = Rolling,
    ) -> None:
        self.loaded = edit(surge_site())
        firm = tuple(each.name for each in self.loaded.site.leases if each.firmness is Firmness.FIRM)
        self.rules = msgspec.structs.replace(rules, ladder=LadderRules(firm=firm))
        self.policy = policy
        self.model = model_of(self.loaded.site)
        self.layout = layout_of(surge_inventory(self.loaded))
        self.start_s = campus_start_s()
        self.clock: Clock = SimulatedClock(self.start_s - 30.0) if clock is None else clock
        self.series = _sample_series(self.loaded, self.start_s) | dict(series or {})
        profiles = {each.demand: self.series[each.demand] for each in self.loaded.site.inference}
        profiles |= {g.profile: self.series[g.profile] for g in self.loaded.site.generators if g.profile is not None}
        conditions = Conditions(temperature=self.series["temperature"], profiles=profiles)
        self.world = World(
            self.loaded.site,
            self.layout.inventory,
            start_us=self.clock.now_us(),
            seed=seed,
            conditions=conditions,
            faults=faults,
        )
        self.site: LiveSite | None = None

    def state(self) -> LiveState:
        """A state that nothing has happened in."""
        return LiveState(self.model, self.layout, self.rules)

    async def run(
        self, seconds: float, *beside: Callable[[], Awaitable[None]], solver: Solver | None = None
    ) -> tuple[LiveRecord, ...]:
        """Run the engine so many seconds of site time, with some work beside it; what its journal holds then."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "live.jsonl"
            header = JournalHeader(
                kind="live",
                site=self.loaded.site.name,
                policy="rolling",
                period="",
                config_digest=self.loaded.digest,
                input_digest="",
                versions={},
            )
            journal, _ = reopen(path, header, fsync_every=self.rules.fsync_every)
            engine = Engine(
                state=self.state(),
                journal=journal,
                clock=self.clock,
                drivers=sim_drivers(self.world, self.clock),
                meters=SimMeters(self.world, self.clock),
            )
            feeds = RecordedFeeds(self.series, dict.fromkeys(self.series, LOOK_BACK_S))
            self.site = LiveSite(engine, solver=solver or InlineSolver(self.policy()), feeds=feeds)
            moving = asyncio.ensure_future(self.clock.run()) if isinstance(self.clock, SimulatedClock) else None
            others = [asyncio.ensure_future(each()) for each in beside]
            try:
                await self.site.run(self.clock.now_s() + seconds)
            finally:
                for task in (*others, *([] if moving is None else [moving])):
                    task.cancel()
            return tuple(read_live(path)[1])

    def power_w(self, *loads: str) -> float:
        """Power of some loads' machines now, W, as the world knows it."""
        return sum(
            float(self.world.layout.by_load(self.world.machines.power_w)[i])
            for i, each in enumerate(self.world.layout.loads)
            if each.name in loads
        )


def campus_start_s() -> float:
    """Start of the campus's first interval, epoch seconds."""
    window = surge_site().window
    if window is None:
        raise BadInput("demo.toml", "has no [replay]", "The bench runs on a day of its period")
    return (window.start + timedelta(days=PERIOD_DAY)).timestamp()


def _sample_series(loaded: LoadedSite, start_s: float) -> dict[str, Series]:
    feed = RecordedFeed(None, loaded.feeds, loaded.site.time_zone)
    window = Interval.from_epoch(round(start_s), round(start_s) + 86_400)
    inputs = read_inputs(feed, loaded.site, set(loaded.feeds), window)
    grouped = {"profiles", "further"}
    named = {role: getattr(inputs, role) for role in inputs.__struct_fields__ if role not in grouped}
    return {role: each for role, each in named.items() if each is not None} | inputs.profiles | inputs.further
