"""Tables for a terminal of 100 columns: policies, one ladder, data gaps; and a progress bar for a replay."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from headrace.dispatch.ladder import Ladder, Rung
from headrace.engine.results import ReplayResult
from headrace.interfaces.gaps import shortened
from headrace.interfaces.report.margins import PolicyFigures, baseline_run, policy_figures, sensitivity_figures
from headrace.interfaces.wording import policy_name, share

__all__ = ["gaps_table", "ladder_table", "policy_table", "replay_progress"]

Tick = Callable[[int, int, str], None]
"""Called with (cycles done, cycles in all, label of the run)."""


def policy_table(result: ReplayResult) -> Table:
    """Margin of every policy with both shares, and the sensitivities below.

    Parameters
    ----------
    result
        A replay with at least one headline run.
    """
    currency = result.site.currency.value
    figures = policy_figures(result)
    caption = [f"Same assets throughout; baseline: {policy_name(baseline_run(result)).lower()}."]
    if result.site.market.is_hub:
        caption.append(f"{result.site.market.settlement_point} is a trading hub: no load can settle at its price.")
    caption += [note for note in result.notes if note.endswith("not declared.")]
    storm = [f"{f.label} {f.less_storm_ccy:,.0f}" for f in figures if f.less_storm_ccy is not None]
    if storm:
        caption.append(f"Without 13-19 February 2021: {', '.join(storm)} {currency}.")
    if any(not run.is_headline for run in result.runs):
        caption.append("* Sensitivity: its second figure is against the headline run of the same policy.")
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title=f"{escape(result.site.name)}, {result.window.start:%Y-%m-%d} to {result.window.end:%Y-%m-%d}",
        caption=" ".join(caption),
        title_justify="left",
        caption_justify="left",
    )
    heads = [f"Margin,\n{currency}", "Against\nthe desk", "Share of\nmargin", "Share of\ngain", "Without\nbest 20 h"]
    rows = [_policy_cells(f) for f in figures]
    table.add_column("Policy", min_width=13, overflow="fold")
    for head, cells in zip(heads, zip(*rows, strict=True), strict=True):
        widest = max(len(text) for text in (*head.splitlines(), *cells))
        table.add_column(head, justify="right", no_wrap=True, min_width=widest)
    for f, cells in zip(figures, rows, strict=True):
        table.add_row(f.name, *cells, end_section=f is figures[-1])
    for s in sensitivity_figures(result):
        table.add_row(f"* {escape(s.label)}", f"{s.margin_ccy:,.0f}", f"{s.over_headline_ccy:+,.0f}")
    return table


def ladder_table(ladder: Ladder) -> Table:
    """Uses best first, sources cheapest first, and below them what binds in words.

    Parameters
    ----------
    ladder
        The ladder of one interval.
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title="The ladder, best use first",
        title_justify="left",
        caption_justify="left",
    )
    table.caption = escape("\n".join(ladder.sentences))
    table.add_column("Use or source", no_wrap=True)
    table.add_column("MW of most", justify="right", no_wrap=True)
    table.add_column(f"{ladder.currency}/MWh", justify="right", no_wrap=True)
    table.add_column("State", no_wrap=True)
    table.add_column("Why")
    for group in (ladder.rungs, ladder.sources):
        for rung in group:
            table.add_row(*_cells(rung), end_section=rung is group[-1])
    return table


def gaps_table(result: ReplayResult) -> Table:
    """Missing input data and what stood in for it; an empty table says so."""
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title="Missing input data", title_justify="left", caption_justify="left"
    )
    table.caption = None if result.gaps else "None."
    table.add_column("Series")
    table.add_column("From", no_wrap=True)
    table.add_column("Intervals", justify="right")
    table.add_column("What stood in for it")
    for gap in shortened(result.gaps):
        table.add_row(escape(gap.role), gap.start, f"{gap.intervals:,}", escape(gap.substitute))
    return table


@contextmanager
def replay_progress(console: Console | None = None) -> Iterator[Tick]:
    """Show one bar for each run while a replay lasts; silent where the output is no terminal.

    Parameters
    ----------
    console
        Where to draw; standard error by default, so that tables and JSON stay clean.

    Yields
    ------
    Tick
        Call it with (done, total, label) as often as you like.
    """
    console = console or Console(file=sys.stderr)
    progress = Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def tick(done: int, total: int, label: str) -> None:
        if label not in tasks:
            tasks[label] = progress.add_task(label, total=total)
        progress.update(tasks[label], completed=done)

    with progress:
        yield tick


def _policy_cells(f: PolicyFigures) -> tuple[str, ...]:
    return (
        f"{f.margin_ccy:,.0f}",
        f"{f.over_desk_ccy:+,.0f}",
        share(f.share_of_margin_ratio),
        share(f.share_of_gain_ratio),
        f"{f.less_best_hours_ccy:,.0f}",
    )


def _cells(rung: Rung) -> tuple[str, ...]:
    worth = "firm" if rung.ccy_per_mwh is None else f"{rung.bound} {rung.ccy_per_mwh:,.2f}".strip()
    return escape(rung.name), f"{rung.mw:,.2f} of {rung.max_mw:,.2f}", worth, rung.state.value, escape(rung.why)
