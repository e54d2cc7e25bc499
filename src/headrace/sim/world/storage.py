"""A battery behind an inverter: set-point, limits, efficiency, state of charge."""

from headrace.energy import Battery

__all__ = ["Storage"]

SETTLE_W_PER_S_RATIO = 2.0
"""An inverter crosses its whole range in half a second (assumption)."""
WS_PER_MWH = 3.6e9


class Storage:
    """State of the battery; power is load-positive at the bus, W.

    Parameters
    ----------
    battery
        What the site file says of it.
    """

    def __init__(self, battery: Battery) -> None:
        self._battery = battery
        self.stored_mwh = battery.stored_start_mwh
        """Energy in store, MWh."""
        self.told_w = 0.0
        """Set-point, load-positive, W."""
        self.is_supplied = True
        """Is there voltage?"""
        self.power_w = 0.0
        """Power now, load-positive, W."""
        self.charged_ws = 0.0
        """Energy drawn since the start, W s."""
        self.discharged_ws = 0.0
        """Energy fed since the start, W s."""

    @property
    def soc_ratio(self) -> float:
        """State of charge as its inverter reports it: of all it may hold, 0..1."""
        return self.stored_mwh / self._battery.stored_max_mwh

    @property
    def is_moving(self) -> bool:
        """Is its power on the way to another, or will it have to be soon?"""
        return abs(self._aim_w() - self.power_w) > 1e-3

    def tell(self, power_w: float) -> None:
        """Take a set-point, within what it can."""
        self.told_w = min(max(power_w, -self._battery.discharge_max_mw * 1e6), self._battery.charge_max_mw * 1e6)

    def run(self, step_s: float) -> float:
        """Pass a step; returns its energy at the bus, load-positive, W s."""
        battery = self._battery
        aim_w = self._aim_w()
        range_w = (battery.charge_max_mw + battery.discharge_max_mw) * 1e6
        way_w = aim_w - self.power_w
        on_way_s = min(abs(way_w) / (SETTLE_W_PER_S_RATIO * range_w), step_s)
        end_w = aim_w
        if on_way_s >= step_s:
            end_w = self.power_w + (1.0 if way_w > 0.0 else -1.0) * SETTLE_W_PER_S_RATIO * range_w * step_s
        energy_ws = 0.5 * on_way_s * (self.power_w + end_w) + (step_s - on_way_s) * end_w
        self.power_w = end_w
        return self._store(energy_ws)

    def _store(self, energy_ws: float) -> float:
        """Move energy in or out as far as there is room; the rest is not drawn or fed."""
        battery = self._battery
        if energy_ws >= 0.0:
            into = battery.charge_efficiency_ratio
            room_ws = (battery.stored_max_mwh - self.stored_mwh) * WS_PER_MWH / into
            energy_ws = min(energy_ws, room_ws)
            self.stored_mwh += energy_ws * into / WS_PER_MWH
            self.charged_ws += energy_ws
        else:
            out = battery.discharge_efficiency_ratio
            room_ws = (self.stored_mwh - battery.stored_min_mwh) * WS_PER_MWH * out
            energy_ws = -min(-energy_ws, max(0.0, room_ws))
            self.stored_mwh += energy_ws / out / WS_PER_MWH
            self.discharged_ws -= energy_ws
        return energy_ws

    def _aim_w(self) -> float:
        """What it may draw or feed now."""
        if not self.is_supplied:
            return 0.0
        full = self.stored_mwh >= self._battery.stored_max_mwh - 1e-9
        empty = self.stored_mwh <= self._battery.stored_min_mwh + 1e-9
        if (full and self.told_w > 0.0) or (empty and self.told_w < 0.0):
            return 0.0
        return self.told_w
