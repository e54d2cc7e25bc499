"""What units burn and what their starts cost in one interval, in integers.

Fuel     MJ × micro-units per GJ / 1000, nearest: in `generation`, beside the upkeep of each MWh
Starts   starts × micro-units, exact: in `starts`

A fuel meter counts megajoules, starts and work alike.
"""

from typing import Final

import msgspec

from headrace.core import divide_nearest

__all__ = ["UnitMeter", "fuel_micro", "starts_micro"]

MJ_PER_GJ: Final = 1000


class UnitMeter(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Meters of one unit over one interval."""

    fuel_mj: int
    """Fuel burnt."""
    starts: int
    """Starts commanded."""
    run_s: int
    """Seconds in which it burnt fuel."""

    def plus(self, after: "UnitMeter") -> "UnitMeter":
        """Both intervals together."""
        return UnitMeter(
            fuel_mj=self.fuel_mj + after.fuel_mj,
            starts=self.starts + after.starts,
            run_s=self.run_s + after.run_s,
        )


def fuel_micro(units: tuple[UnitMeter, ...], price_micro_per_gj: tuple[int, ...]) -> int:
    """Cost of the fuel burnt, micro-units."""
    return sum(
        divide_nearest(unit.fuel_mj * price, MJ_PER_GJ) for unit, price in zip(units, price_micro_per_gj, strict=True)
    )


def starts_micro(units: tuple[UnitMeter, ...], start_micro: tuple[int, ...]) -> int:
    """Cost of starts beside their fuel, micro-units."""
    return sum(unit.starts * cost for unit, cost in zip(units, start_micro, strict=True))
