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
OBSTACLES: Final = (
    "",
    "restore.locked_out",
    "restore.not_heard",
    "restore.under_way",
    "restore.min_off",
    "restore.awaits_switch",
    "restore.awaits_cooling",
)
"""What may keep an asset from starting, the first in its way first."""
OUT_OF_REACH: Final = 2
"""Obstacles up to here are no matter of waiting for a wave."""
AWAITS_COOLING: Final = len(OBSTACLES) - 1
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
    """Nothing is left to start but what nobody may or can reach: that starts with the plan when it is back."""
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
    left = _to_start(layout, fleet, wanted)
    if not left.any():
        return Wave(is_done=True)
    if not is_permitted:
        return Wave(reasons=("restore.awaits_permission",))
    is_waking = _is_waking(fleet, now_us)
    waking_mw = np.bincount(
        layout.feeder_of, np.where(is_waking, layout.full_mw - layout.standby_mw, 0.0), len(layout.base_mw)
    )
    headroom_mw = binding.most_mw - site_mw - float(waking_mw.sum())
    if binding.is_held or headroom_mw <= 0.0:
        return Wave(reasons=("restore.held",))
    why_not = _why_not(layout, fleet, is_waking, now_us=now_us, authority=authority)
    cooling = {layout.cooling_of[f] for f in np.unique(layout.behind_of[left & (why_not == AWAITS_COOLING)]).tolist()}
    left[sorted(i for i in cooling if fleet.runs[i] != 1)] = True
    reasons = [OBSTACLES[k] for k in np.unique(why_not[left]).tolist() if k > 0]
    if np.all((why_not[left] > 0) & (why_not[left] <= OUT_OF_REACH)):
        return Wave(is_done=True, reasons=tuple(reasons))
    ready = np.flatnonzero(left & (why_not == 0))
    worths = layout.worth_ccy_per_mwh(worth_ccy_per_mwh_of_load)
    worths[sorted(cooling)] = np.inf
    ready = ready[np.lexsort((ready, layout.behind_of[ready], -worths[ready]))]
    room = _Room(layout, feeder_mw + waking_mw, headroom_mw=headroom_mw, since_s=since_wave_s)
    started, rise_mw = room.fill(ready, _rise_mw(layout, fleet))
    if len(started) < ready.size:
        reasons.append("restore.awaits_ramp")
    book = CommandBook(record, "restore", now_us=now_us, life_s=rules.command_life_s)
    for i in started:
        book.tell(layout, i, Action.CLOSE if layout.is_switch[i] else Action.RUN)
    return Wave(commands=book.commands, rise_mw=rise_mw, reasons=tuple(reasons))


def _to_start(layout: Layout, fleet: FleetState, wanted: Sequence[str]) -> NDArray[np.bool_]:
    """Which of them stand, or run under a cap, shape (N,). A battery is the plan's business."""
    left = np.zeros(len(fleet.runs), np.bool_)
    left[[layout.position[name] for name in wanted]] = True
    left[list(layout.batteries)] = False
    is_capped = [told is not None and told.action is Action.CAP for told in fleet.told]
    return np.asarray(left & ((fleet.runs != 1) | np.array(is_capped, np.bool_)), np.bool_)


def _is_waking(fleet: FleetState, now_us: int) -> NDArray[np.bool_]:
    """Which assets were told to run and have not said that they do: no meter shows them yet; shape (N,)."""
    starts = (Action.RUN, Action.CLOSE)
    told = [each is not None and each.action in starts and now_us < each.expires_us for each in fleet.told]
    return np.asarray(np.array(told, np.bool_) & (fleet.runs != 1), np.bool_)


def _why_not(
    layout: Layout, fleet: FleetState, is_waking: NDArray[np.bool_], *, now_us: int, authority: Authority
) -> NDArray[np.int64]:
    """The first obstacle in each asset's way by its place in `OBSTACLES`, shape (N,); 0 for none."""
    switch = np.array(layout.contactor_of)[layout.behind_of]
    cooling = np.array(layout.cooling_of)[layout.behind_of]
    itself = np.arange(len(fleet.runs))
    is_dead = (switch >= 0) & (switch != itself) & (fleet.runs[switch] == 0)
    hangs_behind = layout.is_switch & (layout.feeder_of[cooling] == layout.behind_of)
    is_cooled = (cooling < 0) | (cooling == itself) | hangs_behind
    is_cooled |= (fleet.runs[cooling] == 1) & fleet.is_confirmed[cooling]
    is_resting = (now_us - fleet.changed_us < layout.min_off_us) & (not overrides_min_off(authority))
    in_the_way = (
        fleet.is_locked,
        fleet.is_lost | (fleet.doubt != Doubt.NONE),
        is_waking,
        is_resting & (fleet.runs != 1),
        is_dead,
        ~is_cooled,
    )
    return np.asarray(np.select(in_the_way, range(1, len(OBSTACLES)), 0), np.int64)


def _rise_mw(layout: Layout, fleet: FleetState) -> NDArray[np.float64]:
    """Power that each asset's start brings at most, MW, shape (N,); a switch brings all that hangs behind it."""
    rise_mw = np.maximum(layout.full_mw - fleet.drawn_mw, SLACK_MW)
    behind_mw = layout.base_mw + np.bincount(layout.feeder_of, layout.full_mw, len(layout.base_mw))
    return np.asarray(np.where(layout.is_switch, behind_mw[layout.behind_of], rise_mw), np.float64)


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
        self._feeder_of = layout.behind_of

    def fill(self, ready: NDArray[np.int64], rise_mw: NDArray[np.float64]) -> tuple[list[int], float]:
        """Assets that fit, in their order, and what they bring together, MW."""
        started: list[int] = []
        least_mw = float(rise_mw[ready].min(initial=np.inf))
        together_mw = 0.0
        for i, f, mw in zip(
            ready.tolist(), (self._feeder_of[ready] + 1).tolist(), rise_mw[ready].tolist(), strict=True
        ):
            left_mw = self._left_mw if started else self._waited_mw
            if mw <= min(left_mw[0], left_mw[f]) + SLACK_MW:
                started.append(i)
                together_mw += mw
                self._left_mw[0] -= mw
                self._left_mw[f] -= mw
            if started and self._left_mw[0] + SLACK_MW < least_mw:
                break
        return started, together_mw
