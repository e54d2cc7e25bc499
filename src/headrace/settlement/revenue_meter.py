"""The revenue meter outranks the devices: what settles when both are there, and how far they are apart.

The market bills what its meter counted, so settlement takes the meter's Wh; telemetry by device explains them. The
residual (meter less the sum of the devices) is losses, unmetered load or a fault: it is shown with its tolerance and
never spread over the devices.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from headrace.core import divide_down
from headrace.settlement.metering import MeteredInterval

__all__ = ["DeviceEnergy", "MeterReading", "MeterResidual", "meter_residual", "settle_on_meter"]

PPM: Final = 1_000_000


class MeterReading(msgspec.Struct, frozen=True, kw_only=True):
    """One interval of the revenue meter."""

    interval_start_s: int
    """Start, epoch seconds."""
    duration_s: int
    """Length, seconds."""
    import_wh: int
    """Energy drawn from the grid, >= 0."""
    export_wh: int
    """Energy fed to the grid, >= 0."""


class DeviceEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """One device over one interval, as it reports itself."""

    device: str
    """Its name."""
    interval_start_s: int
    """Start, epoch seconds."""
    net_wh: int
    """Energy it drew from the bus (plus) or fed to it (minus)."""


class MeterResidual(msgspec.Struct, frozen=True, kw_only=True):
    """The meter against the devices over one interval."""

    interval_start_s: int
    """Start, epoch seconds."""
    meter_wh: int
    """Net import at the meter."""
    devices_wh: int
    """Net energy of all devices."""
    tolerance_wh: int
    """Largest residual that is no fault."""

    @property
    def residual_wh(self) -> int:
        """Meter less devices: plus is energy that no device owns up to."""
        return self.meter_wh - self.devices_wh

    @property
    def is_within(self) -> bool:
        """The residual is within its tolerance."""
        return abs(self.residual_wh) <= self.tolerance_wh


def settle_on_meter(
    meters: MeteredInterval, reading: MeterReading | None, devices: Iterable[DeviceEnergy], *, tolerance_ppm: int
) -> tuple[MeteredInterval, MeterResidual | None]:
    """Put the revenue meter's energy in place of telemetry's.

    Parameters
    ----------
    meters
        The interval as telemetry has it: import and export added up from the devices.
    reading
        The revenue meter over the same interval; None where there is none, and telemetry settles.
    devices
        Every device over the same interval.
    tolerance_ppm
        Residual that is no fault, parts per million of the energy that passed the meter (an accuracy class 0.2 meter
        is good for 2,000).

    Returns
    -------
    tuple
        What settles, and the residual; no residual without a meter.
    """
    if reading is None:
        return meters, None
    settled = msgspec.structs.replace(meters, import_wh=reading.import_wh, export_wh=reading.export_wh)
    return settled, meter_residual(reading, devices, tolerance_ppm=tolerance_ppm)


def meter_residual(reading: MeterReading, devices: Iterable[DeviceEnergy], *, tolerance_ppm: int) -> MeterResidual:
    """The meter against its devices; parameters as in `settle_on_meter`."""
    return MeterResidual(
        interval_start_s=reading.interval_start_s,
        meter_wh=reading.import_wh - reading.export_wh,
        devices_wh=sum(each.net_wh for each in devices),
        tolerance_wh=divide_down((reading.import_wh + reading.export_wh) * tolerance_ppm, PPM),
    )
