"""`headrace bench surge`: a peak of inference on a full connection, and a sudden surplus; no grid signal in either.

The live engine as it runs a site, on the campus of `surge_campus`, on a simulated clock: every device has its stated
delay, the engine looks once a second, the peak begins at a random moment between two looks, and an observer reads the
true power of the connection and of every feeder 20 times a second. Only the engine's own computing takes no site
time; `look_cpu_ms` says how much there is. What is compared, in the same run, with the same requests:

    follow      services are capped at what there is room for, with declared head-room; mining makes room
    watch       services draw what they will; what passes the connection is shed once the meter shows it
    plan        services draw what they will; mining moves at the five-minute boundary alone

A request breaches its target for want of power if it waits longer than `WAIT_MAX_S` here and did not on servers that
nothing limits. See docs/surge.md.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from headrace.app.bench.machine import machine, versions
from headrace.app.bench.surge_campus import CHAT, IMPORT_MAX_MW, RAMP_MW_PER_MIN, SurgeCampus, campus_start_s
from headrace.app.bench.surge_demand import Demand, ramp, recorded, step
from headrace.app.bench.surge_surplus import surpluses
from headrace.core import require
from headrace.engine.live.records import Commanded, LiveRecord
from headrace.engine.live.rules import LiveRules
from headrace.sim.replicas import Replicas
from headrace.sim.world import Fault, FaultKind

__all__ = ["MINING", "Peak", "bench_surge", "peak_run", "print_surge", "troubled"]

MINING: Final = ("S21 hall", "S19 hall")
SEEDS: Final = 5
HEADROOM_RATIO: Final = 0.1
"""Declared head-room of the service, as a share of its full power."""
WAIT_MAX_S: Final = 2.0
"""Latency target: longest wait before a request is worked on (assumption: of the size of targets for a first token)."""
PEAK_S: Final = 120.0
"""When the peak begins, seconds after the campus's first boundary."""
AFTER_S: Final = 60.0
"""How long it is observed."""
SAMPLE_S: Final = 0.05
YIELDED_RATIO: Final = 0.99
MUTE_RATIO: Final = 0.02
FOLLOW: Final = LiveRules(headroom_ratio=HEADROOM_RATIO, fsync_every=1_000_000)
MODES: Final = {
    "follow": FOLLOW,
    "watch": msgspec.structs.replace(FOLLOW, headroom_ratio=None),
    "plan": msgspec.structs.replace(
        FOLLOW, headroom_ratio=None, poll_s=300.0, asset_poll_s=300.0, meter_age_max_s=900.0
    ),
}


class Peak(msgspec.Struct, frozen=True, kw_only=True):
    """How one peak went."""

    told_ms: float | None
    """From the first request of the peak to mining's first stop, ms; None if none was told."""
    yield_ms: float | None
    """From there to the moment at which mining has fallen by 99 % of what it gives in the end, ms."""
    yielded_mw: float
    """What it gives, MW."""
    served_ms: float | None
    """Until the service may draw what its peak asks, ms; None if not while it was observed."""
    over_samples: int
    """Samples of connection and feeders above their limit, 20 a second."""
    most_mw: float
    """Highest power at the connection, MW."""
    wait_p95_s: float
    """Wait that 95 % of the requests since the peak began did not exceed, seconds."""
    wait_most_s: float
    """Longest wait, seconds."""
    breach_ratio: float
    """Share of them beyond the target for want of power."""
    look_cpu_ms: float
    """Computing in the engine and the simulated campus a second of site time, ms."""


class _Observer:
    """Feeds requests, and notes what the world really does."""

    def __init__(self, campus: SurgeCampus, demand: Demand, begins_s: float) -> None:
        self._campus = campus
        self._demand = demand
        self.begins_s = begins_s
        self.replicas = Replicas(campus.world, CHAT)
        self.samples: list[tuple[float, float, float, float]] = []
        """Since the peak began s, connection MW, mining MW, what the service may draw MW."""
        self.over = 0

    async def watch(self) -> None:
        """Look for ever."""
        world, clock, replicas = self._campus.world, self._campus.clock, self.replicas
        limits_w = np.array([np.inf, *(each.limit_mw * 1e6 for each in world.inventory.feeders)])
        servers = [i for i, each in enumerate(world.layout.machines) if each.load == CHAT]
        while True:
            at_s = clock.now_s() - self.begins_s
            replicas.step(clock.now_us(), replicas.able_per_s * self._demand(at_s))
            site_mw = world.net_import_w() * 1e-6
            if at_s >= -1.0:
                over = site_mw > IMPORT_MAX_MW or bool((world.feeder_w() > limits_w).any())
                self.over += over
                let_mw = float(world.machines.told_w[servers].sum()) * 1e-6
                self.samples.append((at_s, site_mw, self._campus.power_w(*MINING) * 1e-6, let_mw))
            await clock.sleep_until(clock.now_s() + (SAMPLE_S if at_s >= -1.0 else 1.0))


