"""A battery that burns energy charges and feeds at once: each power makes room for the other."""

import math

import pytest

from headrace.control.govern import Bus, govern
from headrace.control.setpoints import Mode, Setpoints

ROUND_TRIP = 0.81


def asked(charge_mw: float, discharge_mw: float) -> Setpoints:
    return Setpoints(
        mode=Mode.PLAN,
        use_limit_mw=(),
        use_worth_ccy_per_mwh=(),
        may_fill=(),
        source_limit_mw=(),
        charge_mw=charge_mw,
        charge_worth_ccy_per_mwh=math.inf,
        discharge_mw=discharge_mw,
        import_limit_mw=20.0,
        import_max_mw=20.0,
        export_max_mw=5.0,
        reasons=(),
    )


def bus(*, charge_room_mw: float, discharge_room_mw: float, firm_mw: float = 10.0) -> Bus:
    return Bus(
        firm_mw=firm_mw,
        use_width_mw=(),
        use_is_mining=(),
        source_min_mw=(),
        source_max_mw=(),
        source_cost_ccy_per_mwh=(),
        charge_max_mw=5.0,
        discharge_max_mw=5.0,
        charge_room_mw=charge_room_mw,
        discharge_room_mw=discharge_room_mw,
        round_trip_ratio=ROUND_TRIP,
    )


def test_a_full_battery_may_burn_and_does_not_export():
    flows = govern(asked(5.0, 4.05), bus(charge_room_mw=0.0, discharge_room_mw=60.0))
    assert flows.charge_mw == pytest.approx(5.0)
    assert flows.discharge_mw == pytest.approx(4.05)
    assert flows.import_mw == pytest.approx(10.95)
    assert flows.export_mw == 0.0


def test_an_empty_battery_feeds_only_what_it_draws():
    flows = govern(asked(5.0, 5.0), bus(charge_room_mw=60.0, discharge_room_mw=0.0))
    assert flows.discharge_mw == pytest.approx(5.0 * ROUND_TRIP)


def test_what_eases_charging_takes_back_the_room_it_made():
    # Charging gives way to 19.5 MW of firm load, and an empty store cannot feed what it no longer draws.
    flows = govern(asked(5.0, 4.05), bus(charge_room_mw=60.0, discharge_room_mw=0.0, firm_mw=19.5))
    assert flows.discharge_mw <= flows.charge_mw * ROUND_TRIP + 1e-9
    assert flows.import_mw <= 20.0 + 1e-9
    assert flows.shed_mw == pytest.approx(0.0, abs=1e-9)
