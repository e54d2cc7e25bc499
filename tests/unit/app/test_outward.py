"""Names leave the house with the site's real currency, and come back the same."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from headrace.app.outward import inward, inward_frame, outward, outward_frame
from headrace.core import Currency

KEYS = st.sampled_from(["bid_ccy_per_mwh", "margin_ccy", "usd_rate_ratio", "lines_ccy", "note", "credit_ccy_per_gpu_h"])
VALUES = st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner))


def test_a_euro_site_prints_euros():
    assert outward({"bid_ccy_per_mwh": 1.0, "runs": [{"margin_ccy": 2.0}]}, Currency.EUR) == {
        "bid_eur_per_mwh": 1.0,
        "runs": [{"margin_eur": 2.0}],
    }


@given(VALUES, st.sampled_from(Currency))
def test_names_come_back_the_same(value, currency):
    assert inward(outward(value, currency), currency) == value


def test_frames_carry_unit_and_currency_and_come_back():
    frame = pl.DataFrame({"price": [1.0], "bid": [1.0], "worth:S21 hall": [2.0], "import_mw": [3.0], "mining": [4]})
    named = outward_frame(frame, Currency.CAD)
    assert named.columns == [
        "price_cad_per_mwh",
        "bid_cad_per_mwh",
        "worth:S21 hall_cad_per_mwh",
        "import_mw",
        "mining_cad_micro",
    ]
    assert inward_frame(named, Currency.CAD).equals(frame)
