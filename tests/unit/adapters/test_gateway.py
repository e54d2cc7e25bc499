import msgspec
import pytest

from command_line import run
from headrace.adapters.keys.chain import KeyFolder
from headrace.adapters.keys.signing import DeviceKey, Signatures, load_device_key
from headrace.adapters.telemetry.bundle_file import read_bundle, write_bundle
from headrace.adapters.telemetry.gateway import Gateway
from headrace.core import BadInput
from headrace.settlement.admission import Admitted, Refusal
from headrace.settlement.bundle import extract, verify_bundle
from headrace.settlement.identities import Role, fingerprint
from headrace.settlement.ports import DeviceAmount
from headrace.settlement.telemetry import Reading

START_S, STEP_S = 1_700_006_400 - 600, 300  # crosses midnight UTC after two intervals


@pytest.fixture
def keys(tmp_path):
    folder = KeyFolder.create(tmp_path / "keys", "demo")
    folder.enrol(Role.GATEWAY, "gw", at_s=START_S - 10)
    for name in ("m1", "m2"):
        folder.enrol(Role.DEVICE, name, at_s=START_S - 10, power_max_w=4_000)
    return folder


def amounts(wh=100):
    return [DeviceAmount(device=name, drawn_wh=wh) for name in ("m1", "m2")]


def attest(gateway, number, wh=100):
    start_s = START_S + number * STEP_S
    return gateway.attest(start_s, STEP_S, amounts(wh), now_us=(start_s + STEP_S) * 1_000_000)


def verdict(path):
    return verify_bundle(*read_bundle(path), Signatures(), trusted=None)


def test_a_gateway_goes_on_after_a_crash_with_its_chain_and_its_sequences(keys, tmp_path):
    folder = tmp_path / "telemetry"
    attest(Gateway(keys, "gw", folder), 0)
    path = next(folder.iterdir())
    with path.open("ab") as file:
        file.write(b'{"interval":{"site":"de')
    roots = [attest(Gateway(KeyFolder(keys.folder), "gw", folder), number) for number in (1, 2, 3)]
    assert [root.sequence for root in roots] == [1, 2, 3]
    assert {p.name: verdict(p).fault_count for p in folder.iterdir()} == {
        "telemetry-2023-11-14-00003.jsonl": 0,
        "telemetry-2023-11-15-00003.jsonl": 0,
    }
    whole = tmp_path / "both.jsonl"
    parts = [read_bundle(p) for p in sorted(folder.iterdir())]
    write_bundle(whole, parts[0][0], [each for part in parts for each in part[1]])
    assert (verdict(whole).intervals, verdict(whole).fault_count, verdict(whole).skipped) == (4, 0, 0)


def test_an_interval_is_signed_once_and_in_order(keys, tmp_path):
    gateway = Gateway(keys, "gw", tmp_path / "telemetry")
    attest(gateway, 0)
    second = attest(gateway, 1)
    assert attest(gateway, 1, wh=7) == second
    with pytest.raises(BadInput, match="older than the last"):
        attest(gateway, 0)


def test_a_device_that_signs_for_itself_is_taken_in_and_rubbish_is_counted(keys, tmp_path):
    gateway = Gateway(keys, "gw", tmp_path / "telemetry")
    key = load_device_key(keys.folder / "device" / "m1.pem")
    bare = Reading(
        device="m1",
        sequence=41,
        interval_start_s=START_S,
        duration_s=STEP_S,
        drawn_wh=77,
        fed_wh=0,
        signed_at_us=START_S * 1_000_000,
    )
    good = msgspec.json.encode(msgspec.structs.replace(bare, signature=key.sign(bare.message())))
    assert gateway.take(good, now_us=START_S * 1_000_000).refusal is Refusal.OTHER_INTERVAL
    gateway.begin(START_S, STEP_S)
    for rubbish in (b"", b"[]", b'{"device":1}', good[:-9], good.replace(b"77", b"-7"), b"\xff" * 9):
        assert gateway.take(rubbish, now_us=START_S * 1_000_000).refusal is Refusal.ABSURD
    assert isinstance(gateway.take(good, now_us=START_S * 1_000_000), Admitted)
    root = gateway.attest(START_S, STEP_S, amounts()[1:], now_us=(START_S + STEP_S) * 1_000_000)
    assert (root.drawn_wh, root.count, root.absent) == (177, 2, 0)
    assert verdict(next((tmp_path / "telemetry").iterdir())).fault_count == 0


def test_a_rotated_key_signs_from_its_first_second(keys, tmp_path):
    gateway = Gateway(keys, "gw", tmp_path / "telemetry")
    attest(gateway, 0)
    other = KeyFolder(keys.folder)  # as another process would
    other.rotate(Role.DEVICE, "m1", at_s=START_S + STEP_S, reason="yearly")
    other.rotate(Role.GATEWAY, "gw", at_s=START_S + STEP_S, reason="yearly")
    attest(gateway, 1)
    found = {p.name: verdict(p) for p in (tmp_path / "telemetry").iterdir()}
    assert sorted(found) == ["telemetry-2023-11-14-00003.jsonl", "telemetry-2023-11-14-00005.jsonl"]
    assert not any(each.fault_count for each in found.values())


def test_a_key_open_to_others_is_refused(keys):
    path = keys.folder / "device" / "m1.pem"
    path.chmod(0o644)
    with pytest.raises(BadInput, match="others may read this key"):
        load_device_key(path)


def test_a_key_is_never_overwritten_and_never_quoted(tmp_path):
    path = tmp_path / "a.pem"
    DeviceKey.new().write(path)
    with pytest.raises(BadInput, match="there is a key already"):
        DeviceKey.new().write(path)
    path.write_text("-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n")
    with pytest.raises(BadInput, match="not a private key") as caught:
        load_device_key(path)
    assert "SECRET" not in str(caught.value)


def test_verify_says_what_it_found_and_fails_on_a_fault(keys, tmp_path, capsys, monkeypatch):
    gateway = Gateway(keys, "gw", tmp_path / "telemetry")
    attest(gateway, 0)
    path = next((tmp_path / "telemetry").iterdir())
    trust = fingerprint(keys.authority)
    ran = run(capsys, monkeypatch, "verify", str(path), "--trust", trust, "--json")
    assert ran.code == 0
    assert ran.json["is_trusted"]
    path.write_bytes(path.read_bytes().replace(b'"drawn_wh":100', b'"drawn_wh":101', 1))
    ran = run(capsys, monkeypatch, "verify", str(path), "--json")
    assert ran.code == 5
    assert ran.json["fault_count"] > 0
    assert run(capsys, monkeypatch, "verify", str(tmp_path / "none.jsonl")).code == 2


def test_an_extract_for_a_report_is_a_bundle_of_its_own(keys, tmp_path):
    gateway = Gateway(keys, "gw", tmp_path / "telemetry")
    attest(gateway, 0)
    out = tmp_path / "event.jsonl"
    write_bundle(out, keys.header(), [extract(gateway.last, ["m2"])])
    assert (verdict(out).readings, verdict(out).extracts, verdict(out).fault_count) == (1, 1, 0)
    assert b'"m1"' not in out.read_bytes().splitlines()[1]
