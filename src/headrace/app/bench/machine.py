"""What a bench ran on: versions and machine, without names or paths, so that figures can be compared."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

__all__ = ["machine", "versions"]

PACKAGES = ("headrace", "numpy", "numba", "highspy", "polars", "pypsa", "linopy", "pyasic", "pyasic-rs", "uvloop")


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that the figures depend on; None where one is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def machine() -> dict[str, str | int | float]:
    """Processor, cores in reach, memory in GB and operating system."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else (os.cpu_count() or 1),
        "memory_gb": round(_memory_bytes() / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
