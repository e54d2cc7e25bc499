"""The outdoor temperature that PUE follows is the site's own sensor's: over Modbus, beside weather, or silent."""

import asyncio

import numpy as np
import pytest

from equipment_rigs import SITES, SteppedClock, edge_site, edge_text
from headrace.adapters.devicefile import parse_devices
from headrace.adapters.equipment import Bms, ModbusLinks
from headrace.app.simulating import SimulatedSite
from headrace.dispatch.outlook import expected
from headrace.dispatch.policies import AlwaysOn
from headrace.energy import Series
from headrace.engine.live.book import FeedBook
from headrace.engine.live.feeds import FeedNews, RecordedFeeds
from headrace.engine.live.measured import MeasuredTemperature, OutdoorReading
from headrace.engine.live.moment import moment_of, sight_of
from headrace.engine.live.records import Alarmed, Arrived, Decided
from headrace.engine.live.site import LiveSite
from headrace.engine.live.solver import InlineSolver
from headrace.sim.world import Conditions, World
from live_cases import Campus

STEP_S = 300
HOUR_S = 3600
START_S = 1_707_000_000 // HOUR_S * HOUR_S


class NoFeeds:
    is_prompt = True

    async def news(self, book, now_s, at_us):
        return FeedNews(arrived=(), failed={})


def weather(first_c: float, hours: int = 6) -> Series:
    """Hourly weather that is known an hour ahead."""
    values = first_c + np.arange(hours, dtype=float)
    known_s = START_S + HOUR_S * (np.arange(hours, dtype=np.int64) - 1)
    return Series(
        name="temperature", unit="c", step_s=HOUR_S, start_s=START_S, values=values, known_s=known_s, source="w"
    )


class Sensor:
    def __init__(self, temp_c):
        self.temp_c = temp_c
        self.asked = 0

    async def read(self):
        self.asked += 1
        reason = "" if self.temp_c is not None else "no connection"
        return OutdoorReading(temp_c=self.temp_c, reason=reason)


def told(feeds, book, *times_s) -> list[FeedNews]:
    """News at each of these times, taken in."""

    async def ask():
        found = []
        for now_s in times_s:
            found.append(await feeds.news(book, now_s, now_s * 1_000_000))
            for each in found[-1].arrived:
                book.absorb(each)
        return found

    return asyncio.run(ask())


def test_the_first_reading_of_an_interval_is_its_value_and_known_when_it_was_read():
    sensor, book = Sensor(31.4), FeedBook()
    feeds = MeasuredTemperature(NoFeeds(), sensor.read, step_s=STEP_S)
    first, second, third = told(feeds, book, START_S + 2, START_S + 62, START_S + 302)
    (record,) = first.arrived
    assert (record.values[-1], record.known_s[-1], record.step_s) == (31.4, START_S + 2, STEP_S)
    assert (second.arrived, sensor.asked) == ((), 2)
    assert third.arrived[0].values == (31.4,)
    assert book.series("temperature").at(START_S + 10) == 31.4


def test_a_silent_sensor_is_told_and_the_weather_stands_in():
    sensor, book = Sensor(None), FeedBook()
    feeds = MeasuredTemperature(RecordedFeeds({"temperature": weather(5.0)}, {}), sensor.read, step_s=STEP_S)
    (news,) = told(feeds, book, START_S + 1)
    assert news.failed == {"temperature.sensor": "no connection"}
    assert book.series("temperature").at(START_S + 10) == 5.0
    sensor.temp_c = 9.0
    again, later = told(feeds, book, START_S + 61, START_S + HOUR_S + 1)
    assert again.failed == {}
    series = book.series("temperature")
    assert [series.at(START_S + at_s) for at_s in (0, 300, HOUR_S, HOUR_S + 300)] == [9.0, 5.0, 9.0, 6.0]
    assert sum(len(each.values) for each in later.arrived) < 30  # the weather is told once, not at every look


def test_what_was_measured_is_not_replaced_by_the_weather_after_a_restart():
    book = FeedBook()
    told(MeasuredTemperature(NoFeeds(), Sensor(20.0).read, step_s=STEP_S), book, START_S + 1)
    again = MeasuredTemperature(RecordedFeeds({"temperature": weather(5.0)}, {}), Sensor(None).read, step_s=STEP_S)
    told(again, book, START_S + 301)
    series = book.series("temperature")
    assert [series.at(START_S), series.at(START_S + 300)] == [20.0, 5.0]


@pytest.mark.parametrize("temp_c", [36.5, -5.0])
def test_what_a_modbus_sensor_says_moves_the_pue_that_machines_are_steered_by(tmp_path, temp_c):
    """The real door reads the simulated site's registers; the engine runs on a simulated clock beside it."""
    text = edge_text().replace("127.12.0.", "127.44.0.")
    clock = SteppedClock()
    devices = parse_devices(text, SITES / "edge_500kw.devices.toml", edge_site())
    conditions = Conditions(temp_c=temp_c)
    site = SimulatedSite(
        World(edge_site().site, devices.inventory, start_us=clock.now_us(), conditions=conditions), devices, clock
    )
    links = ModbusLinks()
    bms = Bms(devices.file.bms, links, clock.now_us)
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)
    campus.series = {role: each for role, each in campus.series.items() if role != "temperature"}

    async def read():
        found = await bms.outdoor()
        return OutdoorReading(temp_c=found.temp_c, reason=found.reason)

    async def whole() -> LiveSite:
        await site.listen()
        _, engine = campus.engine()
        recorded = RecordedFeeds(campus.series, dict.fromkeys(campus.series, 15 * 86_400))
        feeds = MeasuredTemperature(recorded, read, step_s=STEP_S)
        live = LiveSite(engine, solver=InlineSolver(AlwaysOn()), feeds=feeds)
        moving = asyncio.ensure_future(campus.clock.run())
        await live.run(campus.clock.now_s() + 700.0)
        moving.cancel()
        links.close()
        await site.close()
        return live

    live = asyncio.run(whole())
    records = campus.records()
    measured = [each for each in records if isinstance(each, Arrived) and each.role == "temperature"]
    assert measured[0].values[-1] == pytest.approx(temp_c)
    assert not [each for each in records if isinstance(each, Alarmed) and "temperature" in each.code and each.is_up]
    assert [each for each in records if isinstance(each, Decided)]
    state = live._engine.state
    sight = sight_of(state, moment_of(state.model.site, state.decision.at_s))
    seen = expected(state.model, sight.inputs, sight.now_s, np.array([sight.now_s]), np.array([STEP_S / 3600.0]))
    assert float(seen.temp_c[0]) == pytest.approx(temp_c, abs=0.2)
