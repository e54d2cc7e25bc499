"""A peak of inference on a full connection: mining makes room in time, no limit is passed, nobody waits for power."""

import msgspec
import pytest

from headrace.app.bench.surge import MINING, peak_run, troubled
from headrace.app.bench.surge_demand import step
from headrace.app.bench.surge_surplus import RUNS
from headrace.engine.live.records import Commanded
from headrace.engine.live.reproduce import reproduced


@pytest.mark.inv("L17")
@pytest.mark.parametrize("is_rough", [pytest.param(False, marks=pytest.mark.slow), True])
def test_mining_makes_room_within_a_second_and_no_limit_is_passed(is_rough):
    peak, records, campus = peak_run("follow", step, seed=3, faults=troubled(3) if is_rough else ())
    assert peak.over_samples == 0
    assert peak.told_ms <= 1000.0
    assert peak.yielded_mw > 3.0
    assert peak.breach_ratio == 0.0
    again = list(reproduced(campus.state(), records, campus.policy))
    assert [msgspec.json.encode(each) for each in again] == [msgspec.json.encode(each) for each in records]
    loads = {asset.name: asset.load for asset in campus.layout.inventory.assets}
    stopped = {
        loads[command.asset]
        for each in records
        if isinstance(each, Commanded) and each.at_us * 1e-6 > campus.start_s + 100.0
        for command in each.commands
        if command.action.value == "stop"
    }
    assert stopped <= set(MINING)


@pytest.mark.slow
def test_without_caps_the_same_peak_passes_the_limit():
    peak, _, _ = peak_run("watch", step, seed=3)
    assert peak.over_samples > 0


def test_a_price_that_arrives_within_the_interval_is_not_left_until_the_next_boundary():
    found = RUNS["price"](1)
    assert found["rise_mw"] > 5.0
    assert found["absorb_s"] <= 1.1 * found["ramp_s"]
    assert found["steepest_mw_in_a_minute"] <= 6.0 + 1e-6
    assert found["absorb_s"] < 0.5 * found["boundary_s"]
