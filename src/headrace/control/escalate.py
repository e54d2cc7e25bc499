"""The last resort: feeders whose switch opens because the time to meet an emergency has passed and power is missing.

A switch takes everything off, so it is chosen by what it costs: worth of what runs on its feeder and was not asked to
stop, over the power it takes off. None is opened that is locked, that carries what the authority may not take, or that
carries the cooling of another feeder.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headrace.control.assets import AssetKind
from headrace.control.authority import NO_EXCEPTIONS, LadderRules, is_emergency, may_take
from headrace.control.command_book import CommandBook
from headrace.control.commands import Action, Command
from headrace.control.fleet import Doubt, FleetState
from headrace.control.layout import US_PER_S, Layout
from headrace.control.orders import Order

__all__ = ["escalate"]

SLACK_MW = 1e-9
"""Power below this is rounding."""


def escalate(
    layout: Layout,
    fleet: FleetState,
    worth_ccy_per_mwh_of_load: Mapping[str, float],
    short_mw: float,
    *,
    order: Order,
    feeder_mw: NDArray[np.float64],
    record: str,
    now_us: int,
    rules: LadderRules = NO_EXCEPTIONS,
) -> tuple[Command, ...]:
    """Switches to open; none before the order's time is up, nor for anything but an emergency.

    Parameters
    ----------
    layout, fleet
        The assets, and what is believed of them now.
    worth_ccy_per_mwh_of_load
        What a MWh at the bus is worth in each load now.
    short_mw
        Power that the meters still miss, MW.
    order
        The emergency.
    feeder_mw
        Power on each feeder now, by its meter where that is fresh, shape (F,).
    record
        Id of the record that this decision is.
    now_us
        Now, epoch microseconds.
    rules
        What the site declares of its ladder.
    """
    is_due = now_us >= order.starts_us + round(order.within_s * US_PER_S)
    if not is_emergency(order.authority) or not is_due or short_mw <= SLACK_MW:
        return ()
    running_mw = np.where(layout.is_load & (fleet.runs == 1), fleet.drawn_mw, 0.0)
    worth_ccy_per_h = running_mw * np.maximum(layout.worth_ccy_per_mwh(dict(worth_ccy_per_mwh_of_load)), 0.0)
    lost_ccy_per_h = np.bincount(layout.feeder_of, worth_ccy_per_h, len(feeder_mw))
    ranked = sorted(
        (f for f in range(len(feeder_mw)) if _may_open(layout, fleet, f, order, rules) and feeder_mw[f] > SLACK_MW),
        key=lambda f: (float(lost_ccy_per_h[f] / feeder_mw[f]), f),
    )
    chosen: list[int] = []
    together_mw = 0.0
    for f in ranked:
        if together_mw >= short_mw - SLACK_MW:
            break
        chosen.append(f)
        together_mw += float(feeder_mw[f])
    for f in chosen[::-1]:
        if together_mw - float(feeder_mw[f]) >= short_mw - SLACK_MW:
            chosen.remove(f)
            together_mw -= float(feeder_mw[f])
    reason = f"order.{order.authority.name.lower()}.escalate"
    book = CommandBook(record, reason, now_us=now_us, life_s=rules.command_life_s)
    for f in chosen:
        book.tell(layout, layout.contactor_of[f], Action.OPEN)
    return book.commands


def _may_open(layout: Layout, fleet: FleetState, f: int, order: Order, rules: LadderRules) -> bool:
    """May this feeder's switch be opened for this order?"""
    switch = layout.contactor_of[f]
    if switch < 0 or fleet.is_locked[switch] or fleet.runs[switch] == 0 or fleet.doubt[switch] >= Doubt.REFUSES:
        return False
    if order.feeder and layout.inventory.feeders[f].name != order.feeder:
        return False
    behind = np.flatnonzero(layout.feeder_of == f).tolist()
    cools_others = any(layout.cooling_of[g] in behind for g in range(len(layout.cooling_of)) if g != f)
    loads = {layout.asset(i).load for i in behind if layout.asset(i).kind in (AssetKind.MINER, AssetKind.NODE)}
    return not cools_others and all(may_take(rules, order.authority, load) for load in sorted(loads))
