"""What `data`, `data get` and `doctor` do: what is on record, what operators have, what is installed or stands in."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.markup import escape
from rich.table import Table

from headrace.adapters.feeds.inventory import inventory
from headrace.adapters.feeds.live.request import Request
from headrace.adapters.feeds.live.sources import SOURCES, source_of
from headrace.adapters.feeds.live.transport import HttpTransport
from headrace.app.doctor import diagnosis
from headrace.app.fetching import fetch, plan
from headrace.app.folders import data_folder
from headrace.app.printing import console, print_json
from headrace.app.times import instant
from headrace.core import BadInput, Interval, epoch_s, iso

__all__ = ["run_data", "run_data_get", "run_doctor"]


def run_data(*, data: Path | None, as_json: bool) -> None:
    """List what a data folder and the embedded sample hold."""
    holdings = inventory(data_folder(data))
    if as_json:
        print_json(msgspec.to_builtins(holdings))
        return
    table = Table("series", "unit", "from", "to", "step", "missing", box=None, pad_edge=False)
    for held in holdings:
        span = (f"{held.span.start:%Y-%m-%d}", f"{held.span.end:%Y-%m-%d}") if held.span else ("any", "any")
        missing = escape(held.problem) or f"{held.missing:,}"
        table.add_row(escape(held.name), held.unit, *span, f"{held.step_s / 60:g} min", missing)
    console().print(table)


def run_data_get(
    source: str, series: str, *, start: str, end: str, out: Path, dry_run: bool, again: bool, as_json: bool
) -> None:
    """Fetch one series of an operator into a data folder; `headrace.app.fetching` says how."""
    if source not in SOURCES:
        raise BadInput(f"source {source!r}", "no such operator", f"Operators: {', '.join(SOURCES)}")
    operator, offered = source_of(series if series.startswith(f"{source}.") else f"{source}.{series}")
    first, last = instant(start, operator.time_zone), instant(end, operator.time_zone)
    if last <= first:
        raise BadInput("--from and --to", "the period does not end after it begins", "Give a later --to")
    now_s = epoch_s(datetime.now(UTC))  # noqa: TID251  the command line is where the clock is
    planned = plan(operator, offered, Interval(start=first, end=last), out, now_s, again=again)
    about = {
        "name": offered.name,
        "unit": offered.declaration.unit,
        "start": iso(planned.window.start_s),
        "end": iso(planned.window.end_s),
        "requests": [request.shown() for request in planned.requests],
        "kept": planned.kept,
    }
    if not dry_run:
        transport = HttpTransport(operator.pauses_s, os.environ)
        for request in planned.requests[:1]:
            transport.check_secrets(request)
        about |= msgspec.to_builtins(fetch(planned, out, transport, now_s, _tell))
    if as_json:
        print_json(about)
        return
    for request in planned.requests if dry_run else ():
        console().print(request.shown(), highlight=False, markup=False, soft_wrap=True)
    told = f"{len(planned.requests)} requests, {planned.kept} already on record"
    if not dry_run:
        told = f"{about['intervals']:,} intervals, {about['missing']:,} missing, {about['revised']:,} revised; {told}"
    console().print(f"{offered.name} {about['start']} to {about['end']}: {told}", highlight=False, markup=False)


def _tell(request: Request) -> None:
    """One line per request on standard error: a slow operator is not a hung program."""
    sys.stderr.write(f"{request.shown()}\n")


def run_doctor(*, data: Path | None, as_json: bool) -> None:
    """Say what is installed and what stands in for the real thing."""
    found = diagnosis(data_folder(data))
    if as_json:
        print_json(found)
        return
    page = console()
    for section, lines in found.items():
        page.print(f"[bold]{section}[/bold]")
        for key, value in lines.items():
            page.print(f"  {key}: {value}", highlight=False, markup=False)
