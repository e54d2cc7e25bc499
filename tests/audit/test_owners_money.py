"""Money between a site and its owners is moved, never made: together they earn what one owner of everything would."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headrace.settlement import close
from headrace.settlement.owners import HostedMeter, HostingRate, ShellMeter, ShellRate
from settlement_cases import costs, energies, make_meters, make_prices, make_rates, micro_prices

PPM = st.integers(0, 1_000_000)


@st.composite
def hosted_quarters(draw):
    """Two hosted classes beside one of the site's own, and a tenant, over a quarter of an hour."""
    hosting = tuple(
        HostingRate(
            is_fixed=draw(st.booleans()),
            price_micro_per_mwh=draw(costs),
            profit_share_ppm=draw(PPM),
            curtailment_share_ppm=draw(PPM),
            credit_micro_per_mwh=draw(costs),
            full_w=30_000_000,
            guaranteed_ppm=draw(PPM),
            free_s=0,
        )
        for _ in range(2)
    )
    shell = ShellRate(
        is_fixed=draw(st.booleans()),
        price_micro_per_mwh=draw(costs),
        rent_micro_per_mw_h=draw(costs),
        contracted_w=draw(st.integers(0, 10**8)),
        take_or_pay_ppm=draw(PPM),
        credit_micro_per_mwh=draw(costs),
    )
    rates = make_rates(
        import_adder_micro_per_mwh=draw(costs),
        pool_fee_ppm=tuple(draw(PPM) for _ in range(3)),
        hosting=hosting,
        host_of=(0, None, 1),
        shell=(shell,),
    )
    it_wh, short_wh = ([draw(st.integers(0, 10**7)) for _ in range(2)] for _ in range(2))
    meters = make_meters(
        import_wh=draw(energies),
        work_ph=tuple(draw(st.integers(0, 10**8)) for _ in range(3)),
        hosted=tuple(
            HostedMeter(it_wh=it, bus_wh=it * 103 // 100, short_it_wh=short, short_bus_wh=short * 103 // 100)
            for it, short in zip(it_wh, short_wh, strict=True)
        ),
        shell=(ShellMeter(wh=draw(st.integers(0, 10**7)), short_wh=draw(st.integers(0, 10**7))),),
    )
    return rates, meters, make_prices(energy_micro_per_mwh=draw(micro_prices)), draw(st.integers(-(10**6), 10**7))


@given(hosted_quarters())
def test_site_and_owners_together_earn_what_one_owner_of_everything_would(case):
    rates, meters, prices, left_wh = case
    apart = close(rates, meters, prices, peak_before_w=0, hosted_left_wh=(left_wh, left_wh))
    whole = close(
        msgspec.structs.replace(rates, hosting=(), host_of=(), shell=()),
        msgspec.structs.replace(meters, hosted=(), shell=()),
        prices,
        peak_before_w=0,
    )
    value = [line.sats * prices.btc_micro // 10**8 for line in apart.owners]
    net = [worth - line.power - line.further + line.credits for worth, line in zip(value, apart.owners, strict=True)]
    # A satoshi of each class may be rounded, and its value to a micro-unit: no more is made or lost.
    assert apart.mining_sats + sum(line.sats for line in apart.owners) == whole.mining_sats
    assert abs(sum(apart.amounts) + sum(net) - sum(whole.amounts)) <= 4
    assert apart.energy_bought == whole.energy_bought


@given(hosted_quarters())
def test_no_owner_is_charged_for_what_it_did_not_get_or_credited_for_what_it_did(case):
    rates, meters, prices, left_wh = case
    apart = close(rates, meters, prices, peak_before_w=0, hosted_left_wh=(left_wh, None))
    cost = prices.energy_micro_per_mwh + rates.import_adder_micro_per_mwh
    for rate, meter, line, left in zip(rates.hosting, meters.hosted, apart.owners, (left_wh, None), strict=False):
        assert line.wh == meter.it_wh
        assert line.short_wh == meter.short_it_wh
        assert line.further >= 0
        assert line.credits >= 0
        beyond = 0 if left is None else min(meter.short_it_wh, max(0, meter.short_it_wh - max(left, 0)))
        most = -(-beyond * rate.credit_micro_per_mwh // 10**6)
        saved = meter.short_bus_wh * cost - meter.short_it_wh * rate.price_micro_per_mwh
        most += -(-max(0, saved) * rate.curtailment_share_ppm // 10**12) if rate.is_fixed else 0
        assert line.credits == most
        if meter.it_wh == 0:
            assert line.power == 0
