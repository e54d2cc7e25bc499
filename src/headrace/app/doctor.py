"""What is installed, what is simulated, what is missing: the first page of any question for help."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from headrace.adapters.feeds.inventory import inventory

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
            "prices, weather, demand": "recorded files",
            "devices and meters": "simulated (headrace.sim), ideal: they follow within the interval and never fail",
            "pool payout": "simulated: expected reward of the work, paid each settlement interval",
            "books": "SQLite",
        },
        "data": {"folder": str(data) if data else "none named: the embedded sample alone", "series": str(len(held))}
        | problems,
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
