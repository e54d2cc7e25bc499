"""What a reserve must pay to be worth holding: offer curves for the next local day, made before the market's gate.

A block that carries reserve runs whatever the price. For a price p (adders included) and a worth v at the bus that
costs

    E[(p − v)⁺] + φ E[(v − p)⁺]         per MW and hour

the hours it would rather be off, and the work it loses in the share φ of the capacity that is called. The battery
forgoes discharging into prices above what its energy earns otherwise; θ is the expected price in the last of the hours
it can discharge in a day, at least the day's mean:

    E[(p − w − θ)⁺]                     w: wear

The expectation runs over how prices of the trailing days differed from the day-ahead price that was known at this
hour for the next day: it needs no forecast of the reserve's own price, since an offer at its cost is the best a price
taker can make whatever the price will be.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.assemble import problem_of
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.outlook import expected
from headrace.dispatch.policies.proposal import Sight, asked_by
from headrace.dispatch.problem import Problem
from headrace.dispatch.reserve import BATTERY, HOUR_S, Offer, carriers
from headrace.dispatch.terms_in_force import terms_in_force
from headrace.dispatch.uses import SiteModel
from headrace.energy.reserves import ReserveProduct, product_at

__all__ = ["battery_most_mw", "block_most_mw", "desk_offers", "expected_day", "next_day", "offers_at_cost"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_S: Final = 86_400
TRAILING_DAYS: Final = 60
"""Most days of deviations an expectation rests on; fewer where fewer are at hand."""
POOL_S: Final = HOUR_S
"""An hour's deviations are pooled with those of the hours beside it."""
HOURS_MOST: Final = 25
"""Hours of the longest local day; the market's publication says how many there are."""


def offers_at_cost(model: SiteModel, sight: Sight) -> tuple[Offer, ...]:
    """Offer every carrier of every reserve at what holding it is expected to cost."""
    starts_s = next_day(sight)
    problem, price = expected_day(model, sight, starts_s)
    price_cases = price[:, None] + _deviations(sight.inputs, sight.now_s, starts_s)
    adder = (problem.import_cost_ccy_per_mwh - price)[:, None]
    offers: list[Offer] = []
    for r, reserve in enumerate(model.site.reserves):
        product = product_at(reserve, int(starts_s[0]))
        if product is None or not product.is_sold_ahead:
            continue
        for i in carriers(model, r):
            gain = problem.use_value_ccy_per_mwh[i][:, None] - price_cases - adder
            cost = np.nanmean(np.maximum(-gain, 0.0) + product.deployment_ratio * np.maximum(gain, 0.0), axis=1)
            most_mw = np.minimum(problem.use_max_mw[i], block_most_mw(model, i))
            offers += _steps(starts_s, r, i, most_mw, cost)
        if reserve.has_battery:
            most_mw = np.full(len(starts_s), battery_most_mw(model, product))
            cost = _battery_cost(model, price, price_cases + adder)
            offers += _steps(starts_s, r, BATTERY, most_mw, cost)
    return tuple(offers)


def desk_offers(model: SiteModel, sight: Sight) -> tuple[Offer, ...]:
    """Offer the declared quantity in the declared hours at any price, the most valuable blocks first.

    The day's hours are counted from local midnight: after a change of the clocks they are an hour off for that day.
    """
    starts_s = next_day(sight)
    problem, _ = expected_day(model, sight, starts_s)
    offers: list[Offer] = []
    taken_mw = np.zeros(len(model.uses))
    for r, reserve in enumerate(model.site.reserves):
        product = product_at(reserve, int(starts_s[0]))
        if product is None or not product.is_sold_ahead:
            continue
        worth = problem.use_value_ccy_per_mwh.mean(axis=1)
        ranked = [
            (i, block_most_mw(model, i) - taken_mw[i]) for i in sorted(carriers(model, r), key=lambda i: -worth[i])
        ]
        left_mw = reserve.desk_mw
        for carrier, most_mw in [*ranked, (BATTERY, battery_most_mw(model, product) if reserve.has_battery else 0.0)]:
            mw = max(min(most_mw, left_mw), 0.0)
            left_mw -= mw
            if carrier != BATTERY:
                taken_mw[carrier] += mw
            hours = [h for h in reserve.desk_hours_local if mw > 0.0]
            offers += [
                Offer(start_s=int(starts_s[h]), reserve=r, carrier=carrier, mw=mw, price_ccy_per_mw_h=0.0)
                for h in hours
            ]
    return tuple(sorted(offers, key=lambda offer: offer.start_s))


