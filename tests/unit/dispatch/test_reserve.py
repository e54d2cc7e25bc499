"""Offers at cost, the market's answer, and what sold reserve leaves of a plan."""

import msgspec
import numpy as np
import pytest

from headrace.dispatch.policies import Memory, Proposal, Rolling
from headrace.dispatch.reserve import BATTERY, Award, Offer, ReserveBook, under_reserve
from headrace.dispatch.reserve_clearing import answered, clear, load_most_mw
from headrace.dispatch.reserve_offers import battery_most_mw, block_most_mw, desk_offers, offers_at_cost
from headrace.dispatch.reserve_policy import Selling
from headrace.dispatch.uses import model_of
from headrace.energy.reserves import product_at
from reserve_cases import HOUR_S, START_S, campus_of, make_inputs, make_reserve, make_sight, reserve_site, series

NINE_S = START_S + 9 * HOUR_S
DAY_END_S = START_S + 24 * HOUR_S


def offer(carrier, mw, price, *, reserve=0, start_s=DAY_END_S):
    return Offer(start_s=start_s, reserve=reserve, carrier=carrier, mw=mw, price_ccy_per_mw_h=price)


def cleared(model, paid):
    return clear(model, [each for each, _ in paid], [price for _, price in paid])


def test_a_block_that_pays_at_every_price_seen_offers_what_calls_may_cost_it():
    site = reserve_site(make_reserve(has_battery=False, loads=("s21",)))
    model = model_of(site)
    inputs = make_inputs(site, hours=48, price=20.0)
    sight = make_sight(inputs, now_s=NINE_S, hour_local=9, day_end_s=DAY_END_S)
    offers = offers_at_cost(model, sight)
    worth = Rolling().propose(model, sight).use_worth_ccy_per_mwh[2]
    assert len(offers) == 25
    assert offers[0].price_ccy_per_mw_h == pytest.approx(0.01 * (worth - 24.0), rel=1e-9)
    assert offers[0].mw == pytest.approx(block_most_mw(model, 2))


def test_spikes_of_the_trailing_days_raise_the_offer_of_their_hours_alone():
    site = reserve_site(make_reserve(has_battery=False, loads=("s21",)))
    inputs = make_inputs(site, hours=48, price=20.0)
    values = inputs.real_time.values.copy()
    values[17 : 7 * 24 : 24] = 2000.0
    spiky = msgspec.structs.replace(inputs, real_time=msgspec.structs.replace(inputs.real_time, values=values))
    sight = make_sight(spiky, now_s=NINE_S, hour_local=9, day_end_s=DAY_END_S)
    price = [each.price_ccy_per_mw_h for each in offers_at_cost(model_of(site), sight)]
    assert min(price[16:19]) > 500.0
    assert max(price[:15] + price[20:24]) < 2.0


@pytest.mark.inv("F2")
def test_a_planted_future_moves_no_offer():
    site = reserve_site()
    inputs = make_inputs(site, hours=72, price=20.0)
    model = model_of(site)

    def planted(each):
        values = each.values.copy()
        values[each.known_count(NINE_S) :] = 4000.0
        return msgspec.structs.replace(each, values=values)

    later = msgspec.structs.replace(
        inputs,
        real_time=planted(inputs.real_time),
        day_ahead=planted(inputs.day_ahead),
        further={role: planted(each) for role, each in inputs.further.items()},
    )
    at = {"now_s": NINE_S, "hour_local": 9, "day_end_s": DAY_END_S}
    assert offers_at_cost(model, make_sight(inputs, **at)) == offers_at_cost(model, make_sight(later, **at))


def test_a_megawatt_goes_to_the_product_that_pays_most_and_only_once():
    model = model_of(reserve_site(make_reserve(), make_reserve("ERCOT ECRS")))
    paid = [(offer(2, 11.0, 1.0), 5.0), (offer(2, 11.0, 2.0, reserve=1), 9.0), (offer(0, 9.9, 4.0), 5.0)]
    awards = cleared(model, paid)
    assert [(a.reserve, a.carrier, a.mw) for a in awards] == [(1, 2, 11.0), (0, 0, 9.9)]


