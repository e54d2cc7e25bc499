"""From what each load is to draw to what each machine is told: nothing moves that need not, and wear is shared.

Machines that run keep running. A load moves only by more than a dead band and by whole machines, the last one capped
where it can be. What starts is what has started least in the last 24 hours and stood longest; what stops is what has
started least and run longest. Least times off and starts a day bind, since all this is for money's sake: an emergency
sheds instead. Rises and falls of all loads together stay within the site's registered ramps, and rises behind a feeder
within its inrush limit and rating. Falls are sent first.
"""

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.command_book import CommandBook
from headrace.control.commands import Action, Command
from headrace.control.fleet import FleetState
from headrace.control.layout import Layout
from headrace.control.ramps import trimmed_mw

__all__ = ["Allocation", "allocate"]

DEAD_BAND_RATIO: Final = 0.002
"""A load's target and its power may differ by this share of its full power before anything is switched."""
COMMAND_LIFE_S: Final = 30.0
"""How long a command for money's sake may be carried out, seconds."""
SLACK_MW: Final = 1e-9
"""Power below this is rounding."""


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """What is told to whom, and what it brings."""

    commands: tuple[Command, ...]
    """Falls first, then rises."""
    rise_mw: float
    """Power that the rises add, MW."""
    fall_mw: float
    """Power that the falls take off, MW."""
    reasons: tuple[str, ...]
    """What kept loads from their targets."""


