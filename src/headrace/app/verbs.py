"""What the verbs around a replay do, once their arguments are read."""

from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.app.folders import data_folder, replay_folder
from headrace.app.outputs import output_folder, read_result, write_outputs
from headrace.app.outward import outward
from headrace.app.printing import console, print_json
from headrace.app.replaying import HEADLINE, NO_BOUND, POLICIES, SENSITIVITIES, NoBound, replay
from headrace.app.times import instant, period
from headrace.core import BadInput, Interval
from headrace.engine.atomic import replacing_file
from headrace.engine.results import ReplayResult
from headrace.interfaces.moments import ladder_at
from headrace.interfaces.report.figures import board_json
from headrace.interfaces.report.standalone import ladder_svg
from headrace.interfaces.terminal import gaps_table, ladder_table, policy_table, replay_progress

__all__ = ["DEMOS", "run_demo", "run_replay", "run_report", "run_why"]

DEMOS: Final = (("demo", "", HEADLINE + SENSITIVITIES), ("demo_mixed", "mixed", HEADLINE))
"""Sites of the demo: name of the site file, folder under the demo's own, and runs."""


def run_demo(*, out: Path, as_json: bool) -> None:
    """Replay the embedded sample on each of the demo's sites; the second prints only what the first has not said."""
    boards: dict[str, object] = {}
    told: tuple[str, ...] = ()
    for name, folder, labels in DEMOS:
        with resources.as_file(resources.files("headrace.app") / "sites" / f"{name}.toml") as path:
            loaded = load_site(path)
        result, page = _replayed(loaded, None, None, labels, out=out / folder, resume=False)
        boards[name] = _board(result, page)
        if not as_json:
            _print(result, page, told=told)
        told = result.notes
    if as_json:
        print_json(boards)


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
    known = POLICIES + SENSITIVITIES
    if not policies:
        raise BadInput("--policies", "names none", f"Choose from {', '.join(POLICIES)}")
    for name in policies:
        if name not in POLICIES:
            raise BadInput(f"--policies {name!r}", "unknown policy", f"Choose from {', '.join(POLICIES)}")
    wanted = set(policies) | set(SENSITIVITIES if sensitivities and "rolling" in policies else ())
    labels = tuple(label for label in known if label in wanted)
    window = period(loaded, start, end)
    result, page = _replayed(loaded, data, window, labels, out=out, resume=resume)
    _present(result, page, as_json=as_json)
    if "bound" in labels and not any(run.label == "bound" for run in result.runs):
        raise NoBound(next(note for note in result.notes if note.startswith(NO_BOUND)))


def run_why(at: str, *, out: Path | None, label: str, picture: Path | None, as_json: bool) -> None:
    """Explain one interval of a finished replay."""
    result = read_result(replay_folder(out))
    try:
        run = result.run(label)
    except KeyError as error:
        labels = "; ".join(run.label for run in result.runs)
        raise BadInput(f"--policy {label!r}", "not in this replay", f"Choose from: {labels}") from error
    ladder = ladder_at(result.site, run, instant(at, result.site.time_zone))
    if picture is not None:
        with replacing_file(picture) as working:
            working.write_text(ladder_svg(result.site, ladder), encoding="utf-8")
    if as_json:
        print_json(outward(msgspec.to_builtins(ladder), result.site.currency))
        return
    console().print(ladder_table(ladder))


def run_report(*, out: Path | None, as_json: bool) -> None:
    """Draw a finished replay's report again."""
    folder = replay_folder(out)
    result = read_result(folder)
    page = write_outputs(result, folder)
    _present(result, page, as_json=as_json)


def _replayed(
    loaded: LoadedSite,
    data: Path | None,
    window: Interval | None,
    labels: tuple[str, ...],
    *,
    out: Path,
    resume: bool,
) -> tuple[ReplayResult, Path]:
    """The finished replay and the path of its report."""
    with output_folder(out), replay_progress() as progress:
        result = replay(
            loaded,
            data_dir=data_folder(data),
            window=window,
            labels=labels,
            journals=out / "journal",
            resume=resume,
            progress=lambda label: lambda done, total: progress(done, total, label),
        )
    return result, write_outputs(result, out)


def _present(result: ReplayResult, page: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(_board(result, page))
    else:
        _print(result, page)


def _board(result: ReplayResult, page: Path) -> object:
    return outward({"report": str(page)} | board_json(result), result.site.currency)


def _print(result: ReplayResult, page: Path, *, told: tuple[str, ...] = ()) -> None:
    """Table, gaps, notes and where the report lies; after another replay of the same data without what it told."""
    terminal = console()
    terminal.print(policy_table(result))
    if not told:
        terminal.print(gaps_table(result))
    for note in result.notes:
        if note not in told:
            terminal.print(f"· {note}", highlight=False, markup=False)
    terminal.print(f"Report: {page}", highlight=False, markup=False, soft_wrap=True)
