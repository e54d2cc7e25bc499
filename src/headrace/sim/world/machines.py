"""Miners and servers of a site as arrays: what each was told, what it draws, and the work it has done.

Power moves at a constant rate towards what a machine aims at, and its energy over a step follows exactly:

    P(t) = P₀ + r t until it arrives after t₁ = |P* − P₀| / |r|        ∫P dt = t₁ (P₀ + P*)/2 + (Δt − t₁) P*

A machine without supply draws nothing at once, and comes back from zero at its rate. Work above standby power follows
the load's own curve; of a server it is in proportion to its power.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.control.assets import Asset, AssetKind

__all__ = ["DOWN_S", "UP_S", "Machines"]

Floats = NDArray[np.float64]

UP_S: Final = {AssetKind.MINER: 8.0, AssetKind.NODE: 2.0, AssetKind.COOLING: 20.0}
"""From standby to full, seconds. Miners: operators quote "under 10 s up" (LuxOS); the others are assumptions."""
DOWN_S: Final = {AssetKind.MINER: 1.0, AssetKind.NODE: 0.1, AssetKind.COOLING: 5.0}
"""From full to standby, seconds. Miners: operators quote "under 5 s down"; the others are assumptions."""

ARRIVED_W: Final = 1e-6


class Machines:
    """State of every miner and server.

    Parameters
    ----------
    assets
        The machines, in the order of all arrays.
    """

    def __init__(self, assets: tuple[Asset, ...]) -> None:
        count = len(assets)
        self.full_w: Floats = np.array([each.full_mw * 1e6 for each in assets], float)
        self.standby_w: Floats = np.array([each.standby_mw * 1e6 for each in assets], float)
        self.span_w: Floats = np.maximum(self.full_w - self.standby_w, 1e-9)
        self.up_w_per_s: Floats = self.span_w / np.array([UP_S[each.kind] for each in assets], float)
        self.down_w_per_s: Floats = self.span_w / np.array([DOWN_S[each.kind] for each in assets], float)
        self.told_w: Floats = self.full_w.copy()
        """Power each was told to draw at most, W."""
        self.share: Floats = np.ones(count)
        """Part of its power above standby that its work asks for, 0..1 (servers of a service follow demand)."""
        self.is_supplied = np.ones(count, bool)
        """Is there voltage?"""
        self.power_w: Floats = self.full_w.copy()
        """Power drawn now, W."""
        self.is_moving = False
        """Is some machine on its way?"""
        self._aim_w: Floats = self.power_w.copy()

    def aim(self) -> None:
        """Take in changed orders, shares and supply."""
        wanted_w = self.standby_w + self.share * (self.told_w - self.standby_w)
        self._aim_w = np.where(self.is_supplied, wanted_w, 0.0)
        self.power_w = np.where(self.is_supplied, self.power_w, 0.0)
        self.is_moving = bool((np.abs(self._aim_w - self.power_w) > ARRIVED_W).any())

    def arrive(self) -> None:
        """Be at once where it aims: how a world begins."""
        self.power_w = self._aim_w.copy()
        self.is_moving = False

    def run(self, step_s: float) -> Floats:
        """Pass a step; returns each machine's energy over it, W s."""
        if not self.is_moving:
            return self.power_w * step_s
        way_w = self._aim_w - self.power_w
        rate_w_per_s = np.where(way_w > 0.0, self.up_w_per_s, -self.down_w_per_s)
        on_way_s = np.minimum(way_w / rate_w_per_s, step_s)
        end_w = np.where(on_way_s < step_s, self._aim_w, self.power_w + rate_w_per_s * on_way_s)
        energy_ws = 0.5 * on_way_s * (self.power_w + end_w) + (step_s - on_way_s) * end_w
        self.power_w = end_w
        self.is_moving = bool((np.abs(self._aim_w - end_w) > ARRIVED_W).any())
        return energy_ws

    def work_ratio(self, mean_w: Floats) -> Floats:
        """Share of full work at a mean power, 0..1."""
        ratio: Floats = np.clip((mean_w - self.standby_w) / self.span_w, 0.0, 1.0)
        return ratio
