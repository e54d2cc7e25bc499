"""`headrace bench soak`: a simulated week of a live site with everything that can go wrong, checked by other code.

The site of the live demo runs on a simulated clock, watched once a second, while faults of the simulated world, orders
of every kind and authority, lock-outs, deaths of the engine at any record, a full disk, clock steps, feeds, doors and
planners that fail happen under one seed. Afterwards `soak_checks` follows the journal, and what was sent and heard is
held against it. The same seed gives the same week.
"""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from headrace.app.bench.machine import machine, versions
from headrace.app.bench.soak_checks import JournalCheck, check_journal
from headrace.app.bench.soak_drill import Drill
from headrace.app.live.plan import LivePlan, live_plan, recorded_series
from headrace.core import Interval
from headrace.engine.live.journal import read_live
from headrace.engine.live.reproduce import reproduced
from headrace.loads import Firmness

__all__ = ["bench_soak", "print_soak", "soak"]

POLL_S: Final = 1.0
"""Period of the watch, as a site has it by default, seconds."""
SECRETS: Final = {"HEADRACE_DEMO_AGENTS": "0" * 32, "HEADRACE_DEMO_MINERS": "admin"}
"""What the demo's device file asks for: nobody is logged in to in this process."""


def bench_soak(*, data: Path | None, days: float = 7.0, seed: int = 1, real_h: float = 0.0) -> dict[str, Any]:
    """Run a week in this process and count what must not be.

    Parameters
    ----------
    data
        Folder of recorded data; None for what is built in.
    days
        Length, days of site time.
    seed
        Of everything that happens.
    real_h
        Length of a soak over the real protocols instead, hours of site time; 0 for none.

    Returns
    -------
    dict
        Keys as in docs/reference/benches.md.
    """
    with tempfile.TemporaryDirectory(prefix="headrace-soak-") as folder:
        if real_h > 0.0:
            found = real_soak(Path(folder), hours=real_h, seed=seed)
        else:
            found = soak(Path(folder, "live.jsonl"), data=data, days=days, seed=seed)
    return found | {"versions": versions(), "machine": machine()}


def soak(
    path: Path, *, data: Path | None, days: float, seed: int, policy: str = "rolling", poll_s: float = POLL_S
) -> dict[str, Any]:
    """Run one soak and check it; its journal stays at `path`."""
    plan = demo_plan(policy, poll_s)
    assert plan.loaded.window is not None
    start_s = int(plan.loaded.window.start_s)
    window = Interval.from_epoch(start_s, start_s + round(days * 86_400))
    series = recorded_series(plan, data, plan.loaded.window)
    drill = Drill(plan, path, window=window, series=series, seed=seed)
    began_s = time.process_time()
    drill.run()
    cpu_s = time.process_time() - began_s
    broken, told, check = _checked(plan, drill)
    growth_mb = growth_over(drill.rss_mb)
    return {
        "days": days,
        "seed": seed,
        "is_sound": not broken,
        "speed_ratio": days * 86_400.0 / cpu_s,
        "firm_cut_for_money": broken["firm_cut_for_money"] + broken["firm_short"],
        "journal_lost": broken["journal_lost"],
        "duplicated_effects": broken["duplicated_effects"] + broken["commanded_twice"],
        "memory_growth_mb": growth_mb,
        "memory_mb": drill.rss_mb[-1][1] if drill.rss_mb else None,
        "broken": dict(broken),
        "told": told,
        "faults": dict(sorted((drill.happened + Counter(each.kind.value for each in drill.faults)).items())),
        "over_limit_s": {why: millis / 1e3 for why, millis in sorted(drill.over_s.items())},
        "records": check.lines,
        "commands": len(check.commands),
        "intervals": len(check.closed),
        "undecided": check.kinds["undecided"],
        "orders": {str(rank): count for rank, count in sorted(check.authorities.items())},
    }


def real_soak(folder: Path, *, hours: float, seed: int) -> dict[str, Any]:
    """Run one soak over the real protocols and check it; its files stay in `folder`."""
    from headrace.app.bench.soak_real import SPEED, RealSoak

    run = RealSoak(folder, hours=hours, seed=seed)
    check = run.run()
    broken = check.broken
    return {
        "days": hours / 24.0,
        "seed": seed,
        "is_sound": not broken,
        "speed_ratio": SPEED,
        "firm_cut_for_money": broken["firm_cut_for_money"],
        "journal_lost": broken["journal_lost"],
        "duplicated_effects": broken["duplicated_effects"] + broken["commanded_twice"],
        "memory_growth_mb": None,  # a life of some seconds is all start
        "memory_mb": max((mb for _, mb, _ in run.rss_mb), default=None),
        "broken": dict(broken),
        "told": check.told,
        "faults": dict(sorted(run.happened.items())),
        "records": check.lines,
        "commands": len(check.commands),
        "intervals": len(check.closed),
        "undecided": check.kinds["undecided"],
        "orders": {str(rank): count for rank, count in sorted(check.authorities.items())},
    }


def demo_plan(policy: str = "rolling", poll_s: float = POLL_S) -> LivePlan:
    """The live demo's site and devices."""
    for name, value in SECRETS.items():
        os.environ.setdefault(name, value)
    with resources.as_file(resources.files("headrace.app") / "sites") as sites:
        return live_plan(sites / "live_demo.toml", sites / "live_demo.devices.toml", policy=policy, poll_s=poll_s)


