"""Outdoor temperature: what the world has is what building management says, over Modbus and over MQTT."""

import asyncio

import pytest

from equipment_rigs import SITES, SteppedClock, edge_site, edge_text
from headrace.adapters.devicefile import parse_devices
from headrace.adapters.equipment import Bms, ModbusLinks, MqttTelemetry
from headrace.adapters.mqtt import MqttEndpoint, MqttLink
from headrace.app.sim_telemetry import SimTelemetry
from headrace.app.simulating import SimulatedSite
from headrace.sim.world import Conditions, World
from mosquitto import broker


def made(text: str, clock: SteppedClock, temp_c: float):
    devices = parse_devices(text, SITES / "edge_500kw.devices.toml", edge_site())
    conditions = Conditions(temp_c=temp_c)
    return devices, World(edge_site().site, devices.inventory, start_us=clock.now_us(), conditions=conditions)


@pytest.mark.parametrize("temp_c", [31.4, -12.3])
async def test_the_outdoor_sensor_says_what_the_weather_is(temp_c):
    clock, links = SteppedClock(), ModbusLinks()
    devices, world = made(edge_text().replace("127.12.0.", "127.43.0."), clock, temp_c)
    site = SimulatedSite(world, devices, clock)
    await site.listen()
    try:
        bms = Bms(devices.file.bms, links, clock.now_us)
        assert await bms.outdoor_c() == pytest.approx(temp_c)
    finally:
        links.close()
        await site.close()
    (reading,) = await bms.temperatures()
    assert reading.temp_c is None
    assert reading.reason == "no connection"


async def test_the_same_over_a_real_broker_with_the_counters(tmp_path):
    clock = SteppedClock()
    with broker(tmp_path) as port:
        text = edge_text()[: edge_text().index("[bms]")]
        text += f'[mqtt]\nport = {port}\nprefix = "edge"\n[bms]\noutdoor = "roof"\nover_mqtt = true\n'
        devices, world = made(text, clock, 7.5)
        clock.at_s += 3600.0
        published = SimTelemetry(world, devices, clock.now_us)
        heard = MqttTelemetry(
            MqttLink(MqttEndpoint(host="127.0.0.1", port=port, client_id="site")), "edge", clock.now_us
        )
        assert await heard.start()
        published.start()
        bms = Bms(devices.file.bms, ModbusLinks(), clock.now_us, heard)
        async with asyncio.timeout(10.0):
            while await bms.outdoor_c() is None:
                await asyncio.sleep(0.02)
        assert await bms.outdoor_c() == 7.5
        counters = {each.name: each.total for each in heard.counters()}
        assert counters["import_wh"] == dict(world.totals.counters())["import_wh"] > 0
        await published.close()
        await heard.close()
