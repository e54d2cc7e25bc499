"""The series a site is decided on, by role."""

import msgspec
import numpy as np

from headrace.energy import Series

__all__ = ["Inputs", "in_time"]


class Inputs(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Series by role; each carries for every value when it could be known."""

    real_time: Series
    """Price the site settles at, site currency per MWh."""
    day_ahead: Series | None
    """Day-ahead price at the same point, or None where the market or the record has none."""
    temperature: Series | None
    """Outdoor temperature, degrees C; None only if no cooling depends on it."""
    bitcoin_price: Series | None
    """US dollars per bitcoin; None only without miners, like the next two."""
    difficulty: Series | None
    """Network difficulty."""
    block_reward: Series | None
    """Subsidy plus fees of a block, BTC."""
    carbon: Series | None
    """Average carbon intensity of the grid's power, kg/MWh."""
    profiles: dict[str, Series]
    """Capacity factors and demands, by the role that generators, agreements and services name."""
    further: dict[str, Series] = msgspec.field(default_factory=dict)
    """Series that contracts, tariffs and reserves name, by role: hub prices, system load, reserve prices."""


def in_time(series: Series) -> Series:
    """The same series as if each value were known when its interval begins: the sensitivity `known`."""
    starts_s = series.start_s + np.arange(len(series), dtype=np.int64) * series.step_s
    return msgspec.structs.replace(series, known_s=np.minimum(series.known_s, starts_s))
