"""What a statement changes, by hand."""

import pytest

from headrace.core import BadInput
from headrace.settlement.billed import Source, Version
from headrace.settlement.versions import Accrual, BookedCharge, changes_of
from settlement_cases import START_S
from statement_records import billed, row


def accrual(i, amount, line="energy_bought"):
    return Accrual(start_s=START_S + 900 * i, end_s=START_S + 900 * (i + 1), line=line, amount=amount)


def booked(statement, number=1):
    return [
        BookedCharge(
            number=number,
            counterparty=statement.counterparty,
            version=statement.version,
            start_s=each.start_s,
            end_s=each.end_s,
            line=each.line,
            amount=each.amount,
        )
        for each in statement.rows
    ]


def moves(changes):
    return [(change.line, change.before, change.after) for change in changes]


def test_the_first_version_stands_against_our_accrual():
    changes = changes_of(billed(row(0, amount=-7), row(1, amount=-8)), [], [accrual(0, -5), accrual(1, -8)])
    assert moves(changes) == [("energy_bought", -5, -7), ("energy_bought", -8, -8)]


def test_a_day_stands_against_the_sum_of_its_intervals():
    day = row(0, amount=-20, end_s=START_S + 3600)
    assert moves(changes_of(billed(day), [], [accrual(i, -4) for i in range(5)])) == [("energy_bought", -16, -20)]


def test_a_charge_that_a_later_version_drops_goes_to_zero():
    first = billed(row(0, amount=-7), row(0, amount=-3, line="supply_fees"))
    final = billed(row(0, amount=-7), version=Version.FINAL)
    assert moves(changes_of(final, booked(first), [])) == [("energy_bought", -7, -7), ("supply_fees", -3, 0)]


def test_two_charges_of_one_line_are_one():
    changes = changes_of(billed(row(0, amount=-7), row(0, amount=-3, charge="loss")), [], [accrual(0, -9)])
    assert moves(changes) == [("energy_bought", -9, -10)]


def test_statements_about_other_lines_do_not_meet():
    fees = billed(row(0, amount=-3, line="supply_fees"))
    assert moves(changes_of(billed(row(0, amount=-7)), booked(fees), [])) == [("energy_bought", 0, -7)]


def test_another_sender_cannot_bill_the_same_line_again_but_may_pay_on_the_same_day():
    with pytest.raises(BadInput, match="the initial version from market is already booked"):
        changes_of(billed(row(0, amount=-7), counterparty="broker"), booked(billed(row(0, amount=-7))), [])
    paid = billed(row(0, amount=-7, line="payment:market"), source=Source.BANK)
    again = billed(row(0, amount=-2, line="payment:market"), source=Source.BANK, counterparty="other bank")
    assert moves(changes_of(again, booked(paid), [])) == [("payment:market", 0, -2)]


def test_rows_that_cut_an_earlier_version_or_our_own_interval_are_refused():
    day = billed(row(0, amount=-20, end_s=START_S + 3600))
    quarters = billed(*(row(i, amount=-5) for i in range(4)), version=Version.FINAL)
    with pytest.raises(BadInput, match="which the version before billed as one"):
        changes_of(quarters, booked(day), [])
    with pytest.raises(BadInput, match="which the version before billed as one"):
        changes_of(billed(row(0, amount=-9), version=Version.FINAL), booked(day), [])
    for start_s, end_s in ((START_S + 300, START_S + 900), (START_S, START_S + 1200)):
        with pytest.raises(BadInput, match="which we settled as one"):
            changes_of(billed(row(0, amount=-9, start_s=start_s, end_s=end_s)), [], [accrual(0, -1), accrual(1, -1)])


def test_a_longer_true_up_takes_over_shorter_statements():
    first, second = billed(row(0, amount=-7)), billed(row(1, amount=-8))
    both = billed(row(0, amount=-6), row(1, amount=-6), version=Version.TRUE_UP)
    changes = changes_of(both, [*booked(first, 1), *booked(second, 2)], [accrual(0, -1), accrual(1, -1)])
    assert moves(changes) == [("energy_bought", -7, -6), ("energy_bought", -8, -6)]
