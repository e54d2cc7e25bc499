"""Headrace from Python: the same replay as the command line, results as polars frames.

from headrace.app.api import explain, replay_site, write_report

result = replay_site("cedar_bend.toml")
result.run("rolling").intervals          # polars, a row per control interval (columns: headrace.engine.results)
explain(result, "2024-11-17T15:00").sentences
write_report(result, "board.html")

reconcile_statement("november.csv", "market.toml", "out").parts     # why a bill differs from our own settlement
import_statement("november.csv", "market.toml", "out")              # book what it changes
"""

from pathlib import Path

from headrace.adapters.sitefile import load_site
from headrace.adapters.statements import StatementDeclaration, load_declaration, read_statement
from headrace.adapters.store.statements import Booking, book_statement
from headrace.app import statement_verbs
from headrace.app.replaying import HEADLINE, replay
from headrace.app.times import instant, period
from headrace.dispatch.ladder import Ladder
from headrace.engine.atomic import replacing_file
from headrace.engine.results import ReplayResult
from headrace.interfaces.moments import ladder_at
from headrace.interfaces.report.page import render
from headrace.settlement.shadow import Reconciliation

__all__ = ["explain", "import_statement", "reconcile_statement", "replay_site", "write_report"]


def replay_site(
    site: Path | str,
    *,
    data: Path | str | None = None,
    start: str | None = None,
    end: str | None = None,
    labels: tuple[str, ...] = HEADLINE,
) -> ReplayResult:
    """Replay a site's recorded period.

    Parameters
    ----------
    site
        Site file.
    data
        Folder of recorded data; None if the site needs only the embedded sample.
    start, end
        Period, ISO-8601, local to the site without a zone; None takes the file's own.
    labels
        Runs to make: policies and sensitivities of `headrace.app.replaying`.

    Raises
    ------
    headrace.core.BadInput
        If the file, the period or the data can't be used.
    """
    loaded = load_site(Path(site))
    return replay(
        loaded,
        data_dir=None if data is None else Path(data),
        window=period(loaded, start, end),
        labels=labels,
        journals=None,
        resume=False,
        progress=lambda _label: lambda _done, _total: None,
    )


def explain(result: ReplayResult, at: str, *, label: str = "rolling") -> Ladder:
    """Ladder of the interval that holds `at` (ISO-8601, local to the site without a zone) in one run.

    Raises
    ------
    headrace.core.BadInput
        If the time is outside the replay, or the run prices nothing.
    """
    return ladder_at(result.site, result.run(label), instant(at, result.site.time_zone))


def write_report(result: ReplayResult, path: Path | str) -> None:
    """Write the board's page: one HTML file that loads nothing."""
    with replacing_file(Path(path)) as working:
        working.write_text(render(result), encoding="utf-8")


def reconcile_statement(file: Path | str, declaration: Path | str, out: Path | str) -> Reconciliation:
    """Explain how a statement differs from what a finished replay settled itself; nothing is booked.

    Raises
    ------
    headrace.core.BadInput
        If the statement, its declaration or the folder can't be used.
    """
    return statement_verbs.reconcile_statement(Path(file), Path(declaration), Path(out))[0]


def import_statement(file: Path | str, declaration: Path | str, books: Path | str) -> Booking:
    """Book a statement: only what it changes, all of it or nothing, and once.

    Parameters
    ----------
    file, declaration
        The statement, and how it reads.
    books
        Folder of a finished replay, SQLite file, or database URL.

    Raises
    ------
    headrace.core.BadInput
        If the statement can't be used, or contradicts what the books hold.
    """
    statement = read_statement(Path(file), load_declaration(Path(declaration), StatementDeclaration))
    return book_statement(statement_verbs.books_of(str(books)), statement)
