"""Random dispatch problems, each from its own seed, over everything the core problem can hold."""

import numpy as np

from headrace.dispatch.problem import Peak, Problem
from headrace.energy import Battery

STEPS_H = (1 / 12, 0.25, 1.0)


def random_battery(rng):
    """A battery of any shape: lossless, one-sided, with a floor, tiny or huge against its power."""
    low = float(rng.choice([0.0, 0.0, 1.5]))
    lossless = rng.random() < 0.1
    return Battery(
        charge_max_mw=float(rng.choice([0.0, rng.uniform(1, 40), 20.0])) if rng.random() < 0.9 else 0.0,
        discharge_max_mw=float(rng.choice([rng.uniform(1, 40), 20.0])) if rng.random() < 0.95 else 0.0,
        stored_min_mwh=low,
        stored_max_mwh=low + float(rng.choice([0.0, rng.uniform(0.5, 120), 40.0], p=[0.05, 0.55, 0.4])),
        stored_start_mwh=low,
        charge_efficiency_ratio=1.0 if lossless else float(rng.uniform(0.8, 1.0)),
        discharge_efficiency_ratio=1.0 if lossless else float(rng.uniform(0.8, 1.0)),
        wear_ccy_per_mwh=float(rng.choice([0.0, 3.0, 8.0, 25.0])),
    )


def random_price(rng, steps):
    """Prices with ties, spikes, long flat stretches or depths to -250."""
    kind = rng.integers(5)
    if kind == 0:
        price = rng.normal(40, 80, steps)
    elif kind == 1:
        price = np.round(rng.normal(20, 40, steps) / 10) * 10
    elif kind == 2:
        price = np.repeat(rng.normal(30, 60, steps // 6 + 1), 6)[:steps]
    elif kind == 3:
        price = rng.uniform(-250, 60, steps)
    else:
        price = np.where(rng.random(steps) < 0.05, 3000.0, rng.normal(35, 15, steps))
    return np.clip(price, -250.0, 5000.0)


def random_problem(seed, steps_max=200, *, peak=False):
    """One random problem; most are feasible, some are not."""
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(1, steps_max))
    uses, sources = int(rng.integers(0, 7)), int(rng.integers(0, 3))
    price = random_price(rng, steps)
    pue = rng.uniform(1.0, 1.35, steps)
    value = rng.choice([350.0, 140.0, 104.0, 69.0, 40.0, -20.0], (uses, 1)) + rng.choice([0.0, 10.0]) * rng.normal(
        size=(uses, steps)
    )
    if rng.random() < 0.3:
        value = np.broadcast_to(np.round(value / 20) * 20, (uses, steps)).copy()
    available = rng.choice([0.0, 10.0, 50.0], (sources, 1)) * rng.random((sources, steps))
    must = rng.choice([0.0, 0.0, 0.3, 1.0], (sources, 1)) * available
    battery = random_battery(rng) if rng.random() < 0.85 else None
    stored = 0.0
    if battery is not None:
        span = battery.stored_max_mwh - battery.stored_min_mwh
        stored = battery.stored_min_mwh + float(rng.choice([0.0, 1.0, rng.random()])) * span
    tight = rng.random() < 0.15
    return Problem(
        step_h=rng.choice(STEPS_H, steps) if rng.random() < 0.3 else np.full(steps, float(rng.choice(STEPS_H))),
        import_cost_ccy_per_mwh=price + float(rng.choice([0.0, 4.0, 15.0])),
        export_value_ccy_per_mwh=price - float(rng.choice([0.0, 2.0])),
        import_max_mw=rng.uniform(30, 60, steps) if tight else np.full(steps, float(rng.uniform(60, 120))),
        export_max_mw=np.full(steps, float(rng.choice([0.0, 10.0, 30.0, 80.0]))),
        firm_mw=float(rng.uniform(0, 45)) * pue / 1.35,
        use_names=tuple(f"use {i}" for i in range(uses)),
        use_value_ccy_per_mwh=value / pue,
        use_max_mw=rng.choice([0.0, 10.0, 10.0, 20.0], (uses, 1)) * pue,
        source_names=tuple(f"source {j}" for j in range(sources)),
        source_cost_ccy_per_mwh=np.broadcast_to(
            rng.choice([0.0, 9.0, -15.0, 55.0], (sources, 1)), (sources, steps)
        ).copy(),
        source_min_mw=must,
        source_max_mw=available,
        battery=battery,
        stored_mwh=stored,
        end_value_ccy_per_mwh=float(rng.choice([0.0, rng.uniform(-40, 90)])),
        peak=_peak(rng, steps) if peak else None,
    )


def _peak(rng, steps):
    periods = int(rng.integers(1, 4))
    period = np.sort(rng.integers(0, periods, steps))
    return Peak(
        charge_ccy_per_mw=float(rng.choice([50.0, 400.0, 8000.0])),
        period=period.astype(np.int64),
        so_far_mw=rng.choice([0.0, 0.0, 30.0, 60.0], periods),
    )


def small_problem(**changes):
    """Two uses, import, export and a battery over four equal hours: figures that can be worked out by hand.

    Import costs the price, export earns it less 2. AI 10 MW is worth 300, mining 20 MW is worth 60, firm load is 30 MW.
    """
    steps = len(changes.get("import_cost_ccy_per_mwh", (40.0,) * 4))
    price = np.asarray(changes.pop("import_cost_ccy_per_mwh", [40.0] * steps), float)
    fields = {
        "step_h": np.ones(steps),
        "import_cost_ccy_per_mwh": price,
        "export_value_ccy_per_mwh": price - 2.0,
        "import_max_mw": np.full(steps, 100.0),
        "export_max_mw": np.full(steps, 20.0),
        "firm_mw": np.full(steps, 30.0),
        "use_names": ("ai", "mining"),
        "use_value_ccy_per_mwh": np.array([[300.0] * steps, [60.0] * steps]),
        "use_max_mw": np.array([[10.0] * steps, [20.0] * steps]),
        "source_names": (),
        "source_cost_ccy_per_mwh": np.zeros((0, steps)),
        "source_min_mw": np.zeros((0, steps)),
        "source_max_mw": np.zeros((0, steps)),
        "battery": None,
        "stored_mwh": 0.0,
        "end_value_ccy_per_mwh": 0.0,
        "peak": None,
    }
    return Problem(**(fields | changes))


def lossless_battery(**changes):
    """10 MW each way, 20 MWh, no losses, no wear."""
    fields = {
        "charge_max_mw": 10.0,
        "discharge_max_mw": 10.0,
        "stored_min_mwh": 0.0,
        "stored_max_mwh": 20.0,
        "stored_start_mwh": 0.0,
        "charge_efficiency_ratio": 1.0,
        "discharge_efficiency_ratio": 1.0,
        "wear_ccy_per_mwh": 0.0,
    }
    return Battery(**(fields | changes))
