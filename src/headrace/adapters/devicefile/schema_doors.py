"""Tables of the device file for doors to other systems: broker, grid programmes, API, telemetry, journal, limits."""

from typing import Annotated, Literal

from pydantic import Field, Strict, field_validator

from headrace.adapters.devicefile.fields import DeviceName, Host, Port, Reference, Seconds
from headrace.adapters.sitefile.fields import Count, Flag, Magnitude, PositiveMagnitude, Section

__all__ = [
    "ApiSection",
    "BooksSection",
    "Dnp3Section",
    "DsxFlexSection",
    "FlexFeedSection",
    "JournalSection",
    "LimitsSection",
    "MqttSection",
    "OpenAdr2Section",
    "OpenAdr3Section",
    "ProgrammeSection",
    "RegistrationSection",
    "TelemetrySection",
]

AskedBy = Literal["grid", "reserve", "voluntary"]
"""Rank of what a door asks for: a mandatory order, reserve sold, or a programme joined of one's own will."""
Url = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^/@\s]+(/\S*)?$")]
"""Address of a service, without credentials."""
FlexName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name within a topic."""
Topic = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^#+\s]+$")]
"""An MQTT topic without wildcards."""


class MqttSection(Section):
    """The site's message broker."""

    host: Host = "127.0.0.1"
    """Address."""
    port: Port = 1883
    """TCP port."""
    user: str | None = None
    """Account."""
    password: Reference | None = None
    """Where its password is kept."""
    prefix: Topic = "headrace"
    """First part of the site's telemetry topics (docs/device-file.md)."""


class ProgrammeSection(Section):
    """What a programme may ask for, whatever it comes through (docs/grid-signals.md)."""

    within_s: Seconds = 600.0
    """How fast its orders are to be met, seconds."""
    most_mw: PositiveMagnitude | None = None
    """Most power an order may name, MW; the connection's import limit by default."""
    level_mw: Annotated[tuple[Magnitude, ...], Field(max_length=3)] = ()
    """What levels 1, 2 and 3 of a SIMPLE signal ask to shed, MW."""
    unit: Literal["W", "kW", "MW"] = "kW"
    """Unit of a payload that names none."""
    positive_delta: Literal["draws", "sheds"] = "draws"
    """What a relative payload above zero asks for: more load, or less."""
    follows: Flag = False
    """Does an absolute setpoint bind from below too, as a base point does?"""
    end_permits: Flag = False
    """Is an event's stated end the permission to restore? Else a mandatory one ends when the programme says so."""


class OpenAdr2Section(ProgrammeSection):
    """An OpenADR 2.0b programme, in which the site is a VEN."""

    name: DeviceName
    """Name of the programme here."""
    vtn: Url
    """Address of the server."""
    context: str = "*"
    """Market context of its events; "*" takes every one of this server."""
    ven: str
    """Name under which the site is registered."""
    authority: AskedBy = "voluntary"
    """Rank of what it asks for."""
    poll_s: Annotated[PositiveMagnitude, Field(ge=1.0)] = 10.0
    """Time between polls, seconds; the client rounds less than 1 s up."""
    certificate: Reference | None = None
    """Where the client's certificate is kept (PEM)."""
    key: Reference | None = None
    """Where its private key is kept (PEM)."""
    authorities: Reference | None = None
    """Where the certificates are kept that the server's must descend from (PEM); the system's by default."""
    server_fingerprint: str = ""
    """Fingerprint of the certificate that the server signs with; left out: it does not sign."""


class OpenAdr3Section(ProgrammeSection):
    """An OpenADR 3 programme."""

    name: DeviceName
    """Name of the programme here."""
    vtn: Url
    """Address of the server."""
    programme: str
    """Programme's name at the server."""
    ven: str
    """Name under which the site is registered."""
    authority: AskedBy = "voluntary"
    """Rank of what it asks for."""
    client: str | None = None
    """Client id for the server's tokens."""
    secret: Reference | None = None
    """Where the client's secret is kept."""
    poll_s: Seconds = 10.0
    """Time between polls where no webhook calls, seconds."""
    webhook_port: Port | None = None
    """Loopback port that receives the server's calls; left out: polls only."""
    webhook_secret: Reference | None = None
    """Where the secret is kept that the server must show there."""
    webhook_url: str = ""
    """Address that the server is told, where a proxy stands in front of the port."""
    version: Literal["3.0", "3.1"] = "3.0"
    """Version of the server's vocabulary."""


RampCurve = Annotated[
    tuple[tuple[PositiveMagnitude, PositiveMagnitude, PositiveMagnitude], ...], Field(min_length=1, max_length=10)
]
"""[draw up to which it holds, MW; fastest rise, fastest fall, MW a minute], draw rising."""


class RegistrationSection(Section):
    """What the market knows of the site as a controllable load."""

    name: DeviceName
    """The resource's name in the market."""
    least_mw: Magnitude
    """Draw below which it can't be dispatched, MW."""
    most_mw: PositiveMagnitude
    """Most it draws, MW."""
    normal: RampCurve
    """Ramps under normal dispatch."""
    emergency: RampCurve
    """Ramps while a shed of the same link is in force."""
    period_s: Annotated[int, Strict(), Field(ge=60, le=3600)] = 300
    """Time between base points, seconds; one holds for two of them."""
    tolerance_ratio: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    """Part of a base point by which the draw may be off it."""
    tolerance_least_mw: Magnitude = 3.0
    """The same, at least, MW."""
    authority: AskedBy = "reserve"
    """Rank of its base points; a mandatory one would step past the ramps."""

    @field_validator("normal", "emergency")
    @classmethod
    def _rises(cls, curve: tuple[tuple[float, float, float], ...]) -> tuple[tuple[float, float, float], ...]:
        breaks = [piece[0] for piece in curve]
        if breaks != sorted(set(breaks)):
            raise ValueError(f"break points must rise, were {breaks}")
        return curve


