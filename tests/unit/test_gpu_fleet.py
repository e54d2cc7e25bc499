"""The simulated servers, and the events of the bench on a short day."""

import numpy as np
import pytest

from flex_cases import flex
from headrace.app.bench import flex as bench
from headrace.loads.flexibility import Tier
from headrace.sim.gpu_fleet import Actuators, GpuFleet

STILL = Actuators(work_sigma_ratio=0.0, lost_ratio=0.0)


def settled(classes, paused, ratios, **more):
    fleet = GpuFleet(classes, STILL, np.random.default_rng(1))
    fleet.command(paused, ratios, **more)
    for _ in range(300):
        throughput = fleet.step(0.2)
    return fleet, throughput


def test_a_settled_fleet_draws_what_the_plan_says():
    classes = (flex("a", tier=Tier.FLEX_3, pause=True), flex("b", curve="decode"))
    fleet, throughput = settled(classes, [3, 0], [0.747, 0.72])
    expected = 7 * classes[0].unit_mw(0.747) + 3 * classes[0].unit_mw(0.155) + 10 * classes[1].unit_mw(0.72)
    assert fleet.power_mw == pytest.approx(expected, rel=1e-6)
    assert throughput == pytest.approx([0.7 * 0.895, 0.97], rel=1e-6)


def test_a_board_limit_leaves_decode_as_it_is():
    fleet, throughput = settled((flex("b", curve="decode"),), [0], [0.5], by_cap=True)
    assert (fleet.power_mw, throughput[0]) == (pytest.approx(0.1), 1.0)


def test_nothing_moves_before_the_command_arrives():
    fleet = GpuFleet((flex(),), STILL, np.random.default_rng(1))
    fleet.command([0], [0.5])
    fleet.step(1e-4)
    assert fleet.power_mw == pytest.approx(0.1)


def test_a_lost_command_is_repeated_and_arrives():
    classes = (flex(),)
    fleet = GpuFleet(classes, Actuators(work_sigma_ratio=0.0, lost_ratio=1.0), np.random.default_rng(1))
    fleet.command([0], [0.646])
    for _ in range(100):
        fleet.step(0.2)
    assert fleet.power_mw == pytest.approx(10 * classes[0].unit_mw(0.646), rel=1e-6)


@pytest.mark.parametrize("policy", list(bench.POLICIES))
def test_an_event_reports_what_happened(policy):
    rng = np.random.default_rng(2)
    classes = bench.phoenix_classes()
    full_mw = sum(c.full_mw for c in classes)
    fleet = GpuFleet(classes, Actuators(), rng)
    row = bench.run_event(
        fleet,
        classes,
        bench.POLICIES[policy],
        target_mw=0.8 * full_mw,
        duration_s=300.0,
        rng=rng,
        by_cap=policy == "uniform_cap",
    )
    assert row.is_met == (row.mean_mw < 0.82 * full_mw)
    assert all(0.0 <= each <= 1.0 for each in row.throughput_ratio)


def test_ours_meets_the_published_cut_within_every_tier():
    rng = np.random.default_rng(3)
    classes = bench.phoenix_classes()
    full_mw = sum(c.full_mw for c in classes)
    fleet = GpuFleet(classes, Actuators(), rng)
    row = bench.run_event(
        fleet, classes, bench.by_tier, target_mw=0.75 * full_mw, duration_s=900.0, rng=rng, by_cap=False
    )
    assert row.is_met
    assert row.time_to_target_s < 30.0
    assert bench._violations(classes, row.throughput_ratio) == 0


def test_the_same_seed_gives_the_same_events():
    assert bench._london_events() == bench._london_events()
    assert len(bench._london_events()) == 200
