"""Tables of the device file for doors to other systems: broker, grid programmes, API, telemetry, journal, limits."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from headrace.adapters.devicefile.fields import DeviceName, Host, Port, Reference, Seconds
from headrace.adapters.sitefile.fields import Flag, PositiveMagnitude, Section

__all__ = [
    "ApiSection",
    "Dnp3Section",
    "DsxFlexSection",
    "JournalSection",
    "LimitsSection",
    "MqttSection",
    "OpenAdr2Section",
    "OpenAdr3Section",
    "TelemetrySection",
]

AskedBy = Literal["grid", "reserve", "voluntary"]
"""Rank of what a door asks for: a mandatory order, reserve sold, or a programme joined of one's own will."""
Url = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^/@\s]+(/\S*)?$")]
"""Address of a service, without credentials."""
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


class OpenAdr2Section(Section):
    """An OpenADR 2.0b programme, in which the site is a VEN."""

    name: DeviceName
    """Name of the programme here."""
    vtn: Url
    """Address of the server."""
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


class OpenAdr3Section(Section):
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


class Dnp3Section(Section):
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
    """Rank of its base points."""


class DsxFlexSection(Section):
    """An AI factory that takes load targets over MQTT (NVIDIA DSX Flex)."""

    name: DeviceName
    """Name of the factory."""
    load: str
    """Load of the site file that it is."""
    feeder: str
    """Feeder it hangs on."""
    topic: Topic
    """First part of its topics."""
    signing_key: Reference
    """Where the key that signs targets is kept (PEM, P-256)."""
    factory_key: Reference
    """Where the factory's public key is kept (PEM)."""


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
