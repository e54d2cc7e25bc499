"""Simulated site equipment behind real protocols."""

from headrace.sim.equipment.modbus_server import Manners, ModbusServer, ModbusUnit
from headrace.sim.equipment.units import Field, InverterUnit, MeterUnit, RegisterUnit, SwitchUnit, manners_of

__all__ = [
    "Field",
    "InverterUnit",
    "Manners",
    "MeterUnit",
    "ModbusServer",
    "ModbusUnit",
    "RegisterUnit",
    "SwitchUnit",
    "manners_of",
]
