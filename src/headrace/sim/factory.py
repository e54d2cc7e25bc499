"""A simulated AI factory that speaks DSX Flex: verifies load targets, moves its feeds, reports and warns.

Written from the contract alone and sharing no code with the controller it talks to, so that each checks the other.
What a feed draws is up to the mover it is given: numbers, or real processes that are stopped.
"""

import hashlib
import json
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

__all__ = ["Feed", "MockFactory"]

MW_PER: Final = {"watt": 1e-6, "kilowatt": 1e-3, "megawatt": 1.0}
TARGET_TYPE: Final = "grid.loadtarget.set.v1"
AGE_MAX_S: Final = 60.0
MESSAGE_MAX_BYTES: Final = 262_144
TICK_S: Final = 0.02
ENVELOPE: Final = ("specversion", "id", "source", "type", "time", "datacontenttype", "subject", "traceparent", "data")


class Refused(Exception):
    """A message that the factory does not obey; `args` are its kind and why."""


class Feed:
    """One feed of the factory.

    Parameters
    ----------
    tag
        Its name.
    full_mw, least_mw
        Power without a target, and least power, MW.
    move
        Brings the feed to at most so many MW and returns what it then draws, MW.
    """

    def __init__(self, tag: str, *, full_mw: float, least_mw: float, move: Callable[[float], float]) -> None:
        self.tag = tag
        self.full_mw = full_mw
        self.least_mw = least_mw
        self.move = move
        self.load_mw = full_mw
        self.targets: list[dict[str, Any]] = []
        self.event_start: str | None = None
        self.breach: dict[str, Any] | None = None

    def active(self, now: datetime) -> dict[str, Any] | None:
        """The target in force: the newest whose time it is."""
        held = [each for each in self.targets if each["from"] <= now and (each["to"] is None or now < each["to"])]
        return held[-1] if held else None


