"""What a simulated site publishes over MQTT: meters, counters and temperatures, once a second."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from headrace.adapters.devicefile import LoadedDevices, secret_path
from headrace.adapters.mqtt import MqttEndpoint, MqttLink
from headrace.core import require
from headrace.sim.world.faults import FaultKind
from headrace.sim.world.sense import counter_readings, meter_readings
from headrace.sim.world.world import World

__all__ = ["SimTelemetry"]

EVERY_S: Final = 1.0
"""Time between two publications, wall seconds."""


class SimTelemetry:
    """Publishes one world's readings.

    Parameters
    ----------
    world
        The world.
    devices
        Broker, prefix, and which meters are read so.
    now_us
        The site's time.
    """

    def __init__(self, world: World, devices: LoadedDevices, now_us: Callable[[], int]) -> None:
        section = devices.file.mqtt
        require(section is not None, "telemetry has a broker")
        assert section is not None
        password = None if section.password is None else secret_path(section.password, folder=devices.path.parent)
        self._link = MqttLink(
            MqttEndpoint(
                host=section.host,
                port=section.port,
                client_id=f"headrace-sim-{os.getpid()}",
                username=section.user or "",
                password_file="" if password is None else str(password),
            )
        )
        self._prefix = section.prefix
        self._bms = devices.file.bms
        self._meters = {each.name for each in devices.file.meter if each.protocol == "mqtt"}
        self._world = world
        self._now_us = now_us
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to publish; a broker that is away is met when it comes."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._link.close()

    async def _run(self) -> None:
        await self._link.start()
        while True:
            if self._world.faults.of(FaultKind.BROKER_RESTART, "broker") is None:
                for topic, payload in self.publications():
                    await self._link.publish(f"{self._prefix}/{topic}", payload, qos=0)
            await asyncio.sleep(EVERY_S)

    def publications(self) -> list[tuple[str, bytes]]:
        """Topics below the prefix and payloads, as things are now."""
        world = self._world
        world.advance(self._now_us())
        found = [
            (f"meter/{each.meter}", _json(at_us=each.at_us, power_w=each.power_w, soc_ratio=each.soc_ratio))
            for each in meter_readings(world)
            if each.meter in self._meters
        ]
        found += [
            (f"counter/{each.name}", _json(at_us=each.at_us, total=each.total)) for each in counter_readings(world)
        ]
        if self._bms is not None and self._bms.over_mqtt:
            found.append((f"temperature/{self._bms.outdoor}", _json(at_us=world.now_us, temp_c=world.temp_c())))
        return found


def _json(**values: object) -> bytes:
    return msgspec.json.encode(values)
