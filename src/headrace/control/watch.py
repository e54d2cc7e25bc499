"""Watchdogs: who has been silent for longer than it may be, and who is back.

A lost asset does what it declares (`WhenLost`); control counts its full power either way, never as flexible, and leaves
it to the feeder's meter to show that one which stops by itself has stopped.
"""

import msgspec
import numpy as np

from headrace.control.fleet import FleetState
from headrace.control.layout import Layout

__all__ = ["Watch", "watch"]


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What the watchdogs found."""

    fleet: FleetState
    """The fleet with its lost assets marked."""
    lost: tuple[str, ...]
    """Assets that went silent since the last look."""
    back: tuple[str, ...]
    """Assets heard again since the last look."""
    keeping_mw: float
    """Power of all lost assets that go on as last told, at full, MW: it is in nobody's hands."""
    stopping_mw: float
    """Power of all lost assets that stop by themselves, at full, MW."""


def watch(layout: Layout, fleet: FleetState, before: FleetState, *, now_us: int) -> Watch:
    """Look at all watchdogs.

    Parameters
    ----------
    layout, fleet
        The assets, and what is believed of them now.
    before
        The fleet as the last look left it.
    now_us
        Now, epoch microseconds.
    """
    is_lost = now_us - fleet.heard_us > layout.watchdog_us
    names = layout.inventory.assets
    lost = np.flatnonzero(is_lost & ~before.is_lost)
    back = np.flatnonzero(before.is_lost & ~is_lost)
    return Watch(
        fleet=msgspec.structs.replace(fleet, is_lost=is_lost),
        lost=tuple(names[i].name for i in lost.tolist()),
        back=tuple(names[i].name for i in back.tolist()),
        keeping_mw=float(layout.full_mw[is_lost & layout.keeps].sum()),
        stopping_mw=float(layout.full_mw[is_lost & ~layout.keeps].sum()),
    )
