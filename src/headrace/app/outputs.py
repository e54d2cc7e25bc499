"""What a replay leaves on disk, and reading it back.

run.json             the site, the period, notes, sources, digests, and each run's totals
intervals/*.parquet  a row per control interval, a file per run
settlements/*.parquet  a row per settlement interval, a file per run
owners/*.parquet     a row per settlement interval and contract of hosting or powered shell, a file per run
jobs/*.parquet       a row per batch job, a file per run
cash.parquet         a row per local day, of a site with contracts or cash terms: the headline policy's cash
books.sqlite         double entry of the headline policy
books.beancount      the same books as text
report.html          the board's page
journal/*.jsonl      every decision of every run (written while it runs)
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from headrace.adapters.store.books import write_books
from headrace.adapters.store.statements import statements_in
from headrace.app.folders import file_stem
from headrace.app.outward import inward, inward_frame, outward, outward_frame
from headrace.core import BadInput, Currency, Interval
from headrace.dispatch.site import Site
from headrace.engine.atomic import refused, replacing_file, sync_folder
from headrace.engine.cashflow import cash_frame, has_cash_view, run_cash
from headrace.engine.frames import statements_of
from headrace.engine.results import LINES, DataGap, PolicyRun, ReplayResult
from headrace.interfaces.beancount import beancount_text
from headrace.interfaces.report.page import render
from headrace.treasury import Entry, entry_of

__all__ = ["BOOKS_OF", "output_folder", "read_result", "write_outputs"]

BOOKS_OF: Final = "rolling"
"""The run whose books are kept; without it, the first run's are."""


RESULTS: Final = (
    "intervals",
    "settlements",
    "cash.parquet",
    "owners",
    "jobs",
    "books.sqlite",
    "books.beancount",
    "report.html",
    "run.json",
)
"""What `write_outputs` puts into the folder, in this order: a folder with run.json holds a finished replay."""

INTERVAL_COLUMNS: Final = ("interval_start", "price", "price_seen", "bid", "ask", "mode")
"""Columns without which no interval can be explained."""


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


@contextmanager
def output_folder(out: Path) -> Iterator[None]:
    """Make the folder of a replay before any work is done; if the work fails and left nothing in it, take it away.

    Raises
    ------
    BadInput
        If the folder can't be made or written, or its books hold statements, which a replay would lose.
    """
    _refuse_booked(out)
    probe = out / ".probe.partial"
    try:
        made = [folder for folder in (out, *out.parents) if not folder.exists()]
        out.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise refused(out, error) from error
    try:
        yield
    except BaseException:
        for folder in (out / "journal", *made):
            with suppress(OSError):  # a folder that holds something stays
                folder.rmdir()
        raise


def write_outputs(result: ReplayResult, out: Path) -> Path:
    """Write everything but the journals, all of it or nothing: beside its place first, then renamed into it.

    Books that hold statements of others stay as they are.

    Returns
    -------
    Path
        The report page.

    Raises
    ------
    BadInput
        If the folder can't be written or the disk is full; what was in the folder is then as it was.
    """
    working = out / ".results.partial"
    try:
        shutil.rmtree(working, ignore_errors=True)
        _write_all(result, working)
        (out / "run.json").unlink(missing_ok=True)
        keeps_books = statements_in(out / "books.sqlite") > 0
        for name in (name for name in RESULTS if not (keeps_books and name.startswith("books."))):
            _discard(out / name)
            if (working / name).exists():
                (working / name).rename(out / name)
        _discard_journals(out / "journal", {file_stem(run.label) for run in result.runs})
        sync_folder(out)
    except BadInput as error:
        raise BadInput(error.where.replace(f"{working}", f"{out}"), error.found, error.do) from error
    except OSError as error:
        raise refused(out, error) from error
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return out / "report.html"


