"""What `data` and `doctor` do: what is on record, what is installed, what stands in for the real thing."""

from pathlib import Path

import msgspec
from rich.markup import escape
from rich.table import Table

from headrace.adapters.feeds.inventory import inventory
from headrace.app.doctor import diagnosis
from headrace.app.folders import data_folder
from headrace.app.printing import console, print_json

__all__ = ["run_data", "run_doctor"]


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
