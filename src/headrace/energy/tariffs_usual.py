"""What each market usually bills beside energy, so that a headline says which part a site file leaves out."""

from typing import Final

from headrace.energy.tariffs import Charge, CoincidentPeaks

__all__ = ["missing_components"]

PEAKS: Final[dict[str, str]] = {
    "ERCOT": "transmission by coincident peaks",
    "IESO": "global adjustment (class A by five peaks, or class B)",
    "NYISO": "capacity by the system's peak hour",
    "PJM": "capacity and transmission by the system's five peaks",
}
"""Component by market operator, in words: each is billed by coincident peaks, or has a part that is."""


def missing_components(market: str, charges: tuple[Charge, ...], *, has_class_b: bool) -> tuple[str, ...]:
    """What a load in this market usually pays and the site does not declare.

    Parameters
    ----------
    market
        Market operator as the site names it.
    charges
        The site's dated charges.
    has_class_b
        The site pays its share of such a charge per MWh.
    """
    usual = PEAKS.get(market.upper())
    declared = has_class_b or any(isinstance(each, CoincidentPeaks) for each in charges)
    return () if usual is None or declared else (f"{usual} not declared",)
