"""The hull of a miner's operating points is concave, above every point, and made of points only."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headrace.loads import concave_hull

AMOUNT = st.integers(min_value=1, max_value=10_000).map(float)
POINTS = st.lists(st.tuples(AMOUNT, AMOUNT), min_size=1, max_size=25)


def _slopes(hull):
    return [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(hull)]


@given(POINTS)
def test_slopes_are_positive_and_strictly_falling(points):
    slopes = _slopes(concave_hull(points))
    assert all(slope > 0 for slope in slopes)
    assert all(later < earlier for earlier, later in pairwise(slopes))


@given(POINTS)
def test_no_point_lies_above_the_hull(points):
    power, work = zip(*concave_hull(points), strict=True)
    assert all(point[1] <= np.interp(point[0], power, work) * (1 + 1e-12) for point in points)


@given(POINTS)
def test_every_vertex_is_a_point_and_the_most_work_is_among_them(points):
    hull = concave_hull(points)
    assert hull[0] == (0.0, 0.0)
    assert set(hull[1:]) <= set(points)
    assert hull[-1][1] == max(point[1] for point in points)


@given(POINTS, st.randoms())
def test_the_order_of_the_points_does_not_matter(points, random):
    shuffled = list(points)
    random.shuffle(shuffled)
    assert concave_hull(shuffled) == concave_hull(points)


@given(POINTS)
def test_the_hull_of_a_hull_is_itself(points):
    hull = concave_hull(points)
    assert concave_hull(hull[1:]) == hull
