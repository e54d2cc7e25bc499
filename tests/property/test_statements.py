"""What shadow settlement and versions keep for any statement: S2 and T2."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import Currency, divide_nearest
from headrace.settlement.billed import Source, Version
from headrace.settlement.revenue_meter import DeviceEnergy, MeterReading, settle_on_meter
from headrace.settlement.shadow import Cause, OwnCharge, shadow_settle
from headrace.settlement.versions import Accrual, BookedCharge, changes_of
from headrace.treasury import Account, Asset, check, statement_entries
from settlement_cases import START_S, make_meters
from statement_records import billed, row

amounts = st.integers(-(10**12), 10**12)
quantities = st.none() | st.integers(0, 300_000_000)
prices = st.none() | st.integers(-9_000_000_000, 9_000_000_000)
lines = st.sampled_from(["energy_bought", "adders", None])


def own_charge(i, quantity, price, amount, is_estimated):
    """Ours, whose price, if it has one, makes its amount."""
    if quantity is not None and price is not None:
        amount = divide_nearest(quantity * price, 10**6)
    return OwnCharge(
        start_s=START_S + 900 * i,
        end_s=START_S + 900 * (i + 1),
        quantity=quantity,
        price_micro_per_mwh=price if quantity is not None else None,
        amount=amount,
        is_estimated=is_estimated,
    )


@st.composite
def statements(draw):
    """A statement of quarters or of whole hours, some of them left out or charged for what nobody knows."""
    per = draw(st.sampled_from([1, 4]))
    rows = [
        row(
            i,
            amount=draw(amounts),
            line=line,
            quantity=draw(quantities),
            price=draw(prices),
            start_s=START_S + 900 * per * i,
            end_s=START_S + 900 * per * (i + 1),
        )
        for i in range(draw(st.integers(1, 4)))
        for line in draw(st.sets(lines, min_size=1))
    ]
    return billed(*rows, price_unit=draw(st.sampled_from([1, 10_000])))


owns = st.lists(st.tuples(quantities, prices, amounts, st.booleans()), max_size=16).map(
    lambda each: [own_charge(i, *values) for i, values in enumerate(each)]
)


@pytest.mark.inv("S2")
@given(statements(), owns, owns)
def test_parts_and_residual_add_up_to_every_difference(statement, bought, adders):
    own = {"energy_bought": bought, "adders": adders}
    found = shadow_settle(statement, own, ("energy_bought", "adders"))
    for each in found.differences:
        assert sum(each.parts.values()) + each.residual == each.billed - each.own
        assert all(type(amount) is int for amount in (*each.parts.values(), each.residual))
    assert sum(found.parts.values()) + found.residual == found.billed - found.own
    assert found.billed == statement.total
    within = [o for o in (*bought, *adders) if o.start_s < statement.end_s and o.end_s > statement.start_s]
    assert found.own == sum(o.amount for o in within)


@given(statements(), owns)
def test_a_residual_is_never_within_what_rounding_explains(statement, bought):
    for each in shadow_settle(statement, {"energy_bought": bought}, ("energy_bought",)).differences:
        assert each.residual == 0 or abs(each.residual) > statement.amount_unit
        assert Cause.ROUNDING not in each.parts or each.residual == 0


versions = st.lists(st.lists(amounts, min_size=3, max_size=3), min_size=1, max_size=3)
accruals = st.lists(amounts, min_size=3, max_size=3)


@pytest.mark.inv("T2")
@given(accruals, versions)
def test_entries_add_up_to_the_latest_version_and_balance(accrued, billed_amounts):
    own = [
        Accrual(start_s=START_S + 900 * i, end_s=START_S + 900 * (i + 1), line="energy_bought", amount=amount)
        for i, amount in enumerate(accrued)
    ]
    held = list(accrued)
    booked = []
    for number, (version, latest) in enumerate(zip(Version, billed_amounts, strict=False)):
        statement = billed(*(row(i, amount=amount) for i, amount in enumerate(latest)), version=version)
        for entry in statement_entries(statement, changes_of(statement, booked, own), Currency.USD, 1):
            check(entry)
            i = (entry.interval_start_s - START_S) // 900
            held[i] += sum(p.credit - p.debit for p in entry.postings if p.account is Account.ENERGY_BOUGHT)
        assert held == latest
        booked += [
            BookedCharge(
                number=number,
                counterparty="market",
                version=version,
                start_s=each.start_s,
                end_s=each.end_s,
                line=each.line,
                amount=each.amount,
            )
            for each in statement.rows
        ]


sats = st.integers(0, 10**10)


@pytest.mark.inv("T2")
@given(sats, st.integers(0, 10**13), st.lists(sats, min_size=1, max_size=3))
def test_satoshis_leave_provisional_once_and_end_at_the_latest_credit(expected, value, credited):
    own = [Accrual(start_s=START_S, end_s=START_S + 900, line="mining_sats", amount=expected, fair_value_micro=value)]
    held = {(Account.BITCOIN_PROVISIONAL, Asset.SAT): expected, (Account.CONVERSION, Asset.SAT): -expected}
    booked = []
    for number, (version, amount) in enumerate(zip(Version, credited, strict=False)):
        statement = billed(row(0, amount=amount, line="mining_sats"), source=Source.POOL, asset="SAT", version=version)
        for entry in statement_entries(statement, changes_of(statement, booked, own), Currency.USD, 1):
            check(entry)
            for p in entry.postings:
                held[p.account, p.asset] = held.get((p.account, p.asset), 0) + p.debit - p.credit
        assert held.get((Account.POOL_RECEIVABLE, Asset.SAT), 0) == amount
        assert held[Account.BITCOIN_PROVISIONAL, Asset.SAT] == 0
        assert held[Account.CONVERSION, Asset.SAT] == -amount
        gain = -held.get((Account.POOL_DIFFERENCE, Asset.USD), 0)
        fair = divide_nearest(value * amount, expected) - value if expected else 0
        assert abs(gain - fair) <= 1
        each = statement.rows[0]
        booked.append(
            BookedCharge(
                number=number,
                counterparty="market",
                version=version,
                start_s=each.start_s,
                end_s=each.end_s,
                line=each.line,
                amount=amount,
            )
        )


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.lists(st.integers(-(10**8), 10**9), max_size=5),
    st.integers(0, 10**5),
)
def test_the_revenue_meter_settles_and_its_residual_is_what_the_devices_leave(bought, sold, devices, tolerance_ppm):
    telemetry = make_meters(import_wh=17, export_wh=4, discharge_wh=9)
    reading = MeterReading(interval_start_s=START_S, duration_s=900, import_wh=bought, export_wh=sold)
    energies = [DeviceEnergy(device=f"d{i}", interval_start_s=START_S, net_wh=wh) for i, wh in enumerate(devices)]
    settled, residual = settle_on_meter(telemetry, reading, energies, tolerance_ppm=tolerance_ppm)
    assert (settled.import_wh, settled.export_wh) == (bought, sold)
    assert msgspec.structs.replace(settled, import_wh=17, export_wh=4) == telemetry
    assert residual.residual_wh + sum(devices) == bought - sold
    assert residual.is_within == (abs(residual.residual_wh) * 10**6 <= (bought + sold) * tolerance_ppm)


def test_without_a_revenue_meter_telemetry_settles():
    telemetry = make_meters(import_wh=17)
    assert settle_on_meter(telemetry, None, [], tolerance_ppm=0) == (telemetry, None)
