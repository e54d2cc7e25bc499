"""What a MW can be turned into: miner classes, AI leases, inference services, cooling, heat sales.

In: what the site owns. Out: concave curves of value over power, PUE at a temperature, hashprice from network facts.
"""

from headrace.loads.classes import AiLease, Cooling, Firmness, HeatOfftake, InferenceService, MinerClass

__all__ = ["AiLease", "Cooling", "Firmness", "HeatOfftake", "InferenceService", "MinerClass"]
