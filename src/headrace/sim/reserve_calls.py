"""Calls of reserve drawn at random: whole events, in all the product's expected share of the capacity-hours.

Events of a random length up to the product's duration begin on control steps; between two of them lies at least the
product's rest. The draws depend on the reserve's name alone, and each event on its UTC day alone, so a longer period
holds the same calls.
"""

from typing import Final

import numpy as np

from headrace.core import Interval
from headrace.dispatch.site import Site
from headrace.energy import Series
from headrace.energy.reserves import product_at, simulated_role

__all__ = ["simulated_calls"]

DAY_S: Final = 86_400
SEED: Final = 5
"""Seed of every draw; a part of the simulated world, not of the site."""


def simulated_calls(site: Site, window: Interval) -> dict[str, Series]:
    """Calls of every reserve that declares them simulated, by role, over the UTC days that a window touches."""
    first, last = window.start_s // DAY_S, -(-window.end_s // DAY_S)
    step_s = site.control_step_s
    calls: dict[str, Series] = {}
    for position, reserve in enumerate(site.reserves):
        role = simulated_role(reserve.name)
        product = product_at(reserve, window.start_s)
        if reserve.calls != role or product is None:
            continue
        longest = max(round(product.duration_h * 3600.0) // step_s, 1)
        per_day = product.deployment_ratio * (DAY_S // step_s) / ((longest + 1) / 2)
        values = np.zeros((last - first) * DAY_S // step_s)
        free = 0
        for day in range(first, last):
            generator = np.random.default_rng([SEED, position, *reserve.name.encode(), day])
            for start in np.sort(generator.integers(0, DAY_S // step_s, generator.poisson(per_day))).tolist():
                length = int(generator.integers(1, longest + 1))
                at = (day - first) * (DAY_S // step_s) + start
                if at < free:
                    continue
                values[at : at + length] = 1.0
                free = at + length + product.rest_s // step_s
        calls[role] = Series(
            name=role,
            unit="ratio",
            step_s=step_s,
            start_s=first * DAY_S,
            values=values,
            known_s=first * DAY_S + step_s * np.arange(len(values), dtype=np.int64),
            source=f"drawn at random, seed {SEED}",
        )
    return calls
