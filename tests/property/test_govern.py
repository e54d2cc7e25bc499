"""The fast loop keeps the bus in balance under any setpoints and any conditions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.control.govern import Bus, govern
from headrace.control.setpoints import Mode, Setpoints

POWER = st.floats(0.0, 50.0)
LIMIT = st.none() | POWER


@st.composite
def cases(draw):
    uses, sources = draw(st.integers(0, 5)), draw(st.integers(0, 2))
    row = lambda each, n: tuple(draw(st.lists(each, min_size=n, max_size=n)))  # noqa: E731
    high = row(POWER, sources)
    import_max = draw(st.floats(0.0, 120.0))
    setpoints = Setpoints(
        mode=draw(st.sampled_from(list(Mode))),
        use_limit_mw=row(LIMIT, uses),
        use_worth_ccy_per_mwh=row(st.floats(-50.0, 3000.0), uses),
        may_fill=row(st.booleans(), uses),
        source_limit_mw=row(LIMIT, sources),
        charge_mw=draw(POWER),
        charge_worth_ccy_per_mwh=draw(st.floats(-50.0, 3000.0) | st.just(math.inf)),
        discharge_mw=draw(POWER),
        import_limit_mw=import_max * draw(st.floats(0.0, 1.0)),
        import_max_mw=import_max,
        export_max_mw=draw(POWER),
        reasons=(),
    )
    bus = Bus(
        firm_mw=draw(POWER),
        use_width_mw=row(POWER, uses),
        use_is_mining=row(st.booleans(), uses),
        source_min_mw=tuple(mw * draw(st.floats(0.0, 1.0)) for mw in high),
        source_max_mw=high,
        source_cost_ccy_per_mwh=row(st.floats(-20.0, 100.0), sources),
        charge_max_mw=draw(POWER),
        discharge_max_mw=draw(POWER),
        charge_room_mw=draw(POWER | st.just(0.0)),
        discharge_room_mw=draw(POWER | st.just(0.0)),
        round_trip_ratio=draw(st.floats(0.5, 1.0)),
    )
    return setpoints, bus


@pytest.mark.inv("E1")
@given(cases())
def test_the_bus_balances(case):
    setpoints, bus = case
    flows = govern(setpoints, bus)
    came = flows.import_mw + sum(flows.source_mw) + flows.discharge_mw
    went = flows.export_mw + bus.firm_mw - flows.shed_mw + sum(flows.use_mw) + flows.charge_mw + flows.spilled_mw
    assert came == pytest.approx(went, abs=1e-6)


@given(cases())
def test_nothing_exceeds_its_limit(case):
    setpoints, bus = case
    flows = govern(setpoints, bus)
    assert flows.import_mw <= setpoints.import_max_mw + 1e-6
    assert flows.export_mw <= setpoints.export_max_mw + 1e-6
    assert all(-1e-9 <= mw <= width + 1e-9 for mw, width in zip(flows.use_mw, bus.use_width_mw, strict=True))
    assert all(
        low - 1e-9 <= mw <= high + 1e-9
        for mw, low, high in zip(flows.source_mw, bus.source_min_mw, bus.source_max_mw, strict=True)
    )
    assert 0.0 <= flows.charge_mw <= bus.most_charge_mw(flows.discharge_mw) + 1e-6
    assert 0.0 <= flows.discharge_mw <= bus.most_discharge_mw(flows.charge_mw) + 1e-6
    assert min(flows.shed_mw, flows.spilled_mw, flows.yielded_mw) >= 0.0


@pytest.mark.inv("D1")
@given(cases())
def test_firm_load_is_shed_only_when_nothing_else_is_left(case):
    setpoints, bus = case
    flows = govern(setpoints, bus)
    if flows.shed_mw > 1e-6:
        assert sum(flows.use_mw) <= 1e-6
        assert flows.charge_mw <= 1e-6
        assert flows.discharge_mw >= bus.most_discharge_mw(0.0) - 1e-6
        assert flows.import_mw >= setpoints.import_max_mw - 1e-6
        assert all(mw >= high - 1e-6 for mw, high in zip(flows.source_mw, bus.source_max_mw, strict=True))
