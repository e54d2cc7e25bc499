"""Times that a person types."""

import math
from pathlib import Path

import pytest

import headrace.app
from command_line import run
from headrace.app.times import within_calendar
from headrace.core import BadInput
from headrace.engine.clock import FastClock, SimulatedClock


@pytest.mark.parametrize("anchor_s", [math.nan, math.inf, -math.inf, 1e300, -1e300])
def test_a_clock_with_a_senseless_zero_is_refused(anchor_s):
    with pytest.raises(BadInput, match="--anchor"):
        within_calendar(FastClock(start_s=1.7e9, speed_ratio=60.0, anchor_wall_s=anchor_s))


def test_a_year_that_no_site_is_run_in_is_refused():
    with pytest.raises(BadInput, match="1970 to 2100"):
        within_calendar(SimulatedClock(253_402_300_799.0))
    assert within_calendar(SimulatedClock(1.7e9)).now_s() == 1.7e9


@pytest.mark.parametrize(
    ("given", "words"),
    [(["--seed=-1"], "--seed -1: below zero"), (["--poll", "1e-300s"], "--poll"), (["--poll", "9h"], "--poll 9h")],
)
def test_numbers_that_no_run_can_have_are_named_before_it_begins(given, words, tmp_path, capsys, monkeypatch):
    site = Path(headrace.app.__file__).parent / "sites"
    files = (site / "live_demo.toml", "--devices", site / "live_demo.devices.toml", "--out", tmp_path / "out")
    monkeypatch.setenv("HEADRACE_DEMO_AGENTS", "x" * 32)
    monkeypatch.setenv("HEADRACE_DEMO_MINERS", "admin")
    said = run(capsys, monkeypatch, "live", *files, "--simulated", "--for", "1s", "--speed", "0", *given)
    assert said.code == 2
    assert words in said.err
    assert not (tmp_path / "out").exists()
