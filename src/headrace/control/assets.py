"""What a live site can move and what it can measure: assets behind feeders, and how each may be treated.

The dispatch thinks in blocks of megawatts; a live site consists of machines. An asset belongs to one load of the site
file and hangs on one feeder, whose meter is the judge of what it was told.
"""

from enum import StrEnum

import msgspec

__all__ = ["Asset", "AssetKind", "Feeder", "Inventory", "WhenLost"]


class AssetKind(StrEnum):
    """What an asset is."""

    MINER = "miner"
    """One mining machine."""
    NODE = "node"
    """One server with accelerators."""
    BATTERY = "battery"
    """A battery behind one inverter."""
    CONTACTOR = "contactor"
    """A switch that takes its whole feeder off: the last resort of control, and the door of a lock-out."""
    COOLING = "cooling"
    """Pumps and fans that must run before what they cool."""


class WhenLost(StrEnum):
    """What an asset does by itself when it hears nothing for longer than its watchdog allows."""

    KEEPS = "keeps"
    """Goes on as last told: control counts its full power as drawn, and never as flexible."""
    STOPS = "stops"
    """Stops by itself: control counts its full power as drawn until a meter says otherwise."""


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that control can command."""

    name: str
    """Unique at the site ("hall1.r03.m017")."""
    kind: AssetKind
    load: str
    """Name of the load in the site file that it is part of; empty for equipment that serves all."""
    feeder: str
    """Name of the feeder it hangs on."""
    driver: str
    """Name of the driver that reaches it."""
    address: str
    """Where the driver finds it ("10.1.3.17:4028", "n07"); no secret."""
    full_mw: float
    """Power at its feeder when it runs at full, MW."""
    standby_mw: float = 0.0
    """Power when it is stopped, MW: fans, controllers, idle accelerators."""
    least_mw: float | None = None
    """Least power at which it can run under a cap, MW; None if it is on or off."""
    watchdog_s: float = 60.0
    """Silence after which it counts as lost, seconds."""
    when_lost: WhenLost = WhenLost.KEEPS
    min_off_s: float = 0.0
    """Least time off once stopped, seconds; only an emergency of people or equipment overrides it."""
    cycles_per_day_max: int | None = None
    """Most starts in 24 hours for money's sake; None without a limit."""


class Feeder(msgspec.Struct, frozen=True, kw_only=True):
    """A circuit with a meter of its own."""

    name: str
    """Unique at the site."""
    meter: str
    """Name of its meter in readings."""
    limit_mw: float
    """Most it carries, MW."""
    ramp_up_max_mw_per_min: float
    """Fastest rise of power when assets start, MW a minute: the inrush limit."""
    contactor: str = ""
    """Asset that switches the whole feeder; empty if there is none."""
    cooling: str = ""
    """Asset that cools what hangs on it and must run first; empty if that is not controlled here."""
    base_mw: float = 0.0
    """What it carries beside its assets, MW: lights, fans, switches."""


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a live site can move or measure."""

    assets: tuple[Asset, ...]
    feeders: tuple[Feeder, ...]
    site_meter: str
    """Name of the meter at the connection."""
    ramp_up_max_mw_per_min: float
    """Registered ramp of the site's load upwards, MW a minute; only an emergency may step."""
    ramp_down_max_mw_per_min: float
    """Registered ramp downwards, MW a minute."""
    battery_meter: str = ""
    """Name of the battery's meter; empty without a battery."""
