"""Meters, prices and rates of a small site, by hand and at random."""

from hypothesis import strategies as st

from headrace.core import Currency
from headrace.dispatch.site import DeskRules, Site
from headrace.energy import Battery, Connection, Generator, Market, Ppa, Tariff
from headrace.loads import AiLease, Cooling, Firmness, HeatOfftake, InferenceService, MinerClass
from headrace.settlement import MeteredInterval, Rates, SettlementPrices, close
from headrace.treasury import entry_of

START_S = 1_706_745_600
"""2024-02-01T00:00Z."""


def make_site(*, currency=Currency.USD, time_zone="America/Chicago"):
    """One of everything that is settled."""
    return Site(
        name='Cedar "Bend" \\ West',
        currency=currency,
        time_zone=time_zone,
        control_step_s=300,
        market=Market(name="ERCOT", settlement_point="LZ_WEST", settlement_step_s=900, is_hub=False),
        connection=Connection(import_max_mw=100.0, export_max_mw=30.0),
        tariff=Tariff(
            import_adder_ccy_per_mwh=4.0, export_deduction_ccy_per_mwh=2.0, peak_charge_ccy_per_mw_month=1500.0
        ),
        battery=Battery(
            charge_max_mw=10.0,
            discharge_max_mw=10.0,
            stored_min_mwh=0.0,
            stored_max_mwh=20.0,
            stored_start_mwh=10.0,
            charge_efficiency_ratio=0.92,
            discharge_efficiency_ratio=0.92,
            wear_ccy_per_mwh=8.0,
        ),
        generators=(
            Generator(
                name="field",
                kind="solar",
                capacity_mw=10.0,
                marginal_cost_ccy_per_mwh=1.5,
                must_run_ratio=0.0,
                profile="solar",
            ),
        ),
        ppas=(Ppa(name="ridge", capacity_mw=20.0, strike_ccy_per_mwh=31.0, profile="wind"),),
        coolings=(Cooling(name="air", temp_c=(0.0,), pue_ratio=(1.1,)),),
        miners=(
            MinerClass(
                name="s21", power_mw=(0.0, 10.0), hashrate_phs=(0.0, 570.0), pool_fee_ratio=0.015, cooling="air"
            ),
        ),
        leases=(_lease("anchor", Firmness.FIRM, 2.25, 9.0), _lease("batch", Firmness.CURTAILABLE, 1.6, 0.4)),
        inference=(
            InferenceService(
                name="chat",
                it_max_mw=5.0,
                idle_ratio=0.3,
                wh_per_request=0.4,
                value_ccy_per_request=0.000_347_5,
                demand="demand",
                demand_scale_ratio=1.0,
                cooling="air",
            ),
        ),
        heat=(HeatOfftake(load="anchor", recovered_ratio=0.6, heat_max_mw=3.0, price_ccy_per_mwh=22.0, months=(1, 2)),),
        desk=DeskRules(hold_s=3600, peak_hours_local=()),
        usd_rate_ratio=1.0,
    )


def _lease(name, firmness, price, credit):
    return AiLease(
        name=name,
        firmness=firmness,
        gpus=8000,
        it_mw=10.0,
        idle_ratio=0.1,
        price_ccy_per_gpu_h=price,
        credit_ccy_per_gpu_h=credit,
        cooling="air",
    )


def make_rates(**changes):
    """Rates of one contract of each kind, zero unless said: a test sees its own line alone."""
    silent = {
        "import_adder_micro_per_mwh": 0,
        "export_deduction_micro_per_mwh": 0,
        "peak_micro_per_mw": 0,
        "wear_micro_per_mwh": 0,
        "generation_micro_per_mwh": (0,),
        "ppa_strike_micro_per_mwh": (0,),
        "lease_is_firm": (True, False),
        "lease_price_micro_per_gpu_h": (0, 0),
        "lease_credit_micro_per_gpu_h": (0, 0),
        "inference_micro_per_million": (0,),
        "pool_fee_ppm": (0,),
        "heat_micro_per_mwh": (0,),
    }
    return Rates(**(silent | changes))


