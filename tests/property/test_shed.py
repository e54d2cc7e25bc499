"""A shed takes no more than it needs, in the order of the ladder, from assets that are believed to follow."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_cases import NOW_US, fleets, order
from headrace.control.authority import LadderException, LadderRules, is_emergency, may_take
from headrace.control.commands import Action
from headrace.control.layout import layout_of
from headrace.control.orders import Authority
from headrace.control.shed import flexible_mw, shed

WORTH = {"s19": 40.0, "s21": 60.0, "train": 300.0, "firm": 50.0, "battery": 500.0}
RULES = LadderRules(firm=("firm",))
RULE_SETS = st.sampled_from(
    (RULES, LadderRules(firm=("firm",), exceptions=(LadderException(load="train", yields_to=Authority.SITE),)))
)
SHARES = st.one_of(st.floats(0.0, 1.0), st.sampled_from((0.0, 1.0, 1.2, math.inf)))
"""Of all that is flexible."""


def target_mw(case, share):
    return share * (1e-3 + float(flexible_mw(*case, RULES).sum()))


def take(case, mw, authority, rules=RULES, **more):
    layout, fleet = case
    asked = order(authority=authority, **more)
    return shed(layout, fleet, WORTH, mw, order=asked, record="o1", now_us=NOW_US, rules=rules)


def gives_mw(case, command):
    layout, fleet = case
    i = layout.position[command.asset]
    match command.action:
        case Action.STOP:
            return fleet.drawn_mw[i] - layout.standby_mw[i]
        case Action.DISCHARGE:
            return fleet.drawn_mw[i] + command.power_mw
        case _:
            return fleet.drawn_mw[i] - command.power_mw


def counted(case, shedding):
    """Commands whose power is reckoned with."""
    layout, fleet = case
    flexible = flexible_mw(layout, fleet, RULES)
    return [each for each in shedding.commands if flexible[layout.position[each.asset]] > 0.0]


@pytest.mark.inv("L1")
@given(fleets(), SHARES, st.sampled_from(Authority), RULE_SETS)
def test_no_authority_takes_what_the_ladder_keeps_from_it(case, share, authority, rules):
    layout, _ = case
    for command in take(case, target_mw(case, share), authority, rules).commands:
        assert may_take(rules, authority, layout.asset(layout.position[command.asset]).load)


@pytest.mark.inv("L2")
@given(fleets(), SHARES, st.sampled_from([Authority.FIRM, Authority.VOLUNTARY, Authority.MONEY]))
def test_neither_programme_nor_price_ever_cuts_a_firm_lease(case, share, authority):
    layout, _ = case
    loads = {
        layout.asset(layout.position[command.asset]).load
        for command in take(case, target_mw(case, share), authority).commands
    }
    assert "firm" not in loads


@pytest.mark.inv("L3")
@given(fleets(), SHARES, st.sampled_from(Authority))
def test_without_any_one_of_its_commands_a_shed_would_miss_its_target(case, share, authority):
    mw = target_mw(case, share)
    shedding = take(case, mw, authority)
    given_mw = [gives_mw(case, command) for command in counted(case, shedding)]
    assert shedding.expected_mw == pytest.approx(sum(given_mw), abs=1e-6)
    if shedding.short_mw <= 1e-6 and math.isfinite(mw):
        assert shedding.expected_mw >= mw - 1e-6
        assert all(shedding.expected_mw - each < mw + 1e-6 for each in given_mw)
    else:
        layout, fleet = case
        flexible = flexible_mw(layout, fleet, RULES)
        may = [may_take(RULES, authority, each.load) for each in layout.inventory.assets]
        assert shedding.expected_mw == pytest.approx(flexible[may].sum(), abs=1e-6)


@pytest.mark.inv("L3")
@given(fleets(), SHARES, st.sampled_from(Authority))
def test_only_an_emergency_that_falls_short_tells_what_it_does_not_count_on(case, share, authority):
    layout, fleet = case
    mw = target_mw(case, share)
    shedding = take(case, mw, authority)
    trusted = fleet.is_trusted() & (fleet.runs == 1)
    for command in shedding.commands:
        i = layout.position[command.asset]
        assert not fleet.is_locked[i]
        if layout.is_load[i] and not trusted[i]:
            assert is_emergency(authority)
            assert shedding.expected_mw < mw


@pytest.mark.inv("L4")
@given(fleets(), SHARES, st.sampled_from(Authority))
def test_the_same_record_is_the_same_commands(case, share, authority):
    layout, fleet = case
    again = (layout_of(layout.inventory), fleet)
    mw = target_mw(case, share)
    first = take(case, mw, authority).commands
    assert first == take(again, mw, authority).commands
    assert len({command.id for command in first}) == len(first)
    assert len({command.asset for command in first}) == len(first)


@given(fleets(), SHARES, st.sampled_from(Authority))
def test_the_fast_selection_agrees_with_a_slow_one(case, share, authority):
    mw = target_mw(case, share)
    expected = slow_selection(case, mw, authority)
    assert [command.asset for command in counted(case, take(case, mw, authority))] == expected


def slow_selection(case, mw, authority):
    """The rule as one would tell it: one asset after the other, and then spare whoever is not needed."""
    layout, fleet = case
    gives = flexible_mw(layout, fleet, RULES).tolist()
    assets = list(enumerate(layout.inventory.assets))
    able = [(i, a) for i, a in assets if gives[i] > 0.0 and may_take(RULES, authority, a.load)]

    def worth(a):
        return -math.inf if a.kind == "battery" and is_emergency(authority) else WORTH[a.load]

    def of_its_kind(a):
        return sum(gives[j] for j, b in able if b.feeder == a.feeder and worth(b) == worth(a))

    def place(item):
        i, a = item
        return (a.load == "firm", worth(a), round(-of_its_kind(a), 9), layout.feeder_position[a.feeder], i)

    taken, sum_mw = [], 0.0
    for i, a in sorted(able, key=place):
        if sum_mw >= mw - 1e-9:
            break
        left_mw = fleet.drawn_mw[i] - (mw - sum_mw)
        is_fitted = a.kind == "battery" or (a.least_mw is not None and left_mw >= max(a.least_mw, a.standby_mw + 1e-9))
        taken.append(i)
        sum_mw += min(mw - sum_mw, gives[i]) if is_fitted else gives[i]
    for i in taken[::-1]:
        if sum_mw - gives[i] >= mw - 1e-9:
            taken.remove(i)
            sum_mw -= gives[i]
    return [layout.asset(i).name for i in taken]
