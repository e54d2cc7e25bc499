"""`headrace bench replay`: a whole year at five minutes through the product itself, in a process of its own.

Site (a), policy `rolling`, re-planned in every interval, with journal, books, Parquet and report written: what
`headrace replay` does, timed from its start to its exit. A day is replayed first, so that the compiler's work, which is
paid once per installation, stands apart.
"""

import os
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import msgspec
import polars as pl
from rich.console import Console

from headrace.app.bench.machine import machine, versions
from headrace.core import HeadraceError

__all__ = ["bench_replay", "print_replay"]

POLICY: Final = "rolling"
YEAR: Final = ("2024-01-01", "2025-01-01")
WARM_UP: Final = ("2024-01-01", "2024-01-02")
MB_PER_RSS_UNIT: Final = 1e-6 if sys.platform == "darwin" else 1024e-6
"""The system reports kilobytes, except on macOS: bytes."""


class ReplayFailed(HeadraceError):
    """The timed process ended with a message instead of a result."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A process that ended."""

    wall_s: float
    """Time from start to exit, seconds."""
    cpu_s: float
    """User and system time, seconds."""
    peak_rss_mb: float
    """Most memory held at once, MB (10^6 bytes)."""


def bench_replay(data: Path, *, year: tuple[str, str] = YEAR) -> dict[str, Any]:
    """Measure one replay.

    Parameters
    ----------
    data
        Folder of recorded data.
    year
        Local dates from, to (not included).
    """
    with tempfile.TemporaryDirectory() as folder:
        warm_up = _replay(data, WARM_UP, Path(folder) / "day")
        ended = _replay(data, year, Path(folder) / "year")
        intervals = pl.read_parquet(Path(folder) / "year" / "intervals" / f"{POLICY}.parquet").height
        report_kb = (Path(folder) / "year" / "report.html").stat().st_size / 1e3
    return {
        "wall_s": ended.wall_s,
        "cpu_s": ended.cpu_s,
        "peak_rss_mb": ended.peak_rss_mb,
        "intervals": intervals,
        "report_kb": report_kb,
        "warm_up_s": warm_up.wall_s,
        "versions": versions(),
        "machine": machine(),
    }


def _replay(data: Path, period: tuple[str, str], out: Path) -> Ended:
    """Run `headrace replay` to its end."""
    with resources.as_file(resources.files("headrace.app") / "sites" / "texas_100mw.toml") as site:
        arguments = [
            *("replay", str(site), "--data", str(data), "--out", str(out), "--from", period[0], "--to", period[1]),
            *("--policies", POLICY, "--no-sensitivities", "--json"),
        ]
        started = perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-c", "from headrace.app.cli import main; main()", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert child.stderr is not None
        complaint = child.stderr.read().decode()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall_s = perf_counter() - started
    if child.returncode:
        raise ReplayFailed(f"the timed replay ended with exit code {child.returncode}: {complaint.strip()}")
    return Ended(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime, peak_rss_mb=usage.ru_maxrss * MB_PER_RSS_UNIT)


def print_replay(figures: dict[str, Any], console: Console) -> None:
    """Print the figures as sentences."""
    console.print(
        f"site (a), policy {POLICY}: {figures['intervals']:,} control intervals, each re-planned, with books and "
        f"report, in {figures['wall_s']:.1f} s ({figures['cpu_s']:.1f} s CPU), {figures['peak_rss_mb']:.0f} MB at most"
    )
    console.print(
        f"report {figures['report_kb']:.0f} kB; a day before it, compiling included: {figures['warm_up_s']:.1f} s"
    )
