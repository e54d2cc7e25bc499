"""Owners and tenants by hand, and what must hold whatever the meters say."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headrace.settlement.owners import HostedMeter, HostingRate, ShellMeter, ShellRate, settle_hosting, settle_shell

FIXED = HostingRate(
    is_fixed=True,
    price_micro_per_mwh=75_000_000,
    profit_share_ppm=100_000,
    curtailment_share_ppm=200_000,
    credit_micro_per_mwh=150_000_000,
    full_w=6_000_000,
    guaranteed_ppm=950_000,
    free_s=3600,
)
SHELL = ShellRate(
    is_fixed=False,
    price_micro_per_mwh=5_000_000,
    rent_micro_per_mw_h=20_000_000,
    contracted_w=1_000_000,
    take_or_pay_ppm=800_000,
    credit_micro_per_mwh=400_000_000,
)


def hosted(rate=FIXED, *, it=0, short=0, energy=30_000_000, mining=0, beyond=0):
    meter = HostedMeter(it_wh=it, bus_wh=it * 11 // 10, short_it_wh=short, short_bus_wh=short * 11 // 10)
    return settle_hosting(
        rate, meter, energy_micro_per_mwh=energy, mining_micro=mining, sats=mining // 1000, beyond_it_wh=beyond
    )


def test_a_fixed_price_is_paid_whatever_the_market_does():
    assert (
        hosted(it=2_000_000, energy=-20_000_000).power == hosted(it=2_000_000, energy=900_000_000).power == 150_000_000
    )


def test_pass_through_pays_the_energy_at_the_bus_and_the_fee_at_the_machines():
    rate = msgspec.structs.replace(FIXED, is_fixed=False, price_micro_per_mwh=6_000_000)
    assert hosted(rate, it=2_000_000).power == 2_200_000 * 30 + 2_000_000 * 6


def test_the_site_shares_what_mining_earns_above_the_bill_and_no_loss():
    assert hosted(it=2_000_000, mining=250_000_000).further == 10_000_000
    assert hosted(it=2_000_000, mining=100_000_000).further == 0


def test_a_stop_shares_what_it_saves():
    line = hosted(short=1_000_000, energy=1_000_000_000)
    assert line.credits == (1_100_000_000 - 75_000_000) // 5


def test_beyond_the_allowance_the_guarantee_owes_its_credit():
    assert hosted(short=1_000_000, energy=0, beyond=400_000).credits == 60_000_000


def test_the_allowance_is_what_the_guarantee_leaves_and_the_free_hours():
    month_s = 30 * 86_400
    assert FIXED.allowed_wh(month_s) == 6_000_000 * (month_s // 20 + 3600) // 3600
    assert msgspec.structs.replace(FIXED, guaranteed_ppm=0).allowed_wh(month_s) is None


def test_a_tenant_pays_rent_for_what_it_contracted_and_takes_or_pays():
    drawn = settle_shell(SHELL, ShellMeter(wh=250_000, short_wh=0), energy_micro_per_mwh=30_000_000, duration_s=900)
    assert (drawn.power, drawn.further, drawn.credits) == (250_000 * 35, 5_000_000, 0)
    idle = settle_shell(SHELL, ShellMeter(wh=0, short_wh=0), energy_micro_per_mwh=30_000_000, duration_s=900)
    assert (idle.power, idle.further) == (0, 5_000_000 + 200_000 * 5)


def test_what_a_tenant_lacks_is_credited_and_not_taken_or_paid():
    line = settle_shell(SHELL, ShellMeter(wh=0, short_wh=250_000), energy_micro_per_mwh=0, duration_s=900)
    assert (line.further, line.credits) == (5_000_000, 100_000_000)


wh = st.integers(0, 10**9)


@given(wh, wh, st.integers(-(10**9), 10**10), st.integers(0, 10**12), st.booleans())
def test_every_wh_asked_for_is_billed_once_or_missing_once(it, short, energy, mining, is_fixed):
    line = hosted(msgspec.structs.replace(FIXED, is_fixed=is_fixed), it=it, short=short, energy=energy, mining=mining)
    assert (line.wh, line.short_wh) == (it, short)
    assert line.further >= 0
    assert line.credits >= 0
    assert line.further <= max(0, mining - line.power)