def growth_over(rss_mb: Sequence[tuple[float, float, int]]) -> float | None:
    """Growth of memory over a soak, MB: one slope for all lives of the engine, each with a level of its own.

    A new life reads the whole journal, in a process of its own but for this bench, where what it needed for that stays
    with the interpreter: only what grows while an engine runs is its own.
    """
    lives = np.array([life for _, _, life in rss_mb], np.int64)
    days, mb = np.array([each[:2] for each in rss_mb], float).reshape(-1, 2).T
    for life in np.unique(lives).tolist():
        own = lives == life
        days[own] -= days[own].mean()
        mb[own] -= mb[own].mean()
    spread = float(days @ days)
    if spread <= 0.0:
        return None
    return float(days @ mb) / spread * (rss_mb[-1][0] - rss_mb[0][0])


def _checked(plan: LivePlan, drill: Drill) -> tuple[Counter[str], list[str], JournalCheck]:
    site = plan.loaded.site
    firm = frozenset(each.name for each in site.leases if each.firmness is Firmness.FIRM)
    check = check_journal(
        drill.path,
        plan.devices.inventory,
        firm=firm,
        step_s=site.control_step_s,
        settlement_s=site.market.settlement_step_s,
    )
    check.broken.update(drill.broken)
    check.told += drill.told
    content = drill.path.read_bytes()
    for each in drill.on_disk:
        if not each.is_kept(content):
            check.breach("journal_lost", f"the {each.lines} lines of one life are not in the journal")
    _effects(check, drill)
    _promises(check, drill, content)
    _energy(check, drill)
    _again(plan, drill, check)
    for code in sorted(check.alarms):
        check.breach("alarm_up", code)
    return check.broken, check.told, check


def _effects(check: JournalCheck, drill: Drill) -> None:
    """Every effect belongs to one command that the journal holds, sent once."""
    lines = drill.heard_path.read_text(encoding="ascii").splitlines()
    for mark, times in Counter(lines).items():
        if times > 1:
            check.breach("duplicated_effects", f"{mark}, {times} times")
        if mark[2:] not in check.commands:
            check.breach("journal_lost", f"{mark} is in no record")
    sent = {mark[2:] for mark in lines if mark[0] == "s"}
    for mark in lines:
        if mark[0] == "h" and mark[2:] not in sent:
            check.breach("duplicated_effects", f"{mark} was never sent")


def _promises(check: JournalCheck, drill: Drill, content: bytes) -> None:
    """What somebody was told is taken is in the journal."""
    orders = [each.removeprefix("order ") for each in drill.promised if each.startswith("order ")]
    for order in orders:
        if f'"id":"{order}"'.encode() not in content:
            check.breach("journal_lost", f"order {order}")
    locks = Counter(each.split()[0] for each in drill.promised)
    if check.kinds["locked"] < locks["lock"]:
        check.breach("journal_lost", f"{locks['lock'] - check.kinds['locked']} lock-outs")


def _energy(check: JournalCheck, drill: Drill) -> None:
    """What was booked is what the world drew, but for what a meter forgot when it began again."""
    resets = sum(each.kind.value == "meter_reset" and each.target == "poi" for each in drill.faults)
    import_mw = drill.plan.loaded.site.connection.import_max_mw
    allowed_wh = 2.0 + resets * import_mw * 1e6 * 2.0
    missed_wh = drill.import_wh - check.based.get("import_wh", 0) - check.moved["import_wh"]
    if abs(missed_wh) > allowed_wh:
        check.breach("energy", f"{missed_wh:+,.0f} Wh of {drill.import_wh:,.0f} Wh are not booked")


def _again(plan: LivePlan, drill: Drill, check: JournalCheck) -> None:
    """The journal's own facts lead to the same bytes."""
    encode = msgspec.json.encode
    records = read_live(drill.path)[1]
    for was, now in zip(records, reproduced(plan.state(), records, drill.planner), strict=True):
        if encode(was) != encode(now):
            check.breach("reproduced", f"{encode(was)[:300]!r} became {encode(now)[:300]!r}")


def print_soak(figures: dict[str, Any], console: Console) -> None:
    """Print the figures."""
    table = Table(title=f"{figures['days']:g} days of site time, seed {figures['seed']}")
    for column in ("", "value"):
        table.add_column(column, justify="right" if column else "left")
    growth_mb = figures["memory_growth_mb"]
    rows = {
        "site time over processor time": f"{figures['speed_ratio']:,.0f}",
        "firm leases cut for money": f"{figures['firm_cut_for_money']}",
        "journal records lost": f"{figures['journal_lost']}",
        "effects that happened twice": f"{figures['duplicated_effects']}",
        "memory growth, MB": "n/a" if growth_mb is None else f"{growth_mb:+.1f}",
        "records": f"{figures['records']:,}",
        "commands": f"{figures['commands']:,}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    console.print("What went wrong on purpose: " + ", ".join(f"{n} {kind}" for kind, n in figures["faults"].items()))
    if not figures["is_sound"]:
        console.print(f"NOT SOUND (seed {figures['seed']}): {figures['broken']}", highlight=False)
        for each in figures["told"]:
            console.print(f"  {each}", highlight=False, markup=False)