def troubled(campus_seed: int) -> tuple[Fault, ...]:
    """2 % of the miners mute and deaf, one block of the service slow, and everything later than usual."""
    rng = np.random.default_rng([campus_seed, 7])
    names = [f"S21-hall.{n:04}" for n in range(1700)] + [f"S19-hall.{n:04}" for n in range(1200)]
    deaf = rng.choice(len(names), round(MUTE_RATIO * len(names)), replace=False)
    faults = [Fault(kind=FaultKind.DEAF, target=names[i], start_s=0.0) for i in sorted(deaf.tolist())]
    faults.append(Fault(kind=FaultKind.JITTER, target="S*-hall.*", start_s=0.0, value=0.1))
    faults.append(Fault(kind=FaultKind.JITTER, target="chat.*", start_s=0.0, value=0.05))
    return tuple(faults)


def peak_run(
    mode: str, demand: Demand, *, seed: int = 0, faults: Sequence[Fault] = ()
) -> tuple[Peak, tuple[LiveRecord, ...], SurgeCampus]:
    """Run one peak; how it went, the journal, and the campus."""
    campus = SurgeCampus(MODES[mode], seed=seed, faults=faults)
    offset_s = float(np.random.default_rng([seed, 11]).uniform(0.0, 1.0))
    begins_s = campus_start_s() + PEAK_S + offset_s
    observer = _Observer(campus, demand, begins_s)
    cpu_s = time.process_time()
    records = asyncio.run(campus.run(30.0 + PEAK_S + AFTER_S, observer.watch))
    cpu_s = time.process_time() - cpu_s
    twin = _unlimited(demand, begins_s)
    return _judged(observer, twin, records, cpu_s / (30.0 + PEAK_S + AFTER_S)), records, campus


def bench_surge(data: Path | None) -> dict[str, Any]:
    """Measure everything and return the figures that `--json` prints."""
    clean = [peak_run("follow", step, seed=seed)[0] for seed in range(SEEDS)]
    rough = [peak_run("follow", step, seed=seed, faults=troubled(seed))[0] for seed in range(SEEDS)]
    shapes = {"ramp": ramp, "recorded": recorded(data, round(AFTER_S))}
    surplus = surpluses(SEEDS)
    return {
        "yield_ms": max(each.yield_ms or float("inf") for each in clean),
        "told_ms": max(each.told_ms or float("inf") for each in clean),
        "absorb_s": surplus["price"]["absorb_s"],
        "step": [msgspec.to_builtins(each) for each in clean],
        "step_2pct_mute": [msgspec.to_builtins(each) for each in rough],
        "shapes": {
            name: None if demand is None else msgspec.to_builtins(peak_run("follow", demand)[0])
            for name, demand in shapes.items()
        },
        "baselines": {name: msgspec.to_builtins(peak_run(name, step)[0]) for name in MODES if name != "follow"},
        "surplus": surplus,
        "headroom_ratio": HEADROOM_RATIO,
        "wait_max_s": WAIT_MAX_S,
        "import_max_mw": IMPORT_MAX_MW,
        "ramp_mw_per_min": RAMP_MW_PER_MIN,
        "seeds": SEEDS,
        "versions": versions(),
        "machine": machine(),
    }


