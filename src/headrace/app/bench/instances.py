"""Random dispatch problems from a seed: every corner of the core problem, with prices down to −250 per MWh."""

from collections.abc import Iterator

import numpy as np

from headrace.dispatch.problem import Problem
from headrace.energy import Battery

__all__ = ["random_problems"]


def random_problems(count: int, seed: int) -> Iterator[Problem]:
    """Yield `count` feasible problems: 12 to 96 steps of 5 min to 1 h, up to 6 uses and 2 sources, with a battery."""
    for generator in np.random.default_rng(seed).spawn(count):
        yield _random_problem(generator)


def _random_problem(generator: np.random.Generator) -> Problem:
    steps = int(generator.integers(12, 97))
    uses, sources = int(generator.integers(1, 7)), int(generator.integers(0, 3))
    hours = np.repeat(generator.choice([1 / 12, 0.25, 0.5, 1.0], 3), -(-steps // 3))[:steps]
    price = _price(generator, steps)
    pue = generator.uniform(1.04, 1.35, steps)
    firm = generator.uniform(0.0, 40.0) * pue
    source_max = generator.uniform(0.0, 30.0, (sources, 1)) * generator.uniform(0.0, 1.0, (sources, steps))
    battery = _battery(generator)
    return Problem(
        step_h=hours,
        import_cost_ccy_per_mwh=price + generator.uniform(0.0, 8.0),
        export_value_ccy_per_mwh=price - generator.uniform(0.0, 4.0),
        # Import covers the firm load and export the must-run output, so that every draw has a plan.
        import_max_mw=firm + generator.uniform(1.0, 60.0, steps),
        export_max_mw=source_max.sum(0) + generator.uniform(0.0, 30.0, steps),
        firm_mw=firm,
        use_names=tuple(f"use {n}" for n in range(uses)),
        use_value_ccy_per_mwh=generator.uniform(20.0, 500.0, (uses, 1)) * generator.uniform(0.8, 1.2) / pue,
        use_max_mw=generator.uniform(0.0, 20.0, (uses, 1)) * pue,
        source_names=tuple(f"source {m}" for m in range(sources)),
        source_cost_ccy_per_mwh=np.repeat(generator.uniform(-20.0, 60.0, (sources, 1)), steps, axis=1),
        source_min_mw=source_max * generator.choice([0.0, 0.5], (sources, 1)),
        source_max_mw=source_max,
        battery=battery,
        stored_mwh=float(generator.uniform(battery.stored_min_mwh, battery.stored_max_mwh)),
        end_value_ccy_per_mwh=float(generator.uniform(0.0, 80.0)),
        peak=None,
    )


def _price(generator: np.random.Generator, steps: int) -> np.ndarray:
    """A level, noise, spikes and troughs; ties in a third of all draws, as published prices have them."""
    price = generator.uniform(0.0, 60.0) + generator.normal(0.0, 20.0, steps)
    spikes = generator.random(steps) < 0.04
    price[spikes] += generator.pareto(1.3, int(spikes.sum())) * 120.0
    troughs = generator.random(steps) < 0.08
    price[troughs] -= generator.exponential(80.0, int(troughs.sum()))
    price = np.clip(price, -250.0, 5000.0)
    return np.round(price / 5.0) * 5.0 if generator.random() < 1 / 3 else np.round(price, 2)


def _battery(generator: np.random.Generator) -> Battery:
    size_mwh = float(generator.uniform(4.0, 80.0))
    return Battery(
        charge_max_mw=float(generator.uniform(1.0, 25.0)),
        discharge_max_mw=float(generator.uniform(1.0, 25.0)),
        stored_min_mwh=float(generator.choice([0.0, 0.1])) * size_mwh,
        stored_max_mwh=size_mwh,
        stored_start_mwh=0.5 * size_mwh,
        charge_efficiency_ratio=float(generator.uniform(0.8, 1.0)),
        discharge_efficiency_ratio=float(generator.uniform(0.8, 1.0)),
        wear_ccy_per_mwh=float(generator.uniform(0.0, 12.0)),
    )
