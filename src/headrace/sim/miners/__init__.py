"""Miners that speak their firmware's own protocol over real TCP, and how their power moves."""

from headrace.sim.miners.faults import FaultRates, Manner, manners
from headrace.sim.miners.model import MinerModel

__all__ = ["FaultRates", "Manner", "MinerModel", "manners"]
