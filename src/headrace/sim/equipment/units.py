"""Simulated equipment as Modbus units on the world: meters, the battery's inverter, contactors, cooling, sensors.

Each decodes and encodes by itself, from the standards, and shares no code with the drivers: a wrong sign or place in
either is found by the conformance test.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from headrace.control.commands import Action
from headrace.sim.equipment.modbus_server import Manners
from headrace.sim.equipment.sunspec_image import SunSpecImage
from headrace.sim.world.faults import FaultKind
from headrace.sim.world.sense import feeder_totals_wh, meter_readings
from headrace.sim.world.world import World

__all__ = ["Field", "InverterUnit", "MeterUnit", "RegisterUnit", "SwitchUnit", "manners_of"]

WRITABLE: Final = {704: ("WSetEna", "WSetMod", "WSet", "WSetRvrt", "WSetEnaRvrt", "WSetRvrtTms")}
US_PER_S: Final = 1_000_000


def manners_of(world: World, name: str) -> Manners:
    """How a device of this name answers now."""
    of = world.faults.of
    delay = of(FaultKind.DELAY, name)
    return Manners(
        is_mute=of(FaultKind.MUTE, name) is not None,
        is_deaf=of(FaultKind.DEAF, name) is not None or of(FaultKind.METER_GAP, name) is not None,
        refuses=of(FaultKind.REFUSING, name) is not None,
        is_garbled=of(FaultKind.GARBLED, name) is not None,
        drops=of(FaultKind.LINK, name) is not None,
        delay_s=0.0 if delay is None else delay.value,
    )


class _Unit:
    """A device that has nothing, for others to add to."""

    def registers(self, table: str, address: int, count: int) -> list[int] | None:
        """No registers."""
        return None

    def set_registers(self, address: int, words: list[int]) -> bool:
        """Nothing to write."""
        return False

    def bits(self, table: str, address: int, count: int) -> list[bool] | None:
        """No bits."""
        return None

    def set_coil(self, address: int, *, on: bool) -> bool:
        """No coil."""
        return False


class MeterUnit(_Unit):
    """A SunSpec three-phase meter (model 203).

    Parameters
    ----------
    world
        The world.
    meter
        Name of the meter.
    now_us
        The time.
    is_export_positive
        Does it show power that is fed as positive?
    """

    def __init__(
        self, world: World, meter: str, now_us: Callable[[], int], *, is_export_positive: bool = False
    ) -> None:
        self._world = world
        self._meter = meter
        self._now_us = now_us
        self._sign = -1 if is_export_positive else 1
        self._places = _places(world.site.connection.import_max_mw)
        self._image = SunSpecImage({203: {"A_SF": 0, "W_SF": self._places, "TotWh_SF": 0}})

    def registers(self, table: str, address: int, count: int) -> list[int] | None:
        """The whole device, as it is now."""
        if table != "holding":
            return None
        self._world.advance(self._now_us())
        reading = next((each for each in meter_readings(self._world) if each.meter == self._meter), None)
        if reading is not None:
            self._image.put(203, "W", round(self._sign * reading.power_w / 10.0**self._places))
            drawn_wh, fed_wh = feeder_totals_wh(self._world, self._meter)
            imported, exported = (drawn_wh, fed_wh) if self._sign > 0 else (fed_wh, drawn_wh)
            self._image.put(203, "TotWhImp", imported)
            self._image.put(203, "TotWhExp", exported)
        return self._image.read(address, count)


class InverterUnit(_Unit):
    """A battery inverter: models 701, 704 and 713. Power that it feeds is positive, as SunSpec has it.

    Parameters
    ----------
    world
        The world, with a battery.
    now_us
        The time.
    """

    def __init__(self, world: World, now_us: Callable[[], int]) -> None:
        self._world = world
        self._now_us = now_us
        self._heard_us = now_us()
        battery = world.site.battery
        self._places = 0 if battery is None else _places(max(battery.charge_max_mw, battery.discharge_max_mw))
        self._image = SunSpecImage(
            {
                701: {"W_SF": self._places, "TotWh_SF": 0, "InvSt": 3},
                704: {"WSet_SF": 0, "WSetEna": 0, "WSetMod": 1, "WSet": 0, "WSetEnaRvrt": 0, "WSetRvrtTms": 0},
                713: {"Pct_SF": -2, "WH_SF": 4},
            }
        )

    def registers(self, table: str, address: int, count: int) -> list[int] | None:
        """The whole device, as it is now."""
        storage = self._world.storage
        if table != "holding" or storage is None:
            return None
        self._pass_time()
        self._image.put(701, "W", round(-storage.power_w / 10.0**self._places))
        self._image.put(701, "TotWhInj", int(storage.discharged_ws / 3600.0))
        self._image.put(701, "TotWhAbs", int(storage.charged_ws / 3600.0))
        self._image.put(713, "SoC", round(storage.soc_ratio * 10_000))
        return self._image.read(address, count)

    def set_registers(self, address: int, words: list[int]) -> bool:
        """Take a set-point or a reversion timer."""
        self._pass_time()
        touched = self._image.write(address, words, WRITABLE)
        if touched is None:
            return False
        self._heard_us = self._now_us()
        if touched & {"WSetEna", "WSet", "WSetMod"}:
            fed_w = self._image.get(704, "WSet", signed=True) if self._image.get(704, "WSetEna") == 1 else 0
            self._set(-fed_w)
        return True

    def _pass_time(self) -> None:
        now_us = self._now_us()
        self._world.advance(now_us)
        wait_us = self._image.get(704, "WSetRvrtTms") * US_PER_S
        if self._image.get(704, "WSetEnaRvrt") == 1 and wait_us and now_us - self._heard_us > wait_us:
            self._image.put(704, "WSet", 0)
            self._image.put(704, "WSetEnaRvrt", 0)
            self._set(0)

    def _set(self, drawn_w: int) -> None:
        """Set-point, load-positive, W."""
        action = Action.CHARGE if drawn_w > 0 else Action.DISCHARGE if drawn_w < 0 else Action.STOP
        self._world.tell(self._world.battery_name, action, abs(float(drawn_w)), at_us=self._now_us())


class SwitchUnit(_Unit):
    """Contactors and cooling of one device: coils that hold them, inputs that say where they stand.

    Parameters
    ----------
    world
        The world.
    coils, feedbacks
        Name of the asset at each address.
    now_us
        The time.
    """

    def __init__(
        self, world: World, coils: Mapping[int, str], feedbacks: Mapping[int, str], now_us: Callable[[], int]
    ) -> None:
        self._world = world
        self._coils = dict(coils)
        self._feedbacks = dict(feedbacks)
        self._now_us = now_us
        self._held = {address: world.circuits.is_on(name) for address, name in coils.items()}

    def bits(self, table: str, address: int, count: int) -> list[bool] | None:
        """Coils as they were written, inputs as the contacts stand."""
        self._world.advance(self._now_us())
        asked = range(address, address + count)
        if table == "coil":
            return [self._held[each] for each in asked] if all(each in self._coils for each in asked) else None
        if not all(each in self._feedbacks for each in asked):
            return None
        return [self._world.circuits.is_on(self._feedbacks[each]) for each in asked]

    def set_coil(self, address: int, *, on: bool) -> bool:
        """Hold or let go."""
        if address not in self._coils:
            return False
        name = self._coils[address]
        self._held[address] = on
        is_contactor = self._world.layout.others[name].kind.value == "contactor"
        taken = (Action.CLOSE, Action.OPEN) if is_contactor else (Action.RUN, Action.STOP)
        self._world.tell(name, taken[0] if on else taken[1], at_us=self._now_us())
        return True


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One number in a device's registers."""

    address: int
    """First register."""
    table: str
    """Holding or input."""
    kind: str
    """Type, by its SunSpec name."""
    is_little: bool
    """Is the least significant word first?"""
    unit_per_count: float
    """What one count is worth."""
    value: Callable[[], float]
    """The number now, in its unit."""


_FORMS: Final = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
}


class RegisterUnit(_Unit):
    """A device with a register map of its own: meters of other makes, sensors.

    Parameters
    ----------
    fields
        Its numbers.
    look
        Brings the world up to date.
    """

    def __init__(self, fields: tuple[Field, ...], look: Callable[[], None]) -> None:
        self._fields = fields
        self._look = look

    def registers(self, table: str, address: int, count: int) -> list[int] | None:
        """Registers of the map."""
        self._look()
        words: dict[int, int] = {}
        for field in self._fields:
            if field.table == table:
                words |= {field.address + i: word for i, word in enumerate(_words(field))}
        asked = range(address, address + count)
        return [words[each] for each in asked] if all(each in words for each in asked) else None


def _words(field: Field) -> list[int]:
    form = _FORMS[field.kind]
    count = field.value() / field.unit_per_count
    data = struct.pack(form, count if field.kind == "float32" else round(count))
    words = list(struct.unpack(f">{len(data) // 2}H", data))
    return words[::-1] if field.is_little else words


def _places(most_mw: float) -> int:
    """Scale factor with which twice a power fits 16 bits, W."""
    places = 0
    while 2e6 * most_mw / 10.0**places > 32_000:
        places += 1
    return places
