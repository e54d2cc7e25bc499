"""Contract and cash tables of a site file: what becomes of them, and that the guide's own are right."""

import re
from pathlib import Path

import pytest

from headrace.adapters.sitefile import parse_site
from headrace.adapters.sitefile.template import new_site_text
from headrace.energy import DayAheadPurchase, FixedPrice, SupplyFees

DOCS = Path(__file__).resolve().parents[3] / "docs"


def read(tables):
    text = new_site_text("Hedged")
    return parse_site(text.replace("\n[replay]", f"\n{tables}\n[replay]"), Path("hedged.toml"))


def contract(kind, name, **keys):
    lines = [f'[[contract]]\nkind = "{kind}"\nname = "{name}"\nstart = 2024-01-01\nend = 2025-01-01']
    lines += ['source = "assumed"', *(f"{key} = {value}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


def test_the_tables_of_the_commercial_page_are_read():
    page = (DOCS / "commercial.md").read_text(encoding="utf-8")
    (tables,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    site = read(tables).site
    assert [type(each) for each in site.contracts] == [FixedPrice, SupplyFees]
    assert site.cash is not None
    assert site.cash.opening_ccy == 500_000.0
    own = {each.party: each for each in site.cash.payments}
    assert own["supplier"].lag_days == 16
    assert len(own) == len(site.cash.payments)


def test_peak_weekend_and_night_make_up_every_hour():
    text = "".join(
        contract("block", hours, power_mw=2.0, hours=f'"{hours}"', strike_usd_per_mwh=30.0)
        for hours in ("peak", "weekend", "night")
    )
    peak, weekend, night = (each.hour_mw for each in read(text).site.contracts)
    assert [sum(hour) for hour in zip(peak, weekend, night, strict=True)] == [2.0] * 168
    assert (sum(peak) / 2, sum(weekend) / 2, sum(night) / 2) == (5 * 16, 2 * 16, 7 * 8)
    assert peak[6] == 2.0 == peak[21]
    assert peak[5] == 0.0 == peak[22] == peak[5 * 24 + 12]


def test_a_day_of_hours_is_repeated_through_the_week():
    shape = [float(hour % 3) for hour in range(24)]
    (found,) = read(contract("shaped", "shape", profile_mw=shape, strike_usd_per_mwh=30.0)).site.contracts
    assert list(found.hour_mw) == shape * 7


def test_a_share_of_the_firm_load_is_bought_with_its_cooling():
    (found,) = read(contract("day-ahead", "firm", firm_share_ratio=0.5)).site.contracts
    assert isinstance(found, DayAheadPurchase)
    it_mw = (2000 + 0.3 * 1000) * 1.3e-3
    pue = 1.06 + (1.12 - 1.06) * 15 / 25
    assert found.hour_mw == pytest.approx((0.5 * it_mw * pue,) * 168)


def test_dates_are_midnights_in_the_sites_zone():
    (found,) = read(contract("block", "year", power_mw=1.0, strike_usd_per_mwh=30.0)).site.contracts
    assert found.start_s == 1_704_088_800  # 2024-01-01T06:00Z
    assert found.end_s - found.start_s == 366 * 86_400


def test_speculative_volume_is_taken_and_told():
    loaded = read(contract("block", "view", power_mw=50.0, strike_usd_per_mwh=30.0, speculative="true"))
    assert any("view: declared speculative" in note for note in loaded.notes)
