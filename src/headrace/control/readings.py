"""What a live site's devices and meters report: power for control, and counters from which everything is settled.

A counter only rises (or begins again after its device did): an interval's amount is the difference between two
readings, so a lost reading costs resolution and never energy.
"""

import msgspec

__all__ = ["AssetReading", "CounterReading", "MeterReading"]


class AssetReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one asset says of itself."""

    asset: str
    """Name of the asset."""
    at_us: int
    """When it was read, epoch microseconds."""
    is_running: bool | None
    """Does it do its work? None if it did not say."""
    power_w: int | None = None
    """Power it claims to draw (a battery: load-positive), W; None if it did not say."""
    work_ratio: float | None = None
    """Work rate as a share of full, 0..1; None if it did not say."""
    temp_c: float | None = None
    """Hottest temperature it reports, °C."""
    asked_w: int | None = None
    """Power it would draw if nothing limited it, as its own queue of work says, W; None if it did not say."""
    reason: str = ""
    """Why something is missing."""


class MeterReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one meter says."""

    meter: str
    """Name of the meter."""
    at_us: int
    """When it was measured, epoch microseconds."""
    power_w: int
    """Net power, load-positive, W."""
    soc_ratio: float | None = None
    """A battery meter's state of charge, 0..1."""


class CounterReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A running total.

    Names are those of `settlement.metering.MeteredInterval`'s fields, followed by a dot and the site file's name where
    the field has one per load: "import_wh", "it_wh", "work_ph.s21", "lease_delivered_gpu_s.llm".
    """

    name: str
    """Which total."""
    at_us: int
    """When it was read, epoch microseconds."""
    total: int
    """Running total since its device began, in the field's own unit."""
