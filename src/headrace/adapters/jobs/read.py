"""Read job lists: CSV or Parquet, a row per job, in the order of submission.

    submit_offset_s    when it is submitted, seconds from the list's start, >= 0, never falling
    nodes, gpus        what it takes, all at once, whole numbers >= 1
    duration_s         time its work takes on them, seconds > 0
    deadline_offset_s  optional: when it is due, seconds from the list's start

Instants are moved to the next control step, at which the cycle first sees them. Jobs that are submitted before the
period are left out, and so are those due after it: what they would earn there, no policy could show.
"""

from importlib import resources
from pathlib import Path
from typing import Any, Final

import polars as pl

from headrace.adapters.feeds.locate import SAMPLE_PREFIX
from headrace.adapters.jobs.declaration import JobList
from headrace.core import BadInput, Interval
from headrace.loads.jobs import Job, JobCluster, refusals

__all__ = ["JOBS_MOST", "read_jobs"]

COLUMNS: Final = ("submit_offset_s", "nodes", "gpus", "duration_s")
DEADLINE: Final = "deadline_offset_s"
JOBS_MOST: Final = 200_000
"""Rows of the longest list read; a busy cluster submits as many in a year."""
FILE_MAX_BYTES: Final = 64 * 1024 * 1024
"""Longest file read."""
LONGEST_S: Final = 366 * 86_400
"""Longest duration believed, and furthest offset, in years: ten of these."""
GPUS_MOST: Final = 1_000_000
"""Largest job believed, GPUs."""


def read_jobs(
    lists: tuple[JobList, ...],
    clusters: tuple[JobCluster, ...],
    *,
    data_dir: Path | None,
    window: Interval,
    step_s: int,
) -> tuple[tuple[Job, ...], tuple[str, ...]]:
    """Jobs submitted and due in a period, by release, and what a reader must know of them.

    Parameters
    ----------
    lists, clusters
        As the site declares them.
    data_dir
        Folder of recorded data; None if every list comes with the package.
    window
        Period to replay.
    step_s
        Control step, seconds.

    Raises
    ------
    BadInput
        If a file can't be read, or a job can't be; it names the file, its line and the figure.
    """
    jobs: list[Job] = []
    notes: list[str] = []
    for number, each in enumerate(lists, start=1):
        path = _path(each.file, data_dir)
        rows = _rows(each.file, path)
        made = [_job(each, row, i, number, step_s) for i, row in enumerate(rows)]
        by_name = {job.name: i for i, job in enumerate(made)}
        for name, wrong in refusals(made, clusters):
            raise _refused(each.file, by_name[name], wrong, "Correct the list or the [[job_cluster]]")
        inside = [job for job in made if job.release_s >= window.start_s and job.deadline_s <= window.end_s]
        before = sum(job.release_s < window.start_s for job in made)
        after = len(made) - before - len(inside)
        notes.append(
            f"Jobs of {each.file} on {each.cluster}: {len(inside):,} run; {before:,} submitted before the period and "
            f"{after:,} due after it are left out."
        )
        jobs += inside
    return tuple(sorted(jobs, key=lambda job: job.release_s)), tuple(notes)


def _job(declared: JobList, row: dict[str, Any], i: int, number: int, step_s: int) -> Job:
    """One row as a job."""
    gpus, nodes, duration_s = int(row["gpus"]), int(row["nodes"]), float(row["duration_s"])
    if gpus > nodes * declared.gpus_per_node:
        raise _refused(
            declared.file,
            i,
            f"{gpus} GPUs on {nodes} nodes of {declared.gpus_per_node}",
            "Correct gpus, nodes, or the cluster's gpus_per_node",
        )
    release_s = _on_grid(declared.start_s + float(row["submit_offset_s"]), step_s)
    deadline = row.get(DEADLINE)
    if deadline is None:
        slack_s = max(declared.slack_ratio * duration_s, declared.slack_least_s)
        due_s = release_s + duration_s + slack_s
    else:
        due_s = declared.start_s + float(deadline)
    deadline_s = _on_grid(due_s, step_s)
    if deadline_s <= release_s:
        raise _refused(
            declared.file,
            i,
            f"{DEADLINE} {deadline} is not after submit_offset_s {row['submit_offset_s']}",
            "Give a deadline at least a control step after the submission",
        )
    hours = duration_s / 3600.0
    power_mw = gpus * declared.gpu_mw
    return Job(
        name=f"{declared.cluster} {number}.{i + 1}",
        cluster=declared.cluster,
        release_s=release_s,
        deadline_s=deadline_s,
        work_mwh=power_mw * hours,
        power_mw=power_mw,
        nodes=nodes,
        value_ccy=declared.value_ccy_per_gpu_h * gpus * hours,
        lateness_ccy_per_h=declared.lateness_ccy_per_gpu_h * gpus,
        is_malleable=declared.is_malleable,
        checkpoint_interval_s=declared.checkpoint_interval_s,
        checkpoint_s=declared.checkpoint_s,
        restart_s=declared.restart_s,
        restart_mwh=power_mw * declared.restart_s / 3600.0,
        min_run_s=declared.min_run_s,
        idle_ratio=declared.idle_ratio,
    )


