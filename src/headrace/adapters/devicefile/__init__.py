"""The device file: what of a site can be moved and measured, and where it is found."""

from headrace.adapters.devicefile.build import COIL_DRIVER, INVERTER_DRIVER
from headrace.adapters.devicefile.load import LoadedDevices, devices_schema, load_devices, parse_devices
from headrace.adapters.devicefile.schema import DeviceFile, MinersSection, NodesSection
from headrace.adapters.devicefile.secrets import Secret, read_secret, secret_path

__all__ = [
    "COIL_DRIVER",
    "INVERTER_DRIVER",
    "DeviceFile",
    "LoadedDevices",
    "MinersSection",
    "NodesSection",
    "Secret",
    "devices_schema",
    "load_devices",
    "parse_devices",
    "read_secret",
    "secret_path",
]
