"""How what an order took off comes back: with permission, cooling first, feeder by feeder, within the registered ramp.

One wave at a time. A wave's rise fits the site's registered ramp and its feeders' inrush limits over the time since the
last wave, the feeders' ratings, and what orders in force leave. Best worth comes first. A feeder waits for its cooling
until more than an acknowledgement says that it runs; an asset waits until it has been off for its least time. A switch
closes alone in its wave, and everything behind it counts as if it started at once: machines wake with their power.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.assets import AssetKind
from headrace.control.authority import NO_EXCEPTIONS, LadderRules, overrides_min_off
from headrace.control.command_book import CommandBook
from headrace.control.commands import Action, Command
from headrace.control.fleet import Doubt, FleetState
from headrace.control.layout import Layout
from headrace.control.orders import Authority
from headrace.control.orders_in_force import Binding

__all__ = ["Wave", "next_wave"]

CREDIT_S: Final = 60.0
"""Ramp saved up while nothing could start counts for this long at most: waiting for cooling earns no step."""
COOLING: Final = "restore.awaits_cooling"
"""Its cooling does not run yet."""
SLACK_MW: Final = 1e-9
"""Least rise that a start counts for, and what rounding may add to a wave."""


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """What starts now, and what still waits."""

    commands: tuple[Command, ...] = ()
    """In the order they are to be sent."""
    rise_mw: float = 0.0
    """Power that they bring at most, MW."""
    is_done: bool = False
    """Nothing is left to start."""
    reasons: tuple[str, ...] = ()
    """Why something waits."""


def next_wave(
    layout: Layout,
    fleet: FleetState,
    wanted: Sequence[str],
    worth_ccy_per_mwh_of_load: dict[str, float],
    *,
    is_permitted: bool,
    binding: Binding,
    site_mw: float,
    feeder_mw: NDArray[np.float64],
    since_wave_s: float,
    record: str,
    now_us: int,
    authority: Authority = Authority.MONEY,
    rules: LadderRules = NO_EXCEPTIONS,
) -> Wave:
    """Choose what starts next.

    Parameters
    ----------
    layout, fleet
        The assets, and what is believed of them.
    wanted
        Assets that are to run again, opened switches among them.
    worth_ccy_per_mwh_of_load
        What a MWh at the bus is worth in each load now.
    is_permitted
        Has everyone who may forbid it permitted it (`orders_in_force.refuse_restore`)?
    binding
        What orders in force leave: a wave stays below it, and while one holds nothing starts.
    site_mw
        Net import now, MW.
    feeder_mw
        Power that each feeder counts for, shape (F,).
    since_wave_s
        Time since the last wave (or since permission, for the first), seconds.
    record
        Id of the record that this decision is.
    now_us
        Now, epoch microseconds.
    authority
        In whose name it starts: people and equipment alone override a least time off.
    rules
        What the site declares of its ladder.
    """
    left = [i for i in (layout.position[name] for name in wanted) if _is_to_start(layout, fleet, i)]
    if not left:
        return Wave(is_done=True)
    if not is_permitted:
        return Wave(reasons=("restore.awaits_permission",))
    waking_mw = _waking_mw(layout, fleet, now_us)
    headroom_mw = binding.most_mw - site_mw - float(waking_mw.sum())
    if binding.is_held or headroom_mw <= 0.0:
        return Wave(reasons=("restore.held",))
    reasons: list[str] = []
    room = _Room(layout, feeder_mw + waking_mw, headroom_mw=headroom_mw, since_s=since_wave_s)
    book = CommandBook(record, "restore", now_us=now_us, life_s=rules.command_life_s)
    worths = layout.worth_ccy_per_mwh(worth_ccy_per_mwh_of_load)
    by_worth = sorted(left, key=lambda i: (-worths[i], layout.feeder_of[i], i))
    may_start = _may_start(layout, fleet, by_worth, reasons, now_us=now_us, authority=authority)
    rises_mw = [room.take(i, _rise_mw(layout, fleet, i)) for i in may_start]
    for i, rise_mw in zip(may_start, rises_mw, strict=True):
        if rise_mw > 0.0:
            book.tell(layout, i, Action.CLOSE if _is_switch(layout, i) else Action.RUN)
        else:
            reasons.append("restore.awaits_ramp")
    return Wave(commands=book.commands, rise_mw=sum(rises_mw), reasons=tuple(dict.fromkeys(reasons)))


def _may_start(
    layout: Layout, fleet: FleetState, by_worth: list[int], reasons: list[str], *, now_us: int, authority: Authority
) -> list[int]:
    """What may start now, the cooling that something waits for before all else; adds why the others may not."""
    may_start, cooling = [], []
    for i in by_worth:
        why_not = _why_not(layout, fleet, i, now_us=now_us, authority=authority)
        if why_not == COOLING:
            cooling.append(layout.cooling_of[_feeder_behind(layout, i)])
        if why_not:
            reasons.append(why_not)
        else:
            may_start.append(i)
    for i in dict.fromkeys(cooling):
        why_not = _why_not(layout, fleet, i, now_us=now_us, authority=authority)
        if why_not:
            reasons.append(why_not)
        elif fleet.runs[i] != 1 and i not in may_start:
            may_start.insert(0, i)
    return may_start


def _is_to_start(layout: Layout, fleet: FleetState, i: int) -> bool:
    """Does it stand, or run under a cap? A battery is the plan's business."""
    told = fleet.told[i]
    is_capped = told is not None and told.action is Action.CAP
    return layout.asset(i).kind is not AssetKind.BATTERY and (fleet.runs[i] != 1 or is_capped)