def _rows(name: str, path: Path) -> list[dict[str, Any]]:
    """Rows of a list, checked one figure at a time."""
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise BadInput(name, f"is longer than {FILE_MAX_BYTES >> 20} MB", "Cut the list to the period")
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    except FileNotFoundError as error:
        raise BadInput(name, f"no such file in {path.parent}", "Check the path and --data DIR") from error
    except (OSError, pl.exceptions.PolarsError) as error:
        found = f"can't be read: {str(error).splitlines()[0]}"
        raise BadInput(name, found, "Give a CSV or Parquet file with a header") from error
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise BadInput(name, f"has no column {missing[0]}", f"A job list has {', '.join(COLUMNS)}")
    if not frame.height:
        raise BadInput(name, "has no job below its header", "Give the jobs, or leave the [[job_list]] out")
    if frame.height > JOBS_MOST:
        raise BadInput(name, f"has {frame.height:,} jobs, more than {JOBS_MOST:,}", "Cut the list to the period")
    columns = [*COLUMNS, *([DEADLINE] if DEADLINE in frame.columns else [])]
    for column in columns:
        _check(name, frame, column)
    falls = (frame["submit_offset_s"].diff() < 0).arg_true()
    if len(falls):
        raise _refused(name, int(falls[0]), "is submitted before the job above it", "Sort the list by submit_offset_s")
    return frame.select(columns).to_dicts()


def _check(name: str, frame: pl.DataFrame, column: str) -> None:
    """Refuse the first figure of a column that cannot be."""
    values = frame[column]
    if not values.dtype.is_numeric() and values.null_count() < len(values):
        raise BadInput(name, f"{column} holds text", "Give numbers")
    values = values.cast(pl.Float64)
    is_count = column in {"nodes", "gpus"}
    least, most = {"nodes": (1, GPUS_MOST), "gpus": (1, GPUS_MOST), "duration_s": (1, LONGEST_S)}.get(
        column, (0, 10 * LONGEST_S)
    )
    good = values.is_between(least, most).fill_null(column == DEADLINE)
    if is_count:
        good &= (values == values.round()).fill_null(value=False)
    wrong = (~good).arg_true()
    if len(wrong):
        whole = "a whole number " if is_count else ""
        found = f"{column} must be {whole}within {least:,} to {most:,}, was {frame[column][int(wrong[0])]}"
        raise _refused(name, int(wrong[0]), found, "Correct the figure, or leave the job out")


def _on_grid(at_s: float, step_s: int) -> int:
    """The first control step at or after an instant."""
    return -int(-at_s // step_s) * step_s


def _path(name: str, data_dir: Path | None) -> Path:
    if name.startswith(SAMPLE_PREFIX):
        return Path(str(resources.files("headrace.adapters.feeds"))) / "sample" / name.removeprefix(SAMPLE_PREFIX)
    if data_dir is None and not Path(name).is_absolute():
        raise BadInput(name, "no data folder was given", "Name the one that holds it: --data DIR")
    return Path(name) if data_dir is None else data_dir / name


def _refused(name: str, row: int, found: str, do: str) -> BadInput:
    """Line of the file that a row stands on: under the header of a CSV; Parquet has rows only."""
    place = f"row {row + 1}" if name.endswith(".parquet") else f"line {row + 2}"
    return BadInput(f"{name} {place}", found, do)
