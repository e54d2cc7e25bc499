"""What a replay leaves on disk: all of it or nothing, the same after a kill, and one message when it is damaged."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

import polars as pl
import pytest

from command_line import DEMO, RESULTS, ROLLING, SIX_HOURS, refused, run


@pytest.fixture
def headrace(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of a few kilobytes; where that is not permitted the test says so."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options):
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a small disk is not permitted here")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def names(folder):
    return {path.name for path in folder.iterdir()}


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("kilobytes", [4, 40, 60, 120, 200])
def test_a_full_disk_leaves_no_half_written_file(headrace, small_disk, kilobytes):
    out = small_disk(f"size={kilobytes}k") / "out"
    refused(headrace("replay", DEMO, *ROLLING, "--out", out), "/disk/out", "Free space on that disk")
    left = contents(out) if out.exists() else {}
    assert set(left) <= {"journal/rolling.jsonl"}
    for line in b"".join(left.values()).splitlines(keepends=True):
        assert line.endswith(b"}\n")
        json.loads(line)


def test_a_full_disk_keeps_the_results_of_the_replay_before(headrace, small_disk):
    out = small_disk("size=600k") / "out"
    assert headrace("replay", DEMO, *ROLLING, "--out", out).code == 0
    before = {name: data for name, data in contents(out).items() if not name.startswith("journal")}
    (out.parent / "ballast").write_bytes(bytes(shutil.disk_usage(out).free - 8192))
    refused(headrace("report", "--out", out), "/disk/out", "Free space on that disk")
    assert {name: data for name, data in contents(out).items() if not name.startswith("journal")} == before
    assert headrace("why", "2024-11-07T03:00", "--out", out).code == 0


def test_a_disk_that_is_read_only_is_named(headrace, small_disk):
    disk = small_disk("ro")
    refused(headrace("replay", DEMO, *ROLLING, "--out", disk / "out"), "/disk/out", "Read-only file system")
    refused(headrace("new", "abc", "--folder", disk), "site.schema.json", "Read-only file system")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_named(headrace, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(headrace("replay", DEMO, *ROLLING, "--out", "locked/out"), "locked/out", "Permission denied")
    refused(headrace("new", "abc", "--folder", "locked"), "locked", "Permission denied")


def test_a_replay_leaves_its_own_runs_only(headrace, tmp_path):
    out = tmp_path / "out"
    assert headrace("replay", DEMO, *SIX_HOURS, "--policies", "always-on,rolling").code == 0
    assert headrace("replay", DEMO, *ROLLING).code == 0
    assert names(out) == RESULTS
    assert names(out / "intervals") == names(out / "settlements") == {"rolling.parquet"}
    assert names(out / "journal") == {"rolling.jsonl"}


def test_report_and_why_need_the_folder_alone(headrace, tmp_path):
    assert headrace("replay", DEMO, *SIX_HOURS, "--policies", "desk,rolling", "--no-sensitivities").code == 0
    before = contents(tmp_path / "out")
    assert headrace("report", "--out", "out").code == 0
    assert contents(tmp_path / "out") == before
    said = headrace("why", "2024-11-07T05:59:59", "--out", "out", "--json")
    assert said.code == 0
    assert said.json["currency"] == "USD"


def _without_runs(text):
    return json.dumps(json.loads(text) | {"runs": []}).encode()


def _backwards(text):
    run_file = json.loads(text)
    run_file["window"]["end"] = "2020-01-01T00:00:00Z"
    return json.dumps(run_file).encode()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("run.json", lambda _: b""),
        ("run.json", lambda _: bytes(range(256))),
        ("run.json", lambda text: text[:300]),
        ("run.json", _without_runs),
        ("run.json", _backwards),
        ("run.json", lambda text: text.replace(b'"margin_usd"', b'"profit_usd"')),
        ("intervals/rolling.parquet", lambda _: b""),
        ("intervals/rolling.parquet", lambda data: data[: len(data) // 2]),
        ("settlements/rolling.parquet", lambda _: b"PAR1"),
    ],
)
def test_a_damaged_result_is_named(headrace, tmp_path, name, damage):
    assert headrace("replay", DEMO, *ROLLING).code == 0
    path = tmp_path / "out" / name
    path.write_bytes(damage(path.read_bytes()))
    refused(headrace("report", "--out", "out"), f"out/{name}", "Run the replay again")
    refused(headrace("why", "2024-11-07T03:00", "--out", "out"), f"out/{name}", "Run the replay again")


def test_a_result_that_is_missing_swapped_or_cut_is_named(headrace, tmp_path):
    assert headrace("replay", DEMO, *ROLLING).code == 0
    intervals = tmp_path / "out" / "intervals" / "rolling.parquet"
    whole = intervals.read_bytes()
    intervals.write_bytes((tmp_path / "out" / "settlements" / "rolling.parquet").read_bytes())
    refused(headrace("report", "--out", "out"), "intervals/rolling.parquet", "has no column price")
    intervals.write_bytes(whole)
    pl.read_parquet(intervals).head(10).write_parquet(intervals)
    refused(headrace("report", "--out", "out"), "intervals/rolling.parquet", "holds 10 intervals, the replay has 72")
    intervals.unlink()
    refused(headrace("report", "--out", "out"), "intervals/rolling.parquet", "missing")
    (tmp_path / "out" / "run.json").unlink()
    (tmp_path / "out" / "run.json").mkdir()
    refused(headrace("report", "--out", "out"), "out/run.json", "Is a directory")


@pytest.mark.parametrize(
    ("change", "period", "words"),
    [
        (("", ""), ("2024-11-07", "2024-11-07T07:00"), ["period was", "2024-11-07T13:00:00Z", "without --resume"]),
        (("import_max_mw = 21.0", "import_max_mw = 22.0"), SIX_HOURS[1::2], ["config_digest was"]),
    ],
)
def test_resume_refuses_the_journal_of_another_run(headrace, tmp_path, change, period, words):
    assert headrace("replay", DEMO, *ROLLING).code == 0
    before = contents(tmp_path)
    site = tmp_path / "site.toml"
    site.write_text(DEMO.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    arguments = ("--from", period[0], "--to", period[1], *ROLLING[4:], "--resume")
    refused(headrace("replay", site, *arguments), "out/journal/rolling.jsonl line 1", *words)
    site.unlink()
    assert contents(tmp_path) == before


def test_resume_refuses_a_journal_that_was_changed(headrace, tmp_path):
    assert headrace("replay", DEMO, *ROLLING).code == 0
    journal = tmp_path / "out" / "journal" / "rolling.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"at_s":1730960100', b'"at_s":1730960101'))
    refused(headrace("replay", DEMO, *ROLLING, "--resume"), "rolling.jsonl line 5", "the line was changed")


def test_a_journal_that_is_a_folder_is_named(headrace, tmp_path):
    (tmp_path / "out" / "journal" / "rolling.jsonl").mkdir(parents=True)
    refused(headrace("replay", DEMO, *ROLLING), "rolling.jsonl", "Is a directory")
    refused(headrace("replay", DEMO, *ROLLING, "--resume"), "rolling.jsonl", "Is a directory")


@pytest.mark.inv("R2")
def test_a_replay_killed_in_the_middle_and_resumed_leaves_the_same_files(headrace, tmp_path):
    options = ("--from", "2024-11-07", "--to", "2024-11-14", "--policies", "rolling,desk", "--no-sensitivities")
    command = [sys.executable, "-c", "from headrace.app.cli import main; main()", "replay", str(DEMO), *options]
    child = subprocess.Popen([*command, "--out", "killed"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = tmp_path / "killed" / "journal" / "desk.jsonl"
    while child.poll() is None and not (journal.exists() and journal.stat().st_size > 10_000):
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the replay ended before it could be killed"
    assert names(tmp_path / "killed") == {"journal"}, "no result before the replay is finished"
    refused(headrace("report", "--out", "killed"), "holds no finished replay")

    assert headrace("replay", DEMO, *options, "--out", "killed", "--resume").code == 0
    assert headrace("replay", DEMO, *options, "--out", "whole").code == 0
    killed, whole = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    assert set(killed) == set(whole)
    assert [name for name in whole if killed[name] != whole[name]] == []


@pytest.mark.inv("R1")
def test_reproduce_finds_the_same_bytes_and_changes_nothing(headrace, tmp_path):
    assert headrace("replay", DEMO, *SIX_HOURS, "--policies", "always-on,rolling").code == 0
    before = contents(tmp_path)
    said = headrace("reproduce", DEMO, "--json")
    assert said.code == 0
    runs = ("always-on", "rolling", "rolling, price known", "rolling, no battery")
    assert said.json == {"equal": True, "records": dict.fromkeys(runs, 72)}
    assert contents(tmp_path) == before


def test_reproduce_names_the_first_record_that_differs(headrace, tmp_path):
    assert headrace("replay", DEMO, *ROLLING).code == 0
    journal = tmp_path / "out" / "journal" / "rolling.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:30]))
    refused(headrace("reproduce", DEMO), "rolling.jsonl line 31", "ends after 29 records of 72", code=5)
    journal.write_bytes(b"".join(lines)[:-20])
    refused(headrace("reproduce", DEMO), "rolling.jsonl line 73", "torn or was changed")
    journal.write_bytes(b"".join(lines))
    site = tmp_path / "site.toml"
    text = DEMO.read_text(encoding="utf-8")
    site.write_text(text.replace("import_max_mw = 21.0", "import_max_mw = 22.0"), encoding="utf-8")
    refused(headrace("reproduce", site), "rolling.jsonl line 1", "config_digest was", code=5)
    refused(headrace("reproduce", DEMO, "--out", "nowhere"), "nowhere/journal", "holds no journal")
