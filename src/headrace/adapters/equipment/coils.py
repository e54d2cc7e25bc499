"""Contactors and cooling: a coil that holds them, and a contact that says where they stand.

A coil that was written proves nothing: the command is acknowledged when the feedback contact has moved.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from headrace.adapters.devicefile.schema_equipment import ContactorSection, CoolingSection
from headrace.adapters.equipment.modbus import Failure, ModbusLink, ModbusLinks
from headrace.adapters.equipment.outcomes import outcome_of
from headrace.control.assets import Asset
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.readings import AssetReading

__all__ = ["CoilDriver"]

LOOKS: Final = 10
"""How often the feedback is looked at during its travel."""

TAKEN: Final = {
    ContactorSection: {Action.CLOSE: True, Action.OPEN: False},
    CoolingSection: {Action.RUN: True, Action.STOP: False},
}
"""Where each action puts the coil."""


class CoilDriver:
    """Reaches contactors and cooling.

    Parameters
    ----------
    name
        As `Asset.driver` names it.
    devices
        Their sections of the device file.
    links
        Connections.
    now_us
        The site's clock.
    sleep
        Waits between two looks at the feedback, seconds of the wall.
    """

    def __init__(
        self,
        name: str,
        devices: Sequence[ContactorSection | CoolingSection],
        links: ModbusLinks,
        now_us: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._devices = {each.name: each for each in devices}
        self._links = links
        self._now_us = now_us
        self._sleep = sleep

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Connect."""
        await asyncio.gather(*(self._link(each).open() for each in self._devices.values()))

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Carry out commands, all at once."""
        return tuple(await asyncio.gather(*(self._one(each) for each in commands)))

    async def read(self) -> tuple[AssetReading, ...]:
        """Where each stands."""
        return tuple(await asyncio.gather(*(self._reading(each) for each in self._devices.values())))

    async def close(self) -> None:
        """Let go of every connection; what is closed stays closed."""
        for each in self._devices.values():
            self._link(each).close()

    def _link(self, device: ContactorSection | CoolingSection) -> ModbusLink:
        return self._links.at(device.host, device.port, timeout_s=device.timeout_s)

    async def _one(self, command: Command) -> CommandOutcome:
        device = self._devices.get(command.asset)
        if command.expires_us <= self._now_us():
            return outcome_of(command, Result.EXPIRED, reason="its time had passed")
        if device is None:
            return outcome_of(command, Result.UNREACHABLE, reason="is not in the device file")
        on = TAKEN[type(device)].get(command.action)
        if on is None:
            return outcome_of(command, Result.REFUSED, reason=f"can't {command.action.value}")
        link = self._link(device)
        failure = await link.set_coil(device.coil, on=on, unit=device.unit)
        sent_us = self._now_us()
        if failure is not None:
            is_sent = failure.result is not Result.UNREACHABLE
            return outcome_of(command, failure.result, sent_us=sent_us if is_sent else None, reason=failure.reason)
        failure = await self._moved(device, on=on)
        if failure is None:
            return outcome_of(command, Result.ACKNOWLEDGED, sent_us=sent_us, acknowledged_us=self._now_us())
        return outcome_of(command, failure.result, sent_us=sent_us, reason=f"feedback {failure.reason}")

    async def _moved(self, device: ContactorSection | CoolingSection, *, on: bool) -> Failure | None:
        """Look at the feedback until it stands where it should, for as long as its travel may take."""
        for _ in range(LOOKS + 1):
            stands = await self._link(device).input(device.feedback, unit=device.unit)
            if isinstance(stands, Failure):
                return stands
            if stands is on:
                return None
            await self._sleep(device.travel_s / LOOKS)
        return Failure(result=Result.REFUSED, reason=f"did not move within {device.travel_s:g} s")

    async def _reading(self, device: ContactorSection | CoolingSection) -> AssetReading:
        stands = await self._link(device).input(device.feedback, unit=device.unit)
        at_us = self._now_us()
        if isinstance(stands, Failure):
            return AssetReading(asset=device.name, at_us=at_us, is_running=None, reason=stands.reason)
        return AssetReading(asset=device.name, at_us=at_us, is_running=stands)