class MockFactory:
    """A DSX Flex agent.

    Parameters
    ----------
    agent
        Its identifier.
    host, port
        The broker.
    key
        Its private P-256 key.
    key_id
        The key's name.
    clients
        Public keys of those it obeys, by (source, key id).
    feeds
        What it feeds.
    now_s
        Its clock, epoch seconds.
    period_s
        Time between its periodic statuses, seconds; 0 for none.
    """

    def __init__(
        self,
        agent: str,
        *,
        host: str,
        port: int,
        key: Any,  # noqa: ANN401 a key of cryptography, an extra
        key_id: str,
        clients: dict[tuple[str, str], Any],
        feeds: list[Feed],
        now_s: Callable[[], float],
        period_s: float = 0.0,
    ) -> None:
        self.agent = agent
        self.feeds = {feed.tag: feed for feed in feeds}
        self.refused: Counter[str] = Counter()
        """Messages refused, by kind."""
        self._address = (host, port)
        self._key = key
        self._key_id = key_id
        self._clients = clients
        self._now_s = now_s
        self._period_s = period_s
        self._seen: dict[str, float] = {}
        self._count = 0
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick_for_ever, daemon=True)
        self._client: Any = None

    def start(self) -> None:
        """Connect, subscribe and begin to watch the clock."""
        from jwt import api_jws  # noqa: F401, PLC0415 an extra, and slow to load in the first message
        from paho.mqtt import client as paho  # noqa: PLC0415 an extra
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415

        ready = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"factory-{self.agent}")
        client.on_socket_open = lambda _c, _d, opened: _no_delay(opened)
        client.on_connect = lambda c, _d, _f, _r, _p: c.subscribe("grid/v1/isv/+/loadtarget/set", 1)
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = lambda _c, _d, message: self.hear(message.topic, bytes(message.payload))
        client.connect(*self._address)
        client.loop_start()
        self._client = client
        if not ready.wait(5.0):
            raise TimeoutError("the broker did not confirm the factory's subscription within 5 s")
        self._ticker.start()

    def close(self) -> None:
        """Disconnect."""
        self._stop.set()
        if self._ticker.is_alive():
            self._ticker.join(5.0)
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def hear(self, topic: str, payload: bytes) -> None:
        """Obey one message, or refuse it and count why."""
        try:
            envelope, data = self._verified(topic, payload)
            targets = [self._read_target(each, envelope) for each in data["targets"]]
        except Refused as refusal:
            self.refused[str(refusal.args[0])] += 1
            return
        correlation = envelope.get("correlationid") or envelope["id"]
        with self._lock:
            for tags, target in targets:
                for tag in tags:
                    self._put(self.feeds[tag], target)
            asked = {tag: "target_set" for tags, _ in targets for tag in tags}
            self._publish_state(asked, correlation, in_flight=True)
            self._settle(asked, correlation)

    def measure(self, tag: str, measured_mw: float) -> None:
        """Tell the factory what its own meter shows of a feed: it warns of a breach, escalates it and resolves it."""
        with self._lock:
            feed = self.feeds[tag]
            active = feed.active(self._now())
            limit_mw = active["mw"] if active is not None else None
            excess = 0.0 if limit_mw is None else measured_mw / limit_mw - 1.0
            if excess <= 0.02:
                if feed.breach is not None:
                    self._publish_breach(feed, "resolved", measured_mw)
                    feed.breach = None
                return
            severity = "critical" if excess > 0.2 else "warning"
            if feed.breach is None:
                feed.breach = {"id": self._uuid(), "at": self._iso(), "target": active, "severity": severity}
                self._publish_breach(feed, "active", measured_mw)
            elif severity == "critical" and feed.breach["severity"] == "warning":
                feed.breach["severity"] = severity
                self._publish_breach(feed, "escalated", measured_mw)

    def _verified(self, topic: str, payload: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
        from jwt import api_jws  # noqa: PLC0415 an extra
        from jwt.exceptions import PyJWTError  # noqa: PLC0415

        if len(payload) > MESSAGE_MAX_BYTES:
            raise Refused("oversize", f"{len(payload)} bytes")
        try:
            envelope = json.loads(payload)
            if not isinstance(envelope, dict) or any(not isinstance(envelope.get(name), str) for name in ENVELOPE):
                raise ValueError
            sent = datetime.fromisoformat(envelope["time"])
            is_version_4 = uuid.UUID(envelope["id"]).version == 4
        except (ValueError, RecursionError) as error:
            raise Refused("envelope", "no CloudEvents envelope") from error
        source = envelope["source"]
        if (
            envelope["type"] != TARGET_TYPE
            or envelope["specversion"] != "1.0.2"
            or not is_version_4
            or sent.tzinfo is None
        ):
            raise Refused("envelope", "not as the contract says")
        if topic != f"{source.removeprefix('//')}/loadtarget/set":
            raise Refused("source", f"{source} on {topic}")
        try:
            header = api_jws.get_unverified_header(envelope["data"])
            key = self._clients[source, header.get("kid", "")]
        except (PyJWTError, ValueError) as error:
            raise Refused("unsigned", "no signature") from error
        except KeyError as error:
            raise Refused("key", "unknown key") from error
        try:
            body = api_jws.decode(envelope["data"], key, algorithms=["ES256"])
        except (PyJWTError, ValueError) as error:
            raise Refused("signature", "the signature does not hold") from error
        bound = header.get("ce")
        names = ("id", "source", "type", "time", "correlationid")
        if not isinstance(bound, dict) or any(bound.get(name) != envelope.get(name) for name in names):
            raise Refused("binding", "the signature is for another envelope")
        now_s = self._now_s()
        if abs(now_s - sent.timestamp()) > AGE_MAX_S:
            raise Refused("expired", envelope["time"])
        self._seen = {key: at for key, at in self._seen.items() if now_s - at < 2 * AGE_MAX_S}
        if envelope["id"] in self._seen:
            raise Refused("replay", envelope["id"])
        self._seen[envelope["id"]] = now_s
        return envelope, _checked(body)

    def _read_target(self, asked: dict[str, Any], envelope: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
        tags = asked.get("feed_tags") or list(self.feeds)
        if any(tag not in self.feeds for tag in tags):
            raise Refused("feed", f"no such feed: {tags}")
        constraint, span = asked["load_constraint"], asked["interval"]
        start, end = span.get("start_time"), span.get("end_time")
        return tags, {
            "mw": None if constraint is None else constraint["value"] * MW_PER[constraint["unit"]],
            "from": self._now() if start is None else datetime.fromisoformat(start),
            "to": None if end is None else datetime.fromisoformat(end),
            "interval": span,
            "strategy": {"best_effort": False} | asked.get("strategy", {}),
            "correlation": envelope.get("correlationid") or envelope["id"],
        }

    def _put(self, feed: Feed, target: dict[str, Any]) -> None:
        """A target without an end replaces what holds; none at all takes everything off."""
        if target["mw"] is None or target["to"] is None:
            feed.targets = [each for each in feed.targets if each["from"] > target["from"]]
        if target["mw"] is not None:
            feed.targets.append(target)

    def _settle(self, asked: dict[str, str], correlation: str) -> None:
        """Bring every feed to what now holds; say so of those that moved and those just asked."""
        now = self._now()
        events = dict(asked)
        for feed in self.feeds.values():
            feed.targets = [each for each in feed.targets if each["to"] is None or now < each["to"]]
            active = feed.active(now)
            allowed_mw = feed.full_mw if active is None else max(active["mw"], feed.least_mw)
            if abs(allowed_mw - feed.load_mw) > 1e-9:
                events[feed.tag] = "end_ramp_down" if allowed_mw < feed.load_mw else "end_ramp_up"
                feed.event_start = self._iso() if active is not None else None
                feed.load_mw = feed.move(allowed_mw)
        if events:
            self._publish_state(events, correlation, in_flight=False)

    def _tick_for_ever(self) -> None:
        last_s = self._now_s()
        while not self._stop.wait(TICK_S):
            with self._lock:
                self._settle({}, "")
                if self._period_s > 0.0 and self._now_s() - last_s >= self._period_s:
                    last_s = self._now_s()
                    self._publish_state(dict.fromkeys(self.feeds, "periodic"), "", in_flight=False)

    def _publish_state(self, events: dict[str, str], correlation: str, *, in_flight: bool) -> None:
        now = self._now()
        feeds = {tag: self._state(self.feeds[tag], event, now, in_flight) for tag, event in events.items()}
        data = {"snapshot_time": self._iso(), "feeds": feeds}
        self._send("powerstate/status", "grid.powerstate.status.v1", "powerstate", data, correlation, qos=1)

    def _state(self, feed: Feed, event: str, now: datetime, in_flight: bool) -> dict[str, Any]:
        active = feed.active(now)
        state = {
            "metadata": {
                "power_minimum": _mw(feed.least_mw),
                "power_maximum": _mw(feed.full_mw),
                "default_constraint": _mw(feed.full_mw),
            },
            "targets": [
                {
                    "active": each is active,
                    "load_constraint": _mw(each["mw"]),
                    "interval": each["interval"],
                    "strategy": each["strategy"],
                    "correlation_id": each["correlation"],
                }
                for each in feed.targets
            ],
            "calculated_load": _mw(feed.load_mw),
            "in_flight": in_flight,
            "event": event,
            "compliant": active is None or feed.load_mw <= active["mw"] + 1e-9,
        }
        return state if feed.event_start is None else state | {"power_event_start_time": feed.event_start}

    def _publish_breach(self, feed: Feed, status: str, measured_mw: float) -> None:
        breach = feed.breach
        assert breach is not None
        data: dict[str, Any] = {
            "feed_tag": feed.tag,
            "status": status,
            "severity": breach["severity"],
            "breach": {"breach_id": breach["id"], "detected_at": breach["at"]},
            "target": {
                "correlation_id": breach["target"]["correlation"],
                "load_constraint": _mw(breach["target"]["mw"]),
            },
            "measured_load": _mw(measured_mw),
            "infrastructure_actions": [],
        }
        if status == "resolved":
            data["breach"]["resolved_at"] = self._iso()
        else:
            data["shed_hints"] = [
                {"resource_id": f"{feed.tag}-n0", "resource_type": "node", "action": "suspend", "priority": 1},
                {
                    "resource_id": f"{feed.tag}-n1",
                    "resource_type": "node",
                    "action": "power_cap",
                    "priority": 2,
                    "target_power": _mw(feed.least_mw),
                },
            ]
            data["infrastructure_actions"] = ["SHUTDOWN_NODES", "SHUTDOWN_RACKS", "CUT_DATA_FEEDS", "TRIP_BREAKERS"]
        correlation = breach["target"]["correlation"]
        self._send("powerbreach", "grid.powerbreach.alert.v1", "powerbreach", data, correlation, qos=2)

    def _send(self, tail: str, type_: str, subject: str, data: dict[str, Any], correlation: str, *, qos: int) -> None:
        from jwt import api_jws  # noqa: PLC0415 an extra

        source = f"//grid/v1/dsx-flex-agent/{self.agent}"
        trace = hashlib.sha256(f"{source}{self._count}".encode()).hexdigest()
        envelope = {
            "specversion": "1.0.2",
            "id": self._uuid(),
            "source": source,
            "type": type_,
            "time": self._iso(),
            "datacontenttype": "application/json",
            "subject": subject,
            "traceparent": f"00-{trace[:32]}-{trace[:16]}-01",
        }
        if correlation:
            envelope["correlationid"] = correlation
        envelope["data"] = api_jws.encode(
            json.dumps(data).encode(), self._key, algorithm="ES256", headers={"kid": self._key_id}
        )
        if self._client is not None:
            self._client.publish(f"{source.removeprefix('//')}/{tail}", json.dumps(envelope), qos)

    def _uuid(self) -> str:
        self._count += 1
        digest = hashlib.sha256(f"{self.agent}|{self._now_s()}|{self._count}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def _now(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self._now_s())

    def _iso(self) -> str:
        return self._now().isoformat()


def _no_delay(opened: Any) -> None:  # noqa: ANN401 paho's kinds of socket
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _mw(power_mw: float) -> dict[str, Any]:
    return {"value": power_mw, "unit": "megawatt"}


def _checked(body: bytes) -> dict[str, Any]:
    """The data of a load target, as the contract says or refused."""
    try:
        data = json.loads(body)
        targets = data["targets"]
        if not isinstance(targets, list) or not targets:
            raise ValueError("targets")
        for target in targets:
            for name in ("start_time", "end_time"):
                if name in target["interval"] and datetime.fromisoformat(target["interval"][name]).tzinfo is None:
                    raise ValueError(name)
            constraint = target["load_constraint"]
            if constraint is not None and not (
                isinstance(constraint["value"], int | float)
                and constraint["value"] >= 0
                and constraint["unit"] in MW_PER
            ):
                raise ValueError("load_constraint")
            if not all(isinstance(tag, str) for tag in target.get("feed_tags", [])):
                raise ValueError("feed_tags")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused("schema", str(error)) from error
    return data  # type: ignore[no-any-return]  # checked above
