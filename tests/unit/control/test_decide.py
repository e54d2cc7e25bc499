"""Control always answers, and says on which rung of the ladder it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.control.decide import decide
from headrace.control.setpoints import Mode
from headrace.dispatch.plan import Clash, Infeasible, Relaxation
from headrace.dispatch.policies import Proposal
from headrace.dispatch.uses import model_of
from replays import demo_site

MODEL = model_of(demo_site().site)
COUNT = len(MODEL.uses)
NO_PLAN = Infeasible(
    clash=Clash(step=0, need_mw=30.0, have_mw=26.0, limits=("import limit", "discharge power")),
    relaxations=(Relaxation(limit="import limit", worst_mw=4.0, energy_mwh=1.0, cost_ccy=50.0),),
)


def proposals():
    power = st.floats(-10.0, 100.0)
    return st.builds(
        Proposal,
        use_limit_mw=st.tuples(*[st.none() | st.floats(0.0, 10.0)] * COUNT),
        use_worth_ccy_per_mwh=st.tuples(*[st.floats(-50.0, 3000.0)] * COUNT),
        may_fill=st.tuples(*[st.booleans()] * COUNT),
        source_limit_mw=st.just(()),
        charge_mw=power,
        discharge_mw=power,
        import_limit_mw=st.floats(0.0, 100.0),
        price_seen_ccy_per_mwh=st.floats(-250.0, 5000.0),
        bid_ccy_per_mwh=st.none(),
        ask_ccy_per_mwh=st.none(),
        problem_id=st.just(""),
        memory=st.none(),
    )


@pytest.mark.inv("C1")
@given(st.none() | st.just(NO_PLAN) | proposals(), st.none() | proposals())
def test_control_always_returns_a_command_within_equipment_and_connection(asked, last):
    setpoints = decide(MODEL, asked, last)
    site = MODEL.site
    assert 0.0 <= setpoints.charge_mw <= site.battery.charge_max_mw
    assert 0.0 <= setpoints.discharge_mw <= site.battery.discharge_max_mw
    assert setpoints.import_limit_mw <= setpoints.import_max_mw == site.connection.import_max_mw
    assert len(setpoints.use_limit_mw) == COUNT


def test_the_ladder_goes_plan_last_plan_safe_rule():
    last = Proposal(
        use_limit_mw=(None,) * COUNT,
        use_worth_ccy_per_mwh=(50.0,) * COUNT,
        may_fill=(True,) * COUNT,
        source_limit_mw=(),
        charge_mw=1.0,
        discharge_mw=0.0,
        import_limit_mw=20.0,
        price_seen_ccy_per_mwh=25.0,
        bid_ccy_per_mwh=25.0,
        ask_ccy_per_mwh=27.0,
        problem_id="",
    )
    assert decide(MODEL, last, None).mode is Mode.PLAN
    assert decide(MODEL, None, last).mode is Mode.LAST_PLAN
    assert decide(MODEL, None, None).mode is Mode.SAFE_RULE
    infeasible = decide(MODEL, NO_PLAN, last)
    assert infeasible.mode is Mode.SAFE_RULE
    assert infeasible.reasons == ("plan.infeasible.import limit+discharge power",)


def test_the_safe_rule_switches_everything_interruptible_off():
    setpoints = decide(MODEL, NO_PLAN, None)
    assert set(setpoints.use_limit_mw) == {0.0}
    assert not any(setpoints.may_fill)
