"""How far a forecast's chances are believed: the peaks that came over the peaks that were said, in seasons past.

    p' = r p / (1 − p + r p)         odds times r, so that what is certain stays certain
    r  = (PRIOR + came) / (PRIOR + said), at most 1

`said` is the sum of every hour's chance as the hour began, over the periods of earlier calendar years; a right forecast
says as many peaks as come. A chance that is too high by half stops load for nothing; one too low is learned as readily,
but is not raised above the model's own figure, as a season without warning says little of the next.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["odds_learned", "tempered"]

Floats = NDArray[np.float64]

PRIOR_PEAKS: Final = 4.0
"""Weight of r = 1 before anything is seen, in peaks: those of one summer."""


def odds_learned(said_phs: float, came: int) -> float:
    """Factor r on the odds, from the sum of what was said and the count of what came."""
    return min((PRIOR_PEAKS + came) / (PRIOR_PEAKS + said_phs), 1.0)


def tempered(chance_ratio: Floats, odds_ratio: float) -> Floats:
    """Chances whose odds are r times as high."""
    return np.asarray(odds_ratio * chance_ratio / (1.0 - chance_ratio + odds_ratio * chance_ratio))