def _why_not(layout: Layout, fleet: FleetState, i: int, *, now_us: int, authority: Authority) -> str:
    """Why an asset may not start now; empty if it may."""
    told, f = fleet.told[i], _feeder_behind(layout, i)
    switch, cooling = layout.contactor_of[f], layout.cooling_of[f]
    is_under_way = told is not None and told.action in (Action.RUN, Action.CLOSE) and now_us < told.expires_us
    is_resting = now_us - fleet.changed_us[i] < layout.min_off_us[i] and not overrides_min_off(authority)
    hangs_behind = cooling >= 0 and _is_switch(layout, i) and layout.feeder_of[cooling] == f
    is_cooled = cooling in (-1, i) or hangs_behind or (fleet.runs[cooling] == 1 and fleet.is_confirmed[cooling])
    obstacles = (
        (fleet.is_locked[i], "restore.locked_out"),
        (fleet.is_lost[i] or fleet.doubt[i] != Doubt.NONE, "restore.not_heard"),
        (is_under_way, "restore.under_way"),
        (is_resting, "restore.min_off"),
        (switch not in (-1, i) and fleet.runs[switch] == 0, "restore.awaits_switch"),
        (not is_cooled, COOLING),
    )
    return next((why for is_in_the_way, why in obstacles if is_in_the_way), "")


def _waking_mw(layout: Layout, fleet: FleetState, now_us: int) -> NDArray[np.float64]:
    """Power of each feeder's assets that were told to run and have not said that they do; no meter shows it yet."""
    told = [each is not None and each.action is Action.RUN and now_us < each.expires_us for each in fleet.told]
    is_waking = np.array(told, np.bool_) & (fleet.runs != 1)
    coming_mw = np.where(is_waking, layout.full_mw - layout.standby_mw, 0.0)
    return np.asarray(np.bincount(layout.feeder_of, coming_mw, len(layout.base_mw)), np.float64)


def _is_switch(layout: Layout, i: int) -> bool:
    return layout.asset(i).kind is AssetKind.CONTACTOR


def _feeder_behind(layout: Layout, i: int) -> int:
    """The feeder that a switch serves; of anything else, the one it hangs on."""
    return layout.contactor_of.index(i) if i in layout.contactor_of else int(layout.feeder_of[i])


def _rise_mw(layout: Layout, fleet: FleetState, i: int) -> float:
    """Power that a start brings at most, MW."""
    if not _is_switch(layout, i):
        return max(float(layout.full_mw[i] - fleet.drawn_mw[i]), SLACK_MW)
    f = _feeder_behind(layout, i)
    return float(layout.base_mw[f] + layout.full_mw[layout.feeder_of == f].sum())


class _Room:
    """What one wave may still add: to the site, and to each feeder."""

    def __init__(self, layout: Layout, feeder_mw: NDArray[np.float64], *, headroom_mw: float, since_s: float) -> None:
        feeders = layout.inventory.feeders
        ramp_mw_per_min = [layout.inventory.ramp_up_max_mw_per_min, *(f.ramp_up_max_mw_per_min for f in feeders)]
        limit_mw = [headroom_mw, *(f.limit_mw - mw for f, mw in zip(feeders, feeder_mw.tolist(), strict=True))]
        # One that is larger than a wave alone in it, once the ramp has had the time for it.
        self._waited_mw = [min(ramp * since_s / 60.0, mw) for ramp, mw in zip(ramp_mw_per_min, limit_mw, strict=True)]
        wave_s = min(since_s, CREDIT_S)
        self._left_mw = [min(ramp * wave_s / 60.0, mw) for ramp, mw in zip(ramp_mw_per_min, limit_mw, strict=True)]
        self._layout = layout
        self._is_first = True

    def take(self, i: int, rise_mw: float) -> float:
        """Take the rise of one asset if it fits; what was taken, MW."""
        f = _feeder_behind(self._layout, i) + 1
        left_mw = self._waited_mw if self._is_first else self._left_mw
        if rise_mw > min(left_mw[0], left_mw[f]) + SLACK_MW:
            return 0.0
        self._is_first = False
        self._left_mw[0] -= rise_mw
        self._left_mw[f] -= rise_mw
        return rise_mw
