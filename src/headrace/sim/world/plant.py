"""Feeders: contactors, breakers that trip, machines cut off, and halls that get hot without cooling.

A breaker opens at once above 1.25 times its feeder's limit, and after 10 s above 1.05 times (assumption: of the shape
of an inverse-time curve). Without cooling a hall at full power warms by 20 °C a minute; at 60 °C its machines stop
themselves. With cooling it settles 8 °C above the outdoor temperature within minutes (all four: assumptions).
"""

from fnmatch import fnmatchcase
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.control.assets import AssetKind, Inventory
from headrace.sim.world.layout import Layout

__all__ = ["Circuits"]

TRIP_AT_ONCE_RATIO: Final = 1.25
TRIP_LATER_RATIO: Final = 1.05
TRIP_LATER_S: Final = 10.0
WARMS_C_PER_S: Final = 20.0 / 60.0
COOLS_TO_ABOVE_C: Final = 8.0
COOLS_WITHIN_S: Final = 120.0
HOT_C: Final = 60.0

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Circuits:
    """State of the feeders, the bus first.

    Parameters
    ----------
    layout
        The site in arrays.
    inventory
        Its devices.
    rng
        Draws which machines a partial trip cuts off.
    """

    def __init__(self, layout: Layout, inventory: Inventory, rng: np.random.Generator) -> None:
        count = len(layout.feeders)
        self._layout = layout
        self._rng = rng
        self._limit_w = np.array([np.inf if each is None else each.limit_mw * 1e6 for each in layout.feeders])
        self._full_w = layout.by_feeder(np.array([each.full_mw * 1e6 for each in layout.machines]))
        self.is_closed: Flags = np.ones(count, bool)
        """Where each contactor stands; a feeder without one is always closed."""
        self.has_tripped: Flags = np.zeros(count, bool)
        """Is the breaker open?"""
        self.is_cut: Flags = np.zeros(len(layout.machines), bool)
        """Machines cut off by a partial trip."""
        self.hall_c: Floats = np.full(count, 25.0)
        """Air temperature of what hangs on each feeder, °C."""
        self.is_cooling: dict[str, bool] = {
            each.name: True for each in inventory.assets if each.kind is AssetKind.COOLING
        }
        """Does each controlled cooling run?"""
        self._cooling = ["" if each is None else each.cooling for each in layout.feeders]
        self._carries = np.array(
            [layout.feeder_index[layout.others[name].feeder] if name else 0 for name in self._cooling], np.int64
        )
        self._switches = {each.contactor: i for i, each in enumerate(layout.feeders) if each is not None}
        self._over_s: Floats = np.zeros(count)
        self._is_over = False
        self._is_warming = False

    @property
    def is_moving(self) -> bool:
        """Is a breaker about to trip, or a hall without its cooling?"""
        return self._is_over or self._is_warming

    @property
    def is_live(self) -> Flags:
        """Feeders with voltage, shape (F,)."""
        return self.is_closed & ~self.has_tripped

    def supplied(self, feeder_of: NDArray[np.int64]) -> Flags:
        """Machines with voltage, shape (N,)."""
        flags: Flags = self.is_live[feeder_of] & ~self.is_cut
        return flags

    def overhead(self, by_feeder_w: Floats) -> Floats:
        """Overhead of each feeder's machines, moved to the feeder of the cooling; none while that stands."""
        out: Floats = np.zeros_like(by_feeder_w)
        live = self.is_live
        for i, name in enumerate(self._cooling):
            if not name or (self.is_cooling[name] and live[self._carries[i]]):
                out[self._carries[i]] += by_feeder_w[i]
        return out

    def switch(self, asset: str, *, on: bool) -> bool:
        """Move a contactor or cooling; says whether that changed anything."""
        if asset in self._switches:
            i = self._switches[asset]
            changed = bool(self.is_closed[i] != on)
            self.is_closed[i] = on
            return changed
        if asset in self.is_cooling:
            changed = self.is_cooling[asset] != on
            self.is_cooling[asset] = on
            self._warm()
            return changed
        return False

    def is_on(self, asset: str) -> bool:
        """Where a contactor or cooling stands."""
        i = self._switches.get(asset)
        return self.is_cooling.get(asset, True) if i is None else bool(self.is_closed[i])

    def trip(self, pattern: str) -> bool:
        """Open breakers by name; says whether one did."""
        struck = np.array([each is not None and fnmatchcase(each.name, pattern) for each in self._layout.feeders])
        changed = bool((struck & ~self.has_tripped).any())
        self.has_tripped |= struck
        return changed

    def trip_part(self, pattern: str, ratio: float) -> bool:
        """Cut off a share of the machines on some feeders."""
        struck = np.array([each is not None and fnmatchcase(each.name, pattern) for each in self._layout.feeders])
        among = struck[self._layout.feeder_of] & (self._rng.random(len(self.is_cut)) < ratio)
        self.is_cut |= among
        return bool(among.any())

    def reset(self, feeder: str) -> None:
        """Close a breaker by hand, and give back supply to what a partial trip cut off."""
        i = self._layout.feeder_index[feeder]
        self.has_tripped[i] = False
        self.is_cut &= self._layout.feeder_of != i

    def pass_time(self, step_s: float, feeder_w: Floats, it_w: Floats, outdoor_c: float) -> bool:
        """Let breakers and halls feel a step; says whether something tripped or got too hot."""
        load_w = np.abs(feeder_w)
        self._over_s = np.where(load_w > TRIP_LATER_RATIO * self._limit_w, self._over_s + step_s, 0.0)
        self._is_over = bool((self._over_s > 0.0).any())
        trips = (load_w > TRIP_AT_ONCE_RATIO * self._limit_w) | (self._over_s >= TRIP_LATER_S)
        trips &= ~self.has_tripped
        self.has_tripped |= trips
        was_hot = self.hall_c >= HOT_C
        self._heat(step_s, it_w, outdoor_c)
        return bool(trips.any() or ((self.hall_c >= HOT_C) & ~was_hot).any())

    def too_hot(self, feeder_of: NDArray[np.int64]) -> Flags:
        """Machines that stop themselves, shape (N,)."""
        flags: Flags = (self.hall_c >= HOT_C)[feeder_of]
        return flags

    def _heat(self, step_s: float, it_w: Floats, outdoor_c: float) -> None:
        settled_c = outdoor_c + COOLS_TO_ABOVE_C
        cooled_c = settled_c + (self.hall_c - settled_c) * np.exp(-step_s / COOLS_WITHIN_S)
        if not self._is_warming:
            self.hall_c = cooled_c
            return
        live = self.is_live
        runs = [not name or (self.is_cooling[name] and live[self._carries[i]]) for i, name in enumerate(self._cooling)]
        warmed_c = self.hall_c + WARMS_C_PER_S * step_s * it_w / np.maximum(self._full_w, 1.0)
        self.hall_c = np.where(runs, cooled_c, warmed_c)

    def _warm(self) -> None:
        self._is_warming = not all(self.is_cooling.values())