def test_the_qualified_quantity_goes_to_the_cheapest_carrier_first():
    model = model_of(reserve_site(make_reserve(qualified_mw=12.0)))
    awards = cleared(model, [(offer(0, 9.9, 4.0), 5.0), (offer(2, 11.0, 1.0), 5.0)])
    assert [(a.carrier, a.mw) for a in awards] == [(2, 11.0), (0, pytest.approx(1.0))]


def test_the_battery_never_holds_more_than_its_energy_sustains():
    site = reserve_site(make_reserve("ERCOT Non-Spin", loads=()), make_reserve("ERCOT ECRS", loads=()))
    model = model_of(site)
    four_hours, two_hours = (each.products[0] for each in site.reserves)
    assert battery_most_mw(model, four_hours) == pytest.approx(20.0 * 0.92 / 4)
    assert battery_most_mw(model, two_hours) == pytest.approx(20.0 * 0.92 / 2)
    awards = cleared(model, [(offer(BATTERY, 4.6, 0.0), 9.0), (offer(BATTERY, 9.2, 0.0, reserve=1), 5.0)])
    energy_mwh = sum(a.mw * site.reserves[a.reserve].products[0].duration_h / 0.92 for a in awards)
    assert energy_mwh <= 20.0 + 1e-9


def test_products_that_may_not_be_stacked_are_not_sold_side_by_side():
    alone = make_reserve("ERCOT ECRS")
    alone = msgspec.structs.replace(
        alone, products=tuple(msgspec.structs.replace(p, stacks_with=()) for p in alone.products)
    )
    model = model_of(reserve_site(make_reserve(), alone))
    awards = cleared(model, [(offer(2, 11.0, 1.0), 9.0), (offer(0, 9.9, 1.0, reserve=1), 5.0)])
    assert {a.reserve for a in awards} == {0}


def test_an_award_below_the_least_quantity_lapses():
    model = model_of(reserve_site(make_reserve(qualified_mw=0.05)))
    assert cleared(model, [(offer(2, 11.0, 1.0), 9.0)]) == []


def test_only_load_that_surely_fits_under_the_connection_is_sold():
    site = reserve_site()
    tight = msgspec.structs.replace(site, connection=msgspec.structs.replace(site.connection, import_max_mw=20.0))
    # Firm 10, idle 1 + 1.5, inference 3.5, all at PUE 1.1: 17.6 of the 20 MW.
    assert load_most_mw(model_of(tight)) == pytest.approx(20.0 - 17.6)
    awards = cleared(model_of(tight), [(offer(2, 11.0, 0.0), 5.0)])
    assert awards[0].mw == pytest.approx(2.4)


