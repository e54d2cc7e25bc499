"""One physical model of a site behind every door, with faults, under a seed."""

from headrace.sim.world.conditions import Conditions
from headrace.sim.world.doors import SimDriver, SimMeters, sim_drivers
from headrace.sim.world.faults import Fault, FaultFile, FaultKind, random_faults
from headrace.sim.world.world import Effect, World

__all__ = [
    "Conditions",
    "Effect",
    "Fault",
    "FaultFile",
    "FaultKind",
    "SimDriver",
    "SimMeters",
    "World",
    "random_faults",
    "sim_drivers",
]
