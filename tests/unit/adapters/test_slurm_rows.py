"""Rows of squeue and sinfo, and Slurm's notation of node names."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.adapters.schedulers.slurm_rows import Unreadable, expand_nodes, read_nodes, read_queue
from headrace.control.workloads import WorkState

ROW = "17|RUNNING|flex1|n[00-02]|3|6|cpu=3,node=3|N/A|gres:gpu:2|N/A|1|None|checkpoint=USR1 notice_s=30|llm|7b|\n"


@pytest.mark.parametrize(
    ("short", "names"),
    [
        ("n[00-02,07],login", ("n00", "n01", "n02", "n07", "login")),
        ("n7", ("n7",)),
        ("", ()),
        ("(null)", ()),
        ("r[8-10]-gpu", ("r8-gpu", "r9-gpu", "r10-gpu")),
        ("n[099-100]", ("n099", "n100")),
    ],
)
def test_node_names_are_written_out(short, names):
    assert expand_nodes(short) == names


@pytest.mark.parametrize("short", ["n[", "n[1-]", "n[a-b]", "n[0-999999999]", "n[²]", ",,,n[1][2]["])
def test_what_is_no_list_of_nodes_is_refused(short):
    with pytest.raises(Unreadable):
        expand_nodes(short)


@given(st.text(alphabet="n0129-,[]x", max_size=30))
def test_any_text_is_a_list_of_nodes_or_refused(short):
    with suppress(Unreadable):
        assert all(isinstance(name, str) for name in expand_nodes(short))


def test_a_row_becomes_a_workload():
    (work,) = read_queue(ROW, {"flex1": "tier1"})
    assert (work.id, work.name, work.tier, work.state) == ("17", "llm|7b", "tier1", WorkState.RUNNING)
    assert (work.nodes, work.gpus, work.restarts) == (("n00", "n01", "n02"), 6, 1)
    assert (work.checkpoint_signal, work.notice_s) == ("USR1", 30.0)


@pytest.mark.parametrize(
    ("resources", "gpus"),
    [
        ("cpu=3,gres/gpu=5|N/A|gres:gpu:2|N/A", 5),
        ("cpu=3|gres:gpu:a100:4|N/A|N/A", 4),
        ("cpu=3|N/A|gres/gpu:8|N/A", 24),
        ("cpu=3|N/A|N/A|gres:gpu:1", 6),
        ("cpu=3|N/A|gres:tape:1|N/A", 0),
    ],
)
def test_accelerators_are_what_was_given_or_else_asked_for(resources, gpus):
    row = ROW.replace("cpu=3,node=3|N/A|gres:gpu:2|N/A", resources)
    assert read_queue(row, {})[0].gpus == gpus


def test_a_job_that_has_ended_is_not_listed_and_one_of_no_tier_is_firm():
    rows = ROW + ROW.replace("17|RUNNING", "18|COMPLETED") + ROW.replace("17|RUNNING|flex1", "19|SUSPENDED|prod")
    found = {work.id: work for work in read_queue(rows, {"flex1": "tier1"})}
    assert set(found) == {"17", "19"}
    assert (found["19"].tier, found["19"].state) == ("", WorkState.PAUSED)


@pytest.mark.parametrize("rows", ["slurm_load_jobs error\n", ROW + ROW, "x" + ROW, ROW.replace("|3|6|", "|three|6|")])
def test_what_is_no_row_is_refused_as_a_whole(rows):
    with pytest.raises(Unreadable):
        read_queue(rows, {"flex1": "tier1"})


@given(st.text(max_size=200))
def test_any_text_is_rows_or_refused(text):
    for read in (lambda: read_queue(text, {}), lambda: read_nodes(text)):
        with suppress(Unreadable):
            read()


def test_nodes_are_listed_once_with_their_accelerators():
    rows = "n00|idle*|gpu:8|\nn00|idle*|gpu:8|\nn01|mixed|gpu:a100:4(S:0-1)|\nlogin|idle|(null)|\n"
    assert [(row.name, row.state, row.gpus) for row in read_nodes(rows)] == [
        ("n00", "idle", 8),
        ("n01", "mixed", 4),
        ("login", "idle", 0),
    ]
