"""What `headrace why` says, case by case: an operator can read these and agree or object."""

import math

import pytest

from headrace.core import Currency
from headrace.dispatch.ladder import build_ladder
from headrace.dispatch.moment import BatteryNow, GridNow, Moment, SourceNow, UseNow


def _use(name, worth, want, got):
    return UseNow(name=name, worth_ccy_per_mwh=worth, want_mw=want, got_mw=got)


def _grid(price, taken, *, limit=100.0, sold=0.0, export_limit=0.0, spread=0.0, peak=None):
    return GridNow(
        import_cost_ccy_per_mwh=price,
        import_mw=taken,
        import_max_mw=limit,
        export_value_ccy_per_mwh=price - spread,
        export_mw=sold,
        export_max_mw=export_limit,
        peak_so_far_mw=peak,
    )


def _battery(*, charge=0.0, discharge=0.0, stored=20.0, charge_max=20.0, discharge_max=20.0):
    return BatteryNow(
        charge_mw=charge,
        charge_max_mw=charge_max,
        discharge_mw=discharge,
        discharge_max_mw=discharge_max,
        stored_mwh=stored,
        stored_max_mwh=40.0,
    )


def _moment(*, firm, uses, grid, bid, ask, sources=(), battery=None, currency=Currency.USD, mode="plan"):
    return Moment(
        currency=currency,
        firm_mw=firm,
        uses=uses,
        sources=sources,
        grid=grid,
        battery=battery,
        bid_ccy_per_mwh=bid,
        ask_ccy_per_mwh=ask,
        mode=mode,
    )


