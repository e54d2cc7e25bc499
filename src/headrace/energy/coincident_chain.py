"""How likely no later day passes this one: an exact sum over a Gauss-Markov chain on a grid.

The chain is z' = ρ z + √(1 − ρ²) · N(0, 1); asked for is P(at most c of the days 1..n pass their thresholds | z of day
0), by going backwards from day n.
"""

from math import erf

import numpy as np
from numpy.typing import NDArray

__all__ = ["GRID", "normal_below", "survival", "transition"]

Floats = NDArray[np.float64]

GRID: Floats = np.linspace(-4.0, 4.0, 49)
"""Midpoints of the cells of z, standard deviations."""
EDGES: Floats = np.concatenate(([-12.0], 0.5 * (GRID[1:] + GRID[:-1]), [12.0]))
"""Edges of the cells; the outer ones reach as far as matters."""

_ERF = np.vectorize(erf, otypes=[float])


def normal_below(z_ratio: Floats) -> Floats:
    """Standard normal distribution function of so many standard deviations."""
    return np.asarray(0.5 * (1.0 + _ERF(np.asarray(z_ratio) / np.sqrt(2.0))), float)


def transition(rho_ratio: float) -> Floats:
    """Chance of each cell the day after each cell, shape (Z, Z)."""
    spread = np.sqrt(1.0 - rho_ratio**2)
    return np.diff(normal_below((EDGES[None, :] - rho_ratio * GRID[:, None]) / spread), axis=1)


def survival(chain_ratio: Floats, threshold_ratio: Floats, count: int) -> Floats:
    """Chance that at most c of the coming days pass, by the cell of today.

    Parameters
    ----------
    chain_ratio
        Chance of each cell the day after each cell, shape (Z, Z).
    threshold_ratio
        z that each coming day would have to pass the load of each of today's cells, shape (days, Z).
    count
        How many values of c to work out: 0 to `count` − 1.

    Returns
    -------
    NDArray[np.float64]
        Chances, shape (count, Z).
    """
    low, width = EDGES[:-1, None], np.diff(EDGES)[:, None]
    left = np.ones((count, len(GRID), len(GRID)))
    for row in threshold_ratio[::-1]:
        below = np.clip((row[None, :] - low) / width, 0.0, 1.0)
        ahead = below * left
        ahead[1:] += (1.0 - below) * left[:-1]
        left = chain_ratio @ ahead
    return np.ascontiguousarray(np.einsum("czz->cz", left))
