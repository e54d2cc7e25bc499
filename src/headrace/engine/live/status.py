"""What a live site is doing, in one record: for a person, an API, a metric."""

import msgspec

from headrace.control.orders import LockOut, Order
from headrace.engine.live.engine import Engine
from headrace.engine.live.records import Alarmed, Delivered, Followed
from headrace.engine.live.shadowed import Comparison

__all__ = ["FeederStatus", "LiveStatus", "LoadStatus", "status_of"]


class LoadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One load of the site."""

    name: str
    """As the site file names it."""
    power_mw: float
    """What its assets count for, MW."""
    target_mw: float | None
    """What the decision in force asks of it, MW; None if it is left alone."""
    worth_ccy_per_mwh: float | None
    """What a MWh is worth in it now."""
    running: int
    """Assets that run."""
    assets: int
    """Assets it has."""
    lost: int
    """Of them, silent for longer than their watchdog allows."""
    locked: int
    """Of them, locked out."""
    doubted: int
    """Of them, mute, refusing or lying."""


class FeederStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One feeder."""

    name: str
    """Its name."""
    power_mw: float | None
    """What its meter shows, MW; None without a fresh reading."""
    limit_mw: float
    """What it carries at most, MW."""
    age_s: float | None
    """Age of its newest reading, seconds; None if it never answered."""


class LiveStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One site at one instant."""

    at_us: int
    """When, epoch microseconds of the site's clock."""
    site: str
    """The site's name."""
    is_shadow: bool
    """Does it decide beside the real site without touching it?"""
    records: int
    """Lines of its journal."""
    mode: str
    """Rung of the safe ladder; empty before the first decision."""
    reasons: tuple[str, ...]
    """How it came to it."""
    interval_s: int | None
    """Start of the interval decided last, epoch seconds."""
    price_seen_ccy_per_mwh: float | None
    """Market price that the plan in force believes."""
    bid_ccy_per_mwh: float | None
    """Worth of one more MWh."""
    ask_ccy_per_mwh: float | None
    """Cost of giving one up."""
    site_mw: float | None
    """Net import at the connection, MW; None without a fresh reading."""
    stored_mwh: float | None
    """Energy in store, MWh; None without a battery."""
    is_restoring: bool
    """Are shed assets coming back?"""
    loads: tuple[LoadStatus, ...]
    feeders: tuple[FeederStatus, ...]
    orders: tuple[Order, ...]
    """Orders that have not ended."""
    delivered: tuple[Delivered, ...]
    """How the last orders were met, oldest first."""
    locks: tuple[LockOut, ...]
    """Locks held."""
    feed_age_s: dict[str, int | None]
    """How far the newest value of each feed role is behind the present, seconds; None if there is none."""
    health: dict[str, str]
    """What is wrong with whom, by name."""
    alarms: tuple[Alarmed, ...]
    """Alarms that are up."""
    followed: Followed | None = None
    """How the market's base points were followed in the last period; None if none were."""
    shadow: Comparison | None = None
    """In shadow: decisions beside what the real site did; None otherwise."""


def status_of(engine: Engine, *, is_shadow: bool, target_mw: dict[str, float]) -> LiveStatus:
    """Sum up a live site.

    Parameters
    ----------
    engine
        The site.
    is_shadow
        Its mode.
    target_mw
        What the decision in force asks of each load, MW.
    """
    state, now_us = engine.state, engine.clock.now_us()
    last = state.cycle.last
    setpoints = None if state.decision is None else state.decision.setpoints
    return LiveStatus(
        at_us=now_us,
        site=state.model.site.name,
        is_shadow=is_shadow,
        records=state.records,
        mode="" if setpoints is None else setpoints.mode.value,
        reasons=() if setpoints is None else setpoints.reasons,
        interval_s=None if state.decision is None else state.decision.at_s,
        price_seen_ccy_per_mwh=None if last is None else last.price_seen_ccy_per_mwh,
        bid_ccy_per_mwh=None if last is None else last.bid_ccy_per_mwh,
        ask_ccy_per_mwh=None if last is None else last.ask_ccy_per_mwh,
        site_mw=engine.site_mw(),
        stored_mwh=None if state.model.site.battery is None else state.cycle.stored_mwh,
        is_restoring=state.waking is not None,
        loads=_loads(engine, target_mw),
        feeders=_feeders(engine, now_us),
        orders=tuple(held.order for held in state.orders.values()),
        delivered=tuple(state.delivered.values()),
        locks=state.fleet.locks,
        feed_age_s={role: state.book.age_s(role, now_us // 1_000_000) for role in state.book.roles},
        health=dict(state.health),
        alarms=tuple(state.alarms.values()),
        followed=state.followed,
        shadow=state.shadowed.sum if is_shadow else None,
    )


def _loads(engine: Engine, target_mw: dict[str, float]) -> tuple[LoadStatus, ...]:
    state = engine.state
    layout, fleet, worth = state.layout, state.fleet, state.worth_ccy_per_mwh()
    found = []
    for k, name in enumerate(layout.load_names):
        own = (layout.load_of == k) & layout.is_load
        if name:
            found.append(
                LoadStatus(
                    name=name,
                    power_mw=float(fleet.drawn_mw[own].sum()),
                    target_mw=target_mw.get(name),
                    worth_ccy_per_mwh=worth.get(name),
                    running=int((fleet.runs[own] == 1).sum()),
                    assets=int(own.sum()),
                    lost=int(fleet.is_lost[own].sum()),
                    locked=int(fleet.is_locked[own].sum()),
                    doubted=int((fleet.doubt[own] != 0).sum()),
                )
            )
    return tuple(found)


def _feeders(engine: Engine, now_us: int) -> tuple[FeederStatus, ...]:
    fleet = engine.state.fleet
    return tuple(
        FeederStatus(
            name=feeder.name,
            power_mw=engine.feeder_mw(feeder.name),
            limit_mw=feeder.limit_mw,
            age_s=None if reading is None else (now_us - reading.at_us) / 1e6,
        )
        for feeder, reading in zip(engine.state.layout.inventory.feeders, fleet.feeders, strict=True)
    )
