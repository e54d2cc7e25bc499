"""Local time of many steps at once: months, hours and years as contracts, tariffs and permits count them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from headrace.core import from_epoch_s

__all__ = ["by_local_time"]

QUARTER_S: Final = 900


def by_local_time(
    starts_s: NDArray[np.int64],
    time_zone: str,
    pick: Callable[[datetime], Any],
    dtype: type[np.generic] = np.int64,
) -> NDArray[Any]:
    """What `pick` makes of the local time at each instant.

    Parameters
    ----------
    starts_s
        Instants, epoch seconds, shape (T,).
    time_zone
        IANA zone.
    pick
        Given the local time of the quarter hour that holds an instant; a number or a tuple of numbers.
    dtype
        Type of the result.

    Returns
    -------
    NDArray
        Shape (T,), or (T, K) where `pick` gives K numbers.
    """
    zone = ZoneInfo(time_zone)
    # Local time moves against UTC only on whole quarter hours, so each quarter is looked up once.
    quarters, which = np.unique(starts_s // QUARTER_S, return_inverse=True)
    rows = [pick(from_epoch_s(quarter * QUARTER_S).astimezone(zone)) for quarter in quarters.tolist()]
    of_steps: NDArray[Any] = np.array(rows, dtype)[which]
    return of_steps
