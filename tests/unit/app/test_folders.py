"""`why` and `report` explain the replay that a person means."""

import os

from headrace.app.folders import DEMO_OUT, REPLAY_OUT, replay_folder


def finished(folder, at_s):
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    os.utime(folder / "run.json", (at_s, at_s))


def test_the_named_folder_wins(tmp_path):
    assert replay_folder(tmp_path) == tmp_path


def test_without_a_name_it_is_the_newer_of_the_two_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert replay_folder(None) == REPLAY_OUT
    finished(tmp_path / DEMO_OUT, 1_000)
    assert replay_folder(None) == DEMO_OUT
    finished(tmp_path / REPLAY_OUT, 2_000)
    assert replay_folder(None) == REPLAY_OUT
