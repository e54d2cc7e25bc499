"""Concave curves of work over power: the hull of a machine's operating points, and its segments.

A class of many machines reaches every point between two operating points by running some machines at each, so the most
work at each power is the upper concave hull of the points and the origin (machine off). On the hull the most work per
MW comes first: its segments, in order, are a merit order.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.loads.classes import MinerClass

__all__ = ["Segments", "concave_hull", "segments"]

Floats = NDArray[np.float64]


class Segments(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A miner class as a merit order of IT power; shapes (K,)."""

    width_mw: Floats
    """IT power of each segment, > 0."""
    slope_phs_per_mw: Floats
    """Hash rate per MW of IT power on each segment, > 0 and strictly falling."""


def concave_hull(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Upper concave hull of operating points and the origin, up to the point of most work.

    Parameters
    ----------
    points
        (power, work) of each operating point, both > 0, any order and any units.

    Returns
    -------
    tuple of (power, work)
        The origin, then the hull's vertices: power strictly rising, slopes positive and strictly falling. Points on a
        straight line between two others are left out.
    """
    hull: list[tuple[float, float]] = [(0.0, 0.0)]
    for point in sorted(points):
        if point[1] <= hull[-1][1]:
            continue  # more power for no more work
        while len(hull) > 1 and not _bends_down(hull[-2], hull[-1], point):
            hull.pop()
        if point[0] == hull[-1][0]:
            hull.pop()  # same power, more work
        hull.append(point)
    return tuple(hull)


def _bends_down(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Slope from `a` to `b` exceeds slope from `b` to `c`, compared without division."""
    return (b[1] - a[1]) * (c[0] - b[0]) > (c[1] - b[1]) * (b[0] - a[0])


def segments(miner: MinerClass) -> Segments:
    """Merit order of a miner class: best hash rate per MW first."""
    width_mw = np.diff(np.asarray(miner.power_mw, np.float64))
    return Segments(width_mw=width_mw, slope_phs_per_mw=np.diff(np.asarray(miner.hashrate_phs, np.float64)) / width_mw)
