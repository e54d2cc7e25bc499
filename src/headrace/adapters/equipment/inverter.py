"""The battery's inverter over SunSpec: set-points in watts, read back, and a reversion timer as its watchdog.

SunSpec counts power that a resource feeds as positive; here power is load-positive. Set-points go into model 704 (WSet,
negative to charge), power comes from 701, the state of charge from 713 or 802. The inverter reverts to rest when nobody
has renewed its set-point for as long as the device file says; reading it renews it.
"""

from collections.abc import Callable, Sequence
from typing import Final

from headrace.adapters.devicefile.schema_equipment import BatterySection
from headrace.adapters.equipment.modbus import Failure, ModbusLinks
from headrace.adapters.equipment.outcomes import outcome_of
from headrace.adapters.equipment.sunspec import SunSpecDevice
from headrace.control.assets import Asset, WhenLost
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.readings import AssetReading

__all__ = ["InverterDriver", "soc_ratio_of"]

WATTS: Final = 1.0
"""WSetMod: the set-point is in watts."""
READ_BACK_W: Final = 1.0
"""How far a set-point read back may be from what was written, beside rounding by the scale factor, W."""
ROUNDING_RATIO: Final = 0.01


class InverterDriver:
    """Reaches the battery.

    Parameters
    ----------
    name
        As `Asset.driver` names it.
    battery
        Its section of the device file.
    links
        Connections.
    now_us
        The site's clock.
    """

    def __init__(self, name: str, battery: BatterySection, links: ModbusLinks, now_us: Callable[[], int]) -> None:
        self.name = name
        self._battery = battery
        self._link = links.at(battery.host, battery.port, timeout_s=battery.timeout_s)
        self._device = SunSpecDevice(self._link, battery.unit)
        self._now_us = now_us
        self._is_set = False

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Connect and learn which models it has."""
        await self._device.models()

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Carry out set-points one after the other."""
        return tuple([await self._one(each) for each in commands])

    async def read(self) -> tuple[AssetReading, ...]:
        """Its power, and a renewal of its set-point."""
        if self._is_set:
            await self._renew()
        values = await self._device.values(701, ["W", "InvSt"])
        at_us, name = self._now_us(), self._battery.name
        if isinstance(values, Failure):
            return (AssetReading(asset=name, at_us=at_us, is_running=None, reason=values.reason),)
        fed_w = values["W"]
        if fed_w is None:
            return (AssetReading(asset=name, at_us=at_us, is_running=None, reason="reports no power"),)
        return (AssetReading(asset=name, at_us=at_us, is_running=round(fed_w) != 0, power_w=round(-fed_w)),)

    async def close(self) -> None:
        """Let go of the connection; the inverter reverts by itself."""
        self._link.close()

    async def _one(self, command: Command) -> CommandOutcome:
        now_us = self._now_us()
        if command.expires_us <= now_us:
            return outcome_of(command, Result.EXPIRED, reason="its time had passed")
        sign = {Action.CHARGE: -1.0, Action.DISCHARGE: 1.0, Action.STOP: 0.0}.get(command.action)
        if sign is None or (sign and command.power_mw is None):
            return outcome_of(command, Result.REFUSED, reason=f"a battery can't {command.action.value}")
        set_w = sign * (command.power_mw or 0.0) * 1e6
        failure = await self._renew() or await self._device.write(
            704, {"WSetEna": 1.0, "WSetMod": WATTS, "WSet": set_w, "WSetRvrt": 0.0}
        )
        sent_us = self._now_us()
        if failure is not None:
            is_sent = failure.result is not Result.UNREACHABLE
            return outcome_of(command, failure.result, sent_us=sent_us if is_sent else None, reason=failure.reason)
        back = await self._device.values(704, ["WSetEna", "WSet"])
        if isinstance(back, Failure):
            return outcome_of(command, back.result, sent_us=sent_us, reason=f"read back: {back.reason}")
        kept_w = back["WSet"]
        if back["WSetEna"] != 1.0 or kept_w is None or abs(kept_w - set_w) > READ_BACK_W + ROUNDING_RATIO * abs(set_w):
            reason = f"keeps {kept_w} W" if back["WSetEna"] == 1.0 else "does not take set-points"
            return outcome_of(command, Result.REFUSED, sent_us=sent_us, reason=reason)
        self._is_set = True
        return outcome_of(command, Result.ACKNOWLEDGED, sent_us=sent_us, acknowledged_us=self._now_us())

    async def _renew(self) -> Failure | None:
        """Start the reversion timer anew; a timer of 0 never reverts."""
        wait_s = self._battery.revert_s if self._battery.when_lost is WhenLost.STOPS else 0.0
        return await self._device.write(704, {"WSetEnaRvrt": 1.0 if wait_s else 0.0, "WSetRvrtTms": wait_s})


async def soc_ratio_of(device: SunSpecDevice) -> float | Failure | None:
    """State of charge, 0..1, from model 713, or 802 where there is none."""
    models = await device.models()
    if isinstance(models, Failure):
        return models
    values = await device.values(713 if 713 in models else 802, ["SoC"])
    if isinstance(values, Failure):
        return values
    soc_percent = values["SoC"]
    return None if soc_percent is None or not 0.0 <= soc_percent <= 100.0 else soc_percent / 100.0
