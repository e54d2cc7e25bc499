"""The operators that can be asked, by name."""

import difflib
from typing import Final

from headrace.adapters.feeds.live.caiso import CAISO
from headrace.adapters.feeds.live.entsoe import ENTSOE
from headrace.adapters.feeds.live.ercot import ERCOT
from headrace.adapters.feeds.live.nyiso import NYISO
from headrace.adapters.feeds.live.source import LiveSeries, Source
from headrace.core import BadInput

__all__ = ["SOURCES", "source_of"]

SOURCES: Final = {source.name: source for source in (CAISO, ENTSOE, ERCOT, NYISO)}


def source_of(name: str) -> tuple[Source, LiveSeries]:
    """Operator and series of a catalogue name such as "ercot.real_time.hb_south".

    Raises
    ------
    BadInput
        If no operator offers it.
    """
    for source in SOURCES.values():
        if name in source.series:
            return source, source.series[name]
    offered = sorted(series for source in SOURCES.values() for series in source.series)
    close = difflib.get_close_matches(name, offered, n=3, cutoff=0.4) or offered[:3]
    raise BadInput(f"series {name!r}", "no operator that is asked live offers it", f"Closest: {', '.join(close)}")