class _Move(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One machine's change, >= 0 either way."""

    asset: int
    by_mw: float
    action: Action
    power_mw: float | None = None


def allocate(
    layout: Layout,
    fleet: FleetState,
    target_mw_of_load: dict[str, float],
    worth_ccy_per_mwh_of_load: dict[str, float],
    *,
    feeder_mw: NDArray[np.float64],
    since_move_s: float,
    record: str,
    now_us: int,
    rise_beside_mw: float = 0.0,
) -> Allocation:
    """Move loads towards their targets.

    Parameters
    ----------
    layout, fleet
        The assets, and what is believed of them.
    target_mw_of_load
        Power at the feeder that each load is to draw; loads that are not named are left alone.
    worth_ccy_per_mwh_of_load
        What a MWh at the bus is worth in each load now: the ramp goes to the best rises and the poorest falls.
    feeder_mw
        Power that each feeder counts for, shape (F,).
    since_move_s
        Time since the last commands for money's sake, seconds: what the ramps allow is counted over it.
    record
        Id of the record that this decision is.
    now_us
        Now, epoch microseconds.
    rise_beside_mw
        Power that other loads will add as soon as these fall: what makes room for it moves nothing at the site's meter.
    """
    reasons: list[str] = []
    falls: list[_Move] = []
    rises: list[_Move] = []
    for load in sorted(target_mw_of_load, key=lambda load: -worth_ccy_per_mwh_of_load.get(load, 0.0)):
        if load not in layout.load_names:
            continue
        own = np.flatnonzero(layout.is_load & (layout.load_of == layout.load_names.index(load)))
        wanted_mw = target_mw_of_load[load] - float(fleet.drawn_mw[own].sum())
        if abs(wanted_mw) <= DEAD_BAND_RATIO * float(layout.full_mw[own].sum()):
            continue
        if wanted_mw > 0.0:
            moves, why = _rises(layout, fleet, own, wanted_mw, now_us)
            rises += moves
        else:
            moves, why = _falls(layout, fleet, own, -wanted_mw, now_us)
            falls = moves + falls  # least worth first
        reasons += [f"{why}.{load}"] if why else []
    rises, is_feeder_full = _behind_feeders(layout, rises, feeder_mw, since_move_s)
    reasons += ["allocate.feeder"] if is_feeder_full else []
    kept_rises, kept_falls = _within_ramp(layout, rises, falls, since_move_s, rise_beside_mw)
    if len(kept_rises) < len(rises) or len(kept_falls) < len(falls):
        reasons.append("allocate.ramp")
    book = CommandBook(record, "plan", now_us=now_us, life_s=COMMAND_LIFE_S)
    for move in (*kept_falls, *kept_rises):
        book.tell(layout, move.asset, move.action, move.power_mw)
    return Allocation(
        commands=book.commands,
        rise_mw=_sum_mw(kept_rises),
        fall_mw=_sum_mw(kept_falls),
        reasons=tuple(reasons),
    )


def _rises(
    layout: Layout, fleet: FleetState, own: NDArray[np.int64], wanted_mw: float, now_us: int
) -> tuple[list[_Move], str]:
    """Machines of one load that start or lose their cap."""
    trusted = fleet.is_trusted()
    room_mw = layout.full_mw - fleet.drawn_mw
    capped = [i for i in own.tolist() if trusted[i] and fleet.runs[i] == 1 and _is_capped(fleet, i)]
    rested = trusted & (fleet.runs == 0) & (now_us - fleet.changed_us >= layout.min_off_us)
    stopped = [i for i in own.tolist() if rested[i] and _may_cycle(layout, fleet, i, now_us)]
    stopped.sort(key=lambda i: (fleet.starts_before(i, now_us), fleet.changed_us[i], i))
    moves: list[_Move] = []
    left_mw = wanted_mw
    for i in capped + stopped:
        rise_mw = float(room_mw[i])
        if left_mw <= SLACK_MW or rise_mw <= SLACK_MW:
            continue
        power_mw = float(fleet.drawn_mw[i]) + left_mw
        if left_mw < rise_mw and power_mw >= layout.least_mw[i]:
            moves.append(_Move(asset=i, by_mw=left_mw, action=Action.CAP, power_mw=power_mw))
            return moves, ""
        if left_mw < 0.5 * rise_mw:
            return moves, ""
        moves.append(_Move(asset=i, by_mw=rise_mw, action=Action.RUN))
        left_mw -= rise_mw
    return moves, "allocate.short" if left_mw > SLACK_MW else ""


def _falls(
    layout: Layout, fleet: FleetState, own: NDArray[np.int64], wanted_mw: float, now_us: int
) -> tuple[list[_Move], str]:
    """Machines of one load that stop or are capped."""
    trusted = fleet.is_trusted()
    running = [i for i in own.tolist() if trusted[i] and fleet.runs[i] == 1]
    running.sort(key=lambda i: (fleet.starts_before(i, now_us), fleet.changed_us[i], i))
    moves: list[_Move] = []
    left_mw = wanted_mw
    for i in running:
        fall_mw = float(fleet.drawn_mw[i] - layout.standby_mw[i])
        if left_mw <= SLACK_MW or fall_mw <= SLACK_MW:
            continue
        power_mw = float(fleet.drawn_mw[i]) - left_mw
        if left_mw < fall_mw and power_mw >= layout.least_mw[i]:
            moves.append(_Move(asset=i, by_mw=left_mw, action=Action.CAP, power_mw=power_mw))
            return moves, ""
        if left_mw < 0.5 * fall_mw:
            return moves, ""
        moves.append(_Move(asset=i, by_mw=fall_mw, action=Action.STOP))
        left_mw -= fall_mw
    return moves, "allocate.stuck" if left_mw > SLACK_MW else ""


def _is_capped(fleet: FleetState, i: int) -> bool:
    told = fleet.told[i]
    return told is not None and told.action is Action.CAP


def _may_cycle(layout: Layout, fleet: FleetState, i: int, now_us: int) -> bool:
    """Has it a start left today, for money's sake?"""
    most = layout.asset(i).cycles_per_day_max
    return most is None or fleet.starts_before(i, now_us) < most


def _behind_feeders(
    layout: Layout, rises: list[_Move], feeder_mw: NDArray[np.float64], since_move_s: float
) -> tuple[list[_Move], bool]:
    """Rises that each feeder's rating and inrush limit leave, best first."""
    room_mw = [
        min(feeder.limit_mw - mw, feeder.ramp_up_max_mw_per_min * since_move_s / 60.0)
        for feeder, mw in zip(layout.inventory.feeders, feeder_mw.tolist(), strict=True)
    ]
    kept = []
    for move in rises:
        f = int(layout.feeder_of[move.asset])
        if move.by_mw <= room_mw[f] + SLACK_MW:
            room_mw[f] -= move.by_mw
            kept.append(move)
    return kept, len(kept) < len(rises)


def _within_ramp(
    layout: Layout, rises: list[_Move], falls: list[_Move], since_move_s: float, beside_mw: float
) -> tuple[list[_Move], list[_Move]]:
    """As many of both as keep their difference within the registered ramps; whole machines, so cut until it holds."""
    count = -1
    while count != (count := len(rises) + len(falls)):
        rise_mw, fall_mw = trimmed_mw(
            _sum_mw(rises) + beside_mw,
            _sum_mw(falls),
            elapsed_s=since_move_s,
            up_max_mw_per_min=layout.inventory.ramp_up_max_mw_per_min,
            down_max_mw_per_min=layout.inventory.ramp_down_max_mw_per_min,
        )
        rises, falls = _up_to(rises, rise_mw - beside_mw), _up_to(falls, fall_mw)
    return rises, falls


def _up_to(moves: list[_Move], most_mw: float) -> list[_Move]:
    """Moves from the first on, together no more than this."""
    together_mw = 0.0
    for k, move in enumerate(moves):
        together_mw += move.by_mw
        if together_mw > most_mw + SLACK_MW:
            return moves[:k]
    return moves


def _sum_mw(moves: list[_Move]) -> float:
    return math.fsum(move.by_mw for move in moves)
