"""The embedded sample: six recorded weeks of South Texas, so that a first run needs no folder and no network."""

from typing import Final

from headrace.core import Interval

__all__ = ["SAMPLE_ROLES", "SAMPLE_TIME_ZONE", "SAMPLE_WINDOW"]

SAMPLE_TIME_ZONE: Final = "America/Chicago"
"""Where the sample was recorded."""
SAMPLE_WINDOW: Final = Interval.from_epoch(1_730_700_000, 1_734_328_800)
"""2024-11-04 to 2024-12-16, local midnight to local midnight: what every dated series of the sample covers."""
SAMPLE_ROLES: Final = {
    "real_time": "sample.real_time",
    "day_ahead": "sample.day_ahead",
    "temperature": "sample.temperature",
    "bitcoin_price": "sample.bitcoin.price",
    "difficulty": "sample.bitcoin.difficulty",
    "block_reward": "sample.bitcoin.block_reward",
    "inference_demand": "sample.llm.m_large",
}
"""A role for each series of the sample, as the demo site names them."""
