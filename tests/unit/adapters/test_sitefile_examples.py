"""The example sites are what their comments say."""

from pathlib import Path

import numpy as np
import pytest

import headrace.app
from headrace.adapters.sitefile import load_site
from headrace.core import Currency
from headrace.energy.tariffs import CoincidentPeaks
from headrace.loads import Firmness, PowerPrice, pue_at

SITES = Path(headrace.app.__file__).parent / "sites"


def _site(name):
    return load_site(SITES / f"{name}.toml").site


def _facility_mw(site, temp_c, *, with_mining):
    """Everything at full work at one outdoor temperature."""
    pue = {plant.name: float(pue_at(plant, np.array([temp_c]))[0]) for plant in site.coolings}
    total = sum(lease.it_mw * pue[lease.cooling] for lease in site.leases)
    total += sum(service.it_max_mw * pue[service.cooling] for service in site.inference)
    total += sum(tenant.contracted_mw for tenant in site.tenants)
    return total + with_mining * sum(miner.power_mw[-1] * pue[miner.cooling] for miner in site.miners)


def _ai_mw(site):
    return sum(lease.it_mw for lease in site.leases) + sum(service.it_max_mw for service in site.inference)


def test_the_texas_campus_is_60_mw_of_ai_and_30_of_mining_in_a_load_zone():
    site = _site("texas_100mw")
    assert _ai_mw(site) == pytest.approx(60.0, abs=0.05)
    assert sum(miner.power_mw[-1] for miner in site.miners) == pytest.approx(30.0, abs=0.05)
    assert site.market.settlement_point == "LZ_WEST"
    assert not site.market.is_hub
    assert (site.battery.discharge_max_mw, site.connection.import_max_mw) == (20.0, 100.0)


def test_on_a_hot_afternoon_the_texas_campus_cannot_run_everything_but_can_run_all_ai():
    site = _site("texas_100mw")
    assert _facility_mw(site, 40.0, with_mining=True) > site.connection.import_max_mw
    assert _facility_mw(site, 40.0, with_mining=False) < site.connection.import_max_mw
    assert _facility_mw(site, 15.0, with_mining=True) < site.connection.import_max_mw


def test_the_demo_settles_at_a_hub_and_says_so():
    site = _site("demo")
    assert site.market.is_hub
    assert {lease.firmness for lease in site.leases} == {Firmness.FIRM, Firmness.CURTAILABLE}
    assert _facility_mw(site, 20.0, with_mining=True) > site.connection.import_max_mw, "mining yields to full inference"


@pytest.mark.parametrize(
    ("name", "currency", "facility_mw", "temp_c"),
    [
        ("toronto_sovereign", Currency.CAD, 7.2, 25.0),
        ("france_1gw", Currency.EUR, 1000.0, 25.0),
        ("edge_500kw", Currency.USD, 0.5, 25.0),
    ],
)
def test_the_other_sites_are_of_their_stated_size(name, currency, facility_mw, temp_c):
    site = _site(name)
    assert site.currency is currency
    assert 0.93 * facility_mw < _facility_mw(site, temp_c, with_mining=True) <= facility_mw


def test_the_french_campus_is_supplied_by_nuclear_power_and_sells_heat():
    site = _site("france_1gw")
    assert [generator.kind for generator in site.generators] == ["nuclear"]
    assert len(site.heat) == 1


@pytest.mark.parametrize("name", ["texas_mixed_100mw", "demo_mixed"])
def test_the_mixed_campus_fits_its_connection_but_not_with_the_battery_charging(name):
    site = _site(name)
    full_mw = _facility_mw(site, 40.0, with_mining=True)
    assert full_mw == pytest.approx(98.0, abs=0.5)
    assert full_mw < site.connection.import_max_mw < full_mw + site.battery.charge_max_mw
    assert {each.power_price for each in site.hosting} == {PowerPrice.FIXED, PowerPrice.PASS_THROUGH}
    assert len(site.tenants) == len(site.allowances) == 1


def test_the_mixed_campus_of_the_demo_declares_only_what_the_sample_can_settle():
    loaded = load_site(SITES / "demo_mixed.toml")
    assert all(series.startswith("sample.") for series in loaded.feeds.values())
    assert not loaded.site.reserves
    assert not any(isinstance(each, CoincidentPeaks) for each in loaded.site.charges)
    assert loaded.site.tariff.peak_charge_ccy_per_mw_month > 0.0
    assert "ERCOT: transmission by coincident peaks not declared." in loaded.notes


def test_each_hall_of_the_mine_stands_empty_for_four_months_and_all_work_for_ai_in_the_end():
    loaded = load_site(SITES / "mine_to_ai.toml")
    site, day_s = loaded.site, 86_400
    for miner, lease in zip(site.miners, site.leases, strict=True):
        assert 120 <= (lease.start_s - miner.end_s) / day_s <= 123
    assert max(lease.start_s for lease in site.leases) < loaded.window.end_s
    ends = [miner.end_s for miner in site.miners]
    assert ends == sorted(ends)
    mining_mw = sum(miner.power_mw[-1] for miner in site.miners)
    assert mining_mw == pytest.approx(84.1, abs=0.1)
    assert 1.08 * mining_mw < site.connection.import_max_mw
    assert 1.35 * _ai_mw(site) < site.connection.import_max_mw


@pytest.mark.parametrize(
    "path", sorted(set(SITES.glob("*.toml")) - set(SITES.glob("*.devices.toml"))), ids=lambda path: path.stem
)
def test_no_inference_service_is_asked_for_more_than_it_can_serve(path):
    """The recorded demand peaks at 583 requests/s; scaled, it just fills each service."""
    for service in load_site(path).site.inference:
        most_per_s = service.it_max_mw * (1 - service.idle_ratio) * 1e6 / 3600 / service.wh_per_request
        assert 0.95 * most_per_s < 583.0 * service.demand_scale_ratio <= most_per_s
