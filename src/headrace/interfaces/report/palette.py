"""One colour for one kind of power, everywhere: the Okabe-Ito set, which colour-blind readers can tell apart."""

from typing import Final

from headrace.interfaces.families import Family

__all__ = ["BOUND", "DESK", "HEADLINE", "LOSS", "fill_of"]

HEADLINE: Final = "#0072b2"
"""Line or bar of the headline policy."""

DESK: Final = "#8a8a8a"
"""Line or bar of the competent desk."""

BOUND: Final = "#c9ced3"
"""Bar of what could still be had."""

LOSS: Final = "#d55e00"
"""Bars that take margin away."""

SHADES: Final = {
    Family.FIRM: ("#0072b2",),
    Family.CURTAILABLE: ("#56b4e9", "#8fcdf1", "#3a9bd3"),
    Family.INFERENCE: ("#009e73", "#4dbb9d"),
    Family.MINING: ("#e69f00", "#b87c00", "#f3c45c", "#8c5e00"),
    Family.CHARGE: ("#cc79a7",),
    Family.EXPORT: ("#8a8a8a",),
    Family.IMPORT: ("#8a8a8a",),
    Family.GENERATION: ("#f0e442", "#c9bd1e"),
    Family.DISCHARGE: ("#cc79a7",),
}
"""Shades of each family, in the order its bands appear."""


def fill_of(family: Family, shade: int) -> str:
    """Colour of a band."""
    shades = SHADES[family]
    return shades[shade % len(shades)]
