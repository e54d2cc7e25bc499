"""The fast loop keeps the bus in balance under any setpoints and any conditions."""

import pytest
from hypothesis import given

from govern_cases import cases
from headrace.control.govern import govern


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
