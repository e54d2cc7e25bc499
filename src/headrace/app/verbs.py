"""What each verb does, once its arguments are read."""

import json as jsonlib
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from headrace.adapters.feeds.inventory import inventory
from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.adapters.sitefile.json_schema import site_schema
from headrace.adapters.sitefile.template import new_site_text
from headrace.app.outputs import check_writable, read_result, write_outputs
from headrace.app.replaying import HEADLINE, SENSITIVITIES, replay
from headrace.app.times import instant, period
from headrace.core import BadInput, Interval
from headrace.engine.atomic import replacing_file
from headrace.engine.results import ReplayResult
from headrace.interfaces.moments import ladder_at
from headrace.interfaces.report.figures import board_json
from headrace.interfaces.terminal import gaps_table, ladder_table, policy_table, replay_progress

__all__ = [
    "need_data",
    "run_check",
    "run_data",
    "run_demo",
    "run_new",
    "run_replay",
    "run_report",
    "run_why",
    "show",
]


def show(figures: dict[str, Any], draw: Callable[[dict[str, Any], Console], None], *, as_json: bool) -> None:
    """Print figures as JSON, or let `draw` print them as tables."""
    if as_json:
        _print_json(figures)
    else:
        draw(figures, Console())


def need_data(data: Path | None) -> Path:
    """The data folder of a verb that cannot do without one.

    Raises
    ------
    BadInput
        If none was named.
    """
    if data is None:
        raise BadInput("--data", "no folder of recorded data named", "Give --data DIR or set HEADRACE_DATA")
    return data


def run_demo(*, out: Path, as_json: bool) -> None:
    """Replay the embedded sample."""
    site = resources.files("headrace.app") / "sites" / "demo.toml"
    with resources.as_file(site) as path:
        _replay(load_site(path), None, None, HEADLINE + SENSITIVITIES, out=out, resume=False, as_json=as_json)


def run_replay(
    site: Path,
    *,
    data: Path | None,
    out: Path,
    start: str | None,
    end: str | None,
    policies: tuple[str, ...],
    sensitivities: bool,
    resume: bool,
    as_json: bool,
) -> None:
    """Replay a site's recorded period."""
    loaded = load_site(site)
    known = HEADLINE + SENSITIVITIES
    for name in policies:
        if name not in HEADLINE:
            raise BadInput(f"--policies {name!r}", "unknown policy", f"Choose from {', '.join(HEADLINE)}")
    wanted = set(policies) | set(SENSITIVITIES if sensitivities and "rolling" in policies else ())
    labels = tuple(label for label in known if label in wanted)
    window = period(loaded, start, end)
    _replay(loaded, data, window, labels, out=out, resume=resume, as_json=as_json)


def run_why(at: str, *, out: Path, label: str, as_json: bool) -> None:
    """Explain one interval of a finished replay."""
    result = read_result(out)
    try:
        run = result.run(label)
    except KeyError as error:
        labels = ", ".join(run.label for run in result.runs)
        raise BadInput(f"--policy {label!r}", "not in this replay", f"Choose from {labels}") from error
    ladder = ladder_at(result.site, run, instant(at, result.site.time_zone))
    if as_json:
        _print_json(msgspec.to_builtins(ladder))
        return
    Console().print(ladder_table(ladder))


def run_report(*, out: Path, as_json: bool) -> None:
    """Draw a finished replay's report again."""
    result = read_result(out)
    page = write_outputs(result, out)
    _present(result, page, as_json=as_json)


def run_check(site: Path, *, as_json: bool) -> None:
    """Check a site file and say what it declares."""
    loaded = load_site(site)
    summary = {
        "site": loaded.site.name,
        "currency": loaded.site.currency.value,
        "settlement_point": f"{loaded.site.market.name} {loaded.site.market.settlement_point}",
        "import_max_mw": loaded.site.connection.import_max_mw,
        "period": None if loaded.window is None else [loaded.window.start.isoformat(), loaded.window.end.isoformat()],
        "digest": loaded.digest,
        "notes": list(loaded.notes),
    }
    if as_json:
        _print_json(summary)
        return
    console = Console()
    console.print(f"{site}: a site Headrace can run.")
    for key, value in summary.items():
        console.print(f"  {key}: {value}", highlight=False)


def run_new(name: str, *, folder: Path, as_json: bool) -> None:
    """Write a site file to start from, and its schema."""
    stem = "".join(c if c.isalnum() else "_" for c in name.lower()).strip("_")
    if not stem:
        raise BadInput(f"name {name!r}", "holds no letter or digit", "Name the site, e.g. `headrace new 'Cedar Bend'`")
    site, schema = folder / f"{stem}.toml", folder / "site.schema.json"
    if site.exists():
        raise BadInput(str(site), "there already", "Choose another name, or move the file away")
    with replacing_file(schema) as working:
        working.write_text(jsonlib.dumps(site_schema(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    with replacing_file(site) as working:
        working.write_text(new_site_text(name), encoding="utf-8")
    if as_json:
        _print_json({"site": str(site), "schema": str(schema)})
    else:
        Console().print(f"Wrote {site} and {schema}. Next: headrace check {site}; headrace replay {site}")


def run_data(*, data: Path | None, as_json: bool) -> None:
    """List what a data folder and the embedded sample hold."""
    from rich.table import Table

    holdings = inventory(data)
    if as_json:
        _print_json(msgspec.to_builtins(holdings))
        return
    table = Table("series", "unit", "from", "to", "step", "missing", box=None)
    for held in holdings:
        span = (held.span.start.isoformat()[:16], held.span.end.isoformat()[:16]) if held.span else ("any", "any")
        table.add_row(held.name, held.unit, *span, f"{held.step_s // 60} min", held.problem or str(held.missing))
    Console().print(table)


def run_doctor(*, data: Path | None, as_json: bool) -> None:
    """Say what is installed and what stands in for the real thing."""
    from headrace.app.doctor import diagnosis

    found = diagnosis(data)
    if as_json:
        _print_json(found)
        return
    console = Console()
    for section, lines in found.items():
        console.print(f"[bold]{section}[/bold]")
        for key, value in lines.items():
            console.print(f"  {key}: {value}", highlight=False)


def _replay(
    loaded: LoadedSite,
    data: Path | None,
    window: Interval | None,
    labels: tuple[str, ...],
    *,
    out: Path,
    resume: bool,
    as_json: bool,
) -> None:
    check_writable(out)
    with replay_progress() as progress:
        result = replay(
            loaded,
            data_dir=data,
            window=window,
            labels=labels,
            journals=out / "journal",
            resume=resume,
            progress=lambda label: lambda done, total: progress(done, total, label),
        )
    page = write_outputs(result, out)
    _present(result, page, as_json=as_json)


def _present(result: ReplayResult, page: Path, *, as_json: bool) -> None:
    if as_json:
        _print_json({"report": str(page)} | board_json(result))
        return
    console = Console()
    console.print(policy_table(result))
    console.print(gaps_table(result))
    for note in result.notes:
        console.print(f"· {note}", highlight=False)
    console.print(f"Report: {page}", highlight=False, soft_wrap=True)


def _print_json(value: object) -> None:
    sys.stdout.write(jsonlib.dumps(value, indent=2, sort_keys=True, default=str) + "\n")
