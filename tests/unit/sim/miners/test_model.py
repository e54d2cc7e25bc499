"""How a simulated miner's power moves, and who misbehaves."""

from collections import Counter

import numpy as np
import pytest

from headrace.sim.miners.faults import FaultRates, Manner, delays_s, manners
from headrace.sim.miners.model import MinerModel


def test_power_falls_to_standby_within_its_ramp_and_comes_back_slower():
    model = MinerModel(full_w=3000.0, standby_w=100.0, ramp_down_s=1.0, ramp_up_s=10.0)
    model.stop(5.0)
    assert [model.power_w(at_s) for at_s in (5.0, 5.5, 6.0, 9.0)] == pytest.approx([3000.0, 1550.0, 100.0, 100.0])
    model.run(10.0)
    assert [model.power_w(at_s) for at_s in (10.0, 15.0, 20.0)] == pytest.approx([100.0, 1550.0, 3000.0])


def test_a_change_under_way_begins_where_power_is():
    model = MinerModel(full_w=3000.0, standby_w=100.0, ramp_down_s=1.0, ramp_up_s=10.0)
    model.stop(0.0)
    model.run(0.5)
    assert model.power_w(0.5) == pytest.approx(1550.0)


def test_hash_rate_is_none_at_standby_and_full_at_full():
    model = MinerModel(hashrate_ths=110.0)
    assert model.hashrate_ths(0.0) == pytest.approx(110.0)
    model.stop(0.0)
    assert model.hashrate_ths(10.0) == pytest.approx(0.0)


def test_what_changes_nothing_is_no_effect():
    model = MinerModel()
    for at_s in (1.0, 2.0, 3.0):
        model.stop(at_s)
        model.cap(at_s, 2000.0)
    assert model.effects == 2


def test_a_cap_outlives_sleep_and_a_run_at_full_lifts_it():
    model = MinerModel(full_w=3000.0, standby_w=100.0)
    model.cap(0.0, 2000.0)
    model.stop(10.0)
    model.wake(20.0)
    assert model.power_w(60.0) == pytest.approx(2000.0)
    model.run(60.0)
    assert model.power_w(100.0) == pytest.approx(3000.0)


def test_one_that_sheds_half_keeps_half():
    model = MinerModel(full_w=3000.0, standby_w=100.0, floor_ratio=0.5)
    model.stop(0.0)
    assert model.power_w(10.0) == pytest.approx(1550.0)


@pytest.mark.parametrize(("stays_asleep", "after_w"), [(True, 60.0), (False, 3400.0)])
def test_a_restart_draws_standby_first(stays_asleep, after_w):
    model = MinerModel()
    model.stop(0.0)
    model.restart(10.0, takes_s=30.0, stays_asleep=stays_asleep)
    assert model.power_w(39.0) == pytest.approx(60.0)
    assert model.power_w(100.0) == pytest.approx(after_w)


def test_shares_are_met_to_the_nearest_and_who_they_are_follows_the_seed():
    rates = FaultRates(mute_ratio=0.02, lying_ratio=0.01)
    drawn = manners(rates, 5000, np.random.default_rng(7))
    assert Counter(drawn) == {Manner.HONEST: 4850, Manner.MUTE: 100, Manner.LYING: 50}
    assert drawn == manners(rates, 5000, np.random.default_rng(7))
    assert drawn != manners(rates, 5000, np.random.default_rng(8))


def test_delays_begin_at_the_least_and_have_the_mean():
    drawn_s = delays_s(FaultRates(delay_least_s=0.05, delay_mean_extra_s=0.1), 20_000, np.random.default_rng(1))
    assert min(drawn_s) >= 0.05
    assert sum(drawn_s) / len(drawn_s) == pytest.approx(0.15, rel=0.05)