def read_result(out: Path) -> ReplayResult:
    """Read back what `write_outputs` wrote.

    Raises
    ------
    BadInput
        If the folder holds no replay, one of another version, or a damaged one.
    """
    path = out / "run.json"
    try:
        file = _decoded(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(
            str(out), "holds no finished replay", f"Run `headrace replay SITE.toml --out {out}`, or name its folder"
        ) from error
    except OSError as error:
        raise BadInput(str(path), f"can't be read: {error.strerror}", "Run the replay again") from error
    except msgspec.MsgspecError as error:
        raise BadInput(str(path), f"is damaged or of another version: {error}", "Run the replay again") from error
    if not file.runs:
        raise BadInput(str(path), "names no run", "Run the replay again")
    rows, currency = file.window.steps(file.site.control_step_s), file.site.currency

    def frame(kind: str, label: str, columns: tuple[str, ...], rows: int | None) -> pl.DataFrame:
        return _read_frame(out / kind / f"{file_stem(label)}.parquet", currency, columns, rows)

    hosts = file.site.hosting or file.site.tenants
    runs = tuple(
        PolicyRun(
            **msgspec.structs.asdict(totals),
            intervals=frame("intervals", totals.label, INTERVAL_COLUMNS, rows),
            settlements=frame("settlements", totals.label, LINES, None),
            owners=frame("owners", totals.label, (), None) if hosts else pl.DataFrame(),
            jobs=_read_jobs(out, totals.label) if file.site.job_clusters else pl.DataFrame(),
        )
        for totals in file.runs
    )
    fields = {name: getattr(file, name) for name in ("site", "window", "gaps", "notes", "sources", "meta")}
    return ReplayResult(runs=runs, **fields)


def _refuse_booked(out: Path) -> None:
    """Refuse a folder whose books hold what no replay can make again."""
    if count := statements_in(out / "books.sqlite"):
        found = f"hold {count} statement{'s' if count > 1 else ''} that a replay would lose"
        raise BadInput(str(out / "books.sqlite"), found, "Name another folder with --out, or move these books away")


def _write_all(result: ReplayResult, folder: Path) -> None:
    for run in result.runs:
        for kind, frame in (("intervals", run.intervals), ("settlements", run.settlements)):
            _write_frame(outward_frame(frame, result.site.currency), folder / kind / f"{file_stem(run.label)}.parquet")
        if not run.owners.is_empty():
            _write_frame(run.owners, folder / "owners" / f"{file_stem(run.label)}.parquet")
        if not run.jobs.is_empty():
            _write_frame(run.jobs, folder / "jobs" / f"{file_stem(run.label)}.parquet")
    kept = next((run for run in result.runs if run.label == BOOKS_OF), result.runs[0])
    if has_cash_view(result.site):
        cash = cash_frame(result.site, run_cash(result.site, kept))
        code = result.site.currency.lower()
        cash = cash.rename({name: f"{name}_{code}_micro" for name in cash.columns if name != "day"})
        _write_frame(cash, folder / "cash.parquet")
    write_books(folder / "books.sqlite", _entries(result.site, kept))
    with replacing_file(folder / "books.beancount") as working, working.open("w", encoding="utf-8") as text:
        text.writelines(beancount_text(_entries(result.site, kept), result.site))
    with replacing_file(folder / "report.html") as working:
        working.write_text(render(result), encoding="utf-8")
    with replacing_file(folder / "run.json") as working:
        file = outward(msgspec.to_builtins(_run_file(result)), result.site.currency)
        working.write_bytes(msgspec.json.format(msgspec.json.encode(file)))


def _write_frame(frame: pl.DataFrame, path: Path) -> None:
    try:
        with replacing_file(path) as working:
            frame.write_parquet(working, compression="zstd")
    except pl.exceptions.PolarsError as error:  # how polars reports a full disk
        raise BadInput(
            str(path), f"can't be written: {error}", "Free space on that disk or name another folder, then run again"
        ) from error


def _decoded(content: bytes) -> RunFile:
    """Contents of run.json, its names turned back to the rooms'."""
    raw = msgspec.json.decode(content)
    try:
        currency = Currency(raw["site"]["currency"])
    except (TypeError, KeyError, ValueError) as error:
        raise msgspec.ValidationError("no site with a currency") from error
    return msgspec.convert(inward(raw, currency), RunFile)


def _read_frame(path: Path, currency: Currency, columns: tuple[str, ...], rows: int | None) -> pl.DataFrame:
    try:
        frame = inward_frame(pl.read_parquet(path), currency)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadInput(str(path), f"is missing or damaged: {error}", "Run the replay again") from error
    absent = [name for name in columns if name not in frame.columns]
    if absent or (rows is not None and frame.height != rows):
        found = f"has no column {absent[0]}" if absent else f"holds {frame.height} intervals, the replay has {rows}"
        raise BadInput(str(path), found, "Run the replay again")
    return frame


def _read_jobs(out: Path, label: str) -> pl.DataFrame:
    """A run's jobs; a period in which none is submitted and due has no file."""
    path = out / "jobs" / f"{file_stem(label)}.parquet"
    return pl.read_parquet(path) if path.exists() else pl.DataFrame()


def _discard(path: Path) -> None:
    """Remove a file or folder of an earlier run, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _discard_journals(folder: Path, kept: set[str]) -> None:
    """Remove the journals of earlier runs that this replay did not make."""
    for path in folder.glob("*.jsonl"):
        if path.stem not in kept:
            path.unlink()


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
