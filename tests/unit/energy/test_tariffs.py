"""Dated tariffs: which prices apply when, which intervals were peaks, and when the cash falls."""

import numpy as np
import pytest

from headrace.core import iso
from headrace.energy import Series
from headrace.energy.coincident import PeakCalendar
from headrace.energy.tariffs import CashFall, CoincidentPeaks, FixedCharge, PriceAdder, adder_ccy_per_mwh, dues_s
from headrace.energy.tariffs_peaks import peak_share, peaks_of
from headrace.energy.tariffs_usual import missing_components

ZONE = "America/Chicago"
START_S = 1_685_595_600
"""2023-06-01T00:00 in Chicago."""
ALWAYS = {"start_s": 0, "end_s": 4_000_000_000, "source": "assumed", "cash": CashFall.NEXT_MONTH}


def make_peaks(**changes):
    fields = {
        **ALWAYS,
        "name": "transmission",
        "cash": CashFall.NEXT_YEAR,
        "peak_ccy_per_mw_year": 64_000.0,
        "interval_s": 900,
        "calendar": PeakCalendar(months=(6, 7, 8, 9), is_monthly=True, first_month=1, count=1),
        "load": "system_load",
        "temperature": None,
        "peaks_s": (),
    }
    return CoincidentPeaks(**(fields | changes))


def make_load(values, step_s=3600):
    values = np.array(values, float)
    known_s = START_S + step_s * (1 + np.arange(len(values), dtype=np.int64))
    return Series(
        name="load", unit="mw", step_s=step_s, start_s=START_S, values=values, known_s=known_s, source="made up"
    )


def test_losses_follow_the_price_and_adders_their_hours_and_dates():
    charges = (
        PriceAdder(**ALWAYS, name="losses", adder_ccy_per_mwh=0.0, loss_ratio=0.05),
        PriceAdder(**ALWAYS, name="evening", adder_ccy_per_mwh=7.0, loss_ratio=0.0, hours_local=(17, 18)),
        PriceAdder(**(ALWAYS | {"end_s": START_S}), name="past", adder_ccy_per_mwh=99.0, loss_ratio=0.0),
    )
    starts_s = START_S + 3600 * np.array([0, 16, 17, 18, 19], np.int64)
    price = np.array([100.0, 0.0, -40.0, 20.0, 20.0])
    found = adder_ccy_per_mwh(charges, starts_s, price, ZONE)
    np.testing.assert_allclose(found, [5.0, 0.0, 5.0, 8.0, 1.0])


def test_the_peak_of_each_month_is_its_highest_hour():
    load = np.full(24 * 61, 50_000.0)
    load[24 * 9 + 16], load[24 * 40 + 15] = 60_000.0, 61_000.0
    charge = make_peaks()
    series = make_load(load)
    assert peaks_of(charge, series, ZONE) == (
        (START_S + 3600 * (24 * 9 + 16), 3600),
        (START_S + 3600 * (24 * 40 + 15), 3600),
    )
    starts_s = START_S + 900 * np.arange(4 * 24 * 61, dtype=np.int64)
    share = peak_share(charge, series, ZONE, starts_s)
    assert share.sum() * 0.25 == pytest.approx(2.0)
    assert charge.peak_ccy_per_mw == 16_000.0


def test_five_peaks_lie_on_five_days():
    load = np.full(24 * 30, 20_000.0)
    load[24 * 3 + 15 : 24 * 3 + 19] = 24_000.0, 24_100.0, 24_050.0, 23_900.0
    for day in (5, 8, 13, 21, 22):
        load[24 * day + 17] = 22_000.0 + day
    calendar = PeakCalendar(months=tuple(range(1, 13)), is_monthly=False, first_month=5, count=5)
    charge = make_peaks(interval_s=3600, calendar=calendar)
    found = [(at_s - START_S) // 3600 for at_s, _ in peaks_of(charge, make_load(load), ZONE)]
    assert found == [24 * 3 + 16, 24 * 8 + 17, 24 * 13 + 17, 24 * 21 + 17, 24 * 22 + 17]
    assert charge.count == 5


def test_listed_peaks_count_within_the_dates_of_their_version():
    charge = make_peaks(load=None, peaks_s=(START_S - 900, START_S, START_S + 900), start_s=START_S)
    assert peaks_of(charge, None, ZONE) == ((START_S, 900), (START_S + 900, 900))


@pytest.mark.parametrize(
    ("cash", "expected"),
    [
        (CashFall.SAME_MONTH, ["2023-07-01T05:00:00Z"]),
        (CashFall.NEXT_MONTH, ["2023-08-01T05:00:00Z"]),
    ],
)
def test_cash_falls_at_the_end_of_a_local_month(cash, expected):
    charge = FixedCharge(**(ALWAYS | {"cash": cash}), name="meter", month_ccy=100.0)
    assert [iso(at_s) for at_s in dues_s(charge, START_S, ZONE)] == expected


def test_a_peak_is_paid_in_the_twelve_months_of_the_next_year():
    due_s = dues_s(make_peaks(), START_S, ZONE)
    assert len(due_s) == 12
    assert iso(due_s[0]) == "2024-02-01T06:00:00Z"
    assert iso(due_s[-1]) == "2025-01-01T06:00:00Z"


def test_a_market_says_which_usual_part_is_missing():
    assert missing_components("ERCOT", (), has_class_b=False) == ("transmission by coincident peaks not declared",)
    assert missing_components("ERCOT", (make_peaks(),), has_class_b=False) == ()
    assert missing_components("IESO", (), has_class_b=True) == ()
    assert missing_components("EPEX SPOT", (), has_class_b=False) == ()
