"""Facts about the ladder that hold for any interval."""

import math

from hypothesis import given
from hypothesis import strategies as st

from headrace.core import Currency
from headrace.dispatch.ladder import RungKind, RungState, build_ladder
from headrace.dispatch.moment import BatteryNow, GridNow, Moment, SourceNow, UseNow

PRICE = st.floats(-250.0, 5000.0)
POWER = st.floats(0.0, 500.0)


@st.composite
def moments(draw):
    """Any interval, consistent or not: the ladder must describe faults too."""
    want = draw(st.lists(POWER, max_size=6))
    uses = tuple(
        UseNow(
            name=f"use{i}", worth_ccy_per_mwh=draw(PRICE), want_mw=w, got_mw=w * draw(st.sampled_from([0.0, 0.4, 1.0]))
        )
        for i, w in enumerate(want)
    )
    wind_mw = draw(POWER)
    price, bid = draw(PRICE), draw(PRICE)
    battery = draw(st.sampled_from([None, 0.0, 10.0, 20.0]))
    return Moment(
        currency=Currency.USD,
        firm_mw=draw(POWER),
        uses=uses,
        sources=(SourceNow(name="wind", cost_ccy_per_mwh=0.0, min_mw=0.0, max_mw=wind_mw, mw=wind_mw / 2),),
        grid=GridNow(
            import_cost_ccy_per_mwh=price + 4.0,
            import_mw=draw(POWER),
            import_max_mw=500.0,
            export_value_ccy_per_mwh=price,
            export_mw=0.0,
            export_max_mw=draw(st.sampled_from([0.0, 30.0])),
        ),
        battery=None
        if battery is None
        else BatteryNow(
            charge_mw=battery,
            charge_max_mw=20.0,
            discharge_mw=0.0,
            discharge_max_mw=20.0,
            stored_mwh=10.0,
            stored_max_mwh=40.0,
        ),
        bid_ccy_per_mwh=bid,
        ask_ccy_per_mwh=bid + draw(st.sampled_from([0.0, 12.5, math.inf])),
    )


@given(moments())
def test_uses_fall_and_sources_rise(moment):
    ladder = build_ladder(moment)
    worth = [rung.ccy_per_mwh for rung in ladder.rungs if rung.kind is not RungKind.FIRM]
    cost = [rung.ccy_per_mwh for rung in ladder.sources]
    assert worth == sorted(worth, reverse=True)
    assert cost == sorted(cost)


@given(moments())
def test_every_megawatt_is_on_the_ladder_or_in_the_residual(moment):
    ladder = build_ladder(moment)
    shown_mw = math.fsum(rung.mw for rung in ladder.rungs) + ladder.residual_mw
    assert math.isclose(shown_mw, ladder.taken_mw, abs_tol=1e-9 * max(1.0, ladder.taken_mw))
    assert ladder.available_mw >= ladder.taken_mw - 1e-9


@given(moments())
def test_the_cut_lies_between_bid_and_ask_and_every_limit_has_a_sentence(moment):
    ladder = build_ladder(moment)
    assert ladder.bid_ccy_per_mwh <= ladder.cut_ccy_per_mwh
    assert ladder.cut_ccy_per_mwh <= ladder.ask_ccy_per_mwh
    assert all(limit.sentence in ladder.sentences for limit in ladder.binding)
    assert all(limit.price_ccy_per_mwh is None or limit.price_ccy_per_mwh > 0.0 for limit in ladder.binding)
    assert "nan" not in " ".join(ladder.sentences)


@given(moments())
def test_a_rung_states_what_its_power_says(moment):
    for rung in (*build_ladder(moment).rungs, *build_ladder(moment).sources):
        assert 0.0 <= rung.mw <= rung.max_mw + 1e-9
        assert (rung.state is RungState.WAITING) == (rung.mw <= 1e-4)


def test_a_use_kept_on_below_the_price_of_power_says_that_a_rule_does_it():
    moment = Moment(
        currency=Currency.USD,
        firm_mw=10.0,
        uses=(
            UseNow(name="held on", worth_ccy_per_mwh=50.0, want_mw=5.0, got_mw=5.0),
            UseNow(name="held off", worth_ccy_per_mwh=120.0, want_mw=5.0, got_mw=0.0),
        ),
        sources=(),
        grid=GridNow(
            import_cost_ccy_per_mwh=80.0,
            import_mw=15.0,
            import_max_mw=30.0,
            export_value_ccy_per_mwh=80.0,
            export_mw=0.0,
            export_max_mw=0.0,
        ),
        battery=None,
        bid_ccy_per_mwh=80.0,
        ask_ccy_per_mwh=80.0,
    )
    why = {rung.name: rung.why for rung in build_ladder(moment).rungs}
    assert why["held on"] == "earns 30.00 less than power is worth here: kept on by the plan or rule in force"
    assert why["held off"] == "5 MW held back by the plan or rule in force: it would earn 40.00 more"
