"""Tolerances of the dispatch arithmetic, each with its unit; nothing else in the room compares floats."""

from typing import Final

__all__ = ["AT_MW", "AT_MWH", "FEASIBLE_MWH", "FEASIBLE_MW", "TINY_MW", "TINY_MWH", "TINY_RATIO"]  # noqa: RUF022

TINY_MW: Final = 1e-12
"""Width below which a piece of a merit order is rounding noise, MW."""
TINY_MWH: Final = 1e-12
"""Width below which a piece of a value function is rounding noise, MWh."""
TINY_RATIO: Final = 1e-12
"""Round-trip loss below which a battery counts as lossless, ratio."""
AT_MW: Final = 1e-9
"""A power this near a limit or a kink is at it, MW."""
AT_MWH: Final = 1e-9
"""A stored energy this near a limit or a kink is at it, MWh."""
FEASIBLE_MW: Final = 1e-9
"""Shortage or surplus at the bus that still counts as none, MW."""
FEASIBLE_MWH: Final = 1e-9
"""Stored energy that may be missing before a horizon counts as infeasible, MWh."""
