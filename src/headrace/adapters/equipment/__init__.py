"""Site equipment: Modbus TCP with SunSpec, contactors, meters, building management, telemetry over MQTT."""

from headrace.adapters.equipment.bms import Bms, TemperatureReading
from headrace.adapters.equipment.coils import CoilDriver
from headrace.adapters.equipment.inverter import InverterDriver
from headrace.adapters.equipment.meters import EquipmentMeters
from headrace.adapters.equipment.modbus import ModbusLinks
from headrace.adapters.equipment.mqtt_telemetry import MqttTelemetry

__all__ = [
    "Bms",
    "CoilDriver",
    "EquipmentMeters",
    "InverterDriver",
    "ModbusLinks",
    "MqttTelemetry",
    "TemperatureReading",
]
