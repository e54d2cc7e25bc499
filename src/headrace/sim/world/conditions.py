"""What comes from outside the fence: weather, demand for inference, wind and sun, the grid's frequency.

Recorded series where the site declares them, constants where not. Frequency is the nominal one with two slow swings of
a few mHz, as interconnections have, unless a fault says otherwise; their phases come from the seed.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from headrace.dispatch.site import Site
from headrace.energy.series import Series
from headrace.loads import Cooling

__all__ = ["Conditions", "Outside"]

SWINGS: Final = ((0.012, 47.0), (0.006, 11.0))
"""Amplitude, Hz, and period, s, of the frequency's swings (assumption: of the size seen on a large interconnection)."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Series of a site's surroundings."""

    temperature: Series | None = None
    """Outdoor temperature, °C."""
    profiles: Mapping[str, Series] = {}
    """Demand of inference services (requests a second) and capacity factors, by feed role."""
    temp_c: float = 20.0
    """Outdoor temperature without a series, °C."""
    demand_ratio: float = 0.6
    """Demand of an inference service without a series, as a share of what it can serve."""
    profile_ratio: float = 0.3
    """Capacity factor without a series."""
    nominal_hz: float = 60.0
    """The grid's frequency."""


class Outside:
    """Conditions at any time.

    Parameters
    ----------
    site
        The site.
    conditions
        Its surroundings.
    rng
        Draws the phases of the frequency's swings.
    """

    def __init__(self, site: Site, conditions: Conditions, rng: np.random.Generator) -> None:
        self._site = site
        self._conditions = conditions
        self._phases = rng.uniform(0.0, 2.0 * math.pi, len(SWINGS)).tolist()

    def temp_c(self, at_s: float) -> float:
        """Outdoor temperature, °C."""
        return self._value(self._conditions.temperature, at_s, self._conditions.temp_c)

    def pue_ratio(self, cooling: Cooling, temp_c: float) -> float:
        """PUE of a plant at an outdoor temperature."""
        return float(np.interp(temp_c, cooling.temp_c, cooling.pue_ratio))

    def demand_per_s(self, service: int, at_s: float) -> float:
        """Requests a second that come to an inference service."""
        each = self._site.inference[service]
        able_per_s = each.it_max_mw * (1.0 - each.idle_ratio) * 1e6 / (3600.0 * each.wh_per_request)
        series = self._conditions.profiles.get(each.demand)
        if series is None:
            return self._conditions.demand_ratio * able_per_s
        return each.demand_scale_ratio * self._value(series, at_s, 0.0)

    def profile_ratio(self, role: str | None, at_s: float) -> float:
        """Capacity factor or share of a role, 0..1; 1 without a role."""
        if role is None:
            return 1.0
        return self._value(self._conditions.profiles.get(role), at_s, self._conditions.profile_ratio)

    def frequency_hz(self, at_s: float) -> float:
        """The grid's frequency, without disturbance."""
        swing_hz = sum(
            size_hz * math.sin(2.0 * math.pi * at_s / period_s + phase)
            for (size_hz, period_s), phase in zip(SWINGS, self._phases, strict=True)
        )
        return self._conditions.nominal_hz + swing_hz

    def _value(self, series: Series | None, at_s: float, otherwise: float) -> float:
        """Value of a series, the last one before a gap; `otherwise` where it has none."""
        if series is None or not len(series):
            return otherwise
        i = min(max(series.index(int(at_s)), 0), len(series) - 1)
        values = series.values
        while i > 0 and math.isnan(values[i]):
            i -= 1
        return otherwise if math.isnan(values[i]) else float(values[i])
