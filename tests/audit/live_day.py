"""The auditor's day at the live demo: the product as it ships, a script of orders and faults, and the world's truth.

Nothing here checks anything: it runs `run_live` on the simulated campus, lets things go wrong, asks for things, and
writes down every ten seconds what the simulated world itself says, which no meter and no driver of the engine reports.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from headrace.app.live.plan import live_plan
from headrace.app.live.running import Run, run_live
from headrace.control.orders import Authority, LockOut, Order, OrderKind
from headrace.sim.world import Fault
from headrace.sim.world.faults import FaultKind

SITES = Path(__file__).parents[2] / "src/headrace/app/sites"
START_S = 1731909600
"""2024-11-18 00:00 in Chicago, the first day of the demo's sample."""

FAULTS = (
    ("lying", "A.m00*", 0.9, 1.6, 0.0),
    ("mute", "A.m05*", 0.9, 1.6, 0.0),
    ("delay", "B.m03*", 2.9, 4.2, 0.8),
    ("refusing", "B.m01*", 4.8, 5.2, 0.0),
    ("lying", "B.m06*", 4.9, 6.4, 0.0),
    ("meter_gap", "poi", 9.2, 9.7, 0.0),
    ("meter_reset", "storage", 10.3, 10.4, 0.0),
    ("meter_gap", "*", 11.02, 11.35, 0.0),
    ("link", "B.m0*", 12.1, 12.6, 0.0),
    ("meter_freeze", "A", 13.5, 13.9, 0.0),
    ("partial_trip", "A", 15.0, 15.4, 0.3),
    ("garbled", "A.m02*", 16.9, 17.4, 0.0),
)
"""Kind, target, first and last hour, value."""

ORDERS: tuple[dict[str, Any], ...] = (
    {"at_h": 1.0, "id": "op.1", "kind": "shed", "authority": 2, "mw": 0.30, "for_h": 0.4},
    {"at_h": 3.0, "id": "dr.1", "kind": "limit", "authority": 5, "mw": 0.60, "for_h": 1.0, "within_s": 600.0},
    {"at_h": 5.0, "id": "grid.1", "kind": "shed", "authority": 1, "mw": 0.60},
    {"at_h": 5.3, "id": "op.2", "kind": "restore", "authority": 2, "ends": "grid.1"},
    {"at_h": 5.5, "id": "grid.2", "kind": "restore", "authority": 1, "ends": "grid.1"},
    {"at_h": 7.0, "id": "safe.1", "kind": "limit", "authority": 0, "mw": 0.10, "feeder": "A"},
    {"at_h": 7.25, "id": "op.3", "kind": "restore", "authority": 2, "ends": "safe.1"},
    {"at_h": 7.5, "id": "safe.2", "kind": "restore", "authority": 0, "ends": "safe.1"},
    {"at_h": 8.0, "lock": "B", "by": "ann"},
    {"at_h": 8.1, "id": "op.4", "kind": "shed", "authority": 2, "mw": 0.50, "for_h": 0.3},
    {"at_h": 8.2, "release": "B", "by": "bob"},
    {"at_h": 8.9, "release": "B", "by": "ann"},
    {"at_h": 9.4, "id": "op.5", "kind": "shed", "authority": 2, "mw": 0.20, "for_h": 0.2},
    {"at_h": 12.3, "id": "res.1", "kind": "shed", "authority": 3, "mw": 0.95, "for_h": 0.5, "within_s": 30.0},
    {"at_h": 13.6, "id": "op.6", "kind": "shed", "authority": 2, "mw": 0.10, "feeder": "A", "for_h": 0.2},
    {"at_h": 14.2, "id": "dr.2", "kind": "shed", "authority": 5, "mw": 1.10, "for_h": 0.4, "within_s": 600.0},
    {"at_h": 16.0, "id": "op.7", "kind": "hold", "authority": 2, "for_h": 0.5},
    {"at_h": 17.0, "id": "op.8", "kind": "shed", "authority": 2, "mw": 0.40, "for_h": 0.3, "starts_h": 0.1},
    {"at_h": 18.0, "id": "op.9", "kind": "shed", "authority": 2, "mw": 0.15, "for_h": 1.0},
    {"at_h": 18.2, "id": "grid.3", "kind": "shed", "authority": 1, "mw": 0.30},
    {"at_h": 18.3, "id": "grid.3", "kind": "shed", "authority": 1, "mw": 0.30},
    {"at_h": 18.7, "id": "grid.4", "kind": "restore", "authority": 1, "ends": "grid.3"},
)


