"""What a replay leaves on disk, and reading it back.

run.json             the site, the period, notes, sources, digests, and each run's totals
intervals/*.parquet  a row per control interval, a file per run
settlements/*.parquet  a row per settlement interval, a file per run
books.sqlite         double entry of the headline policy
books.beancount      the same books as text
report.html          the board's page
journal/*.jsonl      every decision of every run (written while it runs)
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from headrace.adapters.store.books import write_books
from headrace.core import BadInput, Interval
from headrace.dispatch.site import Site
from headrace.engine.atomic import replacing_file
from headrace.engine.frames import statements_of
from headrace.engine.results import DataGap, PolicyRun, ReplayResult
from headrace.interfaces.beancount import beancount_text
from headrace.interfaces.report.page import render
from headrace.treasury import Entry, entry_of

__all__ = ["BOOKS_OF", "check_writable", "file_name", "read_result", "write_outputs"]

BOOKS_OF: Final = "rolling"
"""The run whose books are kept; without it, the first run's are."""


class RunTotals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `PolicyRun` without its frames."""

    policy: str
    label: str
    is_headline: bool
    margin_ccy: float
    stored_change_ccy: float
    lines_ccy: dict[str, float]
    mining_sats: int


class RunFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Contents of run.json: a `ReplayResult` without the frames of its runs."""

    site: Site
    window: Interval
    runs: tuple[RunTotals, ...]
    gaps: tuple[DataGap, ...]
    notes: tuple[str, ...]
    """What a reader must know beside the headline."""
    sources: dict[str, str]
    """Feed role to source line."""
    meta: dict[str, Any]
    """What reproduces it: digests and versions."""


def file_name(label: str) -> str:
    """File stem of a run: "rolling, price known" becomes rolling-price-known."""
    return label.replace(", ", "-").replace(" ", "-")


def check_writable(out: Path) -> None:
    """Refuse an output folder that cannot be written, before any work is done.

    Raises
    ------
    BadInput
        If the folder can't be made or written.
    """
    with replacing_file(out / "run.probe") as working:
        working.write_bytes(b"")
    (out / "run.probe").unlink()


def write_outputs(result: ReplayResult, out: Path) -> Path:
    """Write everything but the journals; each file appears whole or not at all.

    Returns
    -------
    Path
        The report page.
    """
    for run in result.runs:
        for kind, frame in (("intervals", run.intervals), ("settlements", run.settlements)):
            with replacing_file(out / kind / f"{file_name(run.label)}.parquet") as working:
                frame.write_parquet(working, compression="zstd")
    kept = next((run for run in result.runs if run.label == BOOKS_OF), result.runs[0])
    write_books(out / "books.sqlite", _entries(result.site, kept))
    with replacing_file(out / "books.beancount") as working, working.open("w", encoding="utf-8") as text:
        text.writelines(beancount_text(_entries(result.site, kept), result.site))
    with replacing_file(out / "run.json") as working:
        working.write_bytes(msgspec.json.format(msgspec.json.encode(_run_file(result), order="deterministic")))
    page = out / "report.html"
    with replacing_file(page) as working:
        working.write_text(render(result), encoding="utf-8")
    return page


def read_result(out: Path) -> ReplayResult:
    """Read back what `write_outputs` wrote.

    Raises
    ------
    BadInput
        If the folder holds no replay, or one of another version.
    """
    try:
        file = msgspec.json.decode((out / "run.json").read_bytes(), type=RunFile)
        runs = tuple(
            PolicyRun(
                **msgspec.structs.asdict(totals),
                intervals=pl.read_parquet(out / "intervals" / f"{file_name(totals.label)}.parquet"),
                settlements=pl.read_parquet(out / "settlements" / f"{file_name(totals.label)}.parquet"),
            )
            for totals in file.runs
        )
    except FileNotFoundError as error:
        raise BadInput(
            str(out), "holds no finished replay", "Run `headrace replay SITE.toml --out` there first"
        ) from error
    except msgspec.MsgspecError as error:
        raise BadInput(str(out / "run.json"), f"is of another version: {error}", "Run the replay again") from error
    fields = {name: getattr(file, name) for name in ("site", "window", "gaps", "notes", "sources", "meta")}
    return ReplayResult(runs=runs, **fields)


def _run_file(result: ReplayResult) -> RunFile:
    names = RunTotals.__struct_fields__
    return RunFile(
        site=result.site,
        window=result.window,
        runs=tuple(RunTotals(**{name: getattr(run, name) for name in names}) for run in result.runs),
        gaps=result.gaps,
        notes=result.notes,
        sources=result.sources,
        meta=result.meta,
    )


def _entries(site: Site, run: PolicyRun) -> Iterator[Entry]:
    for sequence, statement in enumerate(statements_of(run), start=1):
        yield entry_of(statement, site.currency, sequence)
