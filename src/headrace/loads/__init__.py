"""What a MW can be turned into: miner classes, AI leases, inference services, cooling, heat sales.

In: what the site owns. Out: concave curves of value over power, PUE at a temperature, hashprice from network facts.
"""

from headrace.loads.classes import AiLease, Cooling, Firmness, HeatOfftake, InferenceService, MinerClass
from headrace.loads.cooling import is_flat, pue_at
from headrace.loads.curve import Segments, concave_hull, segments
from headrace.loads.hashprice import HASHES_PER_DIFFICULTY, hashprice_usd_per_phs_day, mining_value_ccy_per_mwh
from headrace.loads.owners import Allowance, Hosting, PowerPrice, ShellTenant

__all__ = [
    "HASHES_PER_DIFFICULTY",
    "AiLease",
    "Allowance",
    "Cooling",
    "Firmness",
    "HeatOfftake",
    "Hosting",
    "InferenceService",
    "MinerClass",
    "PowerPrice",
    "Segments",
    "ShellTenant",
    "concave_hull",
    "hashprice_usd_per_phs_day",
    "is_flat",
    "mining_value_ccy_per_mwh",
    "pue_at",
    "segments",
]
