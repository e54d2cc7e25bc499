"""Where two features meet: what the audit found wrong there, kept right."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.adapters.sitefile import load_site
from headrace.control.feeders import behind_feeders
from headrace.control.reserve import obligations
from headrace.control.setpoints import Mode, Setpoints
from headrace.core import BadInput
from headrace.dispatch.policies.always_on import present
from headrace.dispatch.reserve import Award, ReserveBook
from headrace.dispatch.reserve_clearing import load_most_mw
from headrace.dispatch.uses import model_of
from headrace.energy import SupplyFees
from headrace.energy.plant import Plant, Transformer
from headrace.energy.tariffs import CashFall, PriceAdder
from headrace.loads import Hosting, PowerPrice, ShellTenant
from headrace.settlement.owners import HostedMeter, HostingRate, settle_hosting
from replays import SITES
from reserve_cases import START_S, STEP_S, make_inputs, make_reserve, make_sight, reserve_site, series
from settlement_cases import make_site

ALWAYS = {"start_s": 0, "end_s": 4_000_000_000, "source": "assumed"}

PASSED = Hosting(
    name="passed",
    owner="Two",
    miner="s21",
    power_price=PowerPrice.PASS_THROUGH,
    price_ccy_per_mwh=6.0,
    profit_share_ratio=0.25,
    owner_stops_at_loss=False,
    guaranteed_uptime_ratio=0.0,
    free_curtailment_h=0.0,
    credit_ccy_per_mwh=0.0,
    curtailment_share_ratio=0.0,
)

HALL = ShellTenant(
    name="hall",
    contracted_mw=7.0,
    rent_ccy_per_mw_h=20.0,
    power_price=PowerPrice.FIXED,
    price_ccy_per_mwh=50.0,
    take_or_pay_ratio=0.0,
    availability_credit_ccy_per_mwh=400.0,
    profile=None,
)


def test_a_hosted_mwh_is_worth_to_dispatch_what_it_is_billed():
    adder = PriceAdder(**ALWAYS, name="evening", cash=CashFall.NEXT_MONTH, adder_ccy_per_mwh=6.0, loss_ratio=0.02)
    fee = SupplyFees(
        **ALWAYS, name="retailer", fee_ccy_per_mwh=1.25, imbalance_fee_ccy_per_mwh=0.0, tolerance_ratio=0.0
    )
    site = msgspec.structs.replace(make_site(), hosting=(PASSED,), charges=(adder,), contracts=(fee,), tenants=())
    inputs = make_inputs(reserve_site(), hours=4, price=50.0)
    model = model_of(site)
    problem = present(model, make_sight(inputs))
    row = problem.use_names.index("s21")
    all_in = 50.0 + 4.0 + 6.0 + 0.02 * 50.0
    earned = float(model.kept_hash_phs_per_mw[row, 0]) * _hashprice(inputs) / 24.0
    line = settle_hosting(
        HostingRate(
            is_fixed=False,
            price_micro_per_mwh=6_000_000,
            profit_share_ppm=250_000,
            curtailment_share_ppm=0,
            credit_micro_per_mwh=0,
            full_w=0,
            guaranteed_ppm=0,
            free_s=0,
        ),
        HostedMeter(it_wh=1_000_000, bus_wh=1_100_000, short_it_wh=0, short_bus_wh=0),
        energy_micro_per_mwh=round(all_in * 1e6),
        mining_micro=round(earned * 1e6),
        sats=0,
        beyond_it_wh=0,
    )
    billed_ccy = (line.power + line.further) / 1e6
    assert problem.use_value_ccy_per_mwh[row, 0] * 1.1 == pytest.approx(billed_ccy, rel=1e-6)
    assert problem.import_cost_ccy_per_mwh[0] == pytest.approx(all_in + 1.25)


def _hashprice(inputs) -> float:
    reward, price, difficulty = (
        float(s.values[0]) for s in (inputs.block_reward, inputs.bitcoin_price, inputs.difficulty)
    )
    return 86_400e15 * reward * price / (difficulty * 2**32)


def test_reserve_counts_on_no_room_that_a_tenant_or_a_spare_transformer_needs():
    site = reserve_site()
    alone_mw = load_most_mw(model_of(site))
    beside = msgspec.structs.replace(site, tenants=(HALL,))
    assert load_most_mw(model_of(beside)) == pytest.approx(alone_mw - 7.0)
    plant = Plant(
        units=(),
        transformers=tuple(Transformer(name=name, limit_mw=45.0) for name in "ABC"),
        is_n_minus_1=True,
        feeders=(),
        outages=(),
        non_firm=None,
        ups=(),
    )
    secured = msgspec.structs.replace(site, plant=plant)
    assert load_most_mw(model_of(secured)) == pytest.approx(alone_mw - 10.0)


def test_a_call_under_way_does_not_excuse_that_it_is_not_answered():
    calls = np.zeros(12 * 170)
    calls[12 * 168 + 3 : 12 * 168 + 6] = 1.0  # a quarter of an hour, fifteen minutes into the first hour
    called = series("calls", calls, step_s=STEP_S, start_s=START_S - 7 * 86_400)
    site = reserve_site(make_reserve(calls="calls"))
    inputs = make_inputs(site, hours=2, calls=called)
    book = ReserveBook(awards=(Award(start_s=START_S, reserve=0, carrier=2, mw=4.0, price_ccy_per_mw_h=5.0),))
    resting = [obligations(model_of(site), book, inputs, START_S + t * STEP_S)[0].is_resting for t in range(12)]
    assert resting == [False] * 6 + [True] * 6


@pytest.mark.parametrize(
    ("load", "why"), [("hosted S21", "stops whenever its owner"), ("batch lab", "a call could exceed")]
)
def test_what_others_may_stop_or_forbid_to_stop_carries_no_reserve(tmp_path, load, why):
    text = (SITES / "texas_mixed_100mw.toml").read_text(encoding="utf-8")
    assert text.count('loads = ["own S21"]') == 3
    path = tmp_path / "site.toml"
    path.write_text(text.replace('loads = ["own S21"]', f'loads = ["own S21", "{load}"]', 1), encoding="utf-8")
    with pytest.raises(BadInput, match=why):
        load_site(path)


MW = st.floats(0.0, 20.0)
BLOCK = st.tuples(MW, st.none() | MW, st.floats(0.0, 1.0), st.floats(-50.0, 500.0), st.integers(-1, 1))


@given(st.lists(BLOCK, min_size=1, max_size=6), st.tuples(MW, MW))
def test_a_feeder_serves_reserve_sold_before_worth_and_is_never_overloaded(blocks, room_mw):
    width, limit, share, worth, feeder_of = (list(each) for each in zip(*blocks, strict=True))
    keep = [mw * part for mw, part in zip(width, share, strict=True)]
    setpoints = Setpoints(
        mode=Mode.PLAN,
        use_limit_mw=tuple(limit),
        use_worth_ccy_per_mwh=tuple(worth),
        may_fill=(True,) * len(blocks),
        source_limit_mw=(),
        charge_mw=0.0,
        charge_worth_ccy_per_mwh=0.0,
        discharge_mw=0.0,
        import_limit_mw=100.0,
        import_max_mw=100.0,
        export_max_mw=0.0,
        reasons=(),
        use_min_mw=tuple(keep),
    )
    got = behind_feeders(setpoints, width, feeder_of, list(room_mw))
    for f, room in enumerate(room_mw):
        behind = [i for i, feeder in enumerate(feeder_of) if feeder == f]
        assert sum(got[i] for i in behind) == pytest.approx(min(room, sum(width[i] for i in behind)), abs=1e-9)
        if sum(keep[i] for i in behind) <= room:
            assert all(got[i] >= keep[i] - 1e-9 for i in behind)
    assert all(mw <= most + 1e-9 for mw, most in zip(got, width, strict=True))
    assert all(mw == most for mw, most, feeder in zip(got, width, feeder_of, strict=True) if feeder < 0)
