"""The device file as a model: what of a site can be moved and measured, and where it is found."""

from typing import Annotated, Literal

from pydantic import Field

from headrace.adapters.devicefile.fields import Addresses, DeviceName, Port, Reference, Seconds, Template
from headrace.adapters.devicefile.schema_doors import (
    ApiSection,
    BooksSection,
    Dnp3Section,
    DsxFlexSection,
    JournalSection,
    LimitsSection,
    MqttSection,
    OpenAdr2Section,
    OpenAdr3Section,
    TelemetrySection,
)
from headrace.adapters.devicefile.schema_equipment import (
    BatterySection,
    BmsSection,
    ContactorSection,
    CoolingSection,
    CounterSection,
    FeederSection,
    MeterSection,
)
from headrace.adapters.sitefile.fields import Count, Magnitude, Name, PositiveMagnitude, Section
from headrace.control.assets import WhenLost

__all__ = ["CredentialsSection", "DeviceFile", "MinersSection", "NodesSection", "PlantSection"]


Tiered = Annotated[str, Field(pattern=r"^[\w.-]{1,64}=[\w.-]{1,64}$")]
"""A partition and its tier."""


class PlantSection(Section):
    """The site as a whole."""

    meter: DeviceName
    """Meter at the connection, a [[meter]]."""
    ramp_up_max_mw_per_min: PositiveMagnitude
    """Registered ramp of the site's load upwards, MW a minute; only an emergency may step."""
    ramp_down_max_mw_per_min: PositiveMagnitude
    """Registered ramp downwards, MW a minute."""


class CredentialsSection(Section):
    """How devices are logged in to."""

    user: str = ""
    """Account on the device."""
    password: Reference | None = None
    """Where its password is kept: "env:NAME" or "file:PATH"."""


class _Group(Section):
    """Assets of one kind that differ in address only."""

    name: Name
    """Name of the group."""
    asset: Template = "{group}.{n:04}"
    """Names of its assets: {n} counts from 1."""
    load: str
    """Load of the site file that they are."""
    feeder: str
    """Feeder they hang on."""
    addresses: Annotated[tuple[Addresses, ...], Field(min_length=1)]
    """Where they are: addresses, ranges "a-b", networks "a/22"."""
    standby_kw: Magnitude
    """Power of one when it is stopped, kW."""
    least_kw: PositiveMagnitude | None = None
    """Least power of one under a cap, kW; left out: on or off only."""
    watchdog_s: Seconds = 60.0
    """Silence after which one counts as lost, seconds."""
    when_lost: WhenLost = WhenLost.KEEPS
    """What one does on lost communication: keeps on as last told, or stops."""
    min_off_min: Magnitude = 0.0
    """Least time off once stopped, minutes."""
    cycles_per_day_max: Count | None = None
    """Most starts of one in 24 hours for money's sake."""


class MinersSection(_Group):
    """Mining machines of one model."""

    dialect: DeviceName
    """Firmware's protocol ("braiins", "luxos", "whatsminer-v2")."""
    port: Port | None = None
    """TCP port; left out: the dialect's own."""
    full_kw: PositiveMagnitude | None = None
    """Power of one at full, kW; left out: the load's power by number of machines."""
    credentials: CredentialsSection = CredentialsSection()
    """Log-in of all of them."""


class NodesSection(_Group):
    """Servers with accelerators, each with an agent."""

    full_kw: PositiveMagnitude
    """Power of one at work, kW."""
    path: Literal["agent", "slurm", "kubernetes"] = "agent"
    """Who is told first: the agent on the node, or the scheduler."""
    port: Port = 8631
    """TCP port of the agents."""
    token: Reference | None = None
    """Where the agents' shared token is kept."""
    scheduler: Literal["slurm"] | None = None
    """Scheduler that is told afterwards what the agents did, by its commands on this machine; left out: none."""
    partitions: tuple[Tiered, ...] = ()
    """For Slurm: flexible partitions with their tiers, "PARTITION=TIER"; work of every other partition is firm."""
    slurm_conf: str | None = None
    """Slurm's configuration, where it is not in the usual place."""


class DeviceFile(Section):
    """A Headrace device file."""

    site: PlantSection
    """The site as a whole."""
    feeder: Annotated[tuple[FeederSection, ...], Field(min_length=1)]
    """Feeders."""
    meter: Annotated[tuple[MeterSection, ...], Field(min_length=1)]
    """Meters."""
    miners: tuple[MinersSection, ...] = ()
    """Groups of miners."""
    nodes: tuple[NodesSection, ...] = ()
    """Groups of servers."""
    counter: tuple[CounterSection, ...] = ()
    """Running totals over Modbus."""
    battery: BatterySection | None = None
    """The battery's inverter."""
    contactor: tuple[ContactorSection, ...] = ()
    """Contactors."""
    cooling: tuple[CoolingSection, ...] = ()
    """Cooling under control."""
    bms: BmsSection | None = None
    """Building management."""
    mqtt: MqttSection | None = None
    """The site's message broker."""
    openadr2: tuple[OpenAdr2Section, ...] = ()
    """OpenADR 2.0b programmes."""
    openadr3: tuple[OpenAdr3Section, ...] = ()
    """OpenADR 3 programmes."""
    dnp3: Dnp3Section | None = None
    """Telemetry and base points over DNP3."""
    dsx_flex: tuple[DsxFlexSection, ...] = ()
    """AI factories over DSX Flex."""
    api: ApiSection = ApiSection()
    """The operator's API."""
    telemetry: TelemetrySection | None = None
    """Signed telemetry."""
    books: BooksSection = BooksSection()
    """Statements in double entry."""
    journal: JournalSection = JournalSection()
    """The journal."""
    limits: LimitsSection = LimitsSection()
    """Limits of age and patience."""
