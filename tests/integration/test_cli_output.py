"""What verbs print: help, strict JSON on standard output alone, tables as wide as told; and how fast they start."""

import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from command_line import DEMO, ROLLING, run
from headrace.app.cli import main

COMMAND = (sys.executable, "-c", "from headrace.app.cli import main; main()")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def headrace(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


def test_the_installed_command_is_main():
    (script,) = entry_points(group="console_scripts", name="headrace")
    assert script.load() is main


@pytest.mark.parametrize("verb", ["", "demo", "replay", "reproduce", "why", "report", "check", "new", "data", "doctor"])
def test_every_verb_explains_itself(headrace, verb):
    said = headrace(*verb.split(), "--help")
    assert said.code == 0
    assert "Usage: headrace" in said.out
    assert not verb or "--json" in said.out


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["check", DEMO], {"currency", "digest", "import_max_mw", "notes", "period", "settlement_point", "site"}),
        (["new", "Cedar Bend"], {"schema", "site"}),
        (
            ["doctor"],
            {
                "bench peers",
                "data",
                "doors",
                "installed",
                "live doors",
                "live packages",
                "live programs",
                "operators",
            },
        ),
    ],
)
def test_json_has_its_documented_keys(headrace, arguments, keys):
    said = headrace(*arguments, "--json")
    assert (said.code, said.err) == (0, "")
    assert set(said.json) == keys


def test_the_json_of_data_is_a_list_of_series(headrace):
    series = headrace("data", "--json").json
    keys = {"name", "unit", "step_s", "span", "intervals", "missing", "files", "note", "problem"}
    assert "sample.real_time" in {each["name"] for each in series}
    assert all(set(each) == keys for each in series)


def test_the_json_of_replay_report_and_why_is_strict(headrace):
    replayed = headrace("replay", DEMO, *ROLLING, "--json")
    assert (replayed.code, replayed.err) == (0, "")
    assert {"report", "site", "currency", "policies", "sensitivities", "gaps", "books", "meta"} <= set(replayed.json)
    assert headrace("report", "--out", "out", "--json").json == replayed.json
    ladder = headrace("why", "2024-11-07T03:00", "--out", "out", "--json").json
    assert {"bid_usd_per_mwh", "ask_usd_per_mwh", "rungs", "sources", "binding", "sentences"} <= set(ladder)


def test_tables_in_a_file_are_at_most_100_columns_wide(headrace):
    said = headrace("replay", DEMO, *ROLLING)
    assert said.code == 0
    assert max(len(line.rstrip()) for line in said.out.splitlines() if not line.startswith("Report")) <= 100
    assert headrace("data").out.count("sample.bitcoin.block_reward") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["replay", "--help"], ["check", str(DEMO)]])
def test_help_and_check_start_without_the_solver_and_the_table_library(arguments):
    script = (
        "import sys; from headrace.app.cli import main\n"
        "try: main()\n"
        "finally: print([m for m in ('polars', 'numba', 'highspy', 'sqlalchemy') if m in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "[]\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("option", [[], ["--json"]])
def test_an_output_that_is_full_is_one_message(option):
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, "check", str(DEMO), *option], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("headrace: standard output: No space left on device")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_error(option):
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [*COMMAND, "check", str(DEMO), *option], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_compiler_works_where_nothing_can_be_kept(monkeypatch, tmp_path):
    from headrace.app import compiled

    monkeypatch.setattr(compiled, "_is_writable", lambda _folder: False)
    monkeypatch.setenv(compiled.FOLDER, "set by the user")
    compiled.keep_compiled_code()
    assert os.environ[compiled.FOLDER] == "set by the user"
    monkeypatch.delenv(compiled.FOLDER)
    compiled.keep_compiled_code()
    folder = Path(os.environ[compiled.FOLDER])
    assert folder.is_dir()
    assert not any(folder.iterdir())
    assert folder.stat().st_mode & 0o077 == 0, "nobody else may plant code there"


@pytest.mark.slow
def test_the_wheel_carries_sites_sample_and_schema_and_runs_alone(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("headrace-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    environment.pop("HEADRACE_DATA", None)
    script = "import headrace; print(headrace.__file__); from headrace.app.cli import main; main()"
    for arguments in (["doctor"], ["data"], ["new", "Cedar Bend"], ["replay", "cedar_bend.toml", *ROLLING]):
        ended = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert re.match(str(tmp_path / "installed"), ended.stdout), "the wheel's own files ran"
    assert (tmp_path / "out" / "report.html").exists()