CASES = {
    "the import limit binds inside one use": (
        _moment(
            firm=60.0,
            uses=(
                _use("curtailable", 910.0, 20.0, 20.0),
                _use("s21", 96.0, 10.0, 10.0),
                _use("s19j", 58.1, 18.4, 10.0),
            ),
            grid=_grid(26.9, 100.0),
            bid=58.1,
            ask=58.1,
        ),
        """
        Power here is worth 58.10 USD/MWh, one MWh more or less.
        The import limit of 100 MW binds: one more MW here would earn 31.20 USD/MWh more than the grid charges.
        Next use waiting: s19j (8.4 MW at 58.10).
        First to give way: s19j (10 MW at 58.10).
        """,
    ),
    "the import limit falls between two uses, so the price is an interval": (
        _moment(
            firm=60.0,
            uses=(_use("s21", 96.0, 40.0, 40.0), _use("s19j", 58.1, 18.0, 0.0)),
            grid=_grid(26.9, 100.0),
            bid=58.1,
            ask=96.0,
        ),
        """
        One more MWh here is worth 58.10 USD/MWh, giving one up costs 96.00; the ladder is cut at their midpoint, 77.05.
        The import limit of 100 MW binds: one more MW here would earn 31.20 USD/MWh more than the grid charges.
        Next use waiting: s19j (18 MW at 58.10).
        First to give way: s21 (40 MW at 96.00).
        """,
    ),
    "nothing binds: the grid sets the price": (
        _moment(
            firm=60.0,
            uses=(_use("s21", 96.0, 10.0, 10.0), _use("s19j", 58.1, 20.0, 0.0)),
            grid=_grid(71.4, 70.0),
            bid=71.4,
            ask=71.4,
        ),
        """
        Power here is worth 71.40 USD/MWh, one MWh more or less.
        No limit of the connection binds: the grid sells the next MWh at 71.40.
        Next use waiting: s19j (20 MW at 58.10).
        First to give way: s21 (10 MW at 96.00).
        """,
    ),
    "scarcity: mining stops, the battery feeds all it can, the rest is sold": (
        _moment(
            firm=40.0,
            uses=(_use("s21", 96.0, 30.0, 0.0),),
            grid=_grid(5004.0, 20.0, export_limit=30.0, spread=6.0),
            battery=_battery(discharge=20.0),
            bid=5004.0,
            ask=5004.0,
        ),
        """
        Power here is worth 5,004.00 USD/MWh, one MWh more or less.
        The battery feeds all it can: a MWh fed now costs it at most 5,004.00 USD/MWh.
        No limit of the connection binds: the grid sells the next MWh at 5,004.00.
        Next use waiting: sell to grid (30 MW at 4,998.00).
        Only firm load runs.
        Battery feeds 20 MW; 20.0 of 40.0 MWh held.
        """,
    ),
    "surplus: everything runs, the battery fills, wind cannot all be used": (
        _moment(
            firm=5.0,
            uses=(_use("s21", 96.0, 10.0, 10.0),),
            sources=(SourceNow(name="wind", cost_ccy_per_mwh=0.0, min_mw=0.0, max_mw=60.0, mw=35.0),),
            grid=_grid(2.0, 0.0),
            battery=_battery(charge=20.0),
            bid=0.0,
            ask=0.0,
            currency=Currency.EUR,
        ),
        """
        Power here is worth 0.00 EUR/MWh, one MWh more or less.
        The connection takes no export: one more MW sold would earn 2.00 EUR/MWh more than its use here.
        The battery draws all it can: a MWh drawn now is worth at least 0.00 EUR/MWh to it.
        No use waits: everything that could take power has it.
        First to give way: s21 (10 MW at 96.00).
        Battery draws 20 MW; 20.0 of 40.0 MWh held.
        """,
    ),
    "the export limit binds": (
        _moment(
            firm=10.0,
            uses=(_use("s21", 52.0, 20.0, 10.0),),
            sources=(SourceNow(name="nuclear", cost_ccy_per_mwh=8.0, min_mw=25.0, max_mw=50.0, mw=50.0),),
            grid=_grid(90.0, 0.0, sold=30.0, export_limit=30.0, spread=5.0),
            bid=52.0,
            ask=52.0,
            currency=Currency.EUR,
        ),
        """
        Power here is worth 52.00 EUR/MWh, one MWh more or less.
        Nuclear gives all it has, 50 MW: one more MW of it would earn 44.00 EUR/MWh.
        The export limit of 30 MW binds: one more MW sold would earn 33.00 EUR/MWh more than its use here.
        Next use waiting: s21 (10 MW at 52.00).
        First to give way: s21 (10 MW at 52.00).
        """,
    ),
    "the month's peak binds before the connection does": (
        _moment(
            firm=60.0,
            uses=(_use("s19j", 58.1, 30.0, 22.5),),
            grid=_grid(26.9, 82.5, peak=82.5),
            bid=58.1,
            ask=58.1,
        ),
        """
        Power here is worth 58.10 USD/MWh, one MWh more or less.
        The month's peak of 82.5 MW binds: one more MW would earn 31.20 USD/MWh, but raise the peak charge.
        Next use waiting: s19j (7.5 MW at 58.10).
        First to give way: s19j (22.5 MW at 58.10).
        """,
    ),
    "nuclear must run through a negative price": (
        _moment(
            firm=0.0,
            uses=(_use("s21", 52.0, 20.0, 20.0),),
            sources=(SourceNow(name="nuclear", cost_ccy_per_mwh=8.0, min_mw=45.0, max_mw=50.0, mw=45.0),),
            grid=_grid(-20.0, 0.0, sold=25.0, export_limit=30.0),
            bid=-20.0,
            ask=-20.0,
            currency=Currency.EUR,
        ),
        """
        Power here is worth -20.00 EUR/MWh, one MWh more or less.
        Nuclear cannot be turned below 45 MW: one MW less would save 28.00 EUR/MWh.
        No limit of the connection binds: the grid buys the next MWh at -20.00.
        Next use waiting: sell to grid (5 MW at -20.00).
        First to give way: sell to grid (25 MW at -20.00).
        """,
    ),
    "a small node, the safe rule, a meter that disagrees": (
        _moment(
            firm=0.21,
            uses=(_use("inference", 4200.0, 0.12, 0.12),),
            grid=_grid(44.0, 0.35, limit=0.5),
            bid=44.0,
            ask=math.inf,
            mode="safe_rule",
        ),
        """
        One more MWh here is worth 44.00 USD/MWh; nothing that runs could give one up.
        No limit of the connection binds: the grid sells the next MWh at 44.00.
        No use waits: everything that could take power has it.
        First to give way: inference (120 kW at 4,200.00).
        20 kW more given than taken at the bus: a residual, shown as it is.
        Set by safe rule, not by a fresh plan.
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_why_reads_as_an_operator_would_say_it(name):
    moment, expected = CASES[name]
    lines = tuple(line.strip() for line in expected.strip().splitlines())
    assert build_ladder(moment).sentences == lines
