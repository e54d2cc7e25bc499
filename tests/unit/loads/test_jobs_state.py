"""A job as it runs: what a step, a stop, a restart and a checkpoint do to it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.loads.jobs import NEW, Job, JobCluster, advance, lock_s, refusals

STEP_S = 900
GANG = Job(
    name="train",
    cluster="h100",
    release_s=0,
    deadline_s=86_400,
    work_mwh=10.0,
    power_mw=2.0,
    nodes=196,
    value_ccy=4000.0,
    checkpoint_interval_s=1800,
    checkpoint_s=60,
    restart_s=600,
    restart_mwh=0.2,
    min_run_s=3600,
    idle_ratio=0.1,
)
FREE = msgspec.structs.replace(GANG, is_malleable=True)


def _steps(job, powers):
    state = NEW
    for power in powers:
        state = advance(job, state, power, STEP_S)
    return state


def test_a_malleable_job_does_the_work_of_the_power_it_is_given():
    state = _steps(FREE, [2.0, 0.5, 0.0, 1.0])
    assert state.done_mwh == pytest.approx(0.875)
    assert state.drawn_mwh == pytest.approx(0.875)
    assert state.restarts == 0


def test_a_gang_runs_whole_or_not_at_all():
    with pytest.raises(Exception, match="whole power"):
        advance(GANG, NEW, 1.0, STEP_S)


def test_the_first_start_takes_no_restart():
    assert _steps(GANG, [2.0]).done_mwh == pytest.approx(0.5)


def test_a_stop_falls_back_to_the_last_checkpoint():
    # 45 minutes: a cycle of 31 minutes saved 30 of work, the 14 since are lost.
    running = _steps(GANG, [2.0] * 3)
    assert running.done_mwh == pytest.approx(2.0 * 44 / 60)
    assert running.saved_mwh == pytest.approx(1.0)
    stopped = advance(GANG, running, 0.0, STEP_S)
    assert stopped.done_mwh == pytest.approx(1.0)
    assert not stopped.is_running


def test_a_restart_takes_its_time_and_energy_before_work_goes_on():
    state = _steps(GANG, [2.0, 2.0, 2.0, 0.0, 2.0])
    assert state.restarts == 1
    assert state.done_mwh == pytest.approx(1.0 + 2.0 * 5 / 60)
    idle, restart, work = 0.1 * 2.0 * 0.25, 0.2, 2.0 * 5 / 60
    assert state.drawn_mwh == pytest.approx(1.5 + idle + restart + work)


def test_a_gang_is_left_running_for_its_least_run():
    assert lock_s(GANG, _steps(GANG, [2.0])) == 2700
    assert lock_s(GANG, _steps(GANG, [2.0] * 4)) == 0
    assert lock_s(GANG, NEW) == 0


def test_a_job_that_finishes_within_a_step_draws_power_until_then():
    short = msgspec.structs.replace(GANG, work_mwh=0.3, checkpoint_interval_s=0)
    state = _steps(short, [2.0, 2.0, 0.0])
    assert state.done_mwh == 0.3
    assert state.drawn_mwh == pytest.approx(0.3)


@given(st.lists(st.booleans(), max_size=60), st.sampled_from([0, 900, 1800, 2700]), st.sampled_from([300, 900, 3600]))
def test_work_is_never_more_than_energy_and_never_falls_below_the_last_checkpoint(runs, interval_s, step_s):
    job = msgspec.structs.replace(GANG, checkpoint_interval_s=interval_s)
    state = NEW
    for run in runs:
        after = advance(job, state, 2.0 * run, step_s)
        assert after.done_mwh >= state.saved_mwh - 1e-12
        assert after.saved_mwh <= after.done_mwh + 1e-12
        assert after.done_mwh - state.done_mwh <= after.drawn_mwh - state.drawn_mwh + 1e-9
        assert 0.0 <= after.done_mwh <= job.work_mwh
        state = after


def test_a_gang_larger_than_its_cluster_is_refused_with_the_reason():
    cluster = JobCluster(name="h100", it_max_mw=1.0, nodes=98, cooling="hall")
    ((name, reason),) = refusals([GANG], [cluster])
    assert name == "train"
    assert "gang of 196 nodes exceeds cluster h100 of 98" in reason
    assert refusals([FREE], [cluster]) == ()
    ((_, unknown),) = refusals([msgspec.structs.replace(GANG, cluster="a100")], [cluster])
    assert "no cluster a100" in unknown
