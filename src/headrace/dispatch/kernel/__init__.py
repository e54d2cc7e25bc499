"""The compiled dispatch: merit order, stage functions, backward merge, path, duals.

`build_stages`, `first_step`, `powers`, `fill_blocks`, `bus_interval` allocate nothing and may be called from another
compiled loop with its own scratch arrays; `headrace.dispatch.kernel.window` says in which order and with which shapes.
"""

from headrace.dispatch.kernel.marginal import bus_interval, water_values
from headrace.dispatch.kernel.merit import bus_slopes, fill_blocks
from headrace.dispatch.kernel.path import solve_path
from headrace.dispatch.kernel.stage import build_stages, powers
from headrace.dispatch.kernel.whole import pack_blocks, solve_problem
from headrace.dispatch.kernel.window import first_step

__all__ = [
    "build_stages",
    "bus_interval",
    "bus_slopes",
    "fill_blocks",
    "first_step",
    "pack_blocks",
    "powers",
    "solve_path",
    "solve_problem",
    "water_values",
]
