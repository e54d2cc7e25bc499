"""An event by hand: time to band, energy against the baseline, gaps told as estimated."""

from headrace.control.orders import OrderKind
from headrace.settlement.baselines import meter_before
from headrace.settlement.performance import Instruction, TracePoint, energy_wh, perform

S, MW = 1_000_000, 1_000_000
START = 1_800_000_000 * S


def shed(**changes):
    fields = {
        "id": "adr3.evt-7",
        "kind": OrderKind.SHED,
        "power_w": 20 * MW,
        "received_us": START - 60 * S,
        "starts_us": START,
        "ends_us": START + 600 * S,
        "within_us": 10 * S,
    }
    return Instruction(**fields | changes)


def trace_of(*steps):
    """Readings every second from two minutes before; each step is (second, MW) and holds until the next."""
    points = []
    for at in range(-120, 601):
        power = [mw for second, mw in steps if second <= at][-1]
        points.append(TracePoint(at_us=START + at * S, power_w=round(power * MW)))
    return points


def judge(trace, instruction=None, gap_s=10):
    instruction = instruction or shed()
    starts = [START, START + 300 * S]
    base = meter_before(60 * MW, [300 * S, 300 * S])
    return perform(instruction, trace, [base], starts_us=starts, gap_us=gap_s * S, before_us=60 * S)


def test_time_to_band_is_when_the_draw_came_in_to_stay():
    found = judge(trace_of((-120, 60.0), (2, 50.0), (4, 39.0), (6, 45.0), (9, 40.5)))
    assert (found.before_w, found.target_w, found.band_w) == (60 * MW, 40 * MW, 1 * MW)
    assert found.met_us == START + 9 * S  # two seconds at 39 MW were no stay
    assert found.in_band_ppm == 1_000_000
    assert found.worst_w == 0


def test_energy_delivered_is_the_baseline_less_the_meter():
    found = judge(trace_of((-120, 60.0), (0, 40.0)))
    assert [each.metered_wh for each in found.intervals] == [40 * MW * 300 // 3600] * 2
    assert found.delivered[0].delivered_wh == 5 * MW * 2 - 2 * (40 * MW * 300 // 3600)
    assert found.delivered[0].by_interval_wh == (1_666_667, 1_666_667)


def test_a_shed_that_never_came_is_not_met():
    found = judge(trace_of((-120, 60.0)))
    assert found.met_us is None
    assert found.in_band_ppm == 0
    assert found.worst_w == 19 * MW
    assert found.delivered[0].delivered_wh == 0


def test_a_limit_is_met_below_it_and_a_raise_above_it():
    trace = trace_of((-120, 60.0), (5, 38.0))
    assert judge(trace, shed(kind=OrderKind.LIMIT, power_w=40 * MW)).met_us == START + 5 * S
    assert judge(trace, shed(kind=OrderKind.RAISE, power_w=40 * MW)).met_us == START  # 38 MW is in the band of 2 MW
    assert judge(trace, shed(kind=OrderKind.RAISE, power_w=70 * MW)).in_band_ppm == 0


def test_a_gap_is_estimated_on_the_straight_line_and_told():
    points = [point for point in trace_of((-120, 60.0), (0, 40.0)) if not START < point.at_us < START + 60 * S]
    points = [p if p.at_us != START else TracePoint(at_us=START, power_w=60 * MW) for p in points]
    found = judge(points)
    assert found.estimated_us == 60 * S
    assert found.intervals[0].metered_wh == round((50 * 60 + 40 * 240) * MW / 3600)


def test_a_meter_that_falls_silent_tells_no_energy():
    points = [point for point in trace_of((-120, 60.0), (0, 40.0)) if point.at_us < START + 350 * S]
    found = judge(points)
    assert found.intervals[0].metered_wh is not None
    assert found.intervals[1].metered_wh is None
    assert found.delivered[0].by_interval_wh[1] is None


def test_energy_adds_up_however_it_is_cut():
    points = [TracePoint(at_us=START + at * S, power_w=(at * 7919) % 1000 * 1000) for at in (0, 3, 9, 40, 41, 90)]
    whole, _ = energy_wh(points, START, START + 90 * S, 10 * S)
    parts = [energy_wh(points, START + a * S, START + b * S, 10 * S)[0] for a, b in ((0, 5), (5, 37), (37, 90))]
    assert abs(whole - sum(parts)) <= 2
