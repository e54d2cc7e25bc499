"""A year's search over twelve peaks makes dozens of cuts; none may hold on to the plan it was made from."""

import numpy as np

from dispatch_cases import small_problem
from headrace.dispatch.peak_value import PeakValue
from headrace.dispatch.problem import Peak


def test_a_cut_keeps_no_row_of_its_plan():
    peak = Peak(charge_ccy_per_mw=50.0, period=np.zeros(4, np.int64), so_far_mw=np.zeros(1))
    value_at = PeakValue(small_problem(peak=peak), peak)
    seen = value_at(np.array([60.0]))
    assert seen is not None
    assert seen.duals_ccy_per_mwh.shape == (4, 4)
    (cut,) = value_at.cuts
    assert cut.duals_ccy_per_mwh.size == 0
    assert cut.duals_ccy_per_mwh.base is None
