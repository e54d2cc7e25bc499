"""Building management: temperatures, over Modbus or MQTT. The outdoor one says how much power cooling takes (PUE)."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from headrace.adapters.devicefile.schema_equipment import BmsSection, SensorSection
from headrace.adapters.equipment.meters import register_value
from headrace.adapters.equipment.modbus import Failure, ModbusLinks
from headrace.adapters.equipment.mqtt_telemetry import MqttTelemetry

__all__ = ["Bms", "TemperatureReading"]

PLAUSIBLE_C: Final = (-60.0, 120.0)
"""A sensor that says less or more is broken, °C."""
HOLDS_US: Final = 900_000_000
"""How long a published temperature holds, microseconds."""


class TemperatureReading(msgspec.Struct, frozen=True, kw_only=True):
    """What one sensor says."""

    sensor: str
    """Its name."""
    at_us: int
    """When it was read, epoch microseconds."""
    temp_c: float | None
    """Temperature, °C; None if it has none."""
    reason: str = ""
    """Why it has none."""


class Bms:
    """Reads temperatures.

    Parameters
    ----------
    section
        Its section of the device file.
    links
        Connections.
    now_us
        The site's clock.
    telemetry
        What the broker brings; None without one.
    """

    def __init__(
        self,
        section: BmsSection,
        links: ModbusLinks,
        now_us: Callable[[], int],
        telemetry: MqttTelemetry | None = None,
    ) -> None:
        self._section = section
        self._links = links
        self._now_us = now_us
        self._telemetry = telemetry

    async def temperatures(self) -> tuple[TemperatureReading, ...]:
        """Every sensor, those without a value with a reason."""
        wired = await asyncio.gather(*(self._read(each) for each in self._section.sensor))
        told = () if self._telemetry is None else self._telemetry.temperatures()
        return (
            *wired,
            *(TemperatureReading(sensor=name, at_us=at_us, temp_c=temp_c) for name, at_us, temp_c in told),
        )

    async def outdoor(self) -> TemperatureReading:
        """What the outdoor sensor says; what was published longer ago than a value holds is none."""
        name, now_us = self._section.outdoor, self._now_us()
        missing = TemperatureReading(sensor=name, at_us=now_us, temp_c=None, reason="it has said nothing yet")
        found = next((each for each in await self.temperatures() if each.sensor == name), missing)
        if now_us - found.at_us > HOLDS_US:
            return msgspec.structs.replace(found, temp_c=None, reason="it has said nothing for 15 min")
        return found

    async def outdoor_c(self) -> float | None:
        """Outdoor temperature, °C; None if its sensor says nothing."""
        return (await self.outdoor()).temp_c

    async def _read(self, sensor: SensorSection) -> TemperatureReading:
        link = self._links.at(sensor.host, sensor.port, timeout_s=sensor.timeout_s)
        value = await register_value(link, sensor.register_, unit=sensor.unit)
        at_us = self._now_us()
        if isinstance(value, Failure):
            return TemperatureReading(sensor=sensor.name, at_us=at_us, temp_c=None, reason=value.reason)
        low_c, high_c = PLAUSIBLE_C
        if value is None or not low_c <= value <= high_c:
            reason = "has no value" if value is None else f"{value:g} °C can't be"
            return TemperatureReading(sensor=sensor.name, at_us=at_us, temp_c=None, reason=reason)
        return TemperatureReading(sensor=sensor.name, at_us=at_us, temp_c=value)
