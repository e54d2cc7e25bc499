"""Baselines by hand: which days count, what the adjustment does, and when there is none."""

import pytest

from headrace.settlement.baselines import (
    Baseline,
    DaySample,
    Method,
    NoBaseline,
    TenInTenRules,
    meter_before,
    ten_in_ten,
)

MWH = 1_000_000


def day(number, wh, before=10 * MWH, left_out=""):
    return DaySample(day=f"2026-07-{number:02d}", event_wh=(wh, wh), before_wh=(before,), left_out=left_out)


HISTORY = [day(20 - n, 10 * MWH + n * 1000) for n in range(12)]


def test_the_mean_is_of_the_ten_latest_eligible_days():
    adjusted, plain = ten_in_ten(HISTORY, [10 * MWH], TenInTenRules())
    assert isinstance(plain, Baseline)
    assert plain.wh == (10 * MWH + 4500, 10 * MWH + 4500)
    assert plain.days[0] == "2026-07-20"
    assert len(plain.days) == 10
    assert adjusted.adjustment_ppm == 1_000_000


def test_event_days_and_gaps_are_left_out_with_their_reason():
    history = [day(20, 0, left_out="event"), DaySample(day="2026-07-19", event_wh=(1, None), before_wh=(1,)), *HISTORY]
    _, plain = ten_in_ten(history, [10 * MWH], TenInTenRules())
    assert [(each.day, each.reason) for each in plain.left_out] == [
        ("2026-07-20", "event"),
        ("2026-07-19", "gap in its meter"),
    ]
    assert plain.wh == (10 * MWH + 4500, 10 * MWH + 4500)


@pytest.mark.parametrize(
    ("today", "ppm", "is_capped"),
    [(11 * MWH, 1_100_000, False), (9 * MWH, 900_000, False), (20 * MWH, 1_200_000, True), (1 * MWH, 800_000, True)],
)
def test_the_adjustment_works_both_ways_and_is_capped(today, ppm, is_capped):
    adjusted, plain = ten_in_ten(HISTORY, [today], TenInTenRules())
    assert (adjusted.adjustment_ppm, adjusted.is_capped) == (ppm, is_capped)
    assert adjusted.wh[0] == round(plain.wh[0] * ppm / 1e6)


def test_too_few_days_give_no_baseline():
    adjusted, plain = ten_in_ten(HISTORY[:4], [10 * MWH], TenInTenRules())
    assert isinstance(adjusted, NoBaseline)
    assert plain.reason == "4 eligible days, at least 5 are needed"


def test_a_gap_before_the_event_leaves_the_unadjusted_baseline():
    adjusted, plain = ten_in_ten(HISTORY, [None], TenInTenRules())
    assert adjusted == NoBaseline(method=Method.TEN_IN_TEN, reason="a gap in the hours before the event")
    assert isinstance(plain, Baseline)


def test_meter_before_goes_on_as_it_was():
    assert meter_before(60_000_000, [300_000_000, 150_000_000]).wh == (5 * MWH, 5 * MWH // 2)
    assert isinstance(meter_before(None, [300_000_000]), NoBaseline)
