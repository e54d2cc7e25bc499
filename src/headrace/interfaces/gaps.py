"""Missing input data, short enough to read: the first runs of each series, and one row for the rest."""

from collections import defaultdict
from typing import Final

import msgspec

from headrace.engine.results import DataGap

__all__ = ["shortened"]

SHOWN: Final = 5
"""Runs of one series that are listed one by one."""


def shortened(gaps: tuple[DataGap, ...]) -> tuple[DataGap, ...]:
    """The first few gaps of each series, then one that stands for all its others and says how many."""
    by_series: dict[tuple[str, str], list[DataGap]] = defaultdict(list)
    for gap in gaps:
        by_series[gap.role, gap.substitute].append(gap)
    rows: list[DataGap] = []
    for runs in by_series.values():
        rows += runs[:SHOWN] if len(runs) > SHOWN + 1 else runs
        if len(runs) > SHOWN + 1:
            rest = runs[SHOWN:]
            missing = sum(gap.intervals for gap in rest)
            rows.append(msgspec.structs.replace(rest[0], start=f"{len(rest)} more runs", intervals=missing))
    return tuple(rows)
