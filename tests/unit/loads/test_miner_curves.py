"""A class of machines mines along the concave hull of its operating points."""

import numpy as np
import pytest

from headrace.loads import MinerClass, concave_hull, segments


def test_a_nameplate_alone_is_a_straight_line_from_off():
    assert concave_hull([(3500.0, 200.0)]) == ((0.0, 0.0), (3500.0, 200.0))


def test_points_under_the_line_between_two_others_are_left_out():
    assert concave_hull([(1.0, 3.0), (2.0, 3.5), (3.0, 6.0), (4.0, 6.5)]) == (
        (0.0, 0.0),
        (1.0, 3.0),
        (3.0, 6.0),
        (4.0, 6.5),
    )


def test_points_on_the_line_between_two_others_are_left_out():
    assert concave_hull([(1.0, 2.0), (2.0, 3.0), (3.0, 4.0)]) == ((0.0, 0.0), (1.0, 2.0), (3.0, 4.0))


def test_more_power_for_no_more_work_is_left_out():
    assert concave_hull([(1.0, 2.0), (2.0, 2.0), (3.0, 1.0)]) == ((0.0, 0.0), (1.0, 2.0))


def test_of_two_points_at_one_power_the_better_stays():
    assert concave_hull([(1.0, 2.0), (1.0, 3.0)]) == ((0.0, 0.0), (1.0, 3.0))


def test_segments_come_best_first():
    miner = MinerClass(
        name="S19",
        power_mw=(0.0, 1.0, 3.0),
        hashrate_phs=(0.0, 50.0, 100.0),
        pool_fee_ratio=0.01,
        cooling="air",
    )
    merit = segments(miner)
    np.testing.assert_array_equal(merit.width_mw, [1.0, 2.0])
    np.testing.assert_array_equal(merit.slope_phs_per_mw, [50.0, 25.0])
    assert (merit.width_mw * merit.slope_phs_per_mw).sum() == pytest.approx(100.0)
