"""Envelopes of DSX Flex: what is taken, and why the rest is refused."""

import base64
import json

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt import api_jws

from flex_factory import AGENT, AGENT_KEY, AGENT_PEER, AGENT_SIGNER, T0_US, private_pem, public_pem
from headrace.adapters.dsx_flex import peer_of, signer_of
from headrace.adapters.dsx_flex.controller import severity_of
from headrace.adapters.dsx_flex.envelope import Inspector, Sealer, time_of, topic_of, us_of
from headrace.adapters.dsx_flex.payloads import EventType, PowerState
from headrace.core import BadInput

TOPIC = topic_of(EventType.POWER_STATE, "hall1")


def state(at_us=T0_US, *, load=6.0) -> PowerState:
    power = {"value": load, "unit": "megawatt"}
    feed = {
        "metadata": {"power_minimum": power, "power_maximum": power, "default_constraint": power},
        "targets": [],
        "calculated_load": power,
        "in_flight": False,
        "event": "periodic",
        "compliant": True,
    }
    return msgspec.convert(
        {"snapshot_time": time_of(at_us).isoformat(), "feeds": {"main-a": feed}}, PowerState, strict=False
    )


def sealer(signer=AGENT_SIGNER, name="hall1") -> Sealer:
    return Sealer(role="dsx-flex-agent", identifier=name, signer=signer)


def sealed(at_us=T0_US, *, by=None, data=None) -> dict:
    _, payload = (by or sealer()).seal(EventType.POWER_STATE, data or state(at_us), now_us=at_us)
    return json.loads(payload)


def opened(envelope, *, inspector=None, topic=TOPIC, now_us=T0_US):
    inspector = inspector or Inspector((AGENT_PEER,))
    payload = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
    event = inspector.open(topic, payload, now_us=now_us)
    return event, dict(inspector.refused)


def test_a_good_status_is_taken():
    event, refused = opened(sealed())
    assert refused == {}
    assert (event.source, event.type, event.time_us) == (AGENT, EventType.POWER_STATE, T0_US)
    assert event.data == state()


def test_our_envelopes_are_as_the_contract_says():
    envelope = sealed()
    assert set(envelope) == {
        "specversion", "id", "source", "type", "time", "datacontenttype", "subject", "traceparent", "data"
    }  # fmt: skip
    assert (envelope["specversion"], envelope["datacontenttype"]) == ("1.0.2", "application/json")
    assert envelope["id"][14] == "4"
    header = api_jws.get_unverified_header(envelope["data"])
    assert (header["alg"], header["kid"]) == ("ES256", "hall-1")
    data = json.loads(api_jws.decode(envelope["data"], AGENT_KEY.public_key(), algorithms=["ES256"]))
    assert set(data) == {"snapshot_time", "feeds"}


def test_ids_never_repeat():
    one = sealer()
    assert len({one.new_id(T0_US) for _ in range(1000)}) == 1000


def resigned(envelope, data: bytes, *, key=AGENT_KEY, algorithm="ES256", headers=None) -> dict:
    headers = {"kid": "hall-1"} | (headers or {})
    return envelope | {"data": api_jws.encode(data, key, algorithm=algorithm, headers=headers)}


def payload_of(envelope) -> bytes:
    part = envelope["data"].split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def changed(**more):
    return lambda: sealed() | more


def without(name):
    return lambda: {key: value for key, value in sealed().items() if key != name}


def other_key():
    return resigned(sealed(), payload_of(sealed()), key=ec.generate_private_key(ec.SECP256R1()))


def unsecured():
    envelope = sealed()
    header = base64.urlsafe_b64encode(b'{"alg":"none","kid":"hall-1"}').decode().rstrip("=")
    return envelope | {"data": f"{header}.{envelope['data'].split('.')[1]}."}


def hmac_with_public_key():
    return resigned(sealed(), payload_of(sealed()), key="x" * 64, algorithm="HS256")


def in_the_clear():
    return sealed() | {"data": json.loads(payload_of(sealed()))}


def tampered():
    envelope = sealed()
    parts = envelope["data"].split(".")
    parts[1] = base64.urlsafe_b64encode(payload_of(envelope).replace(b"6.0", b"0.1")).decode().rstrip("=")
    return envelope | {"data": ".".join(parts)}


def data_without(name):
    def make():
        data = json.loads(payload_of(sealed()))
        del data[name]
        return resigned(sealed(), json.dumps(data).encode())

    return make


