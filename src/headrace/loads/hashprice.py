"""What mining earns: hashprice from network facts, and the worth of a MWh on a segment of a miner's curve.

A hash meets the network's target with probability 1 / (difficulty × 2³²): the target at difficulty 1 is 0xFFFF × 2²⁰⁸,
so the exact factor is 2⁴⁸ / 0xFFFF = 2³² × 1.0000153, and 2³² is what the field uses (Bitcoin Developer Reference,
"Target nBits"). Expected revenue of 1 PH/s for a day is therefore

    hashprice = reward per block × price × 86,400 s × 10¹⁵ H/s / (difficulty × 2³²)

with the reward being subsidy plus fees.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["HASHES_PER_DIFFICULTY", "hashprice_usd_per_phs_day", "mining_value_ccy_per_mwh"]

Floats = NDArray[np.float64]

HASHES_PER_DIFFICULTY: Final = 2**32
"""Expected hashes per block at difficulty 1."""

_HASHES_PER_PHS_DAY: Final = 86_400 * 1e15


def hashprice_usd_per_phs_day(
    *,
    block_reward_btc: Floats | float,
    price_usd_per_btc: Floats | float,
    difficulty: Floats | float,
) -> Floats:
    """Expected gross revenue of 1 PH/s for one day.

    Parameters
    ----------
    block_reward_btc
        Subsidy plus fees per block, BTC.
    price_usd_per_btc
        Bitcoin price.
    difficulty
        Network difficulty, > 0.

    Returns
    -------
    ndarray
        US dollars per PH/s and day, broadcast over the inputs.
    """
    hashes_per_block = np.asarray(difficulty, np.float64) * HASHES_PER_DIFFICULTY
    usd_per_block = np.asarray(block_reward_btc, np.float64) * np.asarray(price_usd_per_btc, np.float64)
    return np.asarray(usd_per_block * _HASHES_PER_PHS_DAY / hashes_per_block)


def mining_value_ccy_per_mwh(
    *,
    slope_phs_per_mw: Floats | float,
    hashprice_ccy_per_phs_day: Floats | float,
    pool_fee_ratio: float,
) -> Floats:
    """Worth of one MWh of IT energy mined on a segment, after the pool's fee.

    Parameters
    ----------
    slope_phs_per_mw
        Hash rate per MW of IT power on the segment.
    hashprice_ccy_per_phs_day
        Expected gross revenue of 1 PH/s for a day, in the currency of the result.
    pool_fee_ratio
        Pool's share of revenue, 0..1.
    """
    gross = np.asarray(slope_phs_per_mw, np.float64) * np.asarray(hashprice_ccy_per_phs_day, np.float64) / 24.0
    return np.asarray(gross * (1.0 - pool_fee_ratio))
