"""A site that sells reserve, its series, and its simulated devices, for tests."""

import msgspec
import numpy as np

from headrace.adapters.sitefile.reserve_products import reserve_products
from headrace.dispatch.assemble import problem_of, pue_of
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.outlook import Outlook
from headrace.dispatch.policies import Memory, Sight
from headrace.dispatch.uses import model_of
from headrace.energy import Series
from headrace.energy.reserves import Reserve
from headrace.sim.campus import Campus
from settlement_cases import make_site

START_S = 1_706_745_600
"""2024-02-01T00:00Z, a full hour."""
HOUR_S = 3600
STEP_S = 300


def make_reserve(product="ERCOT RRS", **changes):
    """A reserve on the miners, the curtailable lease and the battery."""
    plain = {
        "name": product.removeprefix("ERCOT "),
        "products": reserve_products()[product],
        "loads": ("s21", "batch"),
        "has_battery": True,
        "qualified_mw": 100.0,
        "price": product,
        "calls": None,
        "desk_mw": 0.0,
        "desk_hours_local": (),
    }
    return Reserve(**(plain | changes))


def reserve_site(*reserves, **changes):
    """The site of the settlement tests, selling reserves."""
    return msgspec.structs.replace(make_site(), reserves=reserves or (make_reserve(),), **changes)


def series(name, values, *, step_s=HOUR_S, start_s=START_S, known_s=None):
    """A series from `start_s`, known as each interval begins unless said."""
    values = np.asarray(values, float)
    at_s = start_s + step_s * np.arange(len(values), dtype=np.int64)
    return Series(
        name=name,
        unit="",
        step_s=step_s,
        start_s=start_s,
        values=values,
        known_s=at_s if known_s is None else known_s,
        source="test",
    )


def make_inputs(site, *, hours, price=50.0, reserve_price=5.0, calls=None):
    """Flat or given series from a week before the start."""
    week_s, all_hours = 7 * 86_400, hours + 7 * 24
    spread = np.full(all_hours, price) if np.isscalar(price) else np.asarray(price, float)
    start_s = START_S - week_s
    flat = {name: series(name, np.ones(all_hours), start_s=start_s) for name in ("solar", "wind", "demand")}
    further = {r.price: series(r.price, np.full(all_hours, reserve_price), start_s=start_s) for r in site.reserves}
    for reserve in site.reserves:
        if reserve.calls is not None:
            further[reserve.calls] = calls
    return Inputs(
        real_time=series("rt", spread, start_s=start_s),
        day_ahead=series("da", spread, start_s=start_s),
        temperature=series("temp", np.full(all_hours, 10.0), start_s=start_s),
        bitcoin_price=series("btc", np.full(all_hours, 43_000.0), start_s=start_s),
        difficulty=series("difficulty", np.full(all_hours, 75e12), start_s=start_s),
        block_reward=series("reward", np.full(all_hours, 6.5), start_s=start_s),
        carbon=None,
        profiles=flat,
        further=further,
    )


def make_sight(inputs, *, now_s=START_S, memory=None, stored_mwh=10.0, hour_local=0, day_end_s=None, end_s=None):
    """What a policy sees."""
    return Sight(
        now_s=now_s,
        end_s=end_s or now_s + 30 * 86_400,
        inputs=inputs,
        stored_mwh=stored_mwh,
        peak_mw=0.0,
        month=2,
        hour_local=hour_local,
        day_end_s=day_end_s or now_s + 86_400,
        month_end_s=now_s + 20 * 86_400,
        memory=memory or Memory(),
    )


def campus_of(site, *, steps, stored_mwh=10.0, temp_c=10.0, price=50.0):
    """Simulated devices over `steps` control steps."""
    model = model_of(site)
    outlook = Outlook(
        starts_s=START_S + STEP_S * np.arange(steps, dtype=np.int64),
        step_h=np.full(steps, STEP_S / 3600.0),
        price_ccy_per_mwh=np.full(steps, price),
        temp_c=np.full(steps, temp_c),
        hashprice_ccy_per_phs_day=np.full(steps, 80.0),
        demand_per_s=np.full((len(site.inference), steps), 1000.0),
        available_ratio=np.ones((len(site.generators), steps)),
    )
    truth = problem_of(model, outlook, month=2, stored_mwh=stored_mwh, end_value_ccy_per_mwh=50.0, peak=None)
    campus = Campus(
        model,
        truth,
        pue=pue_of(model, outlook.temp_c),
        demand_per_s=outlook.demand_per_s,
        ppa_ratio=np.ones((len(site.ppas), steps)),
        months=np.full(steps, 2),
        start_s=START_S,
    )
    return model, campus, truth
