"""PUE follows outdoor temperature between its points and stays flat outside."""

import numpy as np

from headrace.loads import Cooling, is_flat, pue_at

HALLS = Cooling(name="halls", temp_c=(0.0, 20.0, 40.0), pue_ratio=(1.1, 1.2, 1.4))


def test_pue_is_linear_between_points_and_flat_outside():
    temp_c = np.array([-30.0, 0.0, 10.0, 30.0, 40.0, 55.0])
    np.testing.assert_allclose(pue_at(HALLS, temp_c), [1.1, 1.1, 1.15, 1.3, 1.4, 1.4], rtol=1e-12)


def test_a_missing_temperature_leaves_pue_missing():
    assert np.isnan(pue_at(HALLS, np.array([np.nan]))).all()


def test_a_flat_plant_needs_no_temperature():
    flat = Cooling(name="container", temp_c=(15.0,), pue_ratio=(1.15,))
    assert is_flat(flat)
    assert not is_flat(HALLS)
    np.testing.assert_array_equal(pue_at(flat, np.array([np.nan, 50.0])), [1.15, 1.15])
