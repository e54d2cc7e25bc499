"""Dated charges in one settlement interval, in integers.

    adders          import × micro-units per MWh / 10⁶, the price adders and losses in force
    fixed charges   F(end) − F(start), F(t) = charge × seconds of the month gone / seconds of the month, to the nearest:
                    a month's accruals add up to the charge with no remainder
    transmission    import × rate × 3600 / (10⁶ × peaks of the year × seconds of a peak): the interval's part of
                    rate × mean import over the year's peaks, to the nearest micro-unit

The last is accrued in the interval that turned out to be the peak, and is provisional: the operator names the peaks
later, and the year's bill falls due in the next.
"""

from typing import Final

import msgspec

from headrace.core import divide_nearest

__all__ = ["NO_CHARGES", "ChargeFacts", "FixedShare", "PeakShare", "fixed_micro", "transmission_micro"]

WH_PER_MWH: Final = 1_000_000
S_PER_H: Final = 3600


class FixedShare(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a month that a fixed charge accrues over in one interval."""

    month_micro: int
    """Charge of the month, micro-units of the site's currency."""
    from_s: int
    """Seconds of the month gone when the part begins."""
    to_s: int
    """Seconds gone when it ends."""
    month_s: int
    """Length of the month, seconds."""


class PeakShare(msgspec.Struct, frozen=True, kw_only=True):
    """A coincident peak that the interval lies in."""

    year_micro_per_mw: int
    """Charge on each MW of the mean over the year's peaks, micro-units."""
    peaks_s: int
    """Seconds of all peaks of the year together."""


class ChargeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What dated charges one settlement interval bears."""

    adder_micro_per_mwh: int
    """Price adders and losses on every imported MWh."""
    fixed: tuple[FixedShare, ...]
    """Fixed charges that accrue."""
    peaks: tuple[PeakShare, ...]
    """Coincident peaks it lies in."""
    peak_micro_per_mw: int = 0
    """Dated charge on each MW of the month's highest measured import; besides it, `Rates` may have an undated one."""


NO_CHARGES: Final = ChargeFacts(adder_micro_per_mwh=0, fixed=(), peaks=())
"""An interval of a site without dated charges."""


def fixed_micro(facts: ChargeFacts) -> int:
    """Fixed charges of the interval, micro-units."""
    return sum(
        divide_nearest(each.month_micro * each.to_s, each.month_s)
        - divide_nearest(each.month_micro * each.from_s, each.month_s)
        for each in facts.fixed
    )


def transmission_micro(facts: ChargeFacts, import_wh: int) -> int:
    """Charges for coincident peaks in the interval, micro-units."""
    return sum(
        divide_nearest(import_wh * each.year_micro_per_mw * S_PER_H, WH_PER_MWH * each.peaks_s) for each in facts.peaks
    )
