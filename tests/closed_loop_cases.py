"""Small sites and prices for tests of the closed loop."""

import numpy as np

from headrace.app.bench.reference_campus import campus
from headrace.dispatch.closed_loop import LoopPrices, LoopSite

STEPS_PER_DAY = 96
PAST_DAYS = 15


def spiky_prices(days: int, seed: int, *, late_steps: int) -> LoopPrices:
    """15-minute prices with spikes and negative hours; the next day's day-ahead prices known from 13:30."""
    generator = np.random.default_rng(seed)
    steps = days * STEPS_PER_DAY
    hour = np.arange(steps) / 4 % 24
    day_ahead = 35 + 20 * np.sin((hour - 9) / 24 * 2 * np.pi) + np.repeat(generator.normal(0, 8, steps // 4), 4)
    price = day_ahead + generator.normal(0, 12, steps)
    spikes = generator.random(steps) < 0.05
    price[spikes] += generator.pareto(1.3, int(spikes.sum())) * 120
    troughs = generator.random(steps) < 0.08
    price[troughs] -= generator.exponential(90, int(troughs.sum()))
    past = generator.normal(0, 12, PAST_DAYS * STEPS_PER_DAY)
    spikes = generator.random(len(past)) < 0.05
    past[spikes] += generator.pareto(1.3, int(spikes.sum())) * 120
    day = np.arange(steps) // STEPS_PER_DAY
    is_out = np.arange(steps) % STEPS_PER_DAY >= 54
    return LoopPrices(
        settled_ccy_per_mwh=price,
        late_steps=late_steps,
        day_ahead_ccy_per_mwh=day_ahead,
        day_ahead_known_steps=np.minimum((day + 1 + is_out) * STEPS_PER_DAY, steps),
        day_start_steps=np.arange(days + 1) * STEPS_PER_DAY,
        past_deviation_ccy_per_mwh=past,
    )


def daily_site(days: int, seed: int) -> LoopSite:
    """The reference campus with a hashprice that moves a lot from day to day and is known a day late."""
    generator = np.random.default_rng(seed)
    daily = 52 * np.exp(generator.normal(0, 0.3, days + 1))
    known, earned = (np.repeat(daily[i : days + i], STEPS_PER_DAY) for i in (0, 1))
    return campus(days * STEPS_PER_DAY, 0.25, (known, earned))
