"""PUE of a cooling plant at an outdoor temperature: linear between its points, flat outside them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.loads.classes import Cooling

__all__ = ["REFERENCE_TEMP_C", "is_flat", "pue_at"]

Floats = NDArray[np.float64]

REFERENCE_TEMP_C: Final = 15.0
"""Stands in where a site's cooling does not depend on temperature."""


def pue_at(cooling: Cooling, temp_c: Floats) -> Floats:
    """PUE at each outdoor temperature.

    Parameters
    ----------
    cooling
        The plant.
    temp_c
        Outdoor temperatures, degrees C, any shape; NaN where missing.

    Returns
    -------
    ndarray
        PUE, same shape; NaN where the temperature is missing, unless the plant's PUE is the same at every temperature.
    """
    if is_flat(cooling):
        return np.full(np.shape(temp_c), cooling.pue_ratio[0])
    return np.interp(temp_c, cooling.temp_c, cooling.pue_ratio)


def is_flat(cooling: Cooling) -> bool:
    """The plant's PUE does not depend on temperature, so no temperature series is needed."""
    return min(cooling.pue_ratio) == max(cooling.pue_ratio)
