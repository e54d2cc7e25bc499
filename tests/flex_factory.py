"""A controller and a mock factory on one broker, for tests of DSX Flex."""

import time
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headrace.adapters.dsx_flex import Factory, FlexController, peer_of, signer_of
from headrace.adapters.mqtt import MqttEndpoint, MqttLink
from headrace.control.assets import Asset, AssetKind
from headrace.sim.factory import Feed, MockFactory
from mosquitto import broker

SITE, AGENT = "//grid/v1/isv/headrace", "//grid/v1/dsx-flex-agent/hall1"
SITE_KEY, AGENT_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
T0_US = 1_800_000_000_000_000


def private_pem(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


SIGNER = signer_of(private_pem(SITE_KEY), key_id="site-1", where="test")
SITE_PEER = peer_of(public_pem(SITE_KEY), source=SITE, key_id="site-1", where="test", is_bound=True)
AGENT_SIGNER = signer_of(private_pem(AGENT_KEY), key_id="hall-1", where="test")
AGENT_PEER = peer_of(public_pem(AGENT_KEY), source=AGENT, key_id="hall-1", where="test")


def wall_us() -> int:
    return time.time_ns() // 1000


def feed(tag="main-a", *, full_mw=10.0, least_mw=1.0, move=lambda mw: mw) -> Feed:
    return Feed(tag, full_mw=full_mw, least_mw=least_mw, move=move)


def mock(port: int, feeds, **more) -> MockFactory:
    return MockFactory(
        "hall1",
        host="127.0.0.1",
        port=port,
        key=more.pop("key", AGENT_KEY),
        key_id="hall-1",
        clients={(SITE, "site-1"): SITE_KEY.public_key()},
        feeds=feeds,
        now_s=lambda: wall_us() * 1e-6,
        **more,
    )


def asset(tag="main-a") -> Asset:
    return Asset(
        name=f"ai.{tag}",
        kind=AssetKind.NODE,
        load="ai",
        feeder="f1",
        driver="hall1",
        address=tag,
        full_mw=10.0,
        standby_mw=1.0,
        least_mw=1.0,
    )


@asynccontextmanager
async def campus(folder: Path, feeds=None, **more):
    """A running factory and an armed controller."""
    feeds = [feed()] if feeds is None else feeds
    with broker(folder) as port:
        factory = mock(port, feeds, **more)
        factory.start()
        link = MqttLink(MqttEndpoint(host="127.0.0.1", port=port, client_id="headrace"))
        controller = FlexController(
            Factory(name="hall1", isv="headrace", agent="hall1", answer_s=1.0),
            link,
            signer=SIGNER,
            peers=(AGENT_PEER,),
            now_us=wall_us,
        )
        try:
            await controller.arm([asset(each.tag) for each in feeds])
            yield controller, factory
        finally:
            await controller.close()
            factory.close()
