"""A site with hosted miners, a powered shell and an allowance, over the dearest days of the sample."""

import msgspec
import numpy as np
import pytest

from headrace.core import Currency
from headrace.engine.frames import statements_of
from headrace.loads import Allowance, Hosting, PowerPrice, ShellTenant
from headrace.treasury import Asset, check, entry_of
from replays import days_of, demo_site, run

DEAR_DAYS = 3, 4  # 7 to 10 November 2024: two evenings above 1,000 USD/MWh


def hosting(name: str, miner: str, **terms) -> Hosting:
    plain = {
        "owner": f"owner of {miner}",
        "power_price": PowerPrice.FIXED,
        "price_ccy_per_mwh": 60.0,
        "profit_share_ratio": 0.0,
        "owner_stops_at_loss": False,
        "guaranteed_uptime_ratio": 0.0,
        "free_curtailment_h": 0.0,
        "credit_ccy_per_mwh": 0.0,
        "curtailment_share_ratio": 0.0,
    }
    return Hosting(name=name, miner=miner, **plain | terms)


SCARCE_DAY = 13, 1  # 17 November 2024: half an hour above what batch GPU time is worth

HALL = ShellTenant(
    name="hall",
    contracted_mw=1.0,
    rent_ccy_per_mw_h=20.0,
    power_price=PowerPrice.PASS_THROUGH,
    price_ccy_per_mwh=5.0,
    take_or_pay_ratio=0.8,
    availability_credit_ccy_per_mwh=400.0,
    profile=None,
)


def replayed(days, labels, **contracts):
    loaded = demo_site()
    site = msgspec.structs.replace(loaded.site, **contracts)
    return run(msgspec.structs.replace(loaded, site=site), days_of(loaded, *days), labels)


@pytest.fixture(scope="module")
def result():
    return replayed(
        DEAR_DAYS,
        ("always-on", "desk", "rolling", "bound"),
        hosting=(
            hosting("fixed", "S21 hall", guaranteed_uptime_ratio=0.99, credit_ccy_per_mwh=200.0),
            hosting("passed", "S19 hall", power_price=PowerPrice.PASS_THROUGH, price_ccy_per_mwh=6.0),
        ),
        tenants=(HALL,),
    )


def test_hosted_mining_is_no_income_of_the_site(result):
    for each in result.runs:
        assert each.mining_sats == each.lines_ccy["mining"] == 0
        assert each.owners["sats"].sum() > 0


@pytest.mark.inv("S1")
def test_every_hosted_wh_is_on_one_bill(result):
    for each in result.runs:
        step_h = result.site.control_step_s / 3600
        mined = each.intervals.select([c for c in each.intervals.columns if c.startswith("use:S")]).to_numpy().sum()
        billed = each.owners.filter(each.owners["contract"] != "hall")["wh"].sum() / 1e6
        assert mined * step_h / 1.04 <= billed + 0.01 <= mined * step_h / 1.03 + 0.02  # PUE of the halls


@pytest.mark.inv("T1")
def test_every_entry_balances_and_no_hosted_coin_is_in_it(result):
    for each in result.runs:
        for sequence, statement in enumerate(statements_of(each), start=1):
            entry = entry_of(statement, Currency.USD, sequence)
            check(entry)
            assert all(posting.asset is not Asset.SAT for posting in entry.postings)


def test_what_owners_and_tenants_pay_is_the_statements_lines(result):
    for each in result.runs:
        hosted = each.owners.filter(each.owners["contract"] != "hall")
        tenant = each.owners.filter(each.owners["contract"] == "hall")
        lines = each.settlements
        assert lines["hosting"].sum() == hosted["power"].sum() + hosted["further"].sum()
        assert lines["hosting_payouts"].sum() == -hosted["credits"].sum()
        assert lines["shell"].sum() == tenant["power"].sum() + tenant["further"].sum() - tenant["credits"].sum()


def test_the_site_stops_hosted_machines_at_its_own_price_not_at_theirs(result):
    rolling = result.run("rolling").intervals
    dear = rolling.filter(rolling["price_seen"] > 400.0)
    assert len(dear)
    fixed = dear.select([c for c in dear.columns if c.startswith("use:S21")]).to_numpy().sum()
    passed = dear.select([c for c in dear.columns if c.startswith("use:S19")]).to_numpy().sum()
    assert fixed == 0.0  # 60 USD/MWh earned against 400 paid
    assert passed > 0.0  # whatever energy costs, the owner pays it and the fee


def test_a_tenant_is_served_whatever_the_price(result):
    for each in result.runs:
        tenant = each.owners.filter(each.owners["contract"] == "hall")
        assert tenant["short_wh"].sum() == 0
        assert tenant["wh"].sum() == pytest.approx(len(each.intervals) / 12 * 1e6, rel=1e-3)


@pytest.mark.inv("D6")
@pytest.mark.parametrize("hours", [0.0, 0.25, 1.0])
def test_an_allowance_is_never_exceeded(hours):
    allowance = Allowance(load="batch lab", monthly_h=hours, longest_h=0.25, between_h=2.0)
    free = replayed(SCARCE_DAY, ("desk", "rolling"), hosting=())
    bound = replayed(SCARCE_DAY, ("desk", "rolling"), allowances=(allowance,))
    for each, without in zip(bound.runs, free.runs, strict=True):
        short = 1.0 - each.intervals["use:batch lab_mw"] / each.intervals["want:batch lab_mw"]
        missing_h = short.to_numpy() / 12
        assert missing_h.sum() <= hours + 0.01, each.label
        assert longest_run(missing_h > 0.01 / 12) <= 3  # a quarter of an hour
        was = (1.0 - without.intervals["use:batch lab_mw"] / without.intervals["want:batch lab_mw"]).to_numpy() / 12
        assert longest_run(was > 0.01 / 12) >= (6 if each.label == "desk" else 3)  # else as long as it pays


def longest_run(flags: np.ndarray) -> int:
    """Most true values in a row."""
    best = run_length = 0
    for flag in flags:
        run_length = run_length + 1 if flag else 0
        best = max(best, run_length)
    return best