def make_meters(**changes):
    """A quarter of an hour in which nothing happened, unless said."""
    idle = {
        "interval_start_s": START_S,
        "duration_s": 900,
        "import_wh": 0,
        "export_wh": 0,
        "charge_wh": 0,
        "discharge_wh": 0,
        "generated_wh": (0,),
        "it_wh": 0,
        "lease_delivered_gpu_s": (0, 0),
        "lease_short_gpu_s": (0, 0),
        "requests_served": (0,),
        "requests_asked": (0,),
        "work_ph": (0,),
        "heat_wh": (0,),
        "ppa_wh": (0,),
        "import_peak_w": 0,
    }
    return MeteredInterval(**(idle | changes))


def make_prices(**changes):
    """A price of zero, and the network of 2024-02-01: difficulty 75.5e12, 6.25 bitcoin a block, 43,000 a bitcoin."""
    plain = {
        "energy_micro_per_mwh": 0,
        "is_estimated": False,
        "block_reward_sats": 625_000_000,
        "difficulty": 75_502_165_623_893,
        "btc_micro": 43_000_000_000,
    }
    return SettlementPrices(**(plain | changes))


energies = st.integers(0, 300_000_000)
"""Wh of a gigawatt over a quarter of an hour, and some."""
micro_prices = st.integers(-250_000_000, 9_000_000_000)
"""ERCOT's range, micro-units per MWh."""
costs = st.integers(0, 500_000_000)


@st.composite
def settled(draw):
    """Rates, meters and prices of a site with any number of contracts of each kind."""
    generators, ppas, leases, services, miners, offtakes = (draw(st.integers(0, 3)) for _ in range(6))

    def many(values, count):
        return draw(st.tuples(*[values] * count))

    rates = Rates(
        import_adder_micro_per_mwh=draw(costs),
        export_deduction_micro_per_mwh=draw(costs),
        peak_micro_per_mw=draw(st.integers(0, 20_000_000_000)),
        wear_micro_per_mwh=draw(costs),
        generation_micro_per_mwh=many(st.integers(-40_000_000, 100_000_000), generators),
        ppa_strike_micro_per_mwh=many(costs, ppas),
        lease_is_firm=many(st.booleans(), leases),
        lease_price_micro_per_gpu_h=many(st.integers(0, 20_000_000), leases),
        lease_credit_micro_per_gpu_h=many(st.integers(0, 40_000_000), leases),
        inference_micro_per_million=many(st.integers(0, 10**10), services),
        pool_fee_ppm=many(st.integers(0, 1_000_000), miners),
        heat_micro_per_mwh=many(costs, offtakes),
    )
    meters = make_meters(
        import_wh=draw(energies),
        export_wh=draw(energies),
        discharge_wh=draw(energies),
        generated_wh=many(energies, generators),
        lease_delivered_gpu_s=many(st.integers(0, 10**8), leases),
        lease_short_gpu_s=many(st.integers(0, 10**8), leases),
        requests_served=many(st.integers(0, 10**8), services),
        requests_asked=many(st.integers(0, 10**8), services),
        work_ph=many(st.integers(0, 10**9), miners),
        heat_wh=many(energies, offtakes),
        ppa_wh=many(energies, ppas),
        import_peak_w=draw(st.integers(0, 10**9)),
    )
    prices = make_prices(energy_micro_per_mwh=draw(micro_prices), is_estimated=draw(st.booleans()))
    return rates, meters, prices


def make_entries(rates, count, *, start_s=START_S, currency=Currency.USD):
    """A book of `count` quarters of an hour in which every line moves, prices below zero among them."""
    entries = []
    for i in range(count):
        meters = make_meters(
            interval_start_s=start_s + 900 * i,
            import_wh=12_000_000 + 137 * i,
            export_wh=31 * i,
            discharge_wh=1_000_001 * (i % 3),
            generated_wh=(400_000 + i,),
            lease_delivered_gpu_s=(7_200_000, 7_100_000 - 17 * i),
            lease_short_gpu_s=(0, 17 * i),
            requests_served=(900_000 + i,),
            requests_asked=(900_000 + i,),
            work_ph=(513_000 - i,),
            heat_wh=(700_003,),
            ppa_wh=(4_000_000 - i,),
            import_peak_w=48_000_000 + 1000 * i,
        )
        prices = make_prices(
            energy_micro_per_mwh=(-25_000_000, 31_410_000, 2_999_990_000)[i % 3], is_estimated=i % 10 == 7
        )
        statement = close(rates, meters, prices, peak_before_w=48_000_000 + 1000 * (i - 1) if i else 0)
        entries.append(entry_of(statement, currency, i + 1))
    return entries
