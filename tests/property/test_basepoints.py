"""Base points: the path keeps to the registered ramps, ends where it should, and a load on it deviates by nothing."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from headrace.control.basepoints import (
    BasePoint,
    RampCurve,
    RampPiece,
    Registration,
    Trace,
    desired_mw,
    deviation,
    fastest_s,
    orders_of,
    reachable_mw,
)
from headrace.control.orders import Authority, OrderKind

RATES = st.floats(0.5, 50.0)


@st.composite
def curves(draw):
    breaks = sorted(draw(st.sets(st.integers(1, 100), min_size=1, max_size=4)))
    return RampCurve(
        pieces=tuple(
            RampPiece(to_mw=float(mw), up_mw_per_min=draw(RATES), down_mw_per_min=draw(RATES)) for mw in breaks
        )
    )


LOADS = st.builds(
    Registration,
    name=st.just("CLR1"),
    least_mw=st.just(0.0),
    most_mw=st.just(100.0),
    normal=curves(),
    emergency=curves(),
)
POWERS = st.floats(0.0, 100.0)


@given(LOADS, POWERS, POWERS, st.booleans(), st.floats(0.0, 600.0))
def test_the_path_never_outruns_the_ramps_of_where_it_is(load, from_mw, to_mw, is_emergency, within_s):
    point = BasePoint(at_us=0, from_mw=from_mw, to_mw=to_mw, within_s=within_s, is_emergency=is_emergency)
    curve = load.emergency if is_emergency else load.normal
    fastest = max(max(p.up_mw_per_min, p.down_mw_per_min) for p in curve.pieces)
    path = [desired_mw(point, load, at_us) for at_us in range(0, 1_200_000_000, 30_000_000)]
    rises = [abs(b - a) for a, b in itertools.pairwise(path)]
    assert max(rises) <= fastest * 0.5 + 1e-6
    low, high = min(from_mw, to_mw), max(from_mw, to_mw)
    assert all(low - 1e-6 <= mw <= high + 1e-6 for mw in path)


@given(LOADS, POWERS, POWERS, st.booleans())
def test_what_is_reached_in_the_least_time_is_the_base_point(load, from_mw, to_mw, is_emergency):
    least_s = fastest_s(load, from_mw=from_mw, to_mw=to_mw, is_emergency=is_emergency)
    kwargs = {"from_mw": from_mw, "to_mw": to_mw, "is_emergency": is_emergency}
    assert abs(reachable_mw(load, elapsed_s=least_s + 1e-6, **kwargs) - to_mw) < 1e-4
    half = reachable_mw(load, elapsed_s=least_s / 2.0, **kwargs)
    assert min(from_mw, to_mw) - 1e-6 <= half <= max(from_mw, to_mw) + 1e-6


@given(LOADS, POWERS, POWERS)
def test_a_load_on_its_path_deviates_by_nothing(load, from_mw, to_mw):
    points = [
        BasePoint(at_us=0, from_mw=from_mw, to_mw=to_mw, within_s=240.0),
        BasePoint(at_us=300_000_000, from_mw=to_mw, to_mw=from_mw, within_s=240.0),
    ]
    at = range(0, 600_000_000, 2_000_000)
    trace = [
        Trace(at_us=us, power_w=round(desired_mw(points[us >= 300_000_000], load, us + 1_000_000) * 1e6)) for us in at
    ]
    found = deviation(points, load, trace, 600_000_000)
    assert (found.over_wh, found.under_wh, found.longest_off_us) == (0, 0, 0)
    assert found.metered_wh == found.path_wh


def test_what_lies_outside_the_tolerance_is_counted_by_the_second():
    flat = RampCurve(pieces=(RampPiece(to_mw=100.0, up_mw_per_min=10.0, down_mw_per_min=10.0),))
    load = Registration(name="CLR1", least_mw=0.0, most_mw=100.0, normal=flat, emergency=flat)
    point = BasePoint(at_us=0, from_mw=60.0, to_mw=60.0, within_s=0.0)
    trace = [Trace(at_us=0, power_w=60_000_000), Trace(at_us=60_000_000, power_w=70_000_000)]
    found = deviation([point], load, trace, 120_000_000)
    assert found.over_wh == (10_000_000 - 3_000_000) * 60 // 3600 + 1  # a third of a Wh rounds up
    assert (found.under_wh, found.longest_off_us, found.worst_w) == (0, 60_000_000, 10_000_000)


def test_a_base_point_holds_from_above_and_below_until_the_next_is_late():
    flat = RampCurve(pieces=(RampPiece(to_mw=100.0, up_mw_per_min=2.0, down_mw_per_min=2.0),))
    load = Registration(name="CLR1", least_mw=10.0, most_mw=100.0, normal=flat, emergency=flat)
    point = BasePoint(at_us=0, from_mw=60.0, to_mw=40.0, within_s=300.0)
    limit, floor = orders_of(point, load, id="dnp3.bp.1", authority=Authority.GRID, received_us=0, issued_by="market")
    assert (limit.kind, floor.kind) == (OrderKind.LIMIT, OrderKind.RAISE)
    assert limit.mw == floor.mw == 40.0
    assert limit.within_s == 600.0  # 20 MW at 2 MW a minute: the ramp is slower than the base point hopes
    assert limit.ends_us == 600_000_000
