"""Jobs in the fast loop and in the books, under any history: balance, order of yielding, money once."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from govern_cases import cases
from headrace.control.govern import Bus, govern
from headrace.control.jobs import JobLoad, govern_with_jobs
from headrace.control.setpoints import Mode, Setpoints
from headrace.loads.jobs import NEW, Job, advance
from headrace.settlement.jobs import JobMeter, add_up_jobs, job_rates, saved_wh, settle_job

STEP_S = 300


@st.composite
def loads(draw):
    runs = draw(st.lists(st.floats(0.0, 20.0), max_size=5))
    return [
        JobLoad(
            job=i, run_mw=mw, stand_mw=mw * draw(st.floats(0.0, 0.3)), bid_ccy_per_mwh=draw(st.floats(-10.0, 3000.0))
        )
        for i, mw in enumerate(runs)
    ]


@pytest.mark.inv("E1")
@given(cases(), loads())
def test_the_bus_balances_with_jobs_on_it(case, jobs):
    setpoints, bus = case
    flows, with_jobs, stopped = govern_with_jobs(setpoints, bus, jobs)
    draw = sum(each.stand_mw if each.job in stopped else each.run_mw for each in jobs)
    assert with_jobs.firm_mw == pytest.approx(bus.firm_mw + draw)
    came = flows.import_mw + sum(flows.source_mw) + flows.discharge_mw
    went = flows.export_mw + with_jobs.firm_mw - flows.shed_mw + sum(flows.use_mw) + flows.charge_mw + flows.spilled_mw
    assert came == pytest.approx(went, abs=1e-6)


@given(cases(), loads())
def test_firm_load_is_never_shed_while_a_job_runs_and_the_lowest_bid_stops_first(case, jobs):
    setpoints, bus = case
    flows, _, stopped = govern_with_jobs(setpoints, bus, jobs)
    runs = [each for each in jobs if each.job not in stopped]
    if flows.shed_mw > 1e-6:
        assert not runs
    for off in jobs:
        if off.job in stopped:
            assert all(on.bid_ccy_per_mwh >= off.bid_ccy_per_mwh for on in runs)


@given(cases())
def test_without_jobs_the_fast_loop_is_as_it_was(case):
    assert govern_with_jobs(*case, [])[0] == govern(*case)


def test_a_deviation_that_mining_covers_stops_no_gang_and_a_larger_one_stops_the_lowest_bid():
    setpoints = Setpoints(
        mode=Mode.PLAN,
        use_limit_mw=(None, None),
        use_worth_ccy_per_mwh=(130.0, 1500.0),
        may_fill=(False, False),
        source_limit_mw=(),
        charge_mw=0.0,
        charge_worth_ccy_per_mwh=math.inf,
        discharge_mw=0.0,
        import_limit_mw=20.0,
        import_max_mw=20.0,
        export_max_mw=0.0,
        reasons=(),
    )
    bus = _quiet()
    gangs = [
        JobLoad(job=0, run_mw=2.0, stand_mw=0.2, bid_ccy_per_mwh=40.0),
        JobLoad(job=1, run_mw=2.0, stand_mw=0.2, bid_ccy_per_mwh=90.0),
    ]
    flows, _, stopped = govern_with_jobs(setpoints, bus, gangs)  # 10 firm + 5 mining + 5 lease + 4 of jobs on 20
    assert not stopped
    assert flows.use_mw == pytest.approx((1.0, 5.0))
    shorter = msgspec.structs.replace(bus, firm_mw=11.5)
    flows, _, stopped = govern_with_jobs(setpoints, shorter, gangs)
    assert stopped == {0}
    assert flows.use_mw == pytest.approx((1.3, 5.0))


def _quiet():
    return Bus(
        firm_mw=10.0,
        use_width_mw=(5.0, 5.0),
        use_is_mining=(True, False),
        source_min_mw=(),
        source_max_mw=(),
        source_cost_ccy_per_mwh=(),
        charge_max_mw=0.0,
        discharge_max_mw=0.0,
        charge_room_mw=0.0,
        discharge_room_mw=0.0,
        round_trip_ratio=1.0,
    )


@st.composite
def histories(draw):
    power = draw(st.sampled_from([0.0013, 0.0104, 0.6656]))
    job = Job(
        name="j",
        cluster="c",
        release_s=0,
        deadline_s=STEP_S * draw(st.integers(1, 60)),
        work_mwh=power * draw(st.floats(0.01, 4.0)),
        power_mw=power,
        nodes=1,
        value_ccy=draw(st.floats(0.0, 5000.0)),
        lateness_ccy_per_h=draw(st.just(0.0) | st.floats(0.0, 500.0)),
        checkpoint_interval_s=draw(st.sampled_from([0, 900, 3600])),
        checkpoint_s=draw(st.sampled_from([0, 120])),
        restart_s=draw(st.sampled_from([0, 600])),
        restart_mwh=draw(st.sampled_from([0.0, 0.01])),
        idle_ratio=draw(st.sampled_from([0.0, 0.3])),
    )
    return job, draw(st.lists(st.booleans(), min_size=1, max_size=120))


@pytest.mark.inv("S6")
@given(histories(), st.integers(1, 7))
def test_work_is_paid_once_whatever_is_lost_and_done_again(history, group):
    """And what settlement intervals add up to does not depend on how they are cut."""
    job, runs = history
    (rate,) = job_rates([job])
    state, meters = NEW, []
    for t, run in enumerate(runs):
        if state.done_mwh >= job.work_mwh - 1e-9:
            break
        after = advance(job, state, job.power_mw if run else 0.0, STEP_S)
        meters.append(_meter(job, state, after, t))
        state = after
    earned = owed = 0
    for at in range(0, len(meters), group):
        (meter,) = add_up_jobs((each,) for each in meters[at : at + group])
        gain, loss = settle_job(rate, meter)
        assert gain >= 0
        earned, owed = earned + gain, owed + loss
        assert 0 <= owed <= earned <= rate.value_micro
    assert earned == rate.earned_micro(saved_wh(job, state.saved_mwh))
    if state.done_mwh >= job.work_mwh - 1e-9:
        assert earned == rate.value_micro


def _meter(job, before, after, t):
    return JobMeter(
        job=0,
        it_wh=0,
        gpu_s=0,
        saved_from_wh=saved_wh(job, before.saved_mwh),
        saved_to_wh=saved_wh(job, after.saved_mwh),
        late_from_s=max(0, t * STEP_S - job.deadline_s),
        late_to_s=max(0, (t + 1) * STEP_S - job.deadline_s),
        restarts=0,
    )
