"""What settlement and the ledger keep for any meters: S1 and T1."""

from itertools import accumulate, pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import Currency, divide_nearest
from headrace.settlement import LINES, close
from headrace.treasury import Account, Asset, check, entry_of, imbalance, trial_balance
from settlement_cases import energies, make_meters, make_prices, make_rates, settled

peaks = st.integers(0, 10**9)
ONE_PER_WH = 1_000_000
"""A price per MWh at which one Wh is one micro-unit: amounts read as Wh."""


@pytest.mark.inv("T1")
@given(settled(), peaks, st.sampled_from(Currency))
def test_debits_equal_credits_in_every_asset(case, peak_before_w, currency):
    entry = entry_of(close(*case, peak_before_w=peak_before_w), currency, 1)
    check(entry)
    assert imbalance(entry) == {}


@pytest.mark.inv("T1")
@given(st.lists(settled(), max_size=4))
def test_the_trial_balance_adds_up_to_nothing_and_its_results_to_the_margin(cases):
    statements = [close(*case, peak_before_w=0) for case in cases]
    rows = trial_balance(entry_of(s, Currency.EUR, i) for i, s in enumerate(statements, 1))
    for asset in Asset:
        assert sum(row.balance for row in rows if row.asset is asset) == 0
    results = sum(row.balance for row in rows if row.account.startswith(("Income:", "Expenses:")))
    assert -results == sum(s.margin_micro for s in statements)
    mined = sum(row.balance for row in rows if (row.account, row.asset) == (Account.BITCOIN_PROVISIONAL, Asset.SAT))
    assert mined == sum(s.mining_sats for s in statements)
    bridge = sum(row.balance for row in rows if (row.account, row.asset) == (Account.CONVERSION, Asset.EUR))
    assert bridge == sum(s.mining + s.pool_fees for s in statements)


@given(settled(), peaks)
def test_nothing_that_is_owed_is_a_float(case, peak_before_w):
    statement = close(*case, peak_before_w=peak_before_w)
    assert {type(getattr(statement, field)) for field in statement.__struct_fields__} == {int, bool, tuple, type(None)}
    assert {type(amount) for amount in statement.amounts} == {int}
    entry = entry_of(statement, Currency.USD, 1)
    assert all(type(p.debit) is int and type(p.credit) is int for p in entry.postings)


@pytest.mark.inv("S1")
@given(st.lists(st.tuples(energies, energies, energies, energies), min_size=1, max_size=6))
def test_every_metered_watt_hour_is_billed_once(metered):
    rates = make_rates(wear_micro_per_mwh=ONE_PER_WH, generation_micro_per_mwh=(ONE_PER_WH,))
    price = make_prices(energy_micro_per_mwh=ONE_PER_WH)
    statements = [
        close(
            rates,
            make_meters(import_wh=bought, export_wh=sold, discharge_wh=fed, generated_wh=(made,)),
            price,
            peak_before_w=0,
        )
        for bought, sold, fed, made in metered
    ]
    billed = [(-s.energy_bought, s.energy_sold, -s.wear, -s.generation) for s in statements]
    assert [sum(column) for column in zip(*billed, strict=True)] == [sum(c) for c in zip(*metered, strict=True)]
    assert [(s.import_wh, s.export_wh) for s in statements] == [(bought, sold) for bought, sold, _, _ in metered]


@pytest.mark.inv("S1")
@given(st.integers(0, 10**9), st.integers(0, 10**9), st.booleans())
def test_every_let_gpu_second_is_billed_or_credited_once(delivered, short, is_firm):
    a_unit_per_gpu_s = 3600
    statement = close(
        make_rates(
            lease_is_firm=(is_firm, False),
            lease_price_micro_per_gpu_h=(a_unit_per_gpu_s, 0),
            lease_credit_micro_per_gpu_h=(a_unit_per_gpu_s, 0),
        ),
        make_meters(lease_delivered_gpu_s=(delivered, 0), lease_short_gpu_s=(short, 0)),
        make_prices(),
        peak_before_w=0,
    )
    assert statement.ai_firm + statement.ai_curtailable - statement.service_credits == delivered + short


@given(settled(), energies, energies)
def test_splitting_an_interval_moves_no_line_by_more_than_its_roundings(case, bought, sold):
    rates, whole, prices = case
    part = msgspec.structs.replace(whole, import_wh=bought, export_wh=sold)
    rest = msgspec.structs.replace(whole, import_wh=whole.import_wh - bought, export_wh=whole.export_wh - sold)
    together = close(rates, whole, prices, peak_before_w=0)
    apart = [close(rates, meters, prices, peak_before_w=0) for meters in (part, rest)]
    for line in ("energy_bought", "energy_sold", "adders"):
        assert abs(sum(getattr(s, line) for s in apart) - getattr(together, line)) <= 1


@given(settled(), peaks)
def test_only_lines_of_the_market_price_and_of_output_may_change_sign(case, peak_before_w):
    statement = close(*case, peak_before_w=peak_before_w)
    for line in ("mining", "ai_firm", "ai_curtailable", "inference", "heat"):
        assert getattr(statement, line) >= 0
    for line in ("adders", "pool_fees", "service_credits", "peak", "wear"):
        assert getattr(statement, line) <= 0
    assert 0 <= statement.mining + statement.pool_fees <= statement.mining


@given(settled())
def test_turning_the_market_price_turns_what_the_market_owes(case):
    rates, meters, prices = case
    turned = msgspec.structs.replace(prices, energy_micro_per_mwh=-prices.energy_micro_per_mwh)
    here, there = (close(rates, meters, p, peak_before_w=0) for p in (prices, turned))
    for line in LINES:
        if line != "ppa":
            sign = -1 if line in {"energy_bought", "energy_sold"} else 1
            assert getattr(there, line) == sign * getattr(here, line)


@given(st.lists(peaks, min_size=1, max_size=30), st.integers(0, 20_000_000_000))
def test_a_months_accruals_are_the_charge_on_its_highest_import(imports_w, charge):
    rates = make_rates(peak_micro_per_mw=charge)
    accrued = sum(
        close(rates, make_meters(import_peak_w=after), make_prices(), peak_before_w=before).peak
        for before, after in pairwise([0, *accumulate(imports_w, max)])
    )
    assert -accrued == divide_nearest(charge * max(imports_w), 1_000_000)
