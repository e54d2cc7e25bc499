"""What happens in a soak, drawn under its seed: orders, lock-outs, deaths, a full disk, clock steps, failing doors."""

from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from headrace.control.assets import AssetKind, Inventory
from headrace.control.orders import Authority, OrderKind
from headrace.sim.world import Fault, random_faults
from headrace.sim.world.faults import FaultKind

__all__ = ["TAIL_S", "Act", "Event", "draw_faults", "draw_script"]

DAY_S: Final = 86_400.0
TAIL_S: Final = 7200.0
"""The last of a soak, in which nothing new goes wrong: everything must come back, and alarms must clear."""
FAULTS_PER_DAY: Final = 48.0
ROLES_OUT: Final = ("real_time", "day_ahead", "temperature", "bitcoin_price", "*")
"""Feed roles that fail; the star is all of them."""
RESTORED_BY: Final = 0.25
"""Share of restores that somebody tries first who may not."""


class Act(StrEnum):
    """What somebody or something does."""

    ORDER = "order"
    RESTORE = "restore"
    LOCK = "lock"
    RELEASE = "release"
    KILL = "kill"
    DISK_FULL = "disk_full"
    CLOCK_STEP = "clock_step"
    FEED_OUTAGE = "feed_outage"
    DRIVER_FAILS = "driver_fails"
    METERS_FAIL = "meters_fail"
    SOLVER_LATE = "solver_late"
    PLAN_FAILS = "plan_fails"
    BREAKERS_RESET = "breakers_reset"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the script."""

    at_s: float
    """When, seconds after the start."""
    act: Act
    """What."""
    name: str = ""
    """Order, asset, role or driver that it is about."""
    how: str = ""
    """Which way."""
    value: float = 0.0
    """Length in seconds, step in seconds, or MW."""
    kind: OrderKind = OrderKind.SHED
    """What an order asks."""
    authority: Authority = Authority.MONEY
    """In whose name."""
    feeder: str = ""
    """Feeder that an order is about; empty for the site."""
    starts_after_s: float = 0.0
    """How long after it comes an order begins to bind."""
    lasts_s: float | None = None
    """How long an order binds; None until a restore ends it."""


PER_DAY: Final = {
    Act.ORDER: 12.0,
    Act.LOCK: 4.0,
    Act.KILL: 5.0,
    Act.DISK_FULL: 2.0,
    Act.CLOCK_STEP: 3.0,
    Act.FEED_OUTAGE: 2.0,
    Act.DRIVER_FAILS: 5.0,
    Act.METERS_FAIL: 4.0,
    Act.SOLVER_LATE: 3.0,
    Act.PLAN_FAILS: 3.0,
    Act.BREAKERS_RESET: 12.0,
}
"""How often each happens, a day on average."""


def draw_faults(inventory: Inventory, *, rng: np.random.Generator, length_s: float) -> tuple[Fault, ...]:
    """Faults of machines, meters, feeders, switches and the inverter over a soak, none of them in its tail."""
    until_s = length_s - TAIL_S
    drawn = random_faults(inventory, rng=rng, length_s=until_s, per_day=FAULTS_PER_DAY)
    kinds = (FaultKind.DEAF, FaultKind.REFUSING, FaultKind.LINK, FaultKind.DELAY, FaultKind.MUTE)
    others = [each.name for each in inventory.assets if each.kind is AssetKind.BATTERY]
    others += [f"{each.name}.*" for each in inventory.feeders]
    for _ in range(int(rng.poisson(FAULTS_PER_DAY / 4.0 * until_s / DAY_S))):
        start_s = float(rng.uniform(0.0, until_s))
        drawn += (
            Fault(
                kind=kinds[int(rng.integers(len(kinds)))],
                target=others[int(rng.integers(len(others)))],
                start_s=start_s,
                end_s=start_s + float(rng.uniform(30.0, 1800.0)),
                value=float(rng.uniform(0.1, 2.0)),
            ),
        )
    ended = (msgspec.structs.replace(each, end_s=min(each.end_s, until_s)) for each in drawn if each.start_s < until_s)
    return tuple(each for each in ended if each.start_s < each.end_s)


def draw_script(inventory: Inventory, *, rng: np.random.Generator, length_s: float, import_mw: float) -> list[Event]:
    """Everything else that happens in a soak, in the order of its time; whatever begins also ends before the tail."""
    until_s = length_s - TAIL_S
    events: list[Event] = []
    for act, per_day in PER_DAY.items():
        for number in range(int(rng.poisson(per_day * until_s / DAY_S))):
            at_s = float(rng.uniform(60.0, until_s))
            match act:
                case Act.ORDER:
                    events += _order(inventory, rng, f"op.{number}", at_s, until_s, import_mw)
                case Act.LOCK:
                    events += _lock(inventory, rng, at_s, until_s)
                case _:
                    events.append(_trouble(inventory, rng, act, at_s, until_s))
    events.append(Event(at_s=until_s + 60.0, act=Act.BREAKERS_RESET))
    return sorted(events, key=lambda event: event.at_s)


def _order(
    inventory: Inventory, rng: np.random.Generator, name: str, at_s: float, until_s: float, import_mw: float
) -> list[Event]:
    """An order, and the restore that ends it if its time does not."""
    kinds = (OrderKind.SHED, OrderKind.LIMIT, OrderKind.RAISE, OrderKind.HOLD)
    kind = kinds[int(rng.choice(4, p=(0.4, 0.25, 0.2, 0.15)))]
    authority = Authority(int(rng.integers(len(Authority))))
    feeder = inventory.feeders[int(rng.integers(len(inventory.feeders)))] if rng.random() < 0.3 else None
    most_mw = import_mw if feeder is None else feeder.limit_mw
    ends_by_time = rng.random() < 0.6
    order = Event(
        at_s=at_s,
        act=Act.ORDER,
        name=name,
        kind=kind,
        authority=authority,
        feeder="" if feeder is None else feeder.name,
        value=float(rng.uniform(0.0, 0.5 if kind is OrderKind.SHED else 1.0)) * most_mw,
        starts_after_s=float(rng.uniform(1.0, 1800.0)) if rng.random() < 0.15 else 0.0,
        lasts_s=float(rng.uniform(30.0, 5400.0)) if ends_by_time else None,
    )
    if ends_by_time and authority > Authority.GRID:
        return [order]
    back_s = min(at_s + float(rng.uniform(60.0, 5400.0)), until_s)
    restore = Event(at_s=back_s, act=Act.RESTORE, name=name, authority=authority)
    if rng.random() < RESTORED_BY:
        other = Authority(min(int(authority) + 1, len(Authority) - 1))
        return [order, Event(at_s=back_s - 1.0, act=Act.RESTORE, name=name, authority=other, how="other"), restore]
    return [order, restore]


def _lock(inventory: Inventory, rng: np.random.Generator, at_s: float, until_s: float) -> list[Event]:
    """A lock on an asset or a feeder, somebody else who would release it, and its holder who does."""
    among = [each.name for each in (inventory.assets if rng.random() < 0.6 else inventory.feeders)]
    name, holder = among[int(rng.integers(len(among)))], f"worker {int(rng.integers(3))}"
    off_s = min(at_s + float(rng.uniform(60.0, 7200.0)), until_s)
    return [
        Event(at_s=at_s, act=Act.LOCK, name=name, how=holder),
        Event(at_s=(at_s + off_s) / 2.0, act=Act.RELEASE, name=name, how="somebody else"),
        Event(at_s=off_s, act=Act.RELEASE, name=name, how=holder),
    ]


def _trouble(inventory: Inventory, rng: np.random.Generator, act: Act, at_s: float, until_s: float) -> Event:
    """Something that goes wrong with the engine or its doors."""
    name, how, value = "", "", 0.0
    match act:
        case Act.KILL:
            how = ("idle", "before", "after", "torn", "sending")[int(rng.integers(5))]
            value = float(rng.uniform(0.0, 900.0))
        case Act.DISK_FULL:
            value = float(rng.uniform(10.0, 1800.0))
        case Act.CLOCK_STEP:
            size_s = float(rng.uniform(0.0, 5.0) if rng.random() < 0.5 else rng.uniform(5.0, 900.0))
            value = size_s if rng.random() < 0.5 else -size_s
        case Act.FEED_OUTAGE:
            name = ROLES_OUT[int(rng.integers(len(ROLES_OUT)))]
            how = ("silent", "failed", "raising")[int(rng.integers(3))]
            value = float(rng.uniform(600.0, 10_800.0))
        case Act.DRIVER_FAILS:
            names = sorted({each.driver for each in inventory.assets})
            name = names[int(rng.integers(len(names)))]
            how = ("before", "after")[int(rng.integers(2))]
            value = float(rng.uniform(5.0, 900.0))
        case Act.PLAN_FAILS:
            how = ("infeasible", "raising")[int(rng.integers(2))]
            value = float(rng.uniform(300.0, 7200.0))
        case _:
            value = float(rng.uniform(5.0, 600.0))
    return Event(at_s=at_s, act=act, name=name, how=how, value=min(value, until_s - at_s) if value > 0.0 else value)
