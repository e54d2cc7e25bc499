"""The demo site with a cluster of batch jobs, and a made-up list of them that a few days can hold."""

from pathlib import Path

import msgspec
import numpy as np

from headrace.adapters.sitefile import LoadedSite, parse_site
from headrace.engine.cycle import CycleRecord
from headrace.engine.journal import read_journal
from replays import SITES

TABLES = """
[[job_cluster]]
name = "trainers"
nodes = 64
gpus_per_node = 8
kw_per_gpu = 1.3
idle_ratio = 0.1
cooling = "liquid"

[[job_list]]
cluster = "trainers"
file = "jobs.csv"
start = {start}
value_usd_per_gpu_h = {value}
slack_least_h = 3.0
checkpoint_interval_min = 60.0
checkpoint_min = 5.0
restart_min = 15.0
min_run_min = 60.0
{more}

[desk]
"""


def job_site(start: str, *, value: float = 0.30, more: str = "", import_max_mw: float = 20.0) -> LoadedSite:
    """The demo site with jobs from `jobs.csv` of the data folder; they are worth little, so that price stops them."""
    text = (SITES / "demo.toml").read_text(encoding="utf-8")
    text = text.replace("import_max_mw = 21.0", f"import_max_mw = {import_max_mw}")
    assert f"import_max_mw = {import_max_mw}" in text
    return parse_site(text.replace("[desk]", TABLES.format(start=start, value=value, more=more)), Path("jobs.toml"))


def write_jobs(folder: Path, seed: int, jobs: int = 30, days: float = 1.5) -> list[tuple[int, int, int, int]]:
    """A list of jobs of 5 minutes to 10 hours on 1 to 64 nodes: offset, nodes, GPUs, duration."""
    rng = np.random.default_rng(seed)
    offsets = np.sort(rng.integers(0, int(days * 86_400), jobs))
    nodes = rng.choice([1, 2, 4, 8, 16, 32, 64], jobs, p=[0.25, 0.15, 0.15, 0.15, 0.15, 0.1, 0.05])
    hours = np.exp(rng.uniform(np.log(0.08), np.log(10.0), jobs))
    rows = [
        (int(at), int(n), int(n) * 8, max(1, int(h * 3600))) for at, n, h in zip(offsets, nodes, hours, strict=True)
    ]
    write_rows(folder, rows)
    return rows


def write_rows(folder: Path, rows: list[tuple[int, int, int, int]]) -> None:
    """Write `jobs.csv`."""
    lines = ["submit_offset_s,nodes,gpus,duration_s", *(",".join(map(str, row)) for row in rows)]
    (folder / "jobs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def records_of(journal: Path) -> list[CycleRecord]:
    """Every cycle of a journal."""
    _, lines = read_journal(journal)
    return [msgspec.json.decode(line, type=CycleRecord) for line in lines]
