"""The sudden surplus of `headrace bench surge`: a price that falls below zero within an interval.

    price       dear power has stopped all mining; 80 s into an interval its price is published, −50 a MWh

`absorb_s` runs from the moment at which the price could be known to 90 % of the mining that runs before the next
boundary.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

from headrace.app.bench.surge_campus import RAMP_MW_PER_MIN, SurgeCampus, campus_start_s
from headrace.energy import Series
from headrace.engine.live.rules import LiveRules

__all__ = ["surpluses"]

FEED_POLL_S: Final = 5.0
"""How often feeds are asked in this bench, seconds."""
ARRIVES_S: Final = 80.0
"""Into the interval at which the surplus is known."""
BEGINS_S: Final = 900.0
STEP_S: Final = 300.0
DEAR, CHEAP = 400.0, -50.0
SAMPLE_S: Final = 0.5
ABSORBED_RATIO: Final = 0.9
MINING: Final = ("S21 hall", "S19 hall")
RULES: Final = LiveRules(headroom_ratio=0.1, fsync_every=1_000_000, feed_poll_s=FEED_POLL_S)


def surpluses(seeds: int) -> dict[str, Any]:
    """Both surpluses over some seeds: the slowest of each."""
    return {name: max((run(seed) for seed in range(seeds)), key=_absorb_s) for name, run in RUNS.items()}


def _absorb_s(found: dict[str, float]) -> float:
    return found["absorb_s"]


def _by_price(seed: int) -> dict[str, float]:
    start_s = campus_start_s()
    campus = SurgeCampus(RULES, seed=seed, series={"real_time": _priced(start_s)})
    return _run(campus, start_s + BEGINS_S + ARRIVES_S)


def _priced(start_s: float) -> Series:
    """Dear until the interval at `BEGINS_S`, then cheap; each price is known within the interval it is of."""
    series = SurgeCampus(RULES).series["real_time"]
    first, turn = series.index(int(start_s) - 3600), series.index(int(start_s + BEGINS_S))
    values, known_s = series.values.copy(), series.known_s.copy()
    last = turn + 4
    values[first:turn], values[turn:last] = DEAR, CHEAP
    known_s[first:last] = series.start_s + np.arange(first, last) * series.step_s + round(ARRIVES_S)
    return msgspec.structs.replace(series, values=values, known_s=np.maximum.accumulate(known_s))


def _run(campus: SurgeCampus, arrives_s: float) -> dict[str, float]:
    samples: list[tuple[float, float, float]] = []

    async def watch() -> None:
        while True:
            campus.world.advance(campus.clock.now_us())
            at_s = campus.clock.now_s() - arrives_s
            samples.append((at_s, campus.power_w(*MINING) * 1e-6, campus.world.net_import_w() * 1e-6))
            await campus.clock.sleep_until(campus.clock.now_s() + SAMPLE_S)

    asyncio.run(campus.run(30.0 + BEGINS_S + STEP_S, watch))
    at_s, mining_mw, site_mw = np.array(samples).T
    boundary_s = STEP_S - ARRIVES_S
    before_mw, after_mw = float(mining_mw[at_s < 0.0][-1]), float(mining_mw[at_s < boundary_s][-1])
    rise_mw = after_mw - before_mw
    there = (at_s >= 0.0) & (mining_mw >= before_mw + ABSORBED_RATIO * rise_mw)
    return {
        "absorb_s": float(at_s[there][0]),
        "rise_mw": rise_mw,
        "ramp_s": ABSORBED_RATIO * rise_mw / RAMP_MW_PER_MIN * 60.0,
        "boundary_s": boundary_s,
        "steepest_mw_in_a_minute": _steepest(at_s, site_mw, 60.0),
    }


def _steepest(at_s: np.ndarray, site_mw: np.ndarray, window_s: float) -> float:
    """Largest rise of the connection's power over a window, MW, since the surplus came."""
    after = at_s >= 0.0
    site_mw, width = site_mw[after], round(window_s / SAMPLE_S)
    return max(float(site_mw[i : i + width + 1].max() - site_mw[i]) for i in range(len(site_mw)))


RUNS: Final[dict[str, Callable[[int], dict[str, float]]]] = {"price": _by_price}
