"""Dated charges in integers: accruals add up to the charge."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.settlement.charges import ChargeFacts, FixedShare, PeakShare, fixed_micro, transmission_micro

HOUR_S, YEAR_PEAKS = 3600, 4
watt_hours = st.lists(st.integers(0, 400_000_000), min_size=16, max_size=16)


@pytest.mark.inv("S5")
@given(watt_hours, st.integers(0, 200_000_000_000))
def test_a_years_accruals_are_the_charge_on_the_mean_load_at_the_peaks(imports_wh, rate):
    """Four peak hours of four quarters: rounding moves each quarter by half a micro-unit at most."""
    facts = ChargeFacts(
        adder_micro_per_mwh=0, fixed=(), peaks=(PeakShare(year_micro_per_mw=rate, peaks_s=YEAR_PEAKS * HOUR_S),)
    )
    accrued = sum(transmission_micro(facts, wh) for wh in imports_wh)
    mean_mw = Fraction(sum(imports_wh), 1_000_000 * YEAR_PEAKS)
    assert abs(accrued - rate * mean_mw) <= Fraction(len(imports_wh), 2)


@pytest.mark.inv("S5")
@given(st.integers(0, 2_000), st.integers(0, 100_000))
def test_a_whole_number_of_kilowatts_and_units_leaves_no_remainder(kilowatts, units_per_mw):
    facts = ChargeFacts(
        adder_micro_per_mwh=0,
        fixed=(),
        peaks=(PeakShare(year_micro_per_mw=units_per_mw * 1_000_000, peaks_s=YEAR_PEAKS * 900),),
    )
    accrued = sum(transmission_micro(facts, kilowatts * 250) for _ in range(YEAR_PEAKS))
    assert accrued == kilowatts * units_per_mw * 1_000


@pytest.mark.inv("S5")
@given(
    st.integers(0, 10**13),
    st.sampled_from([28 * 86_400, 30 * 86_400, 31 * 86_400 - 3600, 30 * 86_400 + 3600]),
    st.lists(st.integers(1, 2_900), max_size=40, unique=True),
)
def test_a_months_fixed_charge_accrues_whole(month_micro, month_s, cuts):
    edges = [0, *sorted(cut * 900 for cut in cuts if cut * 900 < month_s), month_s]
    total = sum(
        fixed_micro(
            ChargeFacts(
                adder_micro_per_mwh=0,
                fixed=(FixedShare(month_micro=month_micro, from_s=a, to_s=b, month_s=month_s),),
                peaks=(),
            )
        )
        for a, b in pairwise(edges)
    )
    assert total == month_micro
