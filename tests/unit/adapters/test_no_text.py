"""Bytes that are no UTF-8 where text is expected: a reason, never a crash. msgspec tells of them with a text error."""

import pytest

from headrace.adapters.equipment import MqttTelemetry
from headrace.adapters.keys.chain import KeyFolder
from headrace.adapters.mqtt import MqttEndpoint, MqttLink, MqttMessage
from headrace.adapters.telemetry.bundle_file import read_bundle
from headrace.core import BadInput

NO_TEXT = b'{"site":"\x80"}\n'


def test_a_bundle_of_no_text_is_refused(tmp_path):
    path = tmp_path / "bundle.jsonl"
    path.write_bytes(NO_TEXT)
    with pytest.raises(BadInput, match="line 1"):
        read_bundle(path)


def test_a_chain_of_no_text_is_refused(tmp_path):
    (tmp_path / "chain.jsonl").write_bytes(NO_TEXT)
    with pytest.raises(BadInput, match="no chain of identities"):
        KeyFolder(tmp_path)


def test_telemetry_of_no_text_is_counted():
    telemetry = MqttTelemetry(MqttLink(MqttEndpoint(host="127.0.0.1", port=1, client_id="t")), "edge", lambda: 0)
    telemetry.take(MqttMessage(topic="edge/meter/poi", payload=b'{"at_us":1,"\x80":"x"}', is_retained=False))
    assert telemetry.refused == 1
