"""Job lists from files: what is read, and what is refused with its file and line."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl
import pytest

from headrace.adapters.jobs.declaration import JobList
from headrace.adapters.jobs.read import read_jobs
from headrace.adapters.sitefile import SiteFileError, parse_site
from headrace.core import BadInput, Interval
from headrace.loads.jobs import JobCluster
from job_replays import TABLES, job_site
from replays import SITES

START = datetime(2024, 11, 4, 6, tzinfo=UTC)
WINDOW = Interval(start=START, end=datetime(2024, 12, 16, 6, tzinfo=UTC))
CLUSTER = JobCluster(name="trainers", it_max_mw=0.6656, nodes=64, cooling="liquid", gpu_mw=0.0013)
LIST = JobList(
    cluster="trainers",
    file="jobs.csv",
    start_s=int(START.timestamp()),
    gpu_mw=0.0013,
    gpus_per_node=8,
    value_ccy_per_gpu_h=0.5,
    slack_ratio=1.0,
    slack_least_s=3600,
    lateness_ccy_per_gpu_h=0.0,
    is_malleable=False,
    checkpoint_interval_s=3600,
    checkpoint_s=300,
    restart_s=600,
    min_run_s=0,
    idle_ratio=0.1,
)
HEADER = "submit_offset_s,nodes,gpus,duration_s"


def read(folder, text, header=HEADER, **changes):
    (folder / "jobs.csv").write_text(f"{header}\n{text}\n", encoding="utf-8")
    return again(folder, **changes)


def again(folder, **changes):
    declared = msgspec.structs.replace(LIST, **changes)
    return read_jobs((declared,), (CLUSTER,), data_dir=folder, window=WINDOW, step_s=300)


def test_a_row_becomes_a_job(tmp_path):
    (job,), _ = read(tmp_path, "313,8,64,7200")
    assert job.release_s == LIST.start_s + 600  # the next control step
    assert job.deadline_s == job.release_s + 14_400
    assert job.power_mw == pytest.approx(64 * 0.0013)
    assert job.work_mwh == pytest.approx(64 * 0.0013 * 2)
    assert job.value_ccy == pytest.approx(64.0)
    assert (job.nodes, job.restart_mwh) == (8, pytest.approx(job.power_mw / 6))


def test_a_short_job_has_the_least_slack_and_a_given_deadline_wins(tmp_path):
    (short,), _ = read(tmp_path, "0,1,8,60")
    assert short.deadline_s == short.release_s + 3900
    (given,), _ = read(tmp_path, "0,1,8,60,1200", header=f"{HEADER},deadline_offset_s")
    assert given.deadline_s == given.release_s + 1200


def test_parquet_reads_as_csv_does(tmp_path):
    pl.DataFrame({"submit_offset_s": [0.0], "nodes": [1], "gpus": [8], "duration_s": [900.0]}).write_parquet(
        tmp_path / "jobs.parquet"
    )
    assert again(tmp_path, file="jobs.parquet")[0] == read(tmp_path, "0,1,8,900")[0]


def test_jobs_before_the_period_or_due_after_it_are_left_out_and_told(tmp_path):
    rows = f"0,1,8,900\n{6 * 3600},1,8,900\n{41 * 86_400},1,8,{2 * 86_400}"
    jobs, (note,) = read(tmp_path, rows, start_s=LIST.start_s - 3600)
    assert len(jobs) == 1
    assert "1 run; 1 submitted before the period and 1 due after it are left out" in note


def test_the_sample_list_comes_with_the_package():
    declared = msgspec.structs.replace(LIST, file="sample:ai_jobs.csv")
    cluster = msgspec.structs.replace(CLUSTER, nodes=128, it_max_mw=1.3312)
    jobs, _ = read_jobs((declared,), (cluster,), data_dir=None, window=WINDOW, step_s=300)
    assert len(jobs) > 100
    assert {job.nodes for job in jobs} >= {1, 8, 64}


def test_the_trace_itself_reads_as_its_sample(tmp_path):
    trace = Path(__file__).parents[4] / "shared" / "data" / "jobs"
    if not (trace / "kalos_llm_training_jobs.parquet").exists():
        pytest.skip("the recorded data are not beside this checkout")
    cluster = msgspec.structs.replace(CLUSTER, nodes=128, it_max_mw=1.3312)
    lists = [("kalos_llm_training_jobs.parquet", trace), ("sample:ai_jobs.csv", None)]
    found = [
        read_jobs((msgspec.structs.replace(LIST, file=file),), (cluster,), data_dir=folder, window=WINDOW, step_s=300)
        for file, folder in lists
    ]
    assert [job.name for job in found[0][0]] == [job.name for job in found[1][0]]
    assert [job.nodes for job in found[0][0]] == [job.nodes for job in found[1][0]]


@pytest.mark.parametrize(
    ("rows", "line", "found"),
    [
        ("0,65,512,900", 2, "its gang of 65 nodes exceeds cluster trainers of 64"),
        ("0,1,8,900\n0,1,9,900", 3, "9 GPUs on 1 nodes of 8"),
        ("0,1,8,-900", 2, "duration_s must be within 1 to 31,622,400, was -900"),
        ("0,1,8,0", 2, "duration_s must be within"),
        ("0,1,8,1e12", 2, "duration_s must be within"),
        ("-5,1,8,900", 2, "submit_offset_s must be within"),
        ("0,0,8,900", 2, "nodes must be a whole number within 1"),
        ("0,1.5,8,900", 2, "nodes must be a whole number"),
        ("0,1,8,900\n5,1,8,", 3, "duration_s must be within 1 to 31,622,400, was None"),
        ("0,1,,900", 2, "gpus must be a whole number within 1 to 1,000,000, was None"),
        ("0,1,8,NaN", 2, "duration_s must be within 1 to 31,622,400, was nan"),
        ("900,1,8,900\n600,1,8,900", 3, "is submitted before the job above it"),
    ],
)
def test_a_job_that_cannot_be_is_refused_with_its_line(tmp_path, rows, line, found):
    with pytest.raises(BadInput) as error:
        read(tmp_path, rows)
    assert error.value.where == f"jobs.csv line {line}"
    assert found in error.value.found


def test_a_column_of_deadlines_that_is_empty_leaves_the_slack(tmp_path):
    (job,), _ = read(tmp_path, "0,1,8,900,", header=f"{HEADER},deadline_offset_s")
    assert job.deadline_s == int(START.timestamp()) + 900 + LIST.slack_least_s


def test_a_deadline_before_the_submission_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"line 2.*deadline_offset_s 600 is not after submit_offset_s 900"):
        read(tmp_path, "900,1,8,60,600", header=f"{HEADER},deadline_offset_s")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("submit_offset_s,nodes,gpus\n0,1,8\n", "has no column duration_s"),
        (f"{HEADER}\n0,1,8,long\n", "duration_s holds text"),
        ("", "can't be read"),
        (f"{HEADER}\n", "has no job below its header"),
        (f"{HEADER}\n0,1,8,900,7\n", r"found more fields than defined in 'Schema'\. Give"),
    ],
)
def test_a_file_that_is_no_job_list_is_refused(tmp_path, text, found):
    (tmp_path / "jobs.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=found):
        again(tmp_path)


def test_a_missing_file_and_a_missing_folder_are_told(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        again(tmp_path)
    with pytest.raises(BadInput, match="no data folder was given"):
        again(None)


@pytest.mark.parametrize(
    ("old", "new", "key", "found"),
    [
        ('cluster = "trainers"', 'cluster = "trainer"', "job_list[#1].cluster", "must name a [[job_cluster]]"),
        ('cooling = "liquid"\n\n[[job_list', 'cooling = "wet"\n\n[[job_list', "cooling", "must name a [[cooling]]"),
        ('name = "trainers"', 'name = "S21 hall"', "name", "is taken"),
        (
            "checkpoint_interval_min = 60.0",
            "checkpoint_interval_min = 0.0",
            "checkpoint_interval_min",
            "must be above 0",
        ),
        ("nodes = 64", "nodes = -4", "nodes", "must be above 0"),
    ],
)
def test_a_site_file_that_contradicts_itself_about_jobs_is_refused_with_its_line(old, new, key, found):
    tables = TABLES.format(start="2024-11-04", value=0.5, more="")
    assert tables.count(old) == 1
    text = (SITES / "demo.toml").read_text(encoding="utf-8").replace("[desk]", tables.replace(old, new))
    with pytest.raises(SiteFileError) as error:
        parse_site(text, Path("jobs.toml"))
    problem = next(each for each in error.value.problems if key in each.key and found in each.found)
    assert new.splitlines()[0].split(" = ")[0] in text.splitlines()[problem.line - 1]


def test_a_jobs_value_moves_the_sites_digest():
    assert job_site("2024-11-04", value=0.5).digest != job_site("2024-11-04", value=0.6).digest
