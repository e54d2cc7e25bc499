"""Outputs are whole or absent."""

from pathlib import Path

import pytest

from headrace.core import BadInput
from headrace.engine.atomic import replacing_file, replacing_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail_half_way(replacing, path):
    with replacing(path) as working:
        if working.is_dir():
            (working / "half.parquet").write_text("")
        else:
            working.write_text("half")
        raise ZeroDivisionError


def test_a_file_appears_whole(tmp_path):
    with replacing_file(tmp_path / "new" / "report.html") as working:
        working.write_text("whole")
        assert not (tmp_path / "new" / "report.html").exists()
    assert (tmp_path / "new" / "report.html").read_text() == "whole"
    assert names(tmp_path / "new") == ["report.html"]


def test_a_failed_file_leaves_the_old_one_and_nothing_else(tmp_path):
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(ZeroDivisionError):
        fail_half_way(replacing_file, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "old"
    assert names(tmp_path) == ["report.html"]


def test_a_folder_replaces_the_old_one_whole(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale.parquet").write_text("")
    with replacing_folder(tmp_path / "out") as working:
        (working / "deep").mkdir()
        (working / "deep" / "plan.parquet").write_text("")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["deep"]


def test_a_failed_folder_leaves_the_old_one_and_nothing_else(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.parquet").write_text("")
    with pytest.raises(ZeroDivisionError):
        fail_half_way(replacing_folder, tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["old.parquet"]


def test_a_folder_lost_between_two_renames_comes_back(tmp_path):
    (tmp_path / ".out.old").mkdir()
    (tmp_path / ".out.old" / "old.parquet").write_text("")
    with pytest.raises(ZeroDivisionError):
        fail_half_way(replacing_folder, tmp_path / "out")
    assert names(tmp_path / "out") == ["old.parquet"]


@pytest.mark.parametrize("replacing", [replacing_file, replacing_folder])
def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path, replacing):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(BadInput, match=r"can't be written: .*(is a file, not a folder|Not a directory)"),
        replacing(tmp_path / "file" / "out"),
    ):
        pytest.fail("nothing may be computed for a place that can't be written")
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("replacing", [replacing_file, replacing_folder])
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path, replacing):
    with pytest.raises(BadInput, match="out: can't be written: No space left on device"), replacing(tmp_path / "out"):
        Path("/dev/full").write_text("half")
    assert names(tmp_path) == []
