"""What a plan may see of curtailments and outages, and what was really in force."""

import msgspec
import numpy as np

from headrace.dispatch.asked import hindsight
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.outlook import Outlook
from headrace.dispatch.plant_terms import import_in_force
from headrace.energy import Series
from headrace.energy.plant import NonFirm, Outage, Plant, Transformer

HOUR_S = 3600
STEPS = 6
STARTS_S = np.arange(STEPS, dtype=np.int64) * HOUR_S
BARE = Plant(units=(), transformers=(), is_n_minus_1=True, feeders=(), outages=(), non_firm=None, ups=())
CONNECTION_MW = np.full(STEPS, 100.0)


def asked(share=None, now_s=None):
    """The question on six hours, with a series of granted shares known an hour late."""
    grid = {"unit": "ratio", "step_s": HOUR_S, "start_s": 0, "source": ""}
    granted = np.ones(STEPS) if share is None else np.array(share)
    series = Series(name="granted", values=granted, known_s=STARTS_S + HOUR_S, **grid)
    inputs = Inputs(
        real_time=series,
        day_ahead=None,
        temperature=None,
        bitcoin_price=None,
        difficulty=None,
        block_reward=None,
        carbon=None,
        profiles={},
        further={"granted": series},
    )
    nothing = np.zeros((0, STEPS))
    outlook = Outlook(
        starts_s=STARTS_S,
        step_h=np.ones(STEPS),
        price_ccy_per_mwh=np.zeros(STEPS),
        temp_c=np.zeros(STEPS),
        hashprice_ccy_per_phs_day=np.zeros(STEPS),
        demand_per_s=nothing,
        available_ratio=nothing,
    )
    return msgspec.structs.replace(hindsight(inputs, outlook), now_s=now_s)


def test_a_series_of_granted_shares_binds_as_it_came_and_is_seen_as_published():
    non_firm = NonFirm(firm_mw=40.0, hours_per_year_h=None, series="granted", orders=())
    plant = msgspec.structs.replace(BARE, non_firm=non_firm)
    share = [1.0, 0.5, 0.0, 0.0, 1.0, float("nan")]
    came = import_in_force(plant, asked(share), CONNECTION_MW)
    assert came.tolist() == [100.0, 70.0, 40.0, 40.0, 100.0, 100.0]
    seen = import_in_force(plant, asked(share, now_s=3 * HOUR_S), CONNECTION_MW)
    assert seen.tolist() == [100.0, 70.0, 40.0, 100.0, 100.0, 100.0]


def test_a_forced_outage_is_seen_from_its_start_and_without_an_end():
    transformers = tuple(Transformer(name=name, limit_mw=50.0) for name in ("A", "B", "C"))
    forced = Outage(element="B", start_s=2 * HOUR_S, end_s=4 * HOUR_S, known_s=None)
    plant = msgspec.structs.replace(BARE, transformers=transformers, outages=(forced,))
    assert import_in_force(plant, asked(), CONNECTION_MW).tolist() == [100.0, 100.0, 50.0, 50.0, 100.0, 100.0]
    assert import_in_force(plant, asked(now_s=HOUR_S), CONNECTION_MW).tolist() == [100.0] * 6
    during = import_in_force(plant, asked(now_s=2 * HOUR_S), CONNECTION_MW)
    assert during.tolist() == [100.0, 100.0, 50.0, 50.0, 50.0, 50.0]
    planned = msgspec.structs.replace(plant, outages=(msgspec.structs.replace(forced, known_s=0),))
    assert (
        import_in_force(planned, asked(now_s=0), CONNECTION_MW).tolist()
        == import_in_force(plant, asked(), CONNECTION_MW).tolist()
    )
