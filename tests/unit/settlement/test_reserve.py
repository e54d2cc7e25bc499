"""What reserve pays and is charged, from meters, to the micro-unit."""

import msgspec
import numpy as np
import pytest

from headrace.core import Interval
from headrace.dispatch.policies import Memory, Rolling
from headrace.dispatch.reserve import BATTERY, Award, ReserveBook
from headrace.engine.cycle import State, step
from headrace.settlement import close, rates_of
from headrace.settlement.reserve import ReserveMeter, with_reserve
from headrace.sim.reserve_calls import simulated_calls
from reserve_cases import (
    HOUR_S,
    START_S,
    STEP_S,
    campus_of,
    make_inputs,
    make_reserve,
    make_sight,
    reserve_site,
    series,
)
from settlement_cases import make_meters, make_prices, make_rates

WH = 1_000_000


def line(**changes):
    plain = {
        "reserve": 0,
        "sold_wh": 5 * WH // 3,
        "held_wh": 5 * WH // 3,
        "called_wh": 0,
        "delivered_wh": 0,
        "short_wh": 0,
        "price_micro_per_mw_h": 7_000_000,
        "penalty_ppm": 1_500_000,
    }
    return ReserveMeter(**(plain | changes))


def statement():
    return close(make_rates(), make_meters(), make_prices(), peak_before_w=0, hosted_left_wh=(), taken_before_wh=0)


def test_capacity_is_paid_at_its_clearing_price_by_the_share_of_the_hour():
    settled = with_reserve(statement(), [line(), line(), line()])
    assert settled.reserve == 4_999_998 * 7  # 20 MW for a quarter of an hour, each meter in whole watt-hours
    assert settled.reserve_penalties == 0


def test_what_is_short_is_charged_at_its_multiple_rounded_for_the_market():
    settled = with_reserve(statement(), [line(short_wh=333_333), line(short_wh=1)])
    exact = 333_334 * 7 * 1.5
    assert -settled.reserve_penalties == int(np.ceil(exact))


def run(site, inputs, awards, hours, *, stored_mwh=18.0):
    model, campus, _ = campus_of(site, steps=hours * HOUR_S // STEP_S, stored_mwh=stored_mwh)
    state = State(stored_mwh=stored_mwh, memory=Memory(reserve=ReserveBook(awards=awards)))
    records = []
    for t in range(hours * HOUR_S // STEP_S):
        now_s = START_S + t * STEP_S
        sight = make_sight(inputs, now_s=now_s, stored_mwh=state.stored_mwh, memory=state.memory)
        record = step(
            model, rates_of(site), Rolling(), sight, state, campus, month_count=1, prices=None, month_s=2_505_600
        )
        state.absorb(record, 1)
        records.append(record)
    return records


def sold(*carriers, hours):
    return tuple(
        Award(start_s=START_S + h * HOUR_S, reserve=0, carrier=carrier, mw=mw, price_ccy_per_mw_h=9.0)
        for h in range(hours)
        for carrier, mw in carriers
    )


def test_a_call_is_delivered_from_the_power_before_it_and_recalled_after():
    site = reserve_site(make_reserve(calls="calls"))
    called = np.zeros(48)
    called[12:18] = 1.0
    inputs = make_inputs(site, hours=6, calls=series("calls", called, step_s=STEP_S))
    records = run(site, inputs, sold((2, 6.0), (BATTERY, 5.0), hours=4), 3)
    lines = [record.reserve[0] for record in records]
    before, during, after = lines[11], lines[12], lines[18]
    assert before.called_wh == 0
    assert before.short_wh == 0
    assert during.called_wh == pytest.approx(11.0 * WH / 12, abs=2)
    assert during.delivered_wh == pytest.approx(during.called_wh, abs=10)
    assert all(each.short_wh == 0 for each in lines)
    fall = records[11].reading.use_wh[2] - records[12].reading.use_wh[2]
    assert fall == pytest.approx(6.0 * WH / 12, abs=2)
    imports = [record.reading.meters.import_wh for record in records]
    assert imports[11] - imports[12] >= 10.9 * WH / 12 - 20
    assert after.called_wh == 0
    assert records[18].reading.use_wh[2] > records[17].reading.use_wh[2]


def test_reserve_that_is_not_called_changes_no_energy_line_when_load_runs_anyway():
    site = reserve_site()
    inputs = make_inputs(site, hours=4, price=20.0)
    free = run(site, inputs, (), 2)
    held = run(site, inputs, sold((2, 6.0), hours=3), 2)
    assert [r.reading.use_wh for r in free] == [r.reading.use_wh for r in held]


def test_reserve_keeps_load_on_through_a_price_that_would_stop_it():
    site = reserve_site()
    inputs = make_inputs(site, hours=4, price=2000.0)
    records = run(site, inputs, sold((2, 6.0), hours=3), 2)
    assert all(record.reading.use_wh[2] >= 6.0 * WH / 12 - 1 for record in records)
    assert all(record.reserve[0].short_wh == 0 for record in records)


def test_simulated_calls_are_the_same_in_a_longer_period_and_within_their_share():
    site = reserve_site(make_reserve("ERCOT RegUp", calls="simulated calls RegUp"))
    week = Interval.from_epoch(START_S, START_S + 7 * 86_400)
    month = Interval.from_epoch(START_S, START_S + 60 * 86_400)
    short, long = (simulated_calls(site, window)["simulated calls RegUp"] for window in (week, month))
    assert np.array_equal(short.values, long.values[: len(short.values)])
    assert 0.15 < long.values.mean() <= 0.25


def test_a_site_without_simulated_calls_has_none():
    assert simulated_calls(reserve_site(), Interval.from_epoch(START_S, START_S + 86_400)) == {}


def test_settlement_adds_to_what_other_parts_wrote():
    paid = msgspec.structs.replace(statement(), reserve=5)
    assert with_reserve(paid, [line()]).reserve > 5
