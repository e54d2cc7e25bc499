"""Measured curves of throughput over power that come with Headrace, and those a site measures itself."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from headrace.core import BadInput
from headrace.loads.flexibility import Lever, PowerCurve

__all__ = ["load_curves"]

SHIPPED: Final = "power_curves.toml"


class CurveTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file, as `PowerCurve` has the fields."""

    lever: Lever
    """What moves a running unit along it."""
    power_ratio: tuple[float, ...]
    """Accelerator power, share of full."""
    throughput_ratio: tuple[float, ...]
    """Throughput, share of full."""
    idle_ratio: float
    """Accelerator power of a paused unit, share of full."""
    is_measured: bool
    """Measured, or an assumption?"""
    source: str
    """Who measured it."""


def load_curves(path: Path | None = None) -> dict[str, PowerCurve]:
    """Curves by name: those shipped, and those of a site's own file over them.

    Raises
    ------
    BadInput
        If the site's file can't be used; names the table at fault.
    """
    with resources.as_file(resources.files("headrace.adapters.caps") / SHIPPED) as shipped:
        curves = _read(shipped)
    return curves if path is None else curves | _read(path)


def _read(path: Path) -> dict[str, PowerCurve]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(str(path), f"can't be read: {error}", "Give a TOML file of power curves.") from error
    return {name: _curve(path, name, table) for name, table in tables.items()}


def _curve(path: Path, name: str, table: object) -> PowerCurve:
    where = f"{path} [{name}]"
    try:
        read = msgspec.convert(table, CurveTable)
        return PowerCurve(name=name, **{field: getattr(read, field) for field in CurveTable.__struct_fields__})
    except (msgspec.ValidationError, ValueError, AssertionError) as error:
        raise BadInput(where, str(error), "See power_curves.toml in the package for the form.") from error
