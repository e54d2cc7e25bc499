"""Meters of a site: SunSpec, register maps over Modbus, and those that publish over MQTT; all asked at once.

A meter's power becomes load-positive by what the device file says a positive reading means. Energy registers become the
counters that settlement asks for, by the meter's place: at the connection, at the battery, or as declared.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from headrace.adapters.devicefile.schema import DeviceFile
from headrace.adapters.devicefile.schema_equipment import CounterSection, MeterSection, RegisterSection
from headrace.adapters.equipment.inverter import soc_ratio_of
from headrace.adapters.equipment.modbus import Failure, ModbusLink, ModbusLinks
from headrace.adapters.equipment.mqtt_telemetry import MqttTelemetry
from headrace.adapters.equipment.numbers import SIZES, number_of
from headrace.adapters.equipment.sunspec import SunSpecDevice
from headrace.control.commands import Result
from headrace.control.readings import CounterReading, MeterReading

__all__ = ["EquipmentMeters", "register_value"]

WYE_METERS: Final = (203, 201, 202, 204)
"""SunSpec AC meters with integers and scale factors, the usual one first."""
DER_METER: Final = 701
"""A resource's own measurement; its positive power is fed."""


class EquipmentMeters:
    """Reads every meter of the device file.

    Parameters
    ----------
    file
        The device file.
    links
        Connections.
    now_us
        The site's clock.
    telemetry
        What the broker brings; None without one.
    """

    def __init__(
        self,
        file: DeviceFile,
        links: ModbusLinks,
        now_us: Callable[[], int],
        telemetry: MqttTelemetry | None = None,
    ) -> None:
        self._file = file
        self._links = links
        self._now_us = now_us
        self._telemetry = telemetry
        self._wired = [each for each in file.meter if each.protocol != "mqtt"]
        self._sunspec = {
            each.name: SunSpecDevice(self._link(each), each.unit) for each in self._wired if each.protocol == "sunspec"
        }
        self._inverter: SunSpecDevice | None = None
        if file.battery is not None:
            link = links.at(file.battery.host, file.battery.port, timeout_s=file.battery.timeout_s)
            self._inverter = SunSpecDevice(link, file.battery.unit)
        self._is_listening = False
        self.failures: dict[str, str] = {}
        """Why a meter did not answer the last time, by name."""

    async def power(self) -> tuple[MeterReading, ...]:
        """Power of every meter that answered."""
        await self._listen()
        soc_ratio, answers = await asyncio.gather(
            self._soc_ratio(), asyncio.gather(*(self._power_w(each) for each in self._wired))
        )
        readings = []
        for meter, answer in zip(self._wired, answers, strict=True):
            if isinstance(answer, Failure):
                self.failures[meter.name] = answer.reason
            elif isinstance(answer, tuple):
                self.failures.pop(meter.name, None)
                power_w, at_us = answer
                is_battery = self._file.battery is not None and meter.name == self._file.battery.meter
                readings.append(
                    MeterReading(
                        meter=meter.name,
                        at_us=at_us,
                        power_w=round(power_w),
                        soc_ratio=soc_ratio if is_battery else None,
                    )
                )
        if self._telemetry is not None:
            readings += self._telemetry.meters()
        return tuple(readings)

    async def counters(self) -> tuple[CounterReading, ...]:
        """Running totals of every counter that answered."""
        await self._listen()
        answers, counters = await asyncio.gather(
            asyncio.gather(*(self._totals(each) for each in self._wired)),
            asyncio.gather(*(self._counter(each) for each in self._file.counter)),
        )
        readings = [each for of_meter in answers for each in of_meter]
        readings += [each for each in counters if each is not None]
        if self._telemetry is not None:
            named = {each.name for each in readings}
            readings += [each for each in self._telemetry.counters() if each.name not in named]
        return tuple(readings)

    async def close(self) -> None:
        """Let go of every connection."""
        self._links.close()
        if self._telemetry is not None:
            await self._telemetry.close()

    async def _listen(self) -> None:
        """Begin to listen to the broker, once; one that is away is met when it comes."""
        if self._telemetry is not None and not self._is_listening:
            self._is_listening = True
            await self._telemetry.start()

    def _link(self, meter: MeterSection) -> ModbusLink:
        assert meter.host is not None, "checked with the device file"
        return self._links.at(meter.host, meter.port, timeout_s=meter.timeout_s)

    async def _soc_ratio(self) -> float | None:
        if self._inverter is None:
            return None
        answer = await soc_ratio_of(self._inverter)
        return None if isinstance(answer, Failure) else answer

    async def _power_w(self, meter: MeterSection) -> tuple[float, int] | Failure | None:
        """Net power, load-positive, with its time; None if the meter has none."""
        sign = 1.0 if meter.positive == "import" else -1.0
        if meter.protocol == "modbus":
            assert meter.power is not None, "checked with the device file"
            value = await register_value(self._link(meter), meter.power, unit=meter.unit)
        else:
            device = self._sunspec[meter.name]
            model = await _meter_model(device)
            if isinstance(model, Failure):
                return model
            sign = -1.0 if model == DER_METER else sign
            values = await device.values(model, ["W"])
            value = values if isinstance(values, Failure) else values["W"]
        return value if value is None or isinstance(value, Failure) else (sign * value, self._now_us())

    async def _totals(self, meter: MeterSection) -> list[CounterReading]:
        drawn, fed = self._counts(meter)
        if not drawn and not fed:
            return []
        if meter.protocol == "modbus":
            imported = await self._register(meter, meter.imported)
            exported = await self._register(meter, meter.exported)
        else:
            imported, exported = await self._sunspec_totals(meter)
        if meter.positive == "export":
            imported, exported = exported, imported
        at_us = self._now_us()
        return [
            CounterReading(name=name, at_us=at_us, total=round(total))
            for name, total in ((drawn, imported), (fed, exported))
            if name and total is not None
        ]

    async def _counter(self, counter: CounterSection) -> CounterReading | None:
        link = self._links.at(counter.host, counter.port, timeout_s=counter.timeout_s)
        value = await register_value(link, counter.register_, unit=counter.unit)
        if value is None or isinstance(value, Failure):
            return None
        return CounterReading(name=counter.name, at_us=self._now_us(), total=round(value))

    def _counts(self, meter: MeterSection) -> tuple[str, str]:
        """Counters that a meter is: of what it draws, and of what it feeds."""
        drawn, fed = "", ""
        if meter.name == self._file.site.meter:
            drawn, fed = "import_wh", "export_wh"
        elif self._file.battery is not None and meter.name == self._file.battery.meter:
            drawn, fed = "charge_wh", "discharge_wh"
        return meter.counts_imported or drawn, meter.counts_exported or fed

    async def _register(self, meter: MeterSection, register: RegisterSection | None) -> float | None:
        if register is None:
            return None
        value = await register_value(self._link(meter), register, unit=meter.unit)
        return None if isinstance(value, Failure) else value

    async def _sunspec_totals(self, meter: MeterSection) -> tuple[float | None, float | None]:
        device = self._sunspec[meter.name]
        model = await _meter_model(device)
        if isinstance(model, Failure):
            return None, None
        names = ["TotWhAbs", "TotWhInj"] if model == DER_METER else ["TotWhImp", "TotWhExp"]
        values = await device.values(model, names)
        return (None, None) if isinstance(values, Failure) else (values[names[0]], values[names[1]])


async def register_value(link: ModbusLink, register: RegisterSection, *, unit: int) -> float | Failure | None:
    """Number that a register map describes, scaled; None if the device says that it has none."""
    words = await link.read(register.table, register.address, SIZES[register.type], unit=unit)
    if isinstance(words, Failure):
        return words
    value = number_of(words, register.type, little=register.words == "little")
    return None if value is None or value == register.missing else float(value) * register.scale


async def _meter_model(device: SunSpecDevice) -> int | Failure:
    models = await device.models()
    if isinstance(models, Failure):
        return models
    found: Sequence[int] = [each for each in (*WYE_METERS, DER_METER) if each in models]
    return found[0] if found else Failure(result=Result.REFUSED, reason="has no SunSpec meter model")
