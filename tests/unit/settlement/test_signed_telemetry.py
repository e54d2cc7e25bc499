import msgspec
import pytest

from headrace.adapters.keys.signing import P256_ORDER, DeviceKey, GatewayKey
from headrace.settlement.admission import Admitted, Intake, Refusal
from headrace.settlement.bundle import extract, verify_bundle
from headrace.settlement.identities import Change, Role, fingerprint, registry_of
from headrace.settlement.telemetry import IntervalRoot, Reading, WorkUnit
from signed_telemetry import CHECK, START_S, STEP_S, SignedSite

KEY = DeviceKey.new()


def verdict_of(site, intervals=None, *, trusted=None):
    return verify_bundle(site.header, intervals if intervals is not None else site.intervals, CHECK, trusted=trusted)


def test_a_bundle_of_good_readings_holds():
    site = SignedSite().run(3)
    verdict = verdict_of(site, trusted=fingerprint(site.authority.public))
    assert (verdict.fault_count, verdict.is_trusted, verdict.intervals, verdict.readings) == (0, True, 3, 9)
    assert verdict.drawn_wh == 9 * 250
    assert verdict.absent == verdict.refused == verdict.skipped == 0


def test_an_authority_of_another_fingerprint_is_a_fault():
    site, other = SignedSite().run(1), SignedSite()
    verdict = verdict_of(site, trusted=fingerprint(other.authority.public))
    assert not verdict.is_trusted
    assert "expected" in verdict.faults[0]


@pytest.mark.inv("V1")
@pytest.mark.parametrize(
    ("refusal", "made"),
    [
        (Refusal.UNKNOWN_DEVICE, lambda s: s.reading("stranger", key=KEY)),
        (Refusal.FORGED, lambda s: s.reading("m1", key=KEY)),
        (Refusal.FORGED, lambda s: msgspec.structs.replace(s.reading("m1"), drawn_wh=251)),
        (Refusal.FORGED, lambda s: msgspec.structs.replace(s.reading("m1"), device="m2")),
        (Refusal.FORGED, lambda s: msgspec.structs.replace(s.reading("m1"), signature=b"short")),
        (Refusal.OTHER_INTERVAL, lambda s: s.reading("m1", interval_start_s=START_S - STEP_S)),
        (Refusal.OTHER_INTERVAL, lambda s: s.reading("m1", duration_s=STEP_S * 2)),
        (Refusal.CLOCK_SKEW, lambda s: s.reading("m1", signed_at_us=s.now_us + 31_000_000)),
        (Refusal.CLOCK_SKEW, lambda s: s.reading("m1", signed_at_us=s.now_us - 31_000_000)),
        (Refusal.ABSURD, lambda s: s.reading("m1", drawn_wh=351)),
        (Refusal.NO_VALID_KEY, lambda s: s.reading("m1", interval_start_s=START_S - 100_000)),
    ],
)
def test_what_does_not_count_is_refused_and_counted(refusal, made):
    site = SignedSite()
    verdict = site.take(made(site))
    assert verdict.refusal is refusal
    assert site.intake.refused[refusal] == 1
    assert not site.intake.readings
    # Rubbish in a device's name does not keep its own reading out.
    assert isinstance(site.take(site.reading("m1")), Admitted)
    site.close()
    assert site.intervals[0].interval.refused == 1
    assert site.intervals[0].interval.absent == 2
    assert verdict_of(site).fault_count == 0


@pytest.mark.inv("V1")
def test_a_replay_is_refused_and_a_gap_is_counted():
    site = SignedSite()
    first = site.reading("m1")
    assert isinstance(site.take(first), Admitted)
    assert site.take(first).refusal is Refusal.REPLAYED
    site.close()
    assert site.take(first).refusal is Refusal.REPLAYED
    late = site.take(site.reading("m1", sequence=5))
    assert isinstance(late, Admitted)
    assert late.missing == 4
    site.close()
    assert site.intervals[1].interval.missing == 4


def test_a_reading_at_the_rated_power_and_its_tolerance_counts():
    site = SignedSite(power_max_w=4_000)
    assert isinstance(site.take(site.reading("m1", drawn_wh=350)), Admitted)


@pytest.mark.inv("V2")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: msgspec.structs.replace(s, readings=s.readings[:-1]),
        lambda s: msgspec.structs.replace(s, readings=(*s.readings, s.readings[-1])),
        lambda s: msgspec.structs.replace(s, readings=s.readings[::-1]),
        lambda s: msgspec.structs.replace(
            s, readings=(msgspec.structs.replace(s.readings[0], drawn_wh=1), *s.readings[1:])
        ),
        lambda s: msgspec.structs.replace(s, interval=msgspec.structs.replace(s.interval, drawn_wh=1)),
        lambda s: msgspec.structs.replace(s, interval=msgspec.structs.replace(s.interval, absent=1)),
        lambda s: msgspec.structs.replace(s, interval=msgspec.structs.replace(s.interval, site="other")),
        lambda s: msgspec.structs.replace(s, interval=msgspec.structs.replace(s.interval, previous=bytes(32))),
        lambda s: msgspec.structs.replace(s, is_extract=True),
    ],
)
def test_a_bundle_changed_anywhere_does_not_hold(spoil):
    site = SignedSite().run(2)
    assert verdict_of(site, [site.intervals[0], spoil(site.intervals[1])]).fault_count > 0


