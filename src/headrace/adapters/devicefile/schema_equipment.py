"""Tables of the device file for what is wired: feeders, meters, inverter, contactors, cooling, building management."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from headrace.adapters.devicefile.fields import DeviceName, Host, Port, Register, Seconds, Unit, Words
from headrace.adapters.sitefile.fields import Flag, Magnitude, PositiveMagnitude, Section
from headrace.control.assets import WhenLost

__all__ = [
    "BatterySection",
    "BmsSection",
    "ContactorSection",
    "CoolingSection",
    "CounterSection",
    "FeederSection",
    "MeterSection",
    "RegisterSection",
    "SensorSection",
]

CounterName = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[a-z_]+(\.[A-Za-z0-9][A-Za-z0-9 _-]*)?$")]
"""Name of a running total: "it_wh", "work_ph.hall A"."""
NumberType = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32"]
"""How a number lies in its registers."""


class FeederSection(Section):
    """A circuit with a meter of its own."""

    name: DeviceName
    """Name unique at the site."""
    meter: DeviceName | None = None
    """Its meter, a [[meter]]; left out: the meter of the feeder's own name."""
    limit_mw: PositiveMagnitude
    """Most it carries, MW."""
    ramp_up_max_mw_per_min: PositiveMagnitude
    """Fastest rise when assets start, MW a minute: the inrush limit."""
    contactor: DeviceName | None = None
    """[[contactor]] that switches the whole feeder."""
    cooling: DeviceName | None = None
    """[[cooling]] that must run before what hangs on the feeder."""
    base_mw: Magnitude = 0.0
    """What it carries beside its assets: lights, switches, MW."""
    tenants: tuple[str, ...] = ()
    """Powered-shell tenants of the site file that hang on it."""


class _Modbus(Section):
    """Where a Modbus TCP device is found."""

    host: Host
    """Address."""
    port: Port = 502
    """TCP port."""
    unit: Unit = 1
    """Modbus unit id."""
    timeout_s: Seconds = 1.0
    """Longest wait for an answer, from when the request has left, seconds."""


class RegisterSection(Section):
    """One number in a device's registers."""

    address: Register
    """First register, counted from 0."""
    table: Literal["holding", "input"] = "holding"
    """Which table it is in."""
    type: NumberType = "int16"
    """How it lies there."""
    words: Words = "big"
    """Order of its words."""
    scale: Annotated[float, Strict(), Field(allow_inf_nan=False)] = 1.0
    """Multiplies the number; gives W, Wh or degrees C."""
    missing: Annotated[int, Strict()] | None = None
    """Raw number by which the device says that it has none; left out: none."""


class MeterSection(Section):
    """A meter: SunSpec or with a register map over Modbus TCP, or published over MQTT."""

    name: DeviceName
    """Name in readings, unique among meters."""
    protocol: Literal["sunspec", "modbus", "mqtt"] = "sunspec"
    """How it is read."""
    host: Host | None = None
    """Address; none for MQTT."""
    port: Port = 502
    """TCP port."""
    unit: Unit = 1
    """Modbus unit id."""
    timeout_s: Seconds = 1.0
    """Longest wait for an answer, from when the request has left, seconds."""
    positive: Literal["import", "export"] = "import"
    """What a positive power means at this device: power drawn by what is behind it, or fed by it."""
    power: RegisterSection | None = None
    """Net power, for protocol modbus."""
    imported: RegisterSection | None = None
    """Running total of energy drawn, for protocol modbus."""
    exported: RegisterSection | None = None
    """Running total of energy fed, for protocol modbus."""
    counts_imported: str | None = None
    """Counter that the energy drawn is ("it_wh"); left out: import_wh at the connection, charge_wh at a battery."""
    counts_exported: str | None = None
    """Counter that the energy fed is ("generated_wh.solar"); likewise export_wh and discharge_wh."""


class CounterSection(_Modbus):
    """A running total over Modbus: a gateway that adds up work, a heat meter."""

    name: CounterName
    """Which total: a meter field's name, for one of several with a dot and the site file's name."""
    register_: Annotated[RegisterSection, Field(alias="register")]
    """Where it is, in the field's own unit."""


class BatterySection(_Modbus):
    """The battery's inverter, with SunSpec models 704, 713 and 802 or 124."""

    name: DeviceName = "battery"
    """Name of the asset."""
    feeder: str
    """Feeder it hangs on."""
    meter: DeviceName
    """Its meter, a [[meter]]."""
    revert_s: Seconds = 60.0
    """The inverter goes back to rest when it hears no set-point for as long, seconds."""
    when_lost: WhenLost = WhenLost.STOPS
    """What it does on lost communication: stops, or keeps on as last told."""


class ContactorSection(_Modbus):
    """A switch that takes a feeder off: a coil that holds it, and a contact that says where it stands."""

    name: DeviceName
    """Name of the asset."""
    coil: Register
    """Coil that closes it while it is set."""
    feedback: Register
    """Discrete input that is set while it is closed."""
    travel_s: Seconds = 0.5
    """Longest time from the coil to the feedback, seconds."""
    watchdog_s: Seconds = 60.0
    """Silence after which it counts as lost, seconds."""


class CoolingSection(_Modbus):
    """Pumps and fans under control."""

    name: DeviceName
    """Name of the asset."""
    feeder: str
    """Feeder it hangs on."""
    cooling: str
    """The [[cooling]] table of the site file that it is part of."""
    full_kw: PositiveMagnitude
    """Power at full, kW."""
    coil: Register
    """Coil that runs it while it is set."""
    feedback: Register
    """Discrete input that is set while it runs."""
    travel_s: Seconds = 5.0
    """Longest time from the coil to the feedback, seconds."""
    watchdog_s: Seconds = 60.0
    """Silence after which it counts as lost, seconds."""
    when_lost: WhenLost = WhenLost.KEEPS
    """What it does on lost communication."""


class SensorSection(_Modbus):
    """A temperature over Modbus."""

    name: DeviceName
    """Name in readings."""
    register_: Annotated[RegisterSection, Field(alias="register")]
    """Where it is, degrees C."""


class BmsSection(Section):
    """Building management: temperatures, from which the PUE follows."""

    outdoor: DeviceName
    """Sensor of the outdoor temperature."""
    over_mqtt: Flag = False
    """Are sensors published over MQTT, under the prefix of [mqtt]?"""
    sensor: tuple[SensorSection, ...] = ()
    """Sensors over Modbus, [[bms.sensor]]."""
