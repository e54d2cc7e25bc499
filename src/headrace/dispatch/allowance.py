"""What an hour of allowance is worth: an interruption taken now is one that a dearer hour may miss later.

A contract lets the site stop a load for R more hours until the month ends, T hours from now. Stopping pays e = cost of
energy less worth of the load, when that is positive. Taken as a fluid over prices that come as they came lately, the
best rule stops in the dearest hours, and its threshold λ solves

    Σ_i share_i · P(cost − worth_i > λ) = R / T        (λ = 0 if even λ = 0 uses less)

with i the load's blocks and P the share of the trailing days' prices. λ is the stock's shadow price: the load's worth
rises by it, so dispatch stops it only where stopping pays more. With hindsight P is over the month's own prices.
"""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Stock", "StockState", "advance", "shadow_price", "shadow_price_of_month"]

Floats = NDArray[np.float64]

HALVINGS: Final = 50
"""Steps of the bisection for λ: the bracket shrinks by 1e15."""

CUT_RATIO: Final = 0.01
"""Less than this share of a control interval missing is rounding, not an interruption."""


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """An allowance that runs down over each local month."""

    name: str
    """Contract it belongs to."""
    rows: tuple[int, ...]
    """Blocks of the load it speaks of."""
    monthly_h: float
    """Hours of full stop a month, where the contract gives a number."""
    shortage_ratio: float
    """Share of the month's hours on top of that, from a guarantee of uptime."""
    credit_ccy_per_mwh: float
    """Owed per IT MWh beyond the stock; inf where the load may then not be stopped at all."""
    longest_s: int
    """Longest single interruption, seconds; 0 for no limit."""
    between_s: int
    """Least time at work between two interruptions, seconds."""

    def allowed_s(self, month_s: int) -> float:
        """Seconds of full stop that a month of `month_s` seconds allows."""
        return self.monthly_h * 3600.0 + self.shortage_ratio * month_s


class StockState(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How much of a stock is used, from the meters alone."""

    used_s: int = 0
    """Full-stop seconds taken in this local month: half power for two hours counts one hour."""
    is_cut: bool = False
    """Was the load short in the last control interval?"""
    since_s: int = 0
    """Start of that interruption, or end of the one before, epoch seconds."""


def advance(state: StockState, short_s: int, at_s: int, step_s: int) -> StockState:
    """State after a control interval.

    Parameters
    ----------
    state
        Before it.
    short_s
        Full-stop seconds the meters saw in it.
    at_s, step_s
        Its start, epoch seconds, and length, seconds.
    """
    is_cut = short_s > CUT_RATIO * step_s
    return StockState(
        used_s=state.used_s + short_s,
        is_cut=is_cut,
        since_s=state.since_s if is_cut == state.is_cut else at_s,
    )


def shadow_price(
    cost_ccy_per_mwh: Floats,
    worth_ccy_per_mwh: Floats,
    share_ratio: Floats,
    left_ratio: float,
    *,
    most_ccy_per_mwh: float = np.inf,
) -> float:
    """Shadow price λ of a stock, per MWh at the bus, from prices that are equally likely.

    Parameters
    ----------
    cost_ccy_per_mwh
        Cost of energy, rising, shape (K,).
    worth_ccy_per_mwh
        Worth of each block of the load, shape (I,).
    share_ratio
        Share of the load that each block is, shape (I,).
    left_ratio
        Hours left in the stock over hours left in its month, >= 0.
    most_ccy_per_mwh
        What a MWh beyond the stock costs: λ is never above it.
    """
    count = len(cost_ccy_per_mwh)
    if count == 0:
        return 0.0

    def used_ratio(price: float) -> float:
        dearer = count - cost_ccy_per_mwh.searchsorted(worth_ccy_per_mwh + price, side="right")
        return float(share_ratio @ dearer) / count

    highest = float(cost_ccy_per_mwh[-1] - worth_ccy_per_mwh.min())
    return min(_threshold(used_ratio, left_ratio, highest), most_ccy_per_mwh)


def shadow_price_of_month(
    excess_ccy_per_mwh: Floats, share_ratio: Floats, left_ratio: float, *, most_ccy_per_mwh: float = np.inf
) -> float:
    """Shadow price of a stock over steps that are all known: the hindsight twin of `shadow_price`.

    Parameters
    ----------
    excess_ccy_per_mwh
        Cost of energy less worth of each of I blocks in each of K steps, shape (I, K).
    share_ratio, left_ratio, most_ccy_per_mwh
        As there.
    """

    def used_ratio(price: float) -> float:
        return float(share_ratio @ (excess_ccy_per_mwh > price).mean(axis=1))

    return min(_threshold(used_ratio, left_ratio, float(excess_ccy_per_mwh.max())), most_ccy_per_mwh)


def _threshold(used_ratio: Callable[[float], float], left_ratio: float, highest: float) -> float:
    """Lowest price at which no more is used than is left."""
    if highest <= 0.0 or used_ratio(0.0) <= left_ratio:
        return 0.0
    low, high = 0.0, highest
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if used_ratio(middle) > left_ratio:
            low = middle
        else:
            high = middle
    return high