def test_nothing_is_sold_in_an_hour_without_a_price_and_offers_lapse():
    site = reserve_site()
    price = np.full(9 * 24, 5.0)
    price[7 * 24 + 24 + 3] = np.nan
    known_s = np.where(np.arange(len(price)) < 9 * 24, START_S, 0)
    inputs = make_inputs(site, hours=48)
    start_s = START_S - 7 * 86_400
    further = {"ERCOT RRS": series("rrs", price, start_s=start_s, known_s=known_s)}
    inputs = msgspec.structs.replace(inputs, further=further)
    offers = tuple(offer(2, 11.0, 1.0, start_s=DAY_END_S + h * HOUR_S) for h in range(25))
    book = answered(model_of(site), make_sight(inputs, now_s=NINE_S), ReserveBook(offers=offers))
    assert [(a.start_s - DAY_END_S) // HOUR_S for a in book.awards] == [h for h in range(24) if h != 3]
    assert book.offers == ()


def test_before_publication_the_offers_wait():
    site = reserve_site()
    inputs = make_inputs(site, hours=48)
    book = ReserveBook(offers=(offer(2, 11.0, 1.0),))
    assert answered(model_of(site), make_sight(inputs, now_s=NINE_S), book) is book


def test_the_desk_sells_its_quantity_in_its_hours_most_valuable_blocks_first():
    site = reserve_site(make_reserve(desk_mw=15.0, desk_hours_local=(5, 6)))
    sight = make_sight(make_inputs(site, hours=48), now_s=NINE_S, hour_local=9, day_end_s=DAY_END_S)
    offers = desk_offers(model_of(site), sight)
    assert {(o.start_s - DAY_END_S) // HOUR_S for o in offers} == {5, 6}
    assert [(o.carrier, o.mw) for o in offers[:2]] == [(0, pytest.approx(9.9)), (2, pytest.approx(5.1))]


def test_a_policy_offers_once_a_day_before_the_gate_and_keeps_the_answer():
    site = reserve_site()
    model = model_of(site)
    policy = Selling(Rolling(), offers_at_cost)
    inputs = make_inputs(site, hours=72, price=20.0, reserve_price=50.0)
    early = policy.propose(model, make_sight(inputs, now_s=NINE_S - HOUR_S, hour_local=8, day_end_s=DAY_END_S))
    assert isinstance(early, Proposal)
    assert early.memory is None
    nine = policy.propose(model, make_sight(inputs, now_s=NINE_S, hour_local=9, day_end_s=DAY_END_S))
    assert nine.memory.reserve.offers
    again = policy.propose(
        model, make_sight(inputs, now_s=NINE_S + 300, hour_local=9, day_end_s=DAY_END_S, memory=nine.memory)
    )
    assert again.memory is None
    # Prices of this series are known as their hour begins.
    midnight = policy.propose(model, make_sight(inputs, now_s=DAY_END_S, memory=nine.memory))
    assert sum(a.mw for a in midnight.memory.reserve.at(DAY_END_S)) > 20.0


def test_what_carries_reserve_joins_the_firm_load_of_the_plan():
    site = reserve_site()
    model = model_of(site)
    inputs = make_inputs(site, hours=48, price=3000.0)
    award = Award(start_s=START_S, reserve=0, carrier=2, mw=6.0, price_ccy_per_mw_h=5.0)
    free, _ = Rolling().plan(model, make_sight(inputs))
    held, plan = Rolling().plan(model, make_sight(inputs, memory=Memory(reserve=ReserveBook(awards=(award,)))))
    assert held.firm_mw[0] == pytest.approx(free.firm_mw[0] + 6.0)
    assert held.firm_mw[-1] == pytest.approx(free.firm_mw[-1])
    assert plan.use_mw[2, 0] == 0.0


def test_a_plan_keeps_what_the_battery_holds_in_the_next_hours():
    site = reserve_site()
    _, _, problem = campus_of(site, steps=12)
    award = Award(start_s=START_S + HOUR_S, reserve=0, carrier=BATTERY, mw=4.0, price_ccy_per_mw_h=5.0)
    kept = under_reserve(problem, site, ReserveBook(awards=(award,)), START_S).battery
    assert kept.discharge_max_mw == pytest.approx(6.0)
    assert kept.stored_min_mwh == pytest.approx(4.0 / 0.92)
    assert under_reserve(problem, site, ReserveBook(awards=(award,)), START_S + 2 * HOUR_S) is problem


def test_the_rules_of_a_product_change_on_their_day():
    reserve = make_reserve("ERCOT ECRS")
    change_s = 1_764_914_400  # 5 December 2025, midnight in Texas
    assert product_at(reserve, change_s - 1).duration_h == 2.0
    assert product_at(reserve, change_s - 1).is_sold_ahead
    assert product_at(reserve, change_s).duration_h == 1.0
    assert not product_at(reserve, change_s).is_sold_ahead
    assert product_at(reserve, 1_600_000_000) is None
