"""What is installed, what is simulated, what is missing: the first page of any question for help."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from headrace.adapters.feeds.inventory import inventory
from headrace.adapters.feeds.live.source import Source
from headrace.adapters.feeds.live.sources import SOURCES
from headrace.core import Interval

__all__ = ["diagnosis"]

PACKAGES: Final = ("headrace", "highspy", "msgspec", "numba", "numpy", "polars", "pydantic", "sqlalchemy")
PEERS: Final = ("pypsa", "linopy")


def diagnosis(data: Path | None) -> dict[str, dict[str, str]]:
    """Sections of findings, each a line of name and state."""
    held = inventory(data)
    problems = {h.name: h.problem for h in held if h.problem}
    return {
        "installed": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "bench peers": {name: _version(name) for name in PEERS},
        "doors": {
            "prices, weather, demand": "recorded files; `headrace data get` adds to them",
            "devices and meters": "simulated (headrace.sim), ideal: they follow within the interval and never fail",
            "pool payout": "simulated: expected reward of the work, paid each settlement interval",
            "books": "SQLite",
        },
        "operators": {name: _readiness(source) for name, source in SOURCES.items()},
        "data": {"folder": str(data) if data else "none named: the embedded sample alone", "series": str(len(held))}
        | problems,
    }


def _readiness(source: Source) -> str:
    """Whether the environment has what an operator asks of its callers."""
    series = next(iter(source.series.values()))
    needed = source.requests(series, Interval.from_epoch(0, 3600), 0)[0].variables
    missing = [variable for variable in needed if not os.environ.get(variable)]
    return f"needs {', '.join(missing)}" if missing else f"ready, {len(source.series)} series"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
