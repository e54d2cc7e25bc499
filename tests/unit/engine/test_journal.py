"""The journal, cut and altered at every byte."""

import os
from pathlib import Path

import msgspec
import pytest

from headrace.core import BadInput
from headrace.engine.journal import JournalHeader, JournalWriter, read_journal, recover

HEADER = JournalHeader(
    kind="backtest",
    site="Cedar Bend",
    policy="rolling",
    period="2024-02-01T00:00:00Z/2024-02-02T00:00:00Z",
    config_digest="c0ffee",
    input_digest="5eed",
    versions={"numpy": "2.4.0", "headrace": "0.1.0"},
)
RECORDS = [msgspec.json.encode({"at": 300 * i, "import_mw": 12.5, "why": 'a "quoted" é'}) for i in range(3)]


def write(path, records=RECORDS, header=HEADER, **options):
    with JournalWriter(path, header, **options) as journal:
        for record in records:
            journal.append(record)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "journal.jsonl"


def test_what_was_appended_is_read_back(path):
    write(path)
    assert read_journal(path) == (HEADER, RECORDS)


def test_every_line_is_json_and_tells_its_number(path):
    header, *lines = write(path).splitlines()
    assert msgspec.json.decode(header)["header"]["site"] == "Cedar Bend"
    assert [msgspec.json.decode(line)["seq"] for line in lines] == [1, 2, 3]
    assert [msgspec.json.decode(line)["rec"]["at"] for line in lines] == [0, 300, 600]


def test_the_bytes_do_not_depend_on_how_often_the_disk_is_asked(path):
    assert write(path, fsync_every=1) == write(path, fsync_every=2) == write(path, fsync_every=1000)


def test_the_order_of_versions_moves_no_byte(path):
    turned = msgspec.structs.replace(HEADER, versions=dict(reversed(HEADER.versions.items())))
    assert write(path) == write(path, header=turned)


@pytest.mark.inv("R3")
def test_a_journal_cut_anywhere_is_mended_to_a_prefix_and_goes_on_to_the_same_bytes(path):
    whole = write(path)
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        found = recover(path, HEADER)
        count = len(found.records)
        assert list(found.records) == RECORDS[:count]
        assert count == max(whole[:cut].count(b"\n") - 1, 0)
        assert whole.startswith(path.read_bytes())
        write(path, RECORDS[count:], recovered=found)
        assert path.read_bytes() == whole


@pytest.mark.inv("R3")
def test_a_flipped_byte_anywhere_is_detected(path):
    whole = write(path)
    for at in range(len(whole)):
        for flip in (0x01, 0xFF):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            with pytest.raises(BadInput, match="line"):
                read_journal(path)


@pytest.mark.inv("R3")
def test_a_change_before_the_last_line_is_no_torn_tail_and_is_refused(path):
    whole = write(path)
    last_line = whole.rindex(b"\n", 0, -1) + 1
    for at in range(last_line - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :])
        with pytest.raises(BadInput):
            recover(path, HEADER)


@pytest.mark.inv("R3")
def test_lines_left_out_doubled_or_swapped_are_detected(path):
    head, one, two, three = write(path).splitlines(keepends=True)
    for altered in ([head, one, three], [head, one, two, two, three], [head, two, one, three]):
        path.write_bytes(b"".join(altered))
        with pytest.raises(BadInput, match="does not continue the chain"):
            read_journal(path)


@pytest.mark.inv("R3")
def test_a_line_of_another_run_is_detected(path):
    lines = write(path).splitlines(keepends=True)
    others = write(path, [RECORDS[0] + b" ", *RECORDS[1:]]).splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], others[2], lines[3]]))
    with pytest.raises(BadInput, match="line 3: the line is torn or was changed"):
        read_journal(path)


def test_a_lost_tail_of_zeros_is_mended(path):
    whole = write(path)
    path.write_bytes(whole[:-40] + bytes(4096))
    assert recover(path, HEADER).records == tuple(RECORDS[:2])


def test_an_absent_journal_recovers_to_nothing(path):
    found = recover(path, HEADER)
    assert found.records == ()
    write(path, recovered=found)
    assert read_journal(path) == (HEADER, RECORDS)


@pytest.mark.parametrize(
    ("field", "value"),
    [("site", "Elsewhere"), ("input_digest", "0"), ("versions", {"headrace": "0.2.0"}), ("policy", "desk")],
)
def test_another_runs_journal_is_refused_and_the_difference_named(path, field, value):
    whole = write(path)
    with pytest.raises(BadInput, match=f"another run's: {field} was"):
        recover(path, msgspec.structs.replace(HEADER, **{field: value}))
    assert path.read_bytes() == whole


def test_a_run_without_resume_begins_afresh(path):
    write(path)
    assert write(path, RECORDS[:1]).count(b"\n") == 2


def test_an_exception_in_the_run_leaves_what_was_decided(path):
    def run_that_fails():
        with JournalWriter(path, HEADER) as journal:
            journal.append(RECORDS[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_that_fails()
    assert read_journal(path) == (HEADER, RECORDS[:1])


def test_a_folder_that_cannot_be_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="can't be written: Not a directory"):
        JournalWriter(tmp_path / "file" / "run" / "journal.jsonl", HEADER)
    with pytest.raises(BadInput, match="can't be written: Is a directory"):
        JournalWriter(tmp_path, HEADER)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk_is_one_clear_error():
    with pytest.raises(BadInput, match=r"/dev/full: can't be written: No space left on device\. Free space"):
        JournalWriter(Path("/dev/full"), HEADER)


def test_reading_what_is_no_journal_is_one_clear_error(tmp_path):
    with pytest.raises(BadInput, match="can't be read"):
        read_journal(tmp_path / "absent")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(BadInput, match="line 1"):
        read_journal(tmp_path / "empty")


def test_a_journal_of_a_later_format_is_refused(path):
    write(path, header=msgspec.structs.replace(HEADER, format=2))
    with pytest.raises(BadInput, match="format was 2 and would be 1"):
        recover(path, HEADER)
