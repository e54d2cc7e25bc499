"""The example sites with several owners and with dates, replayed for days on record, and the demo as a whole."""

import os
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from command_line import run as headrace
from headrace.adapters.sitefile import load_site
from headrace.app.replaying import HEADLINE
from headrace.app.verbs import DEMOS
from headrace.core import Interval
from replays import SITES, days_of, run

DATA = Path(os.environ.get("HEADRACE_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
on_record = pytest.mark.skipif(not (DATA / "energy").is_dir(), reason=f"no recorded data at {DATA}")


def _days(name, first, last, labels):
    window = Interval(start=datetime(*first, 6, tzinfo=UTC), end=datetime(*last, 6, tzinfo=UTC))
    return run(load_site(SITES / f"{name}.toml"), window, labels, data=DATA)


def _margins(result):
    return [result.run(label).margin_ccy for label in HEADLINE]


@on_record
@pytest.mark.inv("D7")
def test_every_part_of_the_mixed_campus_earns_or_costs_and_hedges_are_the_same_under_every_policy():
    result = _days("texas_mixed_100mw", (2024, 1, 15), (2024, 1, 17), HEADLINE)
    for each in result.runs:
        paid = {line for line, amount in each.lines_ccy.items() if amount}
        assert {"hedge", "basis", "day_ahead", "supply_fees", "fixed_charges", "hosting", "shell", "ai_firm"} <= paid
        assert each.intervals["shed_mw"].max() == 0.0
    for line in ("hedge", "basis", "day_ahead", "shell", "fixed_charges"):
        assert len({each.lines_ccy[line] for each in result.runs}) == 1
    assert result.run("rolling").lines_ccy["reserve"] > 0.0
    assert result.run("always-on").lines_ccy["reserve"] == 0.0


@on_record
def test_a_hall_of_the_mine_falls_still_on_its_day_and_its_gpus_earn_from_theirs():
    rent = 13_000 * 2.20 * 24.0
    result = _days("mine_to_ai", (2024, 5, 31), (2024, 6, 2), ("desk",))
    each = result.run("desk")
    assert each.lines_ccy["ai_firm"] == pytest.approx(rent * 25 / 24, abs=0.01), "from 1 June at 00:00, UTC-5"
    hall = [c for c in each.intervals.columns if c.startswith("use:hall 3 miners")]
    drawn_mw = each.intervals.select(hall).to_numpy().sum(axis=1)
    june = each.intervals["interval_start"].to_numpy() >= np.datetime64("2024-06-01T05:00")
    assert drawn_mw[june].max() == 0.0
    assert drawn_mw[~june].max() > 20.0


def test_the_demos_second_site_runs_on_what_comes_with_the_package():
    loaded = load_site(SITES / "demo_mixed.toml")
    result = run(loaded, days_of(loaded, 5, 2), HEADLINE)
    always_on, desk, rolling, bound = _margins(result)
    assert always_on < min(desk, rolling)
    assert rolling < bound
    assert [line for line in ("basis", "reserve", "transmission") if result.run("rolling").lines_ccy[line]] == []


@pytest.mark.slow
def test_the_demo_prints_both_sites_and_leaves_both_reports(capsys, monkeypatch, tmp_path):
    said = headrace(capsys, monkeypatch, "demo", "--out", tmp_path, "--json")
    assert said.code == 0
    assert list(said.json) == [name for name, _, _ in DEMOS]
    for name, folder, _ in DEMOS:
        board = said.json[name]
        assert Path(board["report"]) == tmp_path / folder / "report.html"
        assert Path(board["report"]).is_file()
        assert any("trading hub" in caveat for caveat in board["caveats"])
        assert any("coincident peaks not declared" in caveat for caveat in board["caveats"])


@on_record
@pytest.mark.slow
def test_january_of_the_mixed_campus_is_ordered_from_always_on_to_the_bound():
    result = _days("texas_mixed_100mw", (2024, 1, 1), (2024, 2, 1), HEADLINE)
    assert all(a < b for a, b in pairwise(_margins(result)))
