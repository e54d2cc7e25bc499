"""Telemetry over MQTT: the newest power, total and temperature of everything that publishes.

Topics below the prefix of the device file, each payload one JSON object:

    PREFIX/meter/NAME         {"at_us": 1700000000000000, "power_w": -1200, "soc_ratio": 0.5}
    PREFIX/counter/NAME       {"at_us": 1700000000000000, "total": 12345}
    PREFIX/temperature/NAME   {"at_us": 1700000000000000, "temp_c": 21.5}

NAME is the last level and may hold dots and spaces. What can't be read is counted and dropped; what is older than
the last of its name too, so a retained message never brings the past back.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from headrace.adapters.mqtt import MqttLink, MqttMessage
from headrace.control.readings import CounterReading, MeterReading

__all__ = ["MqttTelemetry"]

NAMES_MAX: Final = 10_000
"""Most names of a kind that are kept: a broker full of junk does not fill the memory."""
AHEAD_MAX_US: Final = 60_000_000
"""How far a publisher's clock may be ahead of ours: what comes from further ahead would outlast every true reading."""
POWER_MAX_W: Final = 100_000_000_000
"""More than any meter shows."""
TOTAL_MAX: Final = 2**63 - 1


class _Meter(msgspec.Struct, frozen=True):
    at_us: int
    power_w: int
    soc_ratio: float | None = None


class _Counter(msgspec.Struct, frozen=True):
    at_us: int
    total: int


class _Temperature(msgspec.Struct, frozen=True):
    at_us: int
    temp_c: float


_SHAPES: Final[dict[str, type[_Meter] | type[_Counter] | type[_Temperature]]] = {
    "meter": _Meter,
    "counter": _Counter,
    "temperature": _Temperature,
}


class MqttTelemetry:
    """Listens to a site's telemetry.

    Parameters
    ----------
    link
        Connection to the broker; this is its only reader.
    prefix
        First part of the topics.
    now_us
        The site's clock, epoch microseconds.
    """

    def __init__(self, link: MqttLink, prefix: str, now_us: Callable[[], int]) -> None:
        self._link = link
        self._prefix = prefix
        self._now_us = now_us
        self._meters: dict[str, _Meter] = {}
        self._counters: dict[str, _Counter] = {}
        self._temperatures: dict[str, _Temperature] = {}
        self._reader: asyncio.Task[None] | None = None
        self.refused = 0
        """Messages that could not be used."""

    async def start(self) -> bool:
        """Connect and listen; says whether the broker has confirmed it."""
        is_connected = await self._link.start()
        is_heard = await self._link.subscribe(f"{self._prefix}/+/+")
        if self._reader is None:
            self._reader = asyncio.create_task(self._listen())
        return is_connected and is_heard

    async def close(self) -> None:
        """Stop listening."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
        await self._link.close()

    def meters(self) -> list[MeterReading]:
        """Newest reading of every meter."""
        return [
            MeterReading(meter=name, at_us=each.at_us, power_w=each.power_w, soc_ratio=each.soc_ratio)
            for name, each in self._meters.items()
        ]

    def counters(self) -> list[CounterReading]:
        """Newest total of every counter."""
        return [CounterReading(name=name, at_us=each.at_us, total=each.total) for name, each in self._counters.items()]

    def temperatures(self) -> list[tuple[str, int, float]]:
        """Newest temperature of every sensor: name, epoch microseconds, °C."""
        return [(name, each.at_us, each.temp_c) for name, each in self._temperatures.items()]

    def take(self, message: MqttMessage) -> None:
        """Take in one message; one that can't be used is counted."""
        kind, _, name = message.topic.removeprefix(f"{self._prefix}/").partition("/")
        shape = _SHAPES.get(kind)
        if shape is None or not name:
            self.refused += 1
            return
        try:
            value = msgspec.json.decode(message.payload, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.refused += 1
            return
        kept: dict[str, object] = {"meter": self._meters, "counter": self._counters, "temperature": self._temperatures}[
            kind
        ]  # type: ignore[assignment]
        last = kept.get(name)
        is_ahead = value.at_us > self._now_us() + AHEAD_MAX_US
        if (last is None and len(kept) >= NAMES_MAX) or is_ahead or not _is_sane(value):
            self.refused += 1
        elif last is None or value.at_us >= last.at_us:  # type: ignore[attr-defined]
            kept[name] = value

    async def _listen(self) -> None:
        async for message in self._link.messages():
            self.take(message)


def _is_sane(value: _Meter | _Counter | _Temperature) -> bool:
    """Within what can be: JSON has no infinities, but ranges of its own."""
    match value:
        case _Meter():
            is_power = -POWER_MAX_W <= value.power_w <= POWER_MAX_W
            return is_power and (value.soc_ratio is None or 0.0 <= value.soc_ratio <= 1.0)
        case _Counter():
            return 0 <= value.total <= TOTAL_MAX
        case _Temperature():
            return -100.0 < value.temp_c < 200.0
