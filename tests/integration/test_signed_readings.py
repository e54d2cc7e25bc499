import asyncio

import msgspec

from headrace.adapters.keys.chain import KeyFolder
from headrace.adapters.keys.signing import load_device_key
from headrace.adapters.mqtt import MqttEndpoint, MqttLink
from headrace.adapters.telemetry.gateway import Gateway
from headrace.adapters.telemetry.listener import listen, topic_of
from headrace.settlement.admission import Refusal
from headrace.settlement.identities import Role
from headrace.settlement.telemetry import Reading
from mosquitto import broker

START_S, STEP_S = 1_700_000_100, 300
NOW_US = (START_S + STEP_S) * 1_000_000


async def test_devices_sign_over_a_real_broker_and_a_forger_is_counted(tmp_path):
    keys = KeyFolder.create(tmp_path / "keys", "demo")
    keys.enrol(Role.GATEWAY, "gw", at_s=START_S - 10)
    for name in ("m1", "m2"):
        keys.enrol(Role.DEVICE, name, at_s=START_S - 10)
    gateway = Gateway(keys, "gw", tmp_path / "telemetry")
    gateway.begin(START_S, STEP_S)

    def signed(name, key_of):
        bare = Reading(
            device=name,
            sequence=0,
            interval_start_s=START_S,
            duration_s=STEP_S,
            drawn_wh=100,
            fed_wh=0,
            signed_at_us=NOW_US,
        )
        key = load_device_key(keys.folder / "device" / f"{key_of}.pem")
        return msgspec.json.encode(msgspec.structs.replace(bare, signature=key.sign(bare.message())))

    with broker(tmp_path / "broker") as port:
        hears, speaks = (
            MqttLink(MqttEndpoint(host="127.0.0.1", port=port, client_id=client)) for client in ("gw", "devices")
        )
        assert await hears.start()
        assert await speaks.start()
        task = asyncio.create_task(listen(hears, gateway, "demo", now_us=lambda: NOW_US))
        try:
            for payload in (signed("m1", "m1"), signed("m2", "m1"), signed("m2", "m2"), b"rubbish"):
                async with asyncio.timeout(5):
                    while hears.counts.received == 0 and payload is not None:
                        await speaks.publish(topic_of("demo", "m1"), b"first")
                        await asyncio.sleep(0.01)
                assert (await speaks.publish(topic_of("demo", "m1"), payload)).is_delivered
            async with asyncio.timeout(5):
                while len(gateway.refused) < 3 or hears.counts.received < 5:
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await hears.close()
            await speaks.close()
    root = gateway.attest(START_S, STEP_S, [], now_us=NOW_US)
    assert (root.count, root.absent, root.drawn_wh) == (2, 0, 200)
    assert {each.refusal for each in gateway.refused} == {Refusal.FORGED, Refusal.ABSURD}
