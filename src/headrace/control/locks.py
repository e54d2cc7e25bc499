"""Lock-outs: the one gate that every command passes, and who may put a lock on or take it off.

A lock on an asset makes it unreachable; a lock on a feeder, or on the contactor that switches it, everything on the
feeder. The contactor of a feeder on which anything is locked is locked with it, since switching it would reach whoever
works there. There is no authority that a lock yields to: not an emergency stop, not a wake, not a restoration.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.commands import Command, CommandOutcome, Result
from headrace.control.fleet import FleetState
from headrace.control.layout import Layout
from headrace.control.orders import LockOut

__all__ = ["LockRefused", "admit", "lock", "locked", "release"]


class LockRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A lock was not taken off, or not put on."""

    asset: str
    """What it is about."""
    held_by: tuple[str, ...]
    """Who holds locks on it; empty if nobody does."""
    reason: str
    """Why not."""


def admit(
    layout: Layout, fleet: FleetState, commands: Sequence[Command], *, now_us: int
) -> tuple[tuple[Command, ...], tuple[CommandOutcome, ...]]:
    """Let through what may be sent; everything that is sent anywhere has passed here.

    Parameters
    ----------
    layout, fleet
        The assets, and the locks held.
    commands
        What was decided, by whatever authority.
    now_us
        Now, epoch microseconds.

    Returns
    -------
    tuple
        Commands that may be sent, in their order; an outcome for each that may not.
    """
    admitted: list[Command] = []
    refused: list[CommandOutcome] = []
    for command in commands:
        i = layout.position.get(command.asset, -1)
        if i < 0:
            refused.append(_refused(command, Result.UNREACHABLE, "no asset of this name"))
        elif fleet.is_locked[i]:
            refused.append(_refused(command, Result.LOCKED_OUT, _whose(layout, fleet, i)))
        elif now_us >= command.expires_us:
            refused.append(_refused(command, Result.EXPIRED, "its time had passed"))
        else:
            admitted.append(command)
    return tuple(admitted), tuple(refused)


def lock(layout: Layout, fleet: FleetState, out: LockOut) -> FleetState | LockRefused:
    """Put a lock on; several people may hold one each on the same thing, and all must come off."""
    if out.asset not in layout.position and out.asset not in layout.feeder_position:
        return LockRefused(asset=out.asset, held_by=(), reason="no asset or feeder of this name")
    if any(held.asset == out.asset and held.holder == out.holder for held in fleet.locks):
        return fleet
    return _holding(layout, fleet, (*fleet.locks, out))


def release(layout: Layout, fleet: FleetState, *, asset: str, holder: str) -> FleetState | LockRefused:
    """Take a lock off; only its holder may."""
    held = tuple(each for each in fleet.locks if each.asset == asset)
    if not any(each.holder == holder for each in held):
        who = tuple(each.holder for each in held)
        return LockRefused(asset=asset, held_by=who, reason="only its holder may release it" if who else "not locked")
    kept = tuple(each for each in fleet.locks if not (each.asset == asset and each.holder == holder))
    return _holding(layout, fleet, kept)


def locked(layout: Layout, locks: Sequence[LockOut]) -> NDArray[np.bool_]:
    """Which assets no command may reach, shape (N,)."""
    is_locked = np.zeros(len(layout.inventory.assets), np.bool_)
    is_off = {layout.feeder_position[each.asset] for each in locks if each.asset in layout.feeder_position}
    for each in locks:
        if each.asset in layout.position:
            i = layout.position[each.asset]
            is_locked[i] = True
            is_off |= {f for f, contactor in enumerate(layout.contactor_of) if contactor == i}
    count = -1
    while count != (count := int(is_locked.sum())):  # a switch may hang on a feeder that another switch takes off
        for f, contactor in enumerate(layout.contactor_of):
            if contactor >= 0 and int(layout.feeder_of[contactor]) in is_off:
                is_off.add(f)
            if f in is_off:
                is_locked |= layout.feeder_of == f
            if contactor >= 0 and bool(np.any(is_locked & (layout.feeder_of == f))):
                is_locked[contactor] = True
    return is_locked


def _holding(layout: Layout, fleet: FleetState, locks: tuple[LockOut, ...]) -> FleetState:
    return msgspec.structs.replace(fleet, locks=locks, is_locked=locked(layout, locks))


def _whose(layout: Layout, fleet: FleetState, i: int) -> str:
    """Who holds the lock on this asset, its feeder or the feeder's switch; for a switch, whoever is behind it."""
    asset = layout.asset(i)
    own = (asset.name, asset.feeder, layout.inventory.feeders[int(layout.feeder_of[i])].contactor)
    holders = [held.holder for held in fleet.locks if held.asset in own] or [held.holder for held in fleet.locks]
    return f"locked by {', '.join(dict.fromkeys(holders))}"


def _refused(command: Command, result: Result, reason: str) -> CommandOutcome:
    return CommandOutcome(
        command=command.id, asset=command.asset, result=result, commanded_us=command.commanded_us, reason=reason
    )
