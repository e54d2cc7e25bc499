"""Numbers in registers, SunSpec lists, telemetry over MQTT: round trips, missing values, and bytes without sense."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.adapters.devicefile.schema_equipment import RegisterSection
from headrace.adapters.equipment import ModbusLinks, MqttTelemetry
from headrace.adapters.equipment.meters import register_value
from headrace.adapters.equipment.modbus import Failure
from headrace.adapters.equipment.numbers import number_of, scaled, words_of
from headrace.adapters.equipment.sunspec import SunSpecDevice
from headrace.adapters.mqtt import MqttEndpoint, MqttLink, MqttMessage
from headrace.control.commands import Result
from headrace.sim.equipment import Field, Manners, ModbusServer, RegisterUnit
from mosquitto import broker

RANGES = {
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}


@given(st.data(), st.sampled_from(sorted(RANGES)), st.booleans())
def test_a_number_survives_its_registers(data, kind, little):
    value = data.draw(st.integers(*RANGES[kind]))
    assert number_of(words_of(value, kind, little=little), kind, little=little) == value


@given(st.lists(st.integers(0, 0xFFFF), max_size=6), st.sampled_from([*sorted(RANGES), "float32"]), st.booleans())
def test_any_registers_are_a_finite_number_or_none(words, kind, little):
    value = number_of(words, kind, little=little)
    assert value is None or math.isfinite(value)


@pytest.mark.parametrize(
    ("raw", "factor", "missing", "value"),
    [
        (-1234, 1, -0x8000, -12340.0),
        (5, -1, None, 0.5),
        (0xFFFF, 0, 0xFFFF, None),
        (5, -0x8000, None, None),
        (5, None, None, None),
    ],
)
def test_a_missing_number_or_scale_gives_none_and_never_zero(raw, factor, missing, value):
    assert scaled(raw, factor, missing=missing) == value


def test_a_number_too_large_for_its_registers_is_refused():
    with pytest.raises(ValueError, match="does not fit int16"):
        words_of(40_000, "int16")


class Words:
    """A unit that answers every register read with the same words."""

    def __init__(self, words: dict[int, int]) -> None:
        self.words = words

    def registers(self, table, address, count):
        return [self.words.get(address + i, 0) for i in range(count)]

    def set_registers(self, address, words):
        return False

    def bits(self, table, address, count):
        return None

    def set_coil(self, address, *, on):
        return False


async def served(unit, use, manners=None):
    server, links = ModbusServer({1: unit}, lambda: manners or Manners()), ModbusLinks()
    host, port = await server.listen("127.0.0.1", 0)
    try:
        return await use(links.at(host, port, timeout_s=0.2))
    finally:
        links.close()
        await server.close()


@pytest.mark.parametrize("words", ["little", "big"])
async def test_a_register_map_reads_what_the_device_holds(words):
    field = Field(
        address=7, table="input", kind="int32", is_little=words == "little", unit_per_count=0.1, value=lambda: -123456.7
    )
    register = RegisterSection(address=7, table="input", type="int32", words=words, scale=0.1)
    value = await served(RegisterUnit((field,), lambda: None), lambda link: register_value(link, register, unit=1))
    assert value == pytest.approx(-123456.7)


async def test_an_address_that_is_not_there_is_refused_with_the_devices_reason():
    register = RegisterSection(address=7)
    failure = await served(RegisterUnit((), lambda: None), lambda link: register_value(link, register, unit=1))
    assert failure == Failure(result=Result.REFUSED, reason="illegal address")


async def test_a_unit_that_is_not_there_is_named_so():
    register = RegisterSection(address=7)
    failure = await served(RegisterUnit((), lambda: None), lambda link: register_value(link, register, unit=9))
    assert failure == Failure(result=Result.REFUSED, reason="gateway: target does not respond")


async def test_nobody_listening_is_unreachable():
    link = ModbusLinks().at("127.0.0.1", 1, timeout_s=0.2)
    failure = await register_value(link, RegisterSection(address=0), unit=1)
    assert failure == Failure(result=Result.UNREACHABLE, reason="no connection")


async def test_after_a_silence_the_next_answer_is_its_own():
    manners = [Manners(delay_s=0.3)]
    field = Field(address=0, table="holding", kind="uint16", is_little=False, unit_per_count=1.0, value=lambda: 42.0)
    server, links = ModbusServer({1: RegisterUnit((field,), lambda: None)}, lambda: manners[0]), ModbusLinks()
    host, port = await server.listen("127.0.0.1", 0)
    link = links.at(host, port, timeout_s=0.2)
    late = await register_value(link, RegisterSection(address=0, type="uint16"), unit=1)
    assert isinstance(late, Failure)
    assert late.result is Result.MUTE
    manners[0] = Manners()
    assert await register_value(link, RegisterSection(address=0, type="uint16"), unit=1) == 42.0
    links.close()
    await server.close()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({}, "is no SunSpec device"),
        ({40_000: 0x5375, 40_001: 0x6E53}, "has no end"),
        ({40_000: 0x5375, 40_001: 0x6E53, 40_002: 1, 40_003: 0xFFFF}, "has no end"),
        ({40_000: 0x5375, 40_001: 0x6E53, 40_002: 0xFFFF}, "has no SunSpec model 203"),
    ],
)
async def test_a_device_with_a_senseless_list_of_models_gives_a_reason(words, reason):
    values = await served(Words(words), lambda link: SunSpecDevice(link, 1).values(203, ["W"]))
    assert isinstance(values, Failure)
    assert reason in values.reason


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00" * 600,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x01\x00\x00\xff\xff\x01",
        b"\x00\x01\x00\x00\x00\x03\x01\x63\x00",  # a function code that is none
        b"\x00\x01\x00\x00\x00\x03\x01\x03\xfa",  # fewer registers than it says
        b"",
    ],
)
async def test_bytes_that_are_no_modbus_give_a_reason_and_no_noise(junk):
    noise = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context["message"]))

    async def talk(reader, writer):
        await reader.read(64)
        writer.write(junk)
        await writer.drain()
        if not junk:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    link = ModbusLinks().at("127.0.0.1", server.sockets[0].getsockname()[1], timeout_s=0.2)
    failure = await register_value(link, RegisterSection(address=0), unit=1)
    assert isinstance(failure, Failure)
    assert failure.reason
    assert noise == []
    link.close()
    server.close()


def telemetry() -> MqttTelemetry:
    return MqttTelemetry(MqttLink(MqttEndpoint(host="127.0.0.1", port=1, client_id="t")), "site", lambda: 0)


def message(topic: str, payload: bytes) -> MqttMessage:
    return MqttMessage(topic=topic, payload=payload, is_retained=False)


def test_telemetry_keeps_the_newest_of_every_name():
    heard = telemetry()
    heard.take(message("site/counter/work_ph.hall A", b'{"at_us": 2, "total": 7}'))
    heard.take(message("site/counter/work_ph.hall A", b'{"at_us": 1, "total": 5}'))
    heard.take(message("site/meter/A", b'{"at_us": 3, "power_w": -12, "soc_ratio": 0.5, "more": []}'))
    assert [(each.name, each.total) for each in heard.counters()] == [("work_ph.hall A", 7)]
    assert [(each.meter, each.power_w, each.soc_ratio) for each in heard.meters()] == [("A", -12, 0.5)]
    assert heard.refused == 0


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"[]", b'{"at_us": 1, "total": -1}', b'{"at_us": 1, "total": 1e400}', b'{"at_us": "x"}', b"\xff"],
)
def test_telemetry_that_makes_no_sense_is_counted_and_dropped(payload):
    heard = telemetry()
    heard.take(message("site/counter/x", payload))
    assert heard.counters() == []
    assert heard.refused == 1


@pytest.mark.parametrize(
    "payload",
    [
        b'{"at_us": 99000000000, "power_w": 5}',  # from a time to come: it would outlast every true reading
        b'{"at_us": 9' + b"0" * 40 + b', "power_w": 5}',
        b'{"at_us": 2, "power_w": 1' + b"0" * 400 + b"}",
        b'{"at_us": 2, "power_w": -200000000000}',
        b'{"at_us": 2, "power_w": 5, "soc_ratio": 1.5}',
        b'{"at_us": 2, "power_w": 5, "x": ' + b"[" * 50_000,
    ],
)
def test_a_reading_that_cannot_be_leaves_the_true_one_standing(payload):
    heard = telemetry()
    heard.take(message("site/meter/A", b'{"at_us": 1, "power_w": 7}'))
    heard.take(message("site/meter/A", payload))
    assert [each.power_w for each in heard.meters()] == [7]
    heard.take(message("site/meter/A", b'{"at_us": 3, "power_w": 8}'))
    assert [each.power_w for each in heard.meters()] == [8]
    assert heard.refused == 1


@given(st.binary(max_size=80), st.sampled_from(["meter", "counter", "temperature", "else"]))
def test_no_bytes_break_telemetry(payload, kind):
    heard = telemetry()
    heard.take(message(f"site/{kind}/x", payload))


async def test_telemetry_comes_over_a_real_broker(tmp_path):
    with broker(tmp_path) as port:
        heard = MqttTelemetry(MqttLink(MqttEndpoint(host="127.0.0.1", port=port, client_id="site")), "edge", lambda: 0)
        speaker = MqttLink(MqttEndpoint(host="127.0.0.1", port=port, client_id="gateway"))
        assert await heard.start()
        assert await speaker.start()
        await speaker.publish("edge/counter/it_wh", b'{"at_us": 5, "total": 12}')
        await speaker.publish("edge/temperature/outdoor", b'{"at_us": 5, "temp_c": 21.5}')
        async with asyncio.timeout(5.0):
            while not heard.temperatures():
                await asyncio.sleep(0.01)
        assert [(each.name, each.total) for each in heard.counters()] == [("it_wh", 12)]
        assert heard.temperatures() == [("outdoor", 5, 21.5)]
        await speaker.close()
        await heard.close()
