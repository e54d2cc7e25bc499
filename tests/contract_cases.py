"""Supply contracts for tests: a week of hours by hand, one of each kind, and positions at random."""

from hypothesis import strategies as st

from headrace.energy import DayAheadPurchase, FixedPrice, SupplyFees, Swing, TakeOrPay
from headrace.settlement import PositionFacts
from headrace.settlement.position import FeeRate, PositionRates, VolumeRate
from settlement_cases import energies, micro_prices

ALWAYS = {"start_s": 0, "end_s": 4_000_000_000, "source": "assumed"}


def block(name="block", *, power_mw=5.0, strike=30.0, at_hub=False, sells_back=True):
    """The same power in every hour."""
    return FixedPrice(
        **ALWAYS,
        name=name,
        shape="flat",
        hour_mw=(power_mw,) * 168,
        strike_ccy_per_mwh=strike,
        at_hub=at_hub,
        sells_back=sells_back,
        is_speculative=False,
    )


def auction(name="auction", *, power_mw=2.0, at_hub=False):
    """Power bought in every day-ahead auction."""
    return DayAheadPurchase(
        **ALWAYS, name=name, shape="flat", hour_mw=(power_mw,) * 168, at_hub=at_hub, is_speculative=False
    )


def swing(**changes):
    """2 MW at most, 4 to 20 MWh a day."""
    terms = {
        "name": "swing",
        "power_max_mw": 2.0,
        "day_min_mwh": 4.0,
        "day_max_mwh": 20.0,
        "year_max_mwh": None,
        "strike_ccy_per_mwh": 35.0,
        "at_hub": False,
        "is_speculative": False,
    }
    return Swing(**(ALWAYS | terms | changes))


def take_or_pay(month_min_mwh=6000.0, shortfall=5.0):
    """A least import per month."""
    return TakeOrPay(**ALWAYS, name="take-or-pay", month_min_mwh=month_min_mwh, shortfall_ccy_per_mwh=shortfall)


def fees(fee=1.5, imbalance=3.0, tolerance=0.1):
    """A supplier's fees."""
    return SupplyFees(
        **ALWAYS,
        name="retailer",
        fee_ccy_per_mwh=fee,
        imbalance_fee_ccy_per_mwh=imbalance,
        tolerance_ratio=tolerance,
    )


@st.composite
def positions(draw):
    """Rates, facts and meters of any number of contracts."""
    count = draw(st.integers(0, 4))
    volumes = tuple(
        VolumeRate(
            strike_micro_per_mwh=draw(st.none() | micro_prices),
            at_hub=draw(st.booleans()),
            sells_back=draw(st.booleans()),
        )
        for _ in range(count)
    )
    rate = FeeRate(
        start_s=0,
        end_s=4_000_000_000,
        fee_micro_per_mwh=draw(st.integers(0, 20_000_000)),
        imbalance_micro_per_mwh=draw(st.integers(0, 20_000_000)),
        tolerance_ppm=draw(st.integers(0, 1_000_000)),
    )
    rates = PositionRates(
        volumes=volumes,
        fees=draw(st.sampled_from(((), (rate,)))),
        shortfall_micro_per_mwh=(draw(st.integers(0, 50_000_000)),),
        ppa_at_hub=(draw(st.booleans()),),
    )
    facts = PositionFacts(
        scheduled_wh=tuple(draw(energies) for _ in range(count)),
        hub_micro_per_mwh=draw(micro_prices),
        day_ahead_micro_per_mwh=draw(micro_prices),
        hub_day_ahead_micro_per_mwh=draw(micro_prices),
        due_wh=(draw(st.sampled_from((0, 1_000_000_000))),),
    )
    meters = {
        "import_wh": draw(energies),
        "export_wh": draw(energies),
        "ppa_wh": (draw(energies),),
        "market_micro_per_mwh": draw(micro_prices),
        "taken_before_wh": draw(energies),
    }
    return rates, facts, meters
