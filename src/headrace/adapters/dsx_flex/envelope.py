"""CloudEvents envelopes of DSX Flex: sealed by us, opened from others, each refusal counted with its reason.

Structured mode of MQTT 3.1.1: the whole event is one JSON object, its data a JWS string. A message is taken once, in
its time, from the source whose topic it came on, with a signature that holds and data as the contract says.
"""

import hashlib
import re
from collections import Counter, OrderedDict
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from headrace.adapters.dsx_flex.payloads import Enforcement, EventType, LoadTargets, PowerBreach, PowerState
from headrace.adapters.dsx_flex.signing import Peer, SignatureRefused, Signer, signed, verified

__all__ = ["AGE_MAX_S", "Event", "Inspector", "Sealer", "time_of", "topic_of", "us_of"]

SPEC_VERSION: Final = "1.0.2"
AGE_MAX_S: Final = 60.0
"""Oldest and newest that a message may be against our clock, seconds."""
MESSAGE_MAX_BYTES: Final = 262_144
REMEMBERED_MAX: Final = 20_000
"""Messages remembered against replay; more than come in `AGE_MAX_S` by far."""
SOURCE: Final = re.compile(r"//grid/v1/(isv|dsx-flex-agent|infra)/([^/+#\s]+)")
TRACE: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
DATA: Final[dict[EventType, Any]] = {
    EventType.LOAD_TARGET: LoadTargets,
    EventType.POWER_STATE: PowerState,
    EventType.BREACH: PowerBreach,
    EventType.ENFORCEMENT: Enforcement,
}
TAIL: Final = {
    EventType.LOAD_TARGET: "loadtarget/set",
    EventType.POWER_STATE: "powerstate/status",
    EventType.BREACH: "powerbreach",
    EventType.ENFORCEMENT: "powerbreach/enforcement",
}
SUBJECT: Final = {
    EventType.LOAD_TARGET: "loadtarget",
    EventType.POWER_STATE: "powerstate",
    EventType.BREACH: "powerbreach",
    EventType.ENFORCEMENT: "powerbreach",
}
ROLE: Final = {
    EventType.LOAD_TARGET: "isv",
    EventType.POWER_STATE: "dsx-flex-agent",
    EventType.BREACH: "dsx-flex-agent",
    EventType.ENFORCEMENT: "infra",
}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was taken."""

    id: str
    """Its id."""
    source: str
    """Who sent it."""
    type: EventType
    """What it is about."""
    correlation: str
    """Correlation id; empty if it has none."""
    time_us: int
    """When its sender made it, epoch microseconds."""
    data: LoadTargets | PowerState | PowerBreach | Enforcement
    """What it says."""


class _Refused(Exception):
    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


def topic_of(type_: EventType, identifier: str) -> str:
    """Topic on which the named party publishes such events; "+" for any party."""
    return f"grid/v1/{ROLE[type_]}/{identifier}/{TAIL[type_]}"


def time_of(at_us: int) -> datetime:
    """Epoch microseconds as a time of day."""
    seconds, micros = divmod(at_us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)


def us_of(at: datetime) -> int:
    """A time of day as epoch microseconds."""
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class Sealer:
    """Makes our own events, each with an id that no other has.

    Parameters
    ----------
    role
        "isv", "dsx-flex-agent" or "infra".
    identifier
        Our name in that role.
    signer
        Our key.
    """

    def __init__(self, *, role: str, identifier: str, signer: Signer) -> None:
        self.source = f"//grid/v1/{role}/{identifier}"
        self.identifier = identifier
        self._signer = signer
        self._count = 0

    def new_id(self, now_us: int) -> str:
        """An id in the form of UUIDv4, derived from who we are, the time and a running number."""
        self._count += 1
        digest = hashlib.sha256(f"{self.source}|{now_us}|{self._count}".encode()).digest()
        return str(UUID(bytes=digest[:16], version=4))

    def seal(self, type_: EventType, data: msgspec.Struct, *, now_us: int, correlation: str = "") -> tuple[str, bytes]:
        """Topic and payload of one event."""
        envelope = {
            "specversion": SPEC_VERSION,
            "id": self.new_id(now_us),
            "source": self.source,
            "type": str(type_),
            "time": time_of(now_us).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "subject": SUBJECT[type_],
        }
        trace = hashlib.sha256(envelope["id"].encode()).hexdigest()
        envelope["traceparent"] = f"00-{trace[:32]}-{trace[32:48]}-01"
        if correlation:
            envelope["correlationid"] = correlation
        envelope["data"] = signed(msgspec.json.encode(data), envelope, self._signer)
        return topic_of(type_, self.identifier), msgspec.json.encode(envelope)


class Inspector:
    """Opens others' events and refuses what it can't trust.

    Parameters
    ----------
    peers
        Keys that we trust, each with whose it is.
    age_max_s
        Oldest and newest that a message may be against our clock, seconds.
    """

    def __init__(self, peers: tuple[Peer, ...], *, age_max_s: float = AGE_MAX_S) -> None:
        self._peers = peers
        self._age_max_us = round(age_max_s * 1e6)
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._newest_us: dict[str, int] = {}
        self.refused: Counter[str] = Counter()
        """Messages refused, by kind."""
        self.last_refusal = ""
        """The last one, in words."""

    def open(self, topic: str, payload: bytes, *, now_us: int) -> Event | None:
        """The event, or None if it is refused: counted in `refused`, with the reason in `last_refusal`."""
        try:
            return self._open(topic, payload, now_us)
        except (_Refused, SignatureRefused) as refusal:
            self.refused[refusal.kind] += 1
            self.last_refusal = f"{topic}: {refusal}"
            return None

    def _open(self, topic: str, payload: bytes, now_us: int) -> Event:
        raw, envelope = _envelope(topic, payload)
        body = verified(envelope.data, raw, self._peers, now_us=now_us)
        try:
            data = msgspec.json.decode(body, type=DATA[envelope.type])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _Refused("schema", f"the data is not as the contract says: {error}") from error
        sent_us = us_of(envelope.time)
        told_us = _told_us(data, sent_us)
        for at_us in (sent_us, told_us):
            if abs(now_us - at_us) > self._age_max_us:
                raise _Refused("expired", f"{(now_us - at_us) * 1e-6:.1f} s old by our clock")
        self._check_new(envelope, data, told_us, now_us)
        return Event(
            id=str(envelope.id),
            source=envelope.source,
            type=envelope.type,
            correlation="" if envelope.correlationid is None else str(envelope.correlationid),
            time_us=sent_us,
            data=data,
        )

    def _check_new(self, envelope: "_Envelope", data: object, told_us: int, now_us: int) -> None:
        while self._seen and (
            now_us - next(iter(self._seen.values())) > 2 * self._age_max_us or len(self._seen) >= REMEMBERED_MAX
        ):
            self._seen.popitem(last=False)
        # The signed part, not the signature: an ECDSA signature can be turned into another that also holds.
        signed_part = str(envelope.data).rsplit(".", 1)[0]
        keys = (f"{envelope.source}|{envelope.id}", hashlib.sha256(signed_part.encode()).hexdigest())
        if any(key in self._seen for key in keys):
            raise _Refused("replay", "seen before")
        if isinstance(data, PowerState):  # a snapshot older than one we have says nothing new
            if told_us < self._newest_us.get(envelope.source, -1):
                raise _Refused("order", "older than a snapshot that we have")
            self._newest_us[envelope.source] = told_us
        for key in keys:
            self._seen[key] = now_us


def _told_us(data: object, sent_us: int) -> int:
    """The time that the signed data itself names, or the envelope's where it names none."""
    if isinstance(data, PowerState):
        return us_of(data.snapshot_time)
    if isinstance(data, Enforcement):
        return us_of(data.timestamp)
    return sent_us


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    specversion: str
    id: UUID
    source: str
    type: EventType
    time: datetime
    datacontenttype: str
    subject: str
    traceparent: str
    data: Any
    correlationid: UUID | None = None


def _envelope(topic: str, payload: bytes) -> tuple[dict[str, object], _Envelope]:
    """The attributes as they were written, which the signature repeats, and as they are read."""
    if len(payload) > MESSAGE_MAX_BYTES:
        raise _Refused("oversize", f"{len(payload)} bytes, at most {MESSAGE_MAX_BYTES}")
    try:
        raw = msgspec.json.decode(payload)
        read = msgspec.convert(raw, _Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Refused("envelope", f"no CloudEvents envelope: {error}") from error
    source = SOURCE.fullmatch(read.source)
    problems = [
        name
        for name, is_well in (
            ("specversion", read.specversion == SPEC_VERSION),
            ("datacontenttype", read.datacontenttype == "application/json"),
            ("traceparent", TRACE.fullmatch(read.traceparent) is not None),
            ("time", read.time.tzinfo is not None),
            ("id", read.id.version == 4),
            ("subject", read.subject == SUBJECT[read.type]),
        )
        if not is_well
    ]
    if problems:
        raise _Refused("envelope", f"{problems[0]} is not as the contract says")
    if source is None or source[1] != ROLE[read.type] or topic != topic_of(read.type, source[2]):
        raise _Refused("source", f"{read.source!r:.80} does not publish {read.type} here")
    return raw, read
