"""Random setpoints and conditions at the bus."""

import math

from hypothesis import strategies as st

from headrace.control.govern import Bus
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