def print_surge(figures: dict[str, Any], console: Console) -> None:
    """Print the figures as tables."""
    table = Table(title=f"A peak of inference on a full connection of {figures['import_max_mw']:.0f} MW")
    columns = (
        "told_ms",
        "yield_ms",
        "yielded_mw",
        "served_ms",
        "over_samples",
        "wait_p95_s",
        "wait_most_s",
        "breach_ratio",
    )
    for column in ("", *columns):
        table.add_column(column, justify="left" if not column else "right")
    rows = {f"step, seed {n}": each for n, each in enumerate(figures["step"])}
    rows |= {f"step, 2 % mute, seed {n}": each for n, each in enumerate(figures["step_2pct_mute"])}
    rows |= {name: each for name, each in figures["shapes"].items() if each is not None}
    rows |= {f"{name} alone": each for name, each in figures["baselines"].items()}
    for name, row in rows.items():
        table.add_row(name, *("never" if row[key] is None else f"{row[key]:,.2f}" for key in columns))
    console.print(table)
    for name, each in figures["surplus"].items():
        console.print(
            f"surplus by {name}: 90 % of {each['rise_mw']:.2f} MW within {each['absorb_s']:.1f} s, "
            f"the ramp alone {each['ramp_s']:.1f} s; next boundary after {each['boundary_s']:.0f} s"
        )


def _unlimited(demand: Demand, begins_s: float) -> Replicas:
    """The same requests on servers that nothing limits."""
    twin = SurgeCampus(MODES["plan"])
    replicas = Replicas(twin.world, CHAT)
    at_s = campus_start_s() - 30.0
    while at_s < begins_s + AFTER_S:
        replicas.step(round(at_s * 1e6), replicas.able_per_s * demand(at_s - begins_s))
        at_s += SAMPLE_S if at_s - begins_s >= -1.0 else 1.0
    return replicas


def _judged(observer: _Observer, twin: Replicas, records: Sequence[LiveRecord], look_cpu_s: float) -> Peak:
    samples = np.array(observer.samples)
    at_s, site_mw, mining_mw, let_mw = samples.T
    before_mw, after_mw = float(mining_mw[at_s < 0.0][-1]), float(mining_mw[at_s >= AFTER_S - 20.0].mean())
    require(len(at_s) > 0, "the peak was observed")
    fallen = (at_s >= 0.0) & (before_mw - mining_mw >= YIELDED_RATIO * (before_mw - after_mw))
    told = [
        each.at_us * 1e-6 - observer.begins_s
        for each in records
        if isinstance(each, Commanded)
        and each.at_us * 1e-6 >= observer.begins_s
        and any(command.asset.startswith(("S21", "S19")) for command in each.commands)
    ]
    served = (at_s >= 0.0) & (let_mw >= YIELDED_RATIO * float(let_mw.max()))
    has_yielded = before_mw - after_mw > 0.1
    waits = _since(observer.replicas, observer.begins_s)
    free = dict(_since(twin, observer.begins_s))
    count = sum(n for _, (_, n) in waits)
    late = sum(n for at, (wait_s, n) in waits if wait_s > WAIT_MAX_S and free.get(at, (0.0, 0.0))[0] <= WAIT_MAX_S)
    return Peak(
        told_ms=1000.0 * told[0] if told and has_yielded else None,
        yield_ms=1000.0 * float(at_s[fallen][0]) if has_yielded and fallen.any() else None,
        yielded_mw=before_mw - after_mw,
        served_ms=1000.0 * float(at_s[served][0]) if served.any() and has_yielded else None,
        over_samples=observer.over,
        most_mw=float(site_mw.max()),
        wait_p95_s=_quantile([each for _, each in waits], 0.95),
        wait_most_s=max((wait_s for _, (wait_s, n) in waits if n > 0.0), default=0.0),
        breach_ratio=late / count if count else 0.0,
        look_cpu_ms=1000.0 * look_cpu_s,
    )


def _since(replicas: Replicas, begins_s: float) -> list[tuple[int, tuple[float, float]]]:
    """Waits of the requests that came since a time, with the moment they came in steps of the observer."""
    return [
        (round((at_us * 1e-6 - begins_s) / SAMPLE_S), (wait_s, n))
        for at_us, wait_s, n in replicas.all_waits()
        if at_us * 1e-6 >= begins_s
    ]


def _quantile(waits: Sequence[tuple[float, float]], quantile: float) -> float:
    ordered = sorted(waits)
    share = np.cumsum([n for _, n in ordered])
    return ordered[int(np.searchsorted(share, quantile * share[-1]))][0] if len(share) and share[-1] > 0.0 else 0.0
