"""Which load each block of power belongs to, so that tables and pictures speak of loads, not of curve segments."""

from enum import StrEnum

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from headrace.dispatch.site import Site

__all__ = ["Band", "Family", "family_of", "load_of", "source_bands", "use_bands"]


class Family(StrEnum):
    """Kind of a band of power; each has one colour everywhere."""

    FIRM = "firm"
    CURTAILABLE = "curtailable"
    INFERENCE = "inference"
    MINING = "mining"
    CHARGE = "charge"
    EXPORT = "export"
    IMPORT = "import"
    GENERATION = "generation"
    DISCHARGE = "discharge"


class Band(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One load or source over time, as it is stacked."""

    name: str
    """What a reader calls it."""
    family: Family
    """What it is, which gives its colour."""
    shade: int
    """Position among the bands of its family, 0 first: which shade of the colour."""
    mw: NDArray[np.float64]
    """Power at the bus in each control interval, shape (T,)."""


def load_of(use: str, loads: tuple[str, ...]) -> str:
    """Name of the load that block `use` belongs to ("s21.2+heat" belongs to "s21")."""
    stem = use.removesuffix("+heat")
    return stem if stem in loads else stem.rpartition(".")[0] or stem


def family_of(site: Site, use: str) -> Family:
    """Kind of a flexible use, from the list of loads it is in."""
    if load_of(use, tuple(m.name for m in site.miners)) in {m.name for m in site.miners}:
        return Family.MINING
    if load_of(use, tuple(s.name for s in site.inference)) in {s.name for s in site.inference}:
        return Family.INFERENCE
    return Family.CURTAILABLE


def use_bands(site: Site, intervals: pl.DataFrame) -> tuple[Band, ...]:
    """What takes power, in the order it is stacked: firm below, then AI, mining, battery, grid."""
    loads = (
        *(lease.name for lease in site.leases),
        *(service.name for service in site.inference),
        *(miner.name for miner in site.miners),
    )
    sums: dict[str, NDArray[np.float64]] = {}
    families: dict[str, Family] = {}
    for column in intervals.columns:
        if column.startswith("use:"):
            use = column.removeprefix("use:").removesuffix("_mw")
            load = load_of(use, loads)
            sums[load] = sums.get(load, np.zeros(intervals.height)) + _mw(intervals, column)
            families[load] = family_of(site, use)
    order = (Family.CURTAILABLE, Family.INFERENCE, Family.MINING)
    named = [("firm load", Family.FIRM, _mw(intervals, "firm_mw"))]
    if site.job_clusters:
        named.append(("batch jobs", Family.CURTAILABLE, _mw(intervals, "jobs_mw")))
    named += [(load, family, sums[load]) for family in order for load in sums if families[load] is family]
    if site.battery is not None:
        named.append(("battery charge", Family.CHARGE, _mw(intervals, "charge_mw")))
    if site.connection.export_max_mw > 0.0:
        named.append(("sold to grid", Family.EXPORT, _mw(intervals, "export_mw")))
    return _shaded(named)


def source_bands(site: Site, intervals: pl.DataFrame) -> tuple[Band, ...]:
    """What gives power: generators, battery, grid."""
    named = [
        (generator.name, Family.GENERATION, _mw(intervals, f"source:{generator.name}_mw"))
        for generator in site.generators
    ]
    if site.battery is not None:
        named.append(("battery", Family.DISCHARGE, _mw(intervals, "discharge_mw")))
    named.append(("bought from grid", Family.IMPORT, _mw(intervals, "import_mw")))
    return _shaded(named)


def _shaded(named: list[tuple[str, Family, NDArray[np.float64]]]) -> tuple[Band, ...]:
    seen: dict[Family, int] = {}
    bands = []
    for name, family, mw in named:
        bands.append(Band(name=name, family=family, shade=seen.get(family, 0), mw=mw))
        seen[family] = seen.get(family, 0) + 1
    return tuple(bands)


def _mw(intervals: pl.DataFrame, column: str) -> NDArray[np.float64]:
    if column not in intervals.columns:
        return np.zeros(intervals.height)
    return intervals[column].fill_null(0.0).to_numpy().astype(np.float64)
