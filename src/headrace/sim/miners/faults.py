"""How simulated miners misbehave, under a seed.

The rates are shares of a fleet; each miner has one manner for good, so that a test can name it. Delay is that of the
device between having received a whole request and answering it.
"""

from enum import StrEnum

import msgspec
import numpy as np

__all__ = ["FaultRates", "Manner", "delays_s", "manners"]


class Manner(StrEnum):
    """How one miner behaves."""

    HONEST = "honest"
    """Does what it acknowledges."""
    MUTE = "mute"
    """Accepts connections and never answers or does anything."""
    LYING = "lying"
    """Acknowledges and keeps drawing."""
    REFUSING = "refusing"
    """Answers that it will not."""
    GARBLED = "garbled"
    """Does it, and answers with bytes that are no reply."""
    DROPPING = "dropping"
    """Does it, and drops the connection instead of answering."""
    PARTIAL = "partial"
    """Acknowledges and sheds only half."""


class FaultRates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares of a fleet that misbehave, and how slowly all of it answers."""

    delay_least_s: float = 0.05
    """Least time a device takes to answer, seconds (assumed)."""
    delay_mean_extra_s: float = 0.1
    """Mean of the exponential time it takes on top, seconds (assumed)."""
    mute_ratio: float = 0.0
    """Share that is mute, 0..1."""
    lying_ratio: float = 0.0
    """Share that lies, 0..1."""
    refusing_ratio: float = 0.0
    """Share that refuses, 0..1."""
    garbled_ratio: float = 0.0
    """Share that answers garbage, 0..1."""
    dropping_ratio: float = 0.0
    """Share that drops connections, 0..1."""
    partial_ratio: float = 0.0
    """Share that sheds only half, 0..1."""


def manners(rates: FaultRates, count: int, rng: np.random.Generator) -> tuple[Manner, ...]:
    """Manner of each of `count` miners; the shares are met to the nearest miner, who they are is drawn."""
    shares = (
        (Manner.MUTE, rates.mute_ratio),
        (Manner.LYING, rates.lying_ratio),
        (Manner.REFUSING, rates.refusing_ratio),
        (Manner.GARBLED, rates.garbled_ratio),
        (Manner.DROPPING, rates.dropping_ratio),
        (Manner.PARTIAL, rates.partial_ratio),
    )
    drawn = [manner for manner, share in shares for _ in range(round(share * count))][:count]
    drawn += [Manner.HONEST] * (count - len(drawn))
    return tuple(drawn[i] for i in rng.permutation(count))


def delays_s(rates: FaultRates, count: int, rng: np.random.Generator) -> tuple[float, ...]:
    """`count` answer delays, seconds."""
    if rates.delay_mean_extra_s <= 0.0:
        return (rates.delay_least_s,) * count
    drawn_s = rates.delay_least_s + rng.exponential(rates.delay_mean_extra_s, count)
    return tuple(float(delay_s) for delay_s in drawn_s)
