"""What is installed, what is simulated, what is missing: the first page of any question for help."""

import os
import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

from headrace.adapters.feeds.inventory import inventory
from headrace.adapters.feeds.live.source import Source
from headrace.adapters.feeds.live.sources import SOURCES
from headrace.core import Interval

__all__ = ["diagnosis"]

PACKAGES: Final = ("headrace", "highspy", "msgspec", "numba", "numpy", "polars", "pydantic", "sqlalchemy")
PEERS: Final = ("pypsa", "linopy")
PROGRAMS: Final = ("mosquitto", "slurmctld", "squeue")
LIVE_DOORS: Final = {
    "miners": "Braiins, WhatsMiner, LuxOS, Antminer; others through pyasic-rs; twin: headrace.sim.miners",
    "servers": "agents on the nodes; twin: headrace.sim.world",
    "schedulers": "Slurm, Kubernetes; twin: headrace.sim.scheduler",
    "AI factories": "DSX Flex over MQTT; twin: headrace.sim.factory",
    "meters, battery, switches": "Modbus with SunSpec, MQTT; twin: headrace.sim.equipment",
    "grid signals": "OpenADR 2.0b and 3, DNP3; twins: headrace.sim.grid",
    "signed telemetry": "keys in files, no hardware module; roots go into the journal, to no chain yet",
    "all at once": "`headrace sim` serves the twins over the real protocols; `live --simulated` needs none",
}
"""What `headrace live` reaches a site by, and what stands in for each in tests and demos."""


def diagnosis(data: Path | None) -> dict[str, dict[str, str]]:
    """Sections of findings, each a line of name and state."""
    held = inventory(data)
    problems = {h.name: h.problem for h in held if h.problem}
    return {
        "installed": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "bench peers": {name: _version(name) for name in PEERS},
        "doors": {
            "prices, weather, demand": "recorded files; `headrace data get` adds to them",
            "devices and meters in a replay": "simulated (headrace.sim), ideal: they follow and never fail",
            "pool payout": "simulated: expected reward of the work, paid each settlement interval",
            "books": "SQLite",
        },
        "live packages": {name: _version(name) for name in _live_packages()},
        "live programs": {name: _program(name) for name in PROGRAMS},
        "live doors": LIVE_DOORS,
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


def _live_packages() -> list[str]:
    """Packages that a live site needs, by this package's own word."""
    asked = requires("headrace") or []
    return sorted(re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in asked if re.search(r"extra == .live", each))


def _program(name: str) -> str:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin") or "not installed"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
