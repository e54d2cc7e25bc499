"""The command line inside the test's own process, and short replays of the demo site on data that a test may spoil."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from headrace.app.cli import main
from replays import SITES

DEMO = SITES / "demo.toml"
SAMPLE = SITES.parents[1] / "adapters" / "feeds" / "sample"
SIX_HOURS = ("--from", "2024-11-07", "--to", "2024-11-07T06:00")
ROLLING = (*SIX_HOURS, "--policies", "rolling", "--no-sensitivities")
"""A replay of a fraction of a second."""
RESULTS = {"books.beancount", "books.sqlite", "intervals", "journal", "report.html", "run.json", "settlements"}


class Said(NamedTuple):
    """What a verb told the shell."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as strict JSON."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Said:
    """Run `headrace` with these arguments; anything but a clean end raises and so fails the test."""
    monkeypatch.setattr(sys, "argv", ["headrace", *map(str, arguments)])
    monkeypatch.delenv("HEADRACE_DATA", raising=False)
    capsys.readouterr()
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    return Said(code, *capsys.readouterr())


def refused(said: Said, *words: str, code: int = 2) -> None:
    """Check that a verb ended in one message for people that names all of `words`, and printed no result."""
    assert said.code == code, said
    assert said.err.startswith(("headrace: ", "╭─ Error")), said.err
    assert "Traceback" not in said.err
    missing = [word for word in words if word not in said.err]
    assert not missing, f"{missing} not in: {said.err}"
    assert not said.out


def declared(file: str, column: str, unit: str, step_min: int, more: str = "") -> str:
    """A feed's declaration on one line of TOML."""
    return f'{{ files = ["{file}"], columns = ["{column}"], unit = "{unit}", step_min = {step_min}{more} }}'


def site_with(folder: Path, text: str | None = None, **feeds: str) -> Path:
    """The demo site with some of its feeds declared anew."""
    text = DEMO.read_text(encoding="utf-8") if text is None else text
    for role, declaration in feeds.items():
        text = re.sub(rf'^{role} = "sample.*$', lambda _, new=f"{role} = {declaration}": new, text, flags=re.MULTILINE)
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


def sample_rows(name: str) -> tuple[str, list[list[str]]]:
    """Header line and rows of a file of the embedded sample."""
    first, *rest = (SAMPLE / name).read_text(encoding="utf-8").splitlines()
    return first, [row.split(",") for row in rest]


def spoil(name: str, to: Path, change: Callable[[int, list[str]], list[str] | None]) -> None:
    """Copy a file of the sample with every row changed, or left out where `change` says None."""
    first, rows = sample_rows(name)
    changed = [",".join(new) for i, row in enumerate(rows) if (new := change(i, list(row))) is not None]
    to.write_text("\n".join([first, *changed]) + "\n", encoding="utf-8")