@pytest.mark.inv("V2")
def test_a_reading_that_the_device_signed_too_does_not_stand_in_for_the_one_that_counted():
    site = SignedSite().run(1)
    site.intake, site.sequences["m1"] = Intake(interval_start_s=START_S, duration_s=STEP_S), 0
    twin = site.reading("m1", signed_at_us=site.now_us + 1)
    first = site.intervals[0]
    verdict = verdict_of(site, [msgspec.structs.replace(first, readings=(twin, *first.readings[1:]))])
    assert "do not make its root" in verdict.faults[0]


@pytest.mark.inv("V2")
def test_an_interval_signed_again_by_the_gateway_breaks_the_chain():
    site = SignedSite().run(2)
    first = site.intervals[0]
    bare = msgspec.structs.replace(first.interval, refused=7)
    again = msgspec.structs.replace(bare, signature=site.gateway.sign(bare.message()))
    verdict = verdict_of(site, [msgspec.structs.replace(first, interval=again), site.intervals[1]])
    assert any("does not continue" in fault for fault in verdict.faults)


def test_an_interval_left_out_is_told():
    site = SignedSite().run(3)
    verdict = verdict_of(site, [site.intervals[0], site.intervals[2]])
    assert (verdict.skipped, verdict.fault_count) == (1, 0)


def test_an_extract_proves_its_devices_and_shows_no_other():
    site = SignedSite(devices=tuple(f"m{i}" for i in range(7))).run(2)
    part = [extract(each, ["m2", "m5"]) for each in site.intervals]
    verdict = verdict_of(site, part)
    assert (verdict.fault_count, verdict.extracts, verdict.readings) == (0, 2, 4)
    assert b'"m3"' not in msgspec.json.encode(part)
    lied = msgspec.structs.replace(part[0].readings[0], drawn_wh=9)
    spoiled = msgspec.structs.replace(part[0], readings=(lied, part[0].readings[1]))
    assert verdict_of(site, [spoiled, part[1]]).fault_count > 0


def test_a_revoked_device_counts_no_more_and_the_past_stands():
    site = SignedSite().run(1)
    site.add(Change.REVOKE, Role.DEVICE, "m1", at_s=START_S + STEP_S)
    assert site.take(site.reading("m1")).refusal is Refusal.NO_VALID_KEY
    site.close()
    assert site.intervals[-1].interval.absent == 2
    assert verdict_of(site).fault_count == 0


def test_a_key_revoked_from_before_takes_its_readings_with_it():
    site = SignedSite().run(1)
    site.add(Change.REVOKE, Role.DEVICE, "m1", at_s=START_S - 500)
    assert any("m1" in fault for fault in verdict_of(site).faults)


def test_a_rotated_key_signs_on_and_the_old_one_no_more():
    site = SignedSite().run(1)
    old, new = site.devices["m1"], DeviceKey.new()
    site.add(Change.ROTATE, Role.DEVICE, "m1", new, old=old, at_s=START_S + STEP_S)
    assert site.take(site.reading("m1")).refusal is Refusal.FORGED
    assert isinstance(site.take(site.reading("m1", key=new)), Admitted)
    site.close()
    assert verdict_of(site).fault_count == 0


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("not signed by the authority", {"authority": GatewayKey.new()}),
        ("the new key did not sign", {"key": None}),
        ("enrolled already", {"name": "m1"}),
    ],
)
def test_a_chain_of_identities_ends_at_its_first_fault(what, change):
    site = SignedSite()
    kept = len(site.events)
    key = change.get("key", DeviceKey.new())
    site.add(Change.ENROL, Role.DEVICE, change.get("name", "m9"), key, authority=change.get("authority"))
    registry, broken = registry_of(site.events, site.authority.public, CHECK)
    assert what in broken[0]
    assert registry.length == kept


def test_a_rotation_needs_the_old_key():
    site = SignedSite()
    site.add(Change.ROTATE, Role.DEVICE, "m1", DeviceKey.new(), old=DeviceKey.new(), at_s=START_S)
    _, broken = registry_of(site.events, site.authority.public, CHECK)
    assert "the old key did not sign" in broken[0]


def test_a_p256_signature_has_one_form():
    key = GatewayKey.new()
    signature = key.sign(b"x")
    other = signature[:32] + (P256_ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    assert CHECK.p256(key.public, b"x", signature)
    assert not CHECK.p256(key.public, b"x", other)
    assert not CHECK.p256(bytes(64), b"x", signature)
    assert not CHECK.ed25519(b"", b"x", signature)


def test_what_is_signed_has_a_fixed_layout():
    reading = Reading(
        device="m1",
        sequence=1,
        interval_start_s=2,
        duration_s=3,
        drawn_wh=4,
        fed_wh=5,
        unit=WorkUnit.REQUESTS,
        work=6,
        signed_at_us=7,
    )
    u64 = "{:016x}".format
    assert reading.message().hex() == (
        b"headrace/reading/1\x00\x02m1".hex() + u64(1) + u64(2) + "00000003" + u64(4) + u64(5) + "03" + u64(6) + u64(7)
    )
    root = IntervalRoot(
        site="demo",
        gateway="gw",
        sequence=1,
        interval_start_s=2,
        duration_s=3,
        root=b"\x11" * 32,
        count=4,
        absent=5,
        missing=6,
        refused=7,
        drawn_wh=8,
        previous=b"\x22" * 32,
    )
    assert len(root.message()) == 20 + 32 * 4 + 8 * 2 + 4 + 4 * 4 + 8 * 5


@pytest.mark.parametrize("change", [{"drawn_wh": -1}, {"device": ""}, {"device": "x" * 65}, {"duration_s": 0}])
def test_a_reading_that_cannot_be_is_not_made(change):
    good = msgspec.structs.asdict(SignedSite().reading("m1"))
    with pytest.raises(ValueError, match=r"must be|has 1 to"):
        Reading(**(good | change))
