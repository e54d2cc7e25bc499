"""Power limits and clocks of accelerators and nodes, as control sets and reads them.

A limit is never bent to what the device would take: outside its range it is refused, so that a plan's MW are either
in force or known not to be. After setting, the device is asked what is in force.
"""

import msgspec

__all__ = ["CapOutcome", "CapState"]


class CapState(msgspec.Struct, frozen=True, kw_only=True):
    """What one accelerator or node says of its limits."""

    unit: str
    """Its name at its door."""
    at_us: int
    """When it was read, epoch microseconds."""
    limit_w: int | None = None
    """Power limit in force, W; None if it did not say."""
    least_w: int | None = None
    """Lowest limit that it takes, W."""
    most_w: int | None = None
    """Highest limit that it takes, and its default, W."""
    power_w: int | None = None
    """Power it draws, W."""
    clock_max_mhz: int | None = None
    """Clock that it is held to, MHz; None if it is free or did not say."""
    reason: str = ""
    """Why something is missing."""


class CapOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one limit or clock."""

    unit: str
    """Name of the unit."""
    is_in_force: bool
    """Does the device confirm it?"""
    at_us: int
    """When that was known, epoch microseconds."""
    reason: str = ""
    """Why it is not in force; the device's own words where it had any."""
