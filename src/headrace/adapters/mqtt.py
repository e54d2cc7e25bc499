"""One connection to an MQTT 3.1.1 broker: bounded both ways, without Nagle's delay, back by itself after a loss.

paho's own thread moves the bytes; asyncio sees whole messages. With QoS 1 chains, Nagle's algorithm and delayed
acknowledgements add 40 to 90 ms a message, so TCP_NODELAY is set as soon as the socket is open; the broker needs its
own (`set_tcp_nodelay true` in mosquitto). A password crosses plain TCP to this machine only.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec

from headrace.core import BadInput

__all__ = ["MqttCounts", "MqttEndpoint", "MqttLink", "MqttMessage", "Publication"]

CONNECT_TIMEOUT_S: Final = 5.0
RECONNECT_MIN_S: Final = 1
RECONNECT_MAX_S: Final = 30
IN_FLIGHT_MAX: Final = 100
"""QoS 1 and 2 messages under way at once."""
REFUSED: Final = "the broker refused"
SECRET_MAX_BYTES: Final = 8192
"""Longest password file read: a bearer token fits, a file named by mistake does not."""


class MqttEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where the broker is, who we are to it, and how much we take from it."""

    host: str
    """Name or address of the broker."""
    port: int = 8883
    """TCP port; 8883 is the registered one for TLS."""
    client_id: str
    """Unique among the broker's clients."""
    username: str = ""
    """Name to log in with; empty for none (or with a client certificate)."""
    password_file: str = ""
    """File that holds the password or token; empty for none."""
    ca_file: str = ""
    """PEM file of the authority that signed the broker's certificate; empty for plain TCP, to this machine only."""
    cert_file: str = ""
    """PEM file of our own certificate, where the broker wants one."""
    key_file: str = ""
    """PEM file of its private key."""
    keepalive_s: int = 15
    """Silence after which the broker and we ping each other, seconds."""
    queue_max: int = 1000
    """Messages that wait at most, each way; what comes beyond is dropped and counted."""
    message_max_bytes: int = 262_144
    """Longest payload that is taken; a longer one is dropped and counted."""


class MqttMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message as it came."""

    topic: str
    """Topic it was published to."""
    payload: bytes
    """Its bytes, at most `message_max_bytes`."""
    is_retained: bool
    """Did the broker keep it from earlier? It may be old."""


class MqttCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What the link did since it was made."""

    received: int
    """Messages taken."""
    oversize: int
    """Messages dropped because they were too long."""
    overflowed: int
    """Messages dropped because nobody read them in time."""
    connects: int
    """Times the broker accepted us."""
    reason: str
    """Why it is not connected; empty while it is."""


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message sent."""

    is_delivered: bool
    """Did the broker confirm it (QoS 1 and 2) or take its bytes (QoS 0)?"""
    reason: str = ""
    """Why not."""


class MqttLink:
    """A connection that is made once and kept.

    Parameters
    ----------
    endpoint
        The broker.
    password
        Password or token where it is not in `password_file`; shown nowhere.
    """

    def __init__(self, endpoint: MqttEndpoint, *, password: str | None = None) -> None:
        self.endpoint = endpoint
        self._password = password
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inbox: asyncio.Queue[MqttMessage] = asyncio.Queue(endpoint.queue_max)
        self._connected = asyncio.Event()
        self._subscriptions: dict[str, int] = {}
        self._unanswered: dict[int, asyncio.Future[None]] = {}
        self._subscribed: dict[int, asyncio.Future[None]] = {}
        self._received = self._oversize = self._overflowed = self._connects = 0
        self._reason = "not started"

    @property
    def counts(self) -> MqttCounts:
        """What happened since the start."""
        return MqttCounts(
            received=self._received,
            oversize=self._oversize,
            overflowed=self._overflowed,
            connects=self._connects,
            reason="" if self._connected.is_set() else self._reason,
        )

    async def start(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> bool:
        """Connect and keep connecting; say whether the broker accepted within `timeout_s` seconds."""
        if self._client is None:
            self._loop = asyncio.get_running_loop()
            self._client = self._new_client()
            self._reason = "no connection yet"
            self._client.connect_async(self.endpoint.host, self.endpoint.port, keepalive=self.endpoint.keepalive_s)
            self._client.loop_start()
        return await within(self._connected.wait(), timeout_s)

    async def subscribe(self, topic_filter: str, *, qos: int = 1, timeout_s: float = CONNECT_TIMEOUT_S) -> bool:
        """Ask for messages now and after every reconnection; say whether the broker confirmed it in time."""
        self._subscriptions[topic_filter] = qos
        if not self._connected.is_set():
            return False
        future = asyncio.get_running_loop().create_future()
        code, number = self._client.subscribe(topic_filter, qos)
        if code != 0 or number is None:
            return False
        self._subscribed[number] = future
        try:
            return await within(future, timeout_s)
        finally:
            self._subscribed.pop(number, None)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        is_retained: bool = False,
        timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> Publication:
        """Send one message and wait for the broker's confirmation, at most `timeout_s` seconds.

        Nothing waits for a broker that is away: an old set-point delivered late is worse than one refused now.
        """
        if not self._connected.is_set():
            return Publication(is_delivered=False, reason=self._reason)
        future = asyncio.get_running_loop().create_future()
        try:
            sent = self._client.publish(topic, payload, qos, is_retained)
        except ValueError as error:
            return Publication(is_delivered=False, reason=str(error))
        if sent.rc != 0:
            return Publication(is_delivered=False, reason="the queue to the broker is full")
        self._unanswered[sent.mid] = future
        if sent.is_published():  # confirmed by paho's thread before we could wait for it
            self._unanswered.pop(sent.mid, None)
            return Publication(is_delivered=True)
        try:
            if await within(future, timeout_s):
                return Publication(is_delivered=True)
            return Publication(is_delivered=False, reason=f"no confirmation within {timeout_s:g} s")
        finally:
            self._unanswered.pop(sent.mid, None)

    async def messages(self) -> AsyncIterator[MqttMessage]:
        """Messages as they come, one reader at a time, for ever."""
        while True:
            yield await self._inbox.get()

    async def close(self) -> None:
        """Say good-bye and stop paho's thread."""
        client, self._client = self._client, None
        if client is None:
            return
        self._connected.clear()
        self._reason = "closed"
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)

    def _new_client(self) -> Any:  # noqa: ANN401 paho is imported late: it is an extra
        from paho.mqtt import client as paho  # noqa: PLC0415
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415

        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=self.endpoint.client_id)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(IN_FLIGHT_MAX)
        client.max_queued_messages_set(self.endpoint.queue_max)
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        if (context := tls_context(self.endpoint)) is not None:
            client.tls_set_context(context)
        if self.endpoint.username:
            client.username_pw_set(self.endpoint.username, self._password or secret_of(self.endpoint.password_file))
        client.on_socket_open = lambda _client, _data, opened: no_delay(opened)
        client.on_connect = lambda _client, _data, _flags, code, _properties: self._from_thread(self._on_connect, code)
        client.on_connect_fail = lambda _client, _data: self._from_thread(
            self._on_lost, "connection refused or timed out"
        )
        client.on_disconnect = lambda _client, _data, _flags, code, _properties: self._from_thread(
            self._on_lost, str(code)
        )
        client.on_message = lambda _client, _data, message: self._from_thread(self._on_message, message)
        client.on_publish = lambda _client, _data, number, _code, _properties: self._from_thread(
            self._on_confirmed, self._unanswered, number
        )
        client.on_subscribe = lambda _client, _data, number, codes, _properties: self._from_thread(
            self._on_subscribed, number, codes
        )
        return client

    def _from_thread(self, call: Any, *values: object) -> None:  # noqa: ANN401 any of the callbacks below
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(call, *values)

    def _on_connect(self, code: Any) -> None:  # noqa: ANN401 paho's reason code
        if self._client is None:
            return
        if code.is_failure:
            self._reason = f"{REFUSED}: {code}"
            return
        self._connects += 1
        self._connected.set()
        for topic_filter, qos in self._subscriptions.items():
            self._client.subscribe(topic_filter, qos)

    def _on_lost(self, reason: str) -> None:
        if self._connected.is_set() or not self._reason.startswith(REFUSED):
            self._reason = reason
        self._connected.clear()

    def _on_message(self, message: Any) -> None:  # noqa: ANN401 paho's message
        if len(message.payload) > self.endpoint.message_max_bytes:
            self._oversize += 1
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._oversize += 1
            return
        if self._inbox.full():
            self._overflowed += 1
            return
        self._received += 1
        self._inbox.put_nowait(MqttMessage(topic=topic, payload=bytes(message.payload), is_retained=message.retain))

    def _on_confirmed(self, waiting: dict[int, asyncio.Future[None]], number: int) -> None:
        future = waiting.get(number)
        if future is not None and not future.done():
            future.set_result(None)

    def _on_subscribed(self, number: int, codes: Any) -> None:  # noqa: ANN401 paho's reason codes
        if any(code.is_failure for code in codes):
            return  # the caller's wait runs out: a refused subscription is not confirmed
        self._on_confirmed(self._subscribed, number)


async def within(what: Any, timeout_s: float) -> bool:  # noqa: ANN401 any awaitable
    """Wait for something at most `timeout_s` seconds and say whether it came."""
    try:
        await asyncio.wait_for(what, timeout_s)
    except TimeoutError:
        return False
    return True


def no_delay(opened: Any) -> None:  # noqa: ANN401 a plain, TLS or websocket socket
    """Send small packets at once."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def tls_context(endpoint: MqttEndpoint) -> ssl.SSLContext | None:
    """TLS as the endpoint asks for it; None for plain TCP to this machine.

    Raises
    ------
    BadInput
        If the broker is another machine and no authority is named, or a file can't be used.
    """
    if not endpoint.ca_file:
        if is_this_machine(endpoint.host):
            return None
        raise BadInput(
            f"mqtt {endpoint.host}", "another machine without TLS", "Name the authority's PEM file in ca_file."
        )
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_file)
        if endpoint.cert_file:
            context.load_cert_chain(endpoint.cert_file, endpoint.key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise BadInput(
            f"mqtt {endpoint.host}", f"TLS files can't be used: {error}", "Check ca_file and cert_file."
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def is_this_machine(host: str) -> bool:
    """Is `host` this machine's loopback?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secret_of(path: str) -> str | None:
    """The first line of a secret's file; None if no file is named.

    Raises
    ------
    BadInput
        If the file can't be read or is too long to be a secret. Its content is never in the message.
    """
    if not path:
        return None
    try:
        with Path(path).open("rb") as file:
            content = file.read(SECRET_MAX_BYTES + 1)
        if len(content) > SECRET_MAX_BYTES:
            raise BadInput(path, f"longer than {SECRET_MAX_BYTES} bytes", "Name a file that holds the password alone.")
        return content.decode("utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(path, f"the password can't be read ({type(error).__name__})", "Check the file.") from error
