"""Signed telemetry of a run by the auditor's own curves and trees, against the journal and the simulated world."""

import base64
import json
from pathlib import Path

import pytest

from audit import live_books as books
from audit import live_proof as proof
from audit.live_day import SITES, run_day
from headrace.adapters.keys.chain import KeyFolder
from headrace.settlement.identities import Role

pytest.importorskip("cryptography", reason="the packages of signed telemetry are not installed")

SIGNED = {
    "poi": ("import_wh", "export_wh", None),
    "storage": ("charge_wh", "discharge_wh", None),
    "hall-A": (None, None, "work_ph.hall A"),
    "hall-B": (None, None, "work_ph.hall B"),
    "firm-lab": (None, None, "lease_delivered_gpu_s.firm lab"),
    "batch-lab": (None, None, "lease_delivered_gpu_s.batch lab"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    keys = KeyFolder.create(folder / "keys", "Live demo, 1 MW campus")
    keys.enrol(Role.GATEWAY, "gateway-1", at_s=1_700_000_000)
    for name in SIGNED:
        keys.enrol(Role.DEVICE, name, at_s=1_700_000_000)
    text = (SITES / "live_demo.devices.toml").read_text()
    (folder / "devices.toml").write_text(f'{text}\n[telemetry]\nkeys = "keys"\ngateway = "gateway-1"\n')
    run_day(
        folder / "out",
        hours=1.3,
        devices=folder / "devices.toml",
        faults=(("meter_gap", "poi", 0.5, 0.7, 0.0),),
        orders=({"at_h": 0.2, "id": "op.1", "kind": "shed", "authority": 2, "mw": 0.3, "for_h": 0.2},),
    )
    return folder / "out"


def bundle_of(run: Path) -> Path:
    (found,) = (run / "telemetry").glob("*.jsonl")
    return found


def test_the_bundle_holds_by_another_implementation(run: Path) -> None:
    assert proof.wrong_in(bundle_of(run)) == []


def test_what_is_signed_is_what_was_metered_and_settled(run: Path) -> None:
    day = books.Day(run)
    moved = {r["cycle"]["at_s"]: r["moved"] for r in day.of("closed")}
    intervals = [json.loads(line) for line in bundle_of(run).read_text().splitlines()[1:]]
    assert [each["interval"]["interval_start_s"] for each in intervals] == sorted(moved)
    for each in intervals:
        said = moved[each["interval"]["interval_start_s"]]
        assert {reading["device"] for reading in each["readings"]} == set(SIGNED)
        for reading in each["readings"]:
            drawn, fed, work = SIGNED[reading["device"]]
            assert (reading["drawn_wh"], reading["fed_wh"]) == (said.get(drawn, 0), said.get(fed, 0))
            assert reading["work"] == said.get(work, 0)
    roots = {r["interval_s"]: r["root"] for r in day.of("attested")}
    assert roots == {
        e["interval"]["interval_start_s"]: base64.b64decode(e["interval"]["root"]).hex() for e in intervals
    }
    books.check_energy_truth(day)
    assert day.wrong == []


@pytest.mark.parametrize("field", ["drawn_wh", "work", "sequence", "signed_at_us"])
def test_one_unit_more_in_any_reading_is_seen(run: Path, tmp_path: Path, field: str) -> None:
    lines = bundle_of(run).read_text().splitlines()
    spoilt = json.loads(lines[3])
    spoilt["readings"][2][field] += 1
    lines[3] = json.dumps(spoilt)
    (tmp_path / "spoilt.jsonl").write_text("\n".join(lines))
    assert proof.wrong_in(tmp_path / "spoilt.jsonl")
