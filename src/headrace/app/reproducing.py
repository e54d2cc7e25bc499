"""A journal run again: the same site, data and versions must write the same bytes."""

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.app.folders import data_folder
from headrace.app.printing import console, print_json
from headrace.app.replaying import POLICIES, SENSITIVITIES, replay
from headrace.core import BadInput, ExitCode, HeadraceError, Interval
from headrace.engine.journal import JournalHeader, read_journal, what_differs
from headrace.interfaces.terminal import replay_progress

__all__ = ["Difference", "reproduce_live", "run_reproduce"]


class Difference(HeadraceError):
    """A journal did not come out the same."""

    exit_code = ExitCode.REFUSED


def run_reproduce(site: Path, *, data: Path | None, out: Path, as_json: bool) -> None:
    """Run every journal of a folder again, elsewhere, and compare; or one live journal, given instead of the site.

    Raises
    ------
    BadInput
        If the site, the data or a journal can't be used.
    Difference
        If a journal came out differently; it names the first record that did.
    """
    if site.suffix == ".jsonl":
        _run_live(site, as_json=as_json)
        return
    loaded = load_site(site)
    paths = sorted((out / "journal").glob("*.jsonl"))
    if not paths:
        raise BadInput(str(out / "journal"), "holds no journal", f"Run `headrace replay {site} --out {out}` first")
    periods: dict[Interval, dict[str, Path]] = defaultdict(dict)
    for path in paths:
        header, _ = read_journal(path)
        periods[_period(header, path)][_label(header, path)] = path
    counts: dict[str, int] = {}
    for window, journals in periods.items():
        counts |= _again(loaded, data_folder(data), window, journals)
    if as_json:
        print_json({"equal": True, "records": counts})
        return
    for label, count in counts.items():
        console().print(f"{label}: {count:,} records, the same bytes", highlight=False)


def _run_live(journal: Path, *, as_json: bool) -> None:
    """Run one live journal again and say how it came out."""
    count, policy = reproduce_live(journal)
    if as_json:
        print_json({"equal": True, "records": {policy: count}})
    else:
        console().print(f"{journal.name}: {count:,} records, the same bytes", highlight=False)


def reproduce_live(journal: Path) -> tuple[int, str]:
    """Run one live journal again with the site and devices that lie beside it.

    Returns
    -------
    int
        Records, all of the same bytes.
    str
        The policy that decided.

    Raises
    ------
    BadInput
        If the journal can't be used.
    Difference
        If it came out differently.
    """
    from headrace.app.live.again import write_again
    from headrace.app.live.plan import live_plan

    header, _ = read_journal(journal)
    if header.kind not in {"live", "shadow"}:
        raise BadInput(str(journal), f"a journal of kind {header.kind!r}", "Name its site, and its folder with --out")
    plan = live_plan(journal.with_suffix(".site.toml"), journal.with_suffix(".devices.toml"), policy=header.policy)
    with TemporaryDirectory(prefix="headrace-") as folder:
        again = Path(folder) / journal.name
        write_again(plan, journal, again)
        return _compare(journal, again), header.policy


def _again(loaded: LoadedSite, data_dir: Path | None, window: Interval, journals: dict[str, Path]) -> dict[str, int]:
    """Records of each journal, all of them equal to what it wrote this time."""
    with TemporaryDirectory(prefix="headrace-") as folder, replay_progress() as progress:
        replay(
            loaded,
            data_dir=data_dir,
            window=window,
            labels=tuple(journals),
            journals=Path(folder),
            resume=False,
            progress=lambda label: lambda done, total: progress(done, total, label),
        )
        return {label: _compare(path, Path(folder) / path.name) for label, path in journals.items()}


def _compare(path: Path, again: Path) -> int:
    """Count of records, if both files hold the same bytes."""
    if not again.exists():
        raise Difference(f"{path}: this site has no such run. Name the site file it was made from")
    was, now = path.read_bytes(), again.read_bytes()
    if was == now:
        return was.count(b"\n") - 1
    old, new = was.splitlines(), now.splitlines()
    at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    if at == 0:
        differing = what_differs(read_journal(path)[0], read_journal(again)[0])
        found = f"{differing}. Name the site and the data it was made with"
    elif at < len(old):
        found = f"record {at} of {len(old) - 1} came out differently, and the ones after it"
    else:
        found = f"it ends after {len(old) - 1} records of {len(new) - 1}; go on with `headrace replay --resume`"
    raise Difference(f"{path} line {at + 1}: not the same: {found}")


def _period(header: JournalHeader, path: Path) -> Interval:
    try:
        start, end = (datetime.fromisoformat(text) for text in header.period.split("/"))
        return Interval(start=start, end=end)
    except ValueError as error:
        raise BadInput(f"{path} line 1", f"no period: {header.period!r}", "Name a journal of a replay") from error


def _label(header: JournalHeader, path: Path) -> str:
    if header.policy not in POLICIES + SENSITIVITIES:
        raise BadInput(f"{path} line 1", f"unknown run {header.policy!r}", "Use the version of Headrace that wrote it")
    return header.policy
