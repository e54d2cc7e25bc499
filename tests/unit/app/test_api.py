"""Headrace from Python gives the same replay as the command line."""

import pytest

from headrace.app.api import explain, replay_site, write_report
from headrace.core import BadInput
from replays import SITES


@pytest.fixture(scope="module")
def result():
    return replay_site(SITES / "demo.toml", start="2024-11-17", end="2024-11-18", labels=("desk", "rolling"))


def test_a_replay_gives_polars_frames_by_local_day(result):
    frame = result.run("rolling").intervals
    assert len(frame) == 288
    assert str(frame["interval_start"][0]) == "2024-11-17 06:00:00+00:00"
    assert len(result.run("desk").settlements) == 96


def test_an_interval_is_explained_in_sentences(result):
    ladder = explain(result, "2024-11-17T15:00")
    assert ladder.bid_ccy_per_mwh <= ladder.ask_ccy_per_mwh
    assert ladder.sentences


def test_a_time_outside_the_replay_is_refused(result):
    with pytest.raises(BadInput, match="2024"):
        explain(result, "2024-11-20T15:00")


def test_the_report_is_one_file(result, tmp_path):
    write_report(result, tmp_path / "board.html")
    assert [p.name for p in tmp_path.iterdir()] == ["board.html"]
    assert "Demo campus" in (tmp_path / "board.html").read_text(encoding="utf-8")