def next_day(sight: Sight) -> Ints:
    """Hours of the next local day, and one more for the day that has 25."""
    return sight.day_end_s + HOUR_S * np.arange(HOURS_MOST, dtype=np.int64)


def block_most_mw(model: SiteModel, use: int) -> float:
    """Power a block is sure to draw at work, at the bus: at the lowest PUE its cooling ever has."""
    block = model.uses[use]
    return block.it_max_mw * min(model.site.coolings[block.cooling].pue_ratio)


def battery_most_mw(model: SiteModel, product: ReserveProduct) -> float:
    """Most upward reserve the battery can hold: its power, its energy, and what site and grid can take of it."""
    site, battery = model.site, model.site.battery
    if battery is None:
        return 0.0
    span_mwh = battery.stored_max_mwh - battery.stored_min_mwh
    firm_mw: float = sum(
        it_mw * min(cooling.pue_ratio) for it_mw, cooling in zip(model.firm_it_mw.tolist(), site.coolings, strict=True)
    )
    must_run_mw = float((model.source_capacity_mw * model.source_must_run_ratio).sum())
    return max(
        0.0,
        min(
            battery.discharge_max_mw,
            span_mwh * battery.discharge_efficiency_ratio / product.duration_h,
            site.connection.export_max_mw + firm_mw - must_run_mw,
        ),
    )


def expected_day(model: SiteModel, sight: Sight, starts_s: Ints) -> tuple[Problem, Floats]:
    """The next day as now expected, and its price without adders."""
    outlook = expected(model, sight.inputs, sight.now_s, starts_s, np.ones(len(starts_s)))
    problem = problem_of(
        model,
        outlook,
        month=sight.month,
        stored_mwh=sight.stored_mwh,
        end_value_ccy_per_mwh=0.0,
        peak=None,
        terms=terms_in_force(model, asked_by(sight, outlook)),
    )
    return problem, outlook.price_ccy_per_mwh


def _deviations(inputs: Inputs, now_s: int, starts_s: Ints) -> Floats:
    """Real-time price less the base that would have been known for it at this hour the day before, shape (H, S).

    The base of an hour is as many days old as the one the forecast of that hour rests on; NaN where missing.
    """
    live = inputs.real_time
    base = live if inputs.day_ahead is None else inputs.day_ahead
    live_known_s = live.start_s + live.known_count(now_s) * live.step_s
    base_known_s = base.start_s + base.known_count(now_s) * base.step_s
    behind_s = DAY_S * np.maximum(-(-(starts_s + 1 - base_known_s) // DAY_S), 0)
    around_s = np.arange(-POOL_S, HOUR_S + POOL_S, live.step_s, dtype=np.int64)
    back_s = DAY_S * np.arange(1, TRAILING_DAYS + 1, dtype=np.int64)
    at_s = starts_s[:, None, None] - back_s[None, :, None] + around_s[None, None, :]
    came = np.where(at_s < live_known_s, live.onto(at_s), np.nan)
    deviation = (came - base.onto(at_s - behind_s[:, None, None])).reshape(len(starts_s), -1)
    is_bare = np.isnan(deviation).all(axis=1)
    deviation[is_bare, 0] = 0.0
    return deviation


def _battery_cost(model: SiteModel, price: Floats, cost_cases: Floats) -> Floats:
    battery = model.site.battery
    assert battery is not None
    adder = model.site.tariff.import_adder_ccy_per_mwh
    span_mwh = (battery.stored_max_mwh - battery.stored_min_mwh) * battery.discharge_efficiency_ratio
    hours = min(max(round(span_mwh / battery.discharge_max_mw), 1), len(price))
    threshold = max(float(np.sort(price)[-hours]), float(price.mean())) + adder
    cost: Floats = np.nanmean(np.maximum(cost_cases - battery.wear_ccy_per_mwh - threshold, 0.0), axis=1)
    return cost


def _steps(starts_s: Ints, reserve: int, carrier: int, most_mw: Floats, cost: Floats) -> list[Offer]:
    return [
        Offer(start_s=at_s, reserve=reserve, carrier=carrier, mw=mw, price_ccy_per_mw_h=price)
        for at_s, mw, price in zip(starts_s.tolist(), most_mw.tolist(), cost.tolist(), strict=True)
        if mw > 0.0
    ]