@pytest.mark.inv("L15")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (changed(specversion="1.0"), "envelope"),
        (changed(id="17"), "envelope"),
        (changed(traceparent="00-x"), "envelope"),
        (changed(time="2027-01-15T08:00:00"), "envelope"),
        (changed(subject="loadtarget"), "envelope"),
        (changed(type="grid.other.v1"), "envelope"),
        (changed(source="//grid/v1/dsx-flex-agent/hall2"), "source"),
        (changed(source="//grid/v1/isv/hall1"), "source"),
        (changed(data="a.b"), "unsigned"),
        (in_the_clear, "unsigned"),
        (without("data"), "envelope"),
        (without("time"), "envelope"),
        (other_key, "signature"),
        (tampered, "signature"),
        (unsecured, "algorithm"),
        (hmac_with_public_key, "algorithm"),
        (changed(correlationid="6fa459ea-ee8a-4ca4-894e-db77e160355e"), "binding"),
        (data_without("snapshot_time"), "schema"),
        (data_without("feeds"), "schema"),
        (lambda: sealed(T0_US - 61_000_000), "expired"),
        (lambda: sealed(T0_US + 61_000_000), "expired"),
        (lambda: b"x" * 300_000, "oversize"),
        (lambda: b"\xff\xfe", "envelope"),
        (lambda: b"[" * 100_000, "envelope"),
    ],
)
def test_what_is_refused_says_why(make, kind):
    event, refused = opened(make())
    assert event is None
    assert refused == {kind: 1}


def test_a_message_is_taken_once():
    inspector = Inspector((AGENT_PEER,))
    envelope = sealed()
    assert opened(envelope, inspector=inspector)[0] is not None
    assert opened(envelope, inspector=inspector)[1] == {"replay": 1}


def test_old_signed_data_in_a_new_envelope_is_refused_even_from_a_peer_that_does_not_bind():
    inspector = Inspector((AGENT_PEER,))
    body = payload_of(sealed())
    first = resigned(sealed(), body)
    assert opened(first, inspector=inspector)[0] is not None
    again = sealed(T0_US + 1_000_000) | {"data": first["data"]}
    assert opened(again, inspector=inspector)[1] == {"replay": 1}
    late = sealed(T0_US + 100_000_000) | {"data": first["data"]}
    assert opened(late, inspector=inspector, now_us=T0_US + 100_000_000)[1]["expired"] == 1


def test_a_snapshot_older_than_the_last_is_refused():
    inspector = Inspector((AGENT_PEER,))
    assert opened(sealed(T0_US + 1_000_000), inspector=inspector, now_us=T0_US + 1_000_000)[0] is not None
    assert opened(sealed(T0_US), inspector=inspector, now_us=T0_US + 1_000_000)[1] == {"order": 1}


def test_a_peer_known_to_bind_must():
    bound = peer_of(public_pem(AGENT_KEY), source=AGENT, key_id="hall-1", where="t", is_bound=True)
    loose = resigned(sealed(), payload_of(sealed()))
    assert opened(loose, inspector=Inspector((bound,)))[1] == {"binding": 1}
    assert opened(loose)[0] is not None


def test_a_key_that_has_lapsed_is_no_key():
    lapsed = peer_of(public_pem(AGENT_KEY), source=AGENT, key_id="hall-1", where="t", not_after_us=T0_US)
    assert opened(sealed(), inspector=Inspector((lapsed,)))[1] == {"key": 1}


def test_a_peer_may_sign_with_rsa_and_its_key_fixes_the_algorithm():
    key = rsa.generate_private_key(65537, 2048)
    peer = peer_of(public_pem(key), source=AGENT, key_id="hall-1", where="t")
    message = resigned(sealed(), payload_of(sealed()), key=key, algorithm="RS256")
    assert opened(message, inspector=Inspector((peer,)))[0] is not None
    assert opened(sealed(), inspector=Inspector((peer,)))[1] == {"algorithm": 1}


def test_only_p256_signs():
    other = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(BadInput, match="P-256"):
        signer_of(private_pem(other), key_id="k", where="site.pem")
    with pytest.raises(BadInput, match="no private key"):
        signer_of(b"secret", key_id="k", where="site.pem")
    assert "PrivateKey" not in repr(AGENT_SIGNER)


@settings(max_examples=200, deadline=None)
@given(noise=st.binary(max_size=400), at=st.integers(0, 700), flips=st.integers(0, 255))
def test_no_bytes_raise(noise, at, flips):
    inspector = Inspector((AGENT_PEER,))
    payload = bytearray(json.dumps(GOOD).encode())
    payload[at % len(payload)] ^= flips
    for candidate in (noise, bytes(payload), bytes(payload[: at % len(payload)]) + noise):
        inspector.open(TOPIC, candidate, now_us=T0_US)


@given(at_us=st.integers(0, 4_000_000_000_000_000))
def test_times_survive_the_wire(at_us):
    assert us_of(time_of(at_us)) == at_us


def test_severity_follows_the_contract():
    assert severity_of(5.05, 5.0, threshold_ratio=0.02) is None
    assert severity_of(5.9, 5.0, threshold_ratio=0.02) == "warning"
    assert severity_of(6.1, 5.0, threshold_ratio=0.02) == "critical"


GOOD = sealed()
