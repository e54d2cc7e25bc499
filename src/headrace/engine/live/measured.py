"""The outdoor temperature as the site's own sensor measures it, in place of the weather feed's, on the control step.

The first reading in each control interval is that interval's value, known when it was read. Where the sensor has said
nothing the weather feed's values stand, its forecast included; without one what forecasts make of the last values, and
in the end the reference temperature. A silent sensor is an alarm.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import numpy as np

from headrace.energy import Series
from headrace.engine.live.book import FeedBook, arrival
from headrace.engine.live.feeds import FeedDoor, FeedNews
from headrace.engine.live.records import Arrived

__all__ = ["ROLE", "MeasuredTemperature", "OutdoorReading"]

ROLE: Final = "temperature"
"""Role that PUE is read from."""
SENSOR: Final = "temperature.sensor"
"""Under which name a silent sensor is told."""
HISTORY_S: Final = 15 * 86_400
"""Grid that an empty book is given before the first reading, seconds: weather that comes later fits into it."""


class OutdoorReading(msgspec.Struct, frozen=True, kw_only=True):
    """What the sensor says."""

    temp_c: float | None
    """Temperature, °C; None if it has none."""
    reason: str = ""
    """Why it has none."""


class MeasuredTemperature:
    """A feed door whose temperature is measured.

    Parameters
    ----------
    feeds
        Where everything else comes from.
    read
        Asks the sensor.
    step_s
        Control step, seconds.
    """

    def __init__(self, feeds: FeedDoor, read: Callable[[], Awaitable[OutdoorReading]], *, step_s: int) -> None:
        self.is_prompt = feeds.is_prompt
        self._feeds = feeds
        self._read = read
        self._step_s = step_s
        self._measured_s = -1
        self._weather = _Weather()

    async def news(self, book: FeedBook, now_s: int, at_us: int) -> FeedNews:
        """What the feeds have, and what the sensor says if this interval has no reading yet."""
        self._weather.others = book
        news = await self._feeds.news(self._weather, now_s, at_us)
        arrived, failed = [], dict(news.failed)
        for each in news.arrived:
            if each.role != ROLE:
                arrived.append(each)
                continue
            self._weather.own.absorb(each)
            arrived += _filling(each, book, self._step_s, now_s)
        interval_s = now_s // self._step_s * self._step_s
        if interval_s > self._measured_s:
            reading = await self._read()
            if reading.temp_c is None:
                failed[SENSOR] = reading.reason or "it has no value"
            else:
                self._measured_s = interval_s
                arrived += [_measurement(book, interval_s, reading.temp_c, self._step_s, now_s, at_us)]
        return FeedNews(arrived=tuple(arrived), failed=failed)


class _Weather(FeedBook):
    """The book as the feeds see it: their temperature is what they brought, not what the sensor said."""

    def __init__(self) -> None:
        super().__init__()
        self.own = FeedBook()
        self.others = FeedBook()

    def series(self, role: str) -> Series | None:
        return self.own.series(role) if role == ROLE else self.others.series(role)


def _measurement(book: FeedBook, at_s: int, temp_c: float, step_s: int, now_s: int, at_us: int) -> Arrived:
    """One interval's value, known when it was read; the first brings an empty grid for what weather may yet come."""
    empty = 0 if book.series(ROLE) is not None else HISTORY_S // step_s
    return Arrived(
        at_us=at_us,
        role=ROLE,
        unit="c",
        step_s=step_s,
        start_s=at_s - empty * step_s,
        values=(*(None,) * empty, temp_c),
        known_s=(*(at_s - HISTORY_S,) * empty, now_s),
        source="site sensor",
    )


def _filling(came: Arrived, book: FeedBook, step_s: int, now_s: int) -> list[Arrived]:
    """What of the weather's news the book has nothing for, on the control step."""
    starts_s = np.arange(
        came.start_s // step_s * step_s, came.start_s + len(came.values) * came.step_s, step_s, dtype=np.int64
    )
    of = np.clip((starts_s - came.start_s) // came.step_s, 0, len(came.values) - 1)
    values = np.array([np.nan if value is None else value for value in came.values], float)[of]
    known_s = np.array(came.known_s, np.int64)[of]
    held = book.series(ROLE)
    if held is not None and held.step_s == step_s:
        values[~np.isnan(held.onto(starts_s))] = np.nan
    series = Series(
        name=ROLE,
        unit=came.unit,
        step_s=step_s,
        start_s=int(starts_s[0]),
        values=values,
        known_s=known_s,
        source=came.source,
    )
    found = arrival(ROLE, series, since=held, now_s=now_s, at_us=came.at_us)
    return [] if found is None or all(value is None for value in found.values) else [found]
