"""Money as integers: micro-units of a currency (1e-6 of a dollar, euro ...) and satoshis (1e-8 bitcoin).

Floats decide, integers account: `micro` is the one crossing from a float amount to the books, and every division
names its rounding.
"""

import math
from enum import StrEnum
from typing import Final

__all__ = ["MICRO", "SATS_PER_BTC", "Currency", "divide_down", "divide_nearest", "divide_up", "micro"]

MICRO: Final = 1_000_000
"""Micro-units in one unit of currency: the smallest unit of a 6-decimal stablecoin."""

SATS_PER_BTC: Final = 100_000_000
"""Satoshis in one bitcoin."""


class Currency(StrEnum):
    """A currency a site can keep its books in."""

    USD = "USD"
    EUR = "EUR"
    CAD = "CAD"


def micro(amount: float) -> int:
    """Turn a float amount or price into micro-units, half to even.

    Parameters
    ----------
    amount
        Units of currency (or currency per MWh); finite.

    Raises
    ------
    ValueError
        If `amount` is not finite.
    """
    if not math.isfinite(amount):
        raise ValueError(f"money must be finite, was {amount}")
    return round(amount * MICRO)


def divide_down(numerator: int, denominator: int) -> int:
    """Divide and round towards minus infinity; `denominator` > 0."""
    return numerator // denominator


def divide_up(numerator: int, denominator: int) -> int:
    """Divide and round towards plus infinity; `denominator` > 0."""
    return -(-numerator // denominator)


def divide_nearest(numerator: int, denominator: int) -> int:
    """Divide and round to the nearest integer, halves away from zero; `denominator` > 0."""
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient
