"""Cash, security and the lowest point, by hand."""

import msgspec

from headrace.energy import CashTerms
from headrace.energy.payment import DEFAULT_PAYMENTS
from headrace.treasury import Account, Asset, Entry, EntryKind, Posting
from headrace.treasury.cash import PARTY_OF, BookedDay, DatedSum, cash_days, lowest

MICRO = 1_000_000
PARTIES = [payment.party for payment in DEFAULT_PAYMENTS]


def booked(day, *pairs, month_end=30):
    """A day on which `(debited, credited, amount)` were booked."""
    postings = []
    for debited, credited, amount in pairs:
        postings += (
            Posting(account=debited, asset=Asset.USD, debit=amount * MICRO),
            Posting(account=credited, asset=Asset.USD, credit=amount * MICRO),
        )
    entry = Entry(
        sequence=day + 1,
        interval_start_s=day * 86_400,
        interval_end_s=(day + 1) * 86_400,
        kind=EntryKind.SETTLEMENT,
        is_estimated=False,
        postings=tuple(postings),
    )
    return BookedDay(day=day, month_end_day=month_end, entry=entry)


def bought(amount):
    return (Account.ENERGY_BOUGHT, Account.MARKET_PAYABLE, amount)


def hedge_lost(amount):
    return (Account.HEDGE, Account.SUPPLIER_PAYABLE, amount)


def rent(amount):
    return (Account.TENANTS_RECEIVABLE, Account.AI_FIRM, amount)


def view(days, **terms):
    return cash_days(days, CashTerms(**terms), Asset.USD)


def test_a_day_is_paid_after_its_lag_and_a_month_after_its_end():
    days = view([booked(3, bought(70), rent(500))], opening_ccy=100.0)
    moved = {each.day: each.by_party for each in days if any(each.by_party)}
    assert set(moved) == {3 + 7, 30 + 30}
    assert moved[10][PARTIES.index("market")] == -70 * MICRO
    assert moved[60][PARTIES.index("tenants")] == 500 * MICRO
    assert days[-1].balance == (100 - 70 + 500) * MICRO


def test_all_that_is_booked_is_paid_in_the_end():
    days = view([booked(d, bought(10 * d), hedge_lost(3), rent(40)) for d in range(1, 40)])
    assert days[-1].balance == sum(-10 * d - 3 + 40 for d in range(1, 40)) * MICRO
    assert days[-1].security == days[-1].unpaid == 0


def test_unpaid_purchases_are_secured_until_they_are_paid():
    days = {each.day: each for each in view([booked(0, bought(100))], opening_ccy=1000.0)}
    assert days[0].security == 100 * MICRO == days[6].security
    assert days[0].free == 900 * MICRO
    assert (days[7].security, days[7].free) == (0, 900 * MICRO)


def test_a_spike_locks_cash_at_once():
    calm = [booked(d, bought(10)) for d in range(20)]
    spike = [*calm[:10], booked(10, bought(10_000)), *calm[11:]]
    before, after = (view(each, opening_ccy=20_000.0) for each in (calm, spike))
    assert after[10].security - before[10].security == 9_990 * MICRO
    assert before[10].free - after[10].free == 9_990 * MICRO
    assert after[10].balance == before[10].balance


def test_a_losing_position_is_marked_for_the_days_declared():
    days = view([booked(d, hedge_lost(7)) for d in range(10)], mark_days=30, trailing_days=7, mark_factor_ratio=0.5)
    assert days[9].marked_loss == 7 * 30 * MICRO // 2
    gains = view([booked(0, (Account.SUPPLIER_RECEIVABLE, Account.HEDGE, 50))])
    assert gains[0].marked_loss == gains[0].security == 0


def test_a_credit_line_needs_no_security():
    assert view([booked(0, bought(100))], credit_line_ccy=60.0)[0].security == 40 * MICRO


def test_bitcoin_that_is_kept_brings_no_cash():
    mined = booked(0, (Account.CONVERSION, Account.MINING, 90))
    assert view([mined])[-1].balance == 90 * MICRO
    assert view([mined], sells_bitcoin=False)[-1].balance == 0


def test_every_account_of_a_counterparty_has_its_party():
    owed = {each for each in Account if each.startswith(("Assets:Receivable:", "Liabilities:Payable:"))}
    owed -= {Account.POOL_RECEIVABLE}  # satoshis: their value goes through the conversion account
    assert owed <= set(PARTY_OF)
    assert set(PARTY_OF.values()) == set(PARTIES)


def test_the_lowest_point_is_the_first_of_equals():
    days = view([booked(d, rent(1)) for d in range(3)])
    assert lowest(days).day == 0
    assert msgspec.structs.replace(days[0], security=5).free == days[0].balance - 5


def test_a_dated_sum_is_paid_on_its_own_days_and_the_rest_on_its_partys():
    fees = (Account.FIXED_CHARGES, Account.NETWORK_PAYABLE, 12)
    each = booked(3, fees, (Account.TRANSMISSION, Account.TRANSMISSION_ACCRUED, 100))
    peaks = DatedSum(party="transmission", amount=-100 * MICRO, due_days=(400, 430, 460))
    days = view([msgspec.structs.replace(each, dated=(peaks,))])
    moved = {day.day: sum(day.by_party) for day in days if any(day.by_party)}
    assert moved == {30 + 35: -12 * MICRO, 400: -33_333_333, 430: -33_333_334, 460: -33_333_333}
    assert days[-1].balance == -112 * MICRO
