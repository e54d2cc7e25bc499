"""Classes of AI work for tests of flexibility."""

import numpy as np

from headrace.adapters.caps.power_curves import load_curves
from headrace.loads.flexibility import FlexClass, Lever, PowerCurve, Tier

CURVES = load_curves()


def flex(name="c", *, tier=Tier.FLEX_2, units=10, curve="training", value=1.0, pause=False, **more) -> FlexClass:
    return FlexClass(
        name=name,
        tier=tier,
        curve=CURVES[curve] if isinstance(curve, str) else curve,
        units=units,
        unit_full_mw=more.pop("full", 0.01),
        unit_fixed_mw=more.pop("fixed", 0.002),
        unit_value_ccy_per_h=value,
        can_pause=pause,
        **more,
    )


def random_curve(rng: np.random.Generator, name: str) -> PowerCurve:
    points = int(rng.integers(1, 6))
    power = np.sort(rng.uniform(0.3, 0.99, points - 1))
    throughput = np.sort(rng.uniform(0.05, 1.0, points - 1))
    return PowerCurve(
        name=name,
        lever=Lever.CAP,
        power_ratio=(*map(float, np.unique(power)), 1.0),
        throughput_ratio=(*map(float, throughput[: len(np.unique(power))]), 1.0),
        idle_ratio=float(rng.uniform(0.0, 0.25)),
        source="random",
        is_measured=False,
    )


def random_class(rng: np.random.Generator, index: int, *, pause: bool | None = None) -> FlexClass:
    may = bool(rng.integers(2)) if pause is None else pause
    return flex(
        f"c{index}",
        tier=Tier(int(rng.integers(4))),
        units=int(rng.integers(0, 30)),
        curve=random_curve(rng, f"k{index}"),
        value=float(rng.uniform(0.0, 20.0)),
        pause=may,
        full=float(rng.uniform(0.003, 0.02)),
        fixed=float(rng.uniform(0.0, 0.002)),
        pauses_left=int(rng.integers(0, 30)) if rng.integers(2) else None,
    )