class Auditor:
    """What runs beside the site: one that writes down the world's truth, one that asks for things.

    Parameters
    ----------
    out
        Folder of the run.
    faults, orders
        As in `FAULTS` and `ORDERS`.
    start_s
        When the day began, epoch seconds.
    """

    def __init__(self, out: Path, faults: Sequence[Any], orders: Sequence[dict[str, Any]], start_s: int) -> None:
        self._out, self._faults, self._orders, self._start_s = out, faults, orders, start_s
        self.results: dict[str, Any] = {}

    async def watch(self, live: Any) -> None:
        """Spoil the world as the script has it, and write it down every ten seconds."""
        engine = live._engine
        world = engine.meters._world
        for kind, target, first_h, last_h, value in self._faults:
            spell = {"start_s": first_h * 3600, "end_s": last_h * 3600}
            world.add_fault(Fault(kind=FaultKind(kind), target=target, value=value, **spell))
        with (self._out / "truth.jsonl").open("w") as file:
            while True:
                world.advance(engine.clock.now_us())
                file.write(json.dumps(truth_of(world)) + "\n")
                await engine.clock.sleep_until(engine.clock.now_s() + 10.0)

    async def ask(self, live: Any) -> None:
        """Order, lock and release."""
        clock = live._engine.clock
        for step in self._orders:
            await clock.sleep_until(self._start_s + step["at_h"] * 3600)
            if "lock" in step:
                out = LockOut(asset=step["lock"], holder=step["by"], since_us=clock.now_us(), reason="fans")
                self.results[f"lock {step['lock']} {step['by']}"] = live.lock(out)
            elif "release" in step:
                said = live.release(step["release"], holder=step["by"])
                self.results[f"release {step['release']} {step['by']}"] = said
            else:
                said = await live.submit(order_of(step, clock.now_us()))
                self.results.setdefault(step["id"], []).append(msgspec.to_builtins(said))


def truth_of(world: Any) -> dict[str, Any]:
    """The world's own powers and totals."""
    feeders = ["", *(each.name for each in world.inventory.feeders)]
    return {
        "at_us": world.now_us,
        "net_w": world.net_import_w(),
        "feeder_w": dict(zip(feeders, world.feeder_w().tolist(), strict=True)),
        "battery_w": world.storage.power_w,
        "soc": world.storage.soc_ratio,
        "totals": dict(world.totals.counters()),
    }


def order_of(step: dict[str, Any], now_us: int) -> Order:
    """A line of the script as an order that comes now."""
    starts_us = now_us + round(step.get("starts_h", 0.0) * 3.6e9)
    return Order(
        id=step["id"],
        kind=OrderKind(step["kind"]),
        authority=Authority(step["authority"]),
        mw=step.get("mw", 0.0),
        feeder=step.get("feeder", ""),
        received_us=now_us,
        starts_us=starts_us,
        ends_us=starts_us + round(step["for_h"] * 3.6e9) if "for_h" in step else None,
        within_s=step.get("within_s", 1.0),
        ends=step.get("ends", ""),
        issued_by="auditor",
        reason="audit",
    )


def run_day(
    out: Path,
    *,
    hours: float = 24.0,
    site: str = "live_demo",
    devices: Path | None = None,
    faults: Sequence[tuple[str, str, float, float, float]] = FAULTS,
    orders: Sequence[dict[str, Any]] = ORDERS,
    poll_s: float = 5.0,
    at_s: int = START_S,
) -> None:
    """Run the demo and write `truth.jsonl` and `results.json` beside its journal."""
    os.environ.setdefault("HEADRACE_DEMO_AGENTS", "a" * 40)
    os.environ.setdefault("HEADRACE_DEMO_MINERS", "admin")
    plan = live_plan(SITES / f"{site}.toml", devices or SITES / f"{site}.devices.toml", policy="rolling", poll_s=poll_s)
    out.mkdir(parents=True, exist_ok=True)
    auditor = Auditor(out, faults, orders, at_s)
    run_live(
        Run(
            plan=plan,
            out=out,
            is_simulated=True,
            speed_ratio=0.0,
            start_s=float(at_s),
            last_s=hours * 3600.0,
            seed=7,
            beside=(auditor.watch, auditor.ask),
        )
    )
    (out / "results.json").write_text(json.dumps(auditor.results, indent=1))
