"""How each line of a statement is booked."""

from collections import Counter

import pytest

from headrace.core import Currency
from headrace.settlement import close, rates_of
from headrace.treasury import Account, Asset, Entry, EntryKind, Posting, check, entry_of, imbalance, trial_balance
from settlement_cases import START_S, make_entries, make_meters, make_prices, make_rates, make_site


def booked(meters=None, prices=None, **rates):
    statement = close(make_rates(**rates), make_meters(**meters or {}), make_prices(**prices or {}), peak_before_w=0)
    entry = entry_of(statement, Currency.USD, 1)
    check(entry)
    moved = Counter()
    for posting in entry.postings:
        moved[posting.account, posting.asset] += posting.debit - posting.credit
    return moved


def test_an_idle_interval_has_an_entry_without_postings():
    assert booked() == {}


def test_energy_bought_is_an_expense_we_owe_the_market():
    assert booked({"import_wh": 1_000_000}, {"energy_micro_per_mwh": 30}) == {
        (Account.ENERGY_BOUGHT, Asset.USD): 30,
        (Account.MARKET_PAYABLE, Asset.USD): -30,
    }


def test_energy_bought_at_a_negative_price_is_owed_to_us_and_stays_in_its_account():
    assert booked({"import_wh": 1_000_000}, {"energy_micro_per_mwh": -30}) == {
        (Account.MARKET_RECEIVABLE, Asset.USD): 30,
        (Account.ENERGY_BOUGHT, Asset.USD): -30,
    }


def test_mining_is_booked_in_satoshis_and_at_fair_value():
    assert booked({"work_ph": (519,)}, pool_fee_ppm=(15_000,)) == {
        (Account.BITCOIN_PROVISIONAL, Asset.SAT): 985,
        (Account.CONVERSION, Asset.SAT): -985,
        (Account.CONVERSION, Asset.USD): 985 * 430,
        (Account.POOL_FEES, Asset.USD): 15 * 430,
        (Account.MINING, Asset.USD): -1000 * 430,
    }


def test_rent_is_owed_by_tenants_and_credits_to_them():
    assert booked(
        {"lease_delivered_gpu_s": (3600, 3600), "lease_short_gpu_s": (0, 3600)},
        lease_price_micro_per_gpu_h=(20, 10),
        lease_credit_micro_per_gpu_h=(0, 5),
    ) == {
        (Account.TENANTS_RECEIVABLE, Asset.USD): 30,
        (Account.AI_FIRM, Asset.USD): -20,
        (Account.AI_CURTAILABLE, Asset.USD): -10,
        (Account.SERVICE_CREDITS, Asset.USD): 5,
        (Account.TENANTS_PAYABLE, Asset.USD): -5,
    }


def test_a_peak_is_accrued_and_wear_is_provided_for():
    assert booked(
        {"import_peak_w": 1_000_000, "discharge_wh": 1_000_000}, peak_micro_per_mw=7, wear_micro_per_mwh=8
    ) == {
        (Account.PEAK, Asset.USD): 7,
        (Account.PEAK_ACCRUED, Asset.USD): -7,
        (Account.WEAR, Asset.USD): 8,
        (Account.WEAR_PROVISION, Asset.USD): -8,
    }


def test_an_entry_tells_its_interval_and_that_it_is_estimated():
    statement = close(make_rates(), make_meters(), make_prices(is_estimated=True), peak_before_w=0)
    entry = entry_of(statement, Currency.CAD, 5)
    assert entry == Entry(
        sequence=5,
        interval_start_s=START_S,
        interval_end_s=START_S + 900,
        kind=EntryKind.SETTLEMENT,
        is_estimated=True,
        postings=(),
    )


def test_equal_entries_have_equal_ids_and_no_others():
    entries = make_entries(rates_of(make_site()), 6)
    again = make_entries(rates_of(make_site()), 6)
    assert [e.entry_id for e in entries] == [e.entry_id for e in again]
    assert len({e.entry_id for e in entries}) == 6


def make_entry(*postings):
    return Entry(
        sequence=1,
        interval_start_s=0,
        interval_end_s=900,
        kind=EntryKind.SETTLEMENT,
        is_estimated=False,
        postings=postings,
    )


def test_an_entry_balanced_only_across_assets_is_a_bug():
    entry = make_entry(
        Posting(account=Account.BITCOIN, asset=Asset.SAT, debit=5),
        Posting(account=Account.MINING, asset=Asset.USD, credit=5),
    )
    assert imbalance(entry) == {Asset.SAT: 5, Asset.USD: -5}
    with pytest.raises(AssertionError, match="debits must equal credits per asset"):
        check(entry)


@pytest.mark.parametrize("sides", [{}, {"debit": 1, "credit": 1}, {"debit": -1}, {"debit": 2, "credit": -1}])
def test_a_posting_without_exactly_one_positive_side_is_a_bug(sides):
    with pytest.raises(AssertionError, match="exactly one side"):
        check(make_entry(Posting(account=Account.WEAR, asset=Asset.USD, **sides)))


def test_the_trial_balance_lists_turnover_in_the_charts_order():
    rows = trial_balance(make_entries(rates_of(make_site()), 9))
    assert [row.account for row in rows] == sorted((r.account for r in rows), key=list(Account).index)
    market = {row.account: row for row in rows}
    assert market[Account.ENERGY_BOUGHT].debit > market[Account.ENERGY_BOUGHT].credit > 0
