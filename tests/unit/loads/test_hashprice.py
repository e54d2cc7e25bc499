"""Hashprice from network facts agrees with the published figure on every recorded day."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headrace.loads import hashprice_usd_per_phs_day, mining_value_ccy_per_mwh

DATA = Path(os.environ.get("HEADRACE_DATA", Path(__file__).resolve().parents[3] / ".." / "shared" / "data"))


def test_hashprice_equals_the_record_on_every_day_of_five_years():
    path = DATA / "bitcoin" / "btc_network_daily.parquet"
    if not path.exists():
        pytest.skip(f"recorded Bitcoin network data not at {path}")
    days = pl.read_parquet(path)
    made = hashprice_usd_per_phs_day(
        block_reward_btc=((days["subsidy_btc"] + days["fees_btc"]) / days["blocks"]).to_numpy(),
        price_usd_per_btc=days["price_usd"].to_numpy(),
        difficulty=days["difficulty_mean"].to_numpy(),
    )
    assert len(days) == 1827
    # the record's own sources agree with each other within 8e-9
    np.testing.assert_allclose(made, days["hashprice_usd_per_phs_day"].to_numpy(), rtol=1e-8)


def test_hashprice_by_hand_on_round_figures():
    made = hashprice_usd_per_phs_day(block_reward_btc=3.125, price_usd_per_btc=100_000.0, difficulty=1e14)
    assert float(made) == pytest.approx(3.125 * 1e5 * 86_400e15 / (1e14 * 2**32), rel=1e-15)


def test_a_machine_of_20_joules_per_terahash_mines_50_petahashes_per_megawatt():
    """At 48 USD/PH/day that is 50 × 48 / 24 = 100 USD/MWh, less the pool's fee."""
    assert float(
        mining_value_ccy_per_mwh(slope_phs_per_mw=50.0, hashprice_ccy_per_phs_day=48.0, pool_fee_ratio=0.02)
    ) == pytest.approx(98.0)