class Dnp3Section(ProgrammeSection):
    """A DNP3 outstation towards the market's telemetry."""

    name: DeviceName
    """Name of the link."""
    bind: Host = "127.0.0.1"
    """Address to listen on."""
    port: Port = 20000
    """TCP port to listen on."""
    outstation: Annotated[int, Strict(), Field(ge=0, le=65_519)] = 10
    """Link address of this end."""
    master: Annotated[int, Strict(), Field(ge=0, le=65_519)] = 1
    """Link address of the other."""
    authority: AskedBy = "grid"
    """Rank of its base points, and of its shed."""
    shed_mw: Magnitude = 0.0
    """What its binary output asks to shed, MW."""
    valid_s: Count = 600
    """How long a base point holds, seconds."""
    registration: RegistrationSection | None = None
    """[dnp3.registration]: base points on registered ramps, followed and accounted for; None for limits alone."""
    telemetry_s: Seconds = 2.0
    """Period of what the market reads, seconds."""


class FlexFeedSection(Section):
    """One feed of an AI factory: what a load target is about, and an asset of the site."""

    tag: FlexName
    """Tag of the feed in the factory's messages."""
    asset: DeviceName | None = None
    """Name of the asset; the factory's name, a dot and the tag by default."""
    full_kw: PositiveMagnitude
    """Power of the feed at work, kW."""
    standby_kw: Magnitude
    """Least power that it can be asked down to, kW."""
    watchdog_s: Seconds = 120.0
    """Silence of the factory after which the feed counts as lost, seconds."""


class DsxFlexSection(Section):
    """An AI factory that takes load targets over the site's broker (NVIDIA DSX Flex)."""

    name: DeviceName
    """Name of the factory."""
    load: str
    """Load of the site file that it is."""
    feeder: str
    """Feeder it hangs on."""
    isv: FlexName
    """Our identifier at its broker."""
    agent: FlexName
    """Identifier of its DSX Flex agent."""
    feed: Annotated[tuple[FlexFeedSection, ...], Field(min_length=1)]
    """Its feeds."""
    signing_key: Reference
    """Where the key that signs targets is kept (PEM, P-256)."""
    signing_key_id: str
    """Name under which the factory knows that key."""
    factory_key: Reference
    """Where the agent's public key is kept (PEM)."""
    factory_key_id: str
    """Name under which the agent signs."""
    is_bound: Flag = False
    """Does the agent repeat the envelope in its signature's header, as we do (docs/dsx-flex.md)?"""
    infra: FlexName | None = None
    """Identifier of its infrastructure agent; left out: its enforcements are not listened to."""
    infra_key: Reference | None = None
    """Where that agent's public key is kept (PEM)."""
    infra_key_id: str = ""
    """Name under which that agent signs."""
    answer_s: Seconds = 2.0
    """Time for a status to come once a target has left, seconds."""


class ApiSection(Section):
    """The operator's API."""

    bind: Host = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8620
    """TCP port."""
    allow_remote: Flag = False
    """May `bind` be another address than loopback?"""
    access: Reference | None = None
    """Where the access file is kept that `headrace access add` writes: names, roles, hashes of tokens."""


class TelemetrySection(Section):
    """Signed telemetry."""

    keys: str
    """Folder of the site's keys, as `headrace keys` makes it, relative to this file."""
    gateway: DeviceName
    """Name that this machine is enrolled under as a gateway."""


class JournalSection(Section):
    """How the journal reaches the disk."""

    fsync: Literal["always", "batch", "never"] = "always"
    """Wait for the disk after each record, after each batch, or leave it to the system."""
    reserve_mb: Annotated[int, Strict(), Field(ge=0, le=100_000)] = 64
    """Space kept beside the journal and given back to the disk when it is full, MB; 0 keeps none."""
    trace_keep_days: Count = 90
    """How long the meters' trace is kept, days: an event's report looks back 45."""


class BooksSection(Section):
    """Where statements are booked."""

    database: Reference | None = None
    """Where the URL of a database is kept, "env:NAME" or "file:PATH"; books.sqlite beside the journal without one."""


class LimitsSection(Section):
    """How old data may be before the safe ladder steps down."""

    meter_age_max_s: Seconds = 10.0
    """Oldest meter reading that control acts on, seconds."""
    reading_age_max_s: Seconds = 60.0
    """Oldest reading of an asset that counts, seconds."""
    feed_age_max_min: dict[str, PositiveMagnitude] = Field(default_factory=dict)
    """Role in [feeds] of the site file to the oldest value that a plan may use, minutes."""
    send_timeout_s: Seconds = 1.0
    """Longest wait for an asset's answer, from when its command has left, seconds."""
    headroom_ratio: Annotated[Magnitude, Field(le=1.0)] | None = None
    """Power that an inference service may take at once beyond what it asks for, as a share of its full power: mining
    makes room for it within a second (docs/surge.md). Left out: services are not capped."""
