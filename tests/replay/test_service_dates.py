"""A hall that is emptied of miners and let to a tenant later: what is not there draws nothing and earns nothing."""

import msgspec
import numpy as np
import pytest

from headrace.core import from_epoch_s
from replays import days_of, demo_site, run

DAY_S = 86_400


@pytest.fixture(scope="module")
def converted():
    """S21 hall until the second day, GPUs of the batch lab from the third, the firm lab until the fourth."""
    loaded = demo_site()
    window = days_of(loaded, 1, 4)
    site = loaded.site
    out_s, in_s, gone_s = (window.start_s + days * DAY_S for days in (1, 2, 3))
    miners = (msgspec.structs.replace(site.miners[0], end_s=out_s), *site.miners[1:])
    firm, batch = site.leases
    leases = (msgspec.structs.replace(firm, end_s=gone_s), msgspec.structs.replace(batch, start_s=in_s))
    dated = msgspec.structs.replace(site, miners=miners, leases=leases)
    result = run(
        msgspec.structs.replace(loaded, site=dated), window, ("always-on", "desk", "rolling", "stochastic", "bound")
    )
    return result, out_s, in_s, gone_s


def test_what_is_not_there_draws_nothing(converted):
    result, out_s, in_s, _ = converted
    for each in result.runs:
        f = each.intervals
        hall = [c for c in f.columns if c.startswith("use:S21")]
        assert f.filter(f["interval_start"] >= from_epoch_s(out_s)).select(hall).to_numpy().sum() == 0.0
        assert f.filter(f["interval_start"] < from_epoch_s(in_s))["use:batch lab_mw"].sum() == 0.0
        assert f.filter(f["interval_start"] >= from_epoch_s(in_s))["use:batch lab_mw"].sum() > 0.0


def test_a_lease_earns_from_its_first_instant_to_its_last(converted):
    result, _, in_s, gone_s = converted
    for each in result.runs:
        s = each.settlements
        assert s.filter(s["interval_start"] < from_epoch_s(in_s))["ai_curtailable"].sum() == 0
        assert s.filter(s["interval_start"] >= from_epoch_s(gone_s))["ai_firm"].sum() == 0
        rent = 3900 * 2.10 * 24 * 3
        assert s["ai_firm"].sum() / 1e6 == pytest.approx(rent, rel=1e-9)
        assert each.lines_ccy["service_credits"] == 0.0


def test_firm_power_falls_with_the_lease(converted):
    result, _, _, gone_s = converted
    idle_it_mw = 0.3 * 2.99 + 0.3 * 1540 * 1.3e-3
    for each in result.runs:
        f = each.intervals
        after = f.filter(f["interval_start"] >= from_epoch_s(gone_s))
        assert (after["firm_mw"] / idle_it_mw).is_between(1.05, 1.3).all()


@pytest.mark.inv("E1")
def test_the_bus_balances_through_every_change(converted):
    result, *_ = converted
    for each in result.runs:
        f = each.intervals
        uses = [c for c in f.columns if c.startswith("use:")]
        came = f["import_mw"] + f["discharge_mw"]
        went = f["export_mw"] + f["charge_mw"] + f["firm_mw"] + f.select(uses).to_numpy().sum(axis=1)
        assert np.abs((came - went).to_numpy()).max() <= 12 * 6e-6
