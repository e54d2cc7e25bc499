"""The MQTT link against a real broker."""

import asyncio
import datetime
import ipaddress
import socket
import stat
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import mosquitto
from headrace.adapters.mqtt import MqttEndpoint, MqttLink, tls_context
from headrace.core import BadInput


def endpoint(port: int, name: str, **more) -> MqttEndpoint:
    return MqttEndpoint(host="127.0.0.1", port=port, client_id=name, **more)


async def first(link: MqttLink):
    return await anext(link.messages())


async def test_a_message_crosses_the_broker_whole(tmp_path):
    with mosquitto.broker(tmp_path) as port:
        hears, says = MqttLink(endpoint(port, "hears")), MqttLink(endpoint(port, "says"))
        assert await hears.start()
        assert await says.start()
        assert await hears.subscribe("a/+", qos=1)
        assert (await says.publish("a/b", b"\x00\xff", qos=1)).is_delivered
        message = await asyncio.wait_for(first(hears), 5)
        assert (message.topic, message.payload, message.is_retained) == ("a/b", b"\x00\xff", False)
        assert says._client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await hears.close()
        await says.close()


async def test_an_oversize_message_is_dropped_and_counted(tmp_path):
    with mosquitto.broker(tmp_path) as port:
        link = MqttLink(endpoint(port, "x", message_max_bytes=10))
        assert await link.start()
        assert await link.subscribe("a")
        assert (await link.publish("a", b"x" * 11)).is_delivered
        assert (await link.publish("a", b"x" * 10)).is_delivered
        assert len((await asyncio.wait_for(first(link), 5)).payload) == 10
        assert (link.counts.oversize, link.counts.received) == (1, 1)
        await link.close()


async def test_a_full_inbox_drops_and_counts(tmp_path):
    with mosquitto.broker(tmp_path) as port:
        link = MqttLink(endpoint(port, "x", queue_max=2))
        assert await link.start()
        assert await link.subscribe("a")
        for _ in range(5):
            assert (await link.publish("a", b"x")).is_delivered
        assert (await link.publish("b", b"x")).is_delivered
        for _ in range(200):
            if link.counts.received + link.counts.overflowed == 5:
                break
            await asyncio.sleep(0.01)
        assert (link.counts.received, link.counts.overflowed) == (2, 3)
        await link.close()


async def test_after_a_broker_restart_the_link_and_its_subscriptions_are_back(tmp_path):
    port = mosquitto.free_port()
    process = mosquitto.start(tmp_path, port)
    link = MqttLink(endpoint(port, "x"))
    try:
        assert await link.start()
        assert await link.subscribe("a")
        mosquitto.stop(process)
        for _ in range(500):
            if link.counts.reason:
                break
            await asyncio.sleep(0.01)
        refused = await link.publish("a", b"x")
        assert not refused.is_delivered
        assert refused.reason
        process = mosquitto.start(tmp_path, port)
        assert await link.start(timeout_s=10)
        for _ in range(100):
            await link.publish("a", b"again")
            if link.counts.received:
                break
            await asyncio.sleep(0.02)
        assert (await asyncio.wait_for(first(link), 5)).payload == b"again"
        assert link.counts.connects == 2
    finally:
        await link.close()
        mosquitto.stop(process)


async def test_a_silent_broker_gives_up_in_time():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        link = MqttLink(endpoint(listener.getsockname()[1], "x"))
        assert not await link.start(timeout_s=0.2)
        assert (await link.publish("a", b"x")).reason == "no connection yet"
        await link.close()


async def test_a_wrong_password_is_refused_with_the_brokers_reason(tmp_path):
    passwords = tmp_path / "passwords"
    passwords.write_text("someone:$7$101$AAAA$AAAA\n")
    passwords.chmod(stat.S_IRUSR | stat.S_IWUSR)
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    with mosquitto.broker(tmp_path / "b", f"allow_anonymous false\npassword_file {passwords}") as port:
        link = MqttLink(endpoint(port, "x", username="someone", password_file=str(secret)))
        assert not await link.start(timeout_s=0.5)
        assert link.counts.reason.startswith("the broker refused")
        assert "hunter2" not in repr(link.endpoint)
        await link.close()


def test_another_machine_needs_tls():
    with pytest.raises(BadInput, match="without TLS"):
        tls_context(MqttEndpoint(host="broker.example.com", client_id="x"))


def certificate(folder, name, *, issuer=None):
    """A certificate for 127.0.0.1, its own authority or signed by `issuer`; gives (key, certificate, PEM path)."""
    now = datetime.datetime.fromtimestamp(time.time_ns() * 1e-9, datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer, parent = (key, subject) if issuer is None else (issuer[0], issuer[1].subject)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return key, made, path


async def test_tls_reaches_the_broker_its_authority_signed_and_no_other(tmp_path):
    authority = certificate(tmp_path, "authority")
    certificate(tmp_path, "broker", issuer=authority)
    certificate(tmp_path, "stranger")
    port = mosquitto.free_port()
    more = (
        f"listener {port} 127.0.0.1\ncafile {authority[2]}\n"
        f"certfile {tmp_path / 'broker.pem'}\nkeyfile {tmp_path / 'broker.key'}\n"
    )
    process = mosquitto.start(tmp_path / "b", port, more)
    try:
        link = MqttLink(endpoint(port, "x", ca_file=str(authority[2])))
        assert await link.start()
        assert (await link.publish("a", b"x")).is_delivered
        await link.close()
        other = MqttLink(endpoint(port, "y", ca_file=str(tmp_path / "stranger.pem")))
        assert not await other.start(timeout_s=0.5)
        await other.close()
    finally:
        mosquitto.stop(process)
