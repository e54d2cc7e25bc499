"""What an infeasible horizon tells the operator."""

import numpy as np
import pytest

from dispatch_cases import lossless_battery, random_problem, small_problem
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.solve import solve


def _by_limit(answer):
    return {way.limit: way for way in answer.relaxations}


def test_an_outage_longer_than_the_battery_names_the_hour_it_runs_dry():
    import_max_mw = np.array([100.0, 24.0, 24.0, 24.0])
    problem = small_problem(import_max_mw=import_max_mw, battery=lossless_battery(stored_max_mwh=15.0), stored_mwh=15.0)
    answer = solve(problem)
    assert isinstance(answer, Infeasible)
    clash = answer.clash
    assert (clash.step, clash.need_mw) == (3, 30.0)
    assert clash.have_mw == pytest.approx(24.0 + 3.0)  # 15 MWh less two hours of 6 MW
    assert clash.limits == ("import limit", "firm load", "stored energy")


def test_each_way_out_states_what_it_takes():
    import_max_mw = np.array([100.0, 24.0, 24.0, 24.0])
    problem = small_problem(import_max_mw=import_max_mw, battery=lossless_battery(stored_max_mwh=15.0), stored_mwh=15.0)
    ways = _by_limit(solve(problem))
    assert set(ways) == {"import limit", "firm load", "discharge power", "stored energy"}
    assert ways["import limit"].energy_mwh == pytest.approx(3.0)
    assert ways["import limit"].cost_ccy == pytest.approx(3.0 * 40.0)
    assert ways["firm load"].energy_mwh == pytest.approx(3.0)
    assert ways["firm load"].cost_ccy == pytest.approx(3.0 * 300.0)
    assert ways["stored energy"].energy_mwh == pytest.approx(3.0)
    assert ways["discharge power"].worst_mw is None
    costs = [way.cost_ccy for way in solve(problem).relaxations]
    assert costs[-1] is None
    assert costs[:-1] == sorted(costs[:-1])


def test_a_site_without_battery_lacks_what_import_and_generation_do_not_give():
    answer = solve(small_problem(import_max_mw=np.array([30.0, 28.0, 30.0, 30.0])))
    assert (answer.clash.step, answer.clash.need_mw, answer.clash.have_mw) == (1, 30.0, 28.0)
    assert {way.limit: way.worst_mw for way in answer.relaxations} == pytest.approx(
        {"import limit": 2.0, "firm load": 2.0}
    )


def test_a_discharge_limit_is_named_when_energy_is_there_but_power_is_not():
    problem = small_problem(
        import_max_mw=np.full(4, 15.0), battery=lossless_battery(stored_max_mwh=90.0), stored_mwh=90.0
    )
    answer = solve(problem)
    assert answer.clash.limits == ("import limit", "firm load", "discharge power")
    assert _by_limit(answer)["discharge power"].worst_mw == pytest.approx(5.0)


def test_generation_that_nobody_takes_is_a_clash_of_its_own():
    generation = np.array([[95.0, 95.0]])
    problem = small_problem(
        import_cost_ccy_per_mwh=[40.0, 40.0],
        source_names=("nuclear",),
        source_cost_ccy_per_mwh=np.zeros((1, 2)),
        source_min_mw=generation,
        source_max_mw=generation,
    )
    answer = solve(problem)
    assert (answer.clash.step, answer.clash.need_mw, answer.clash.have_mw) == (0, 95.0, 80.0)
    assert answer.clash.limits == ("export limit", "generation minimum")
    assert _by_limit(answer)["export limit"].worst_mw == pytest.approx(15.0)


def test_stored_energy_outside_its_limits_is_the_callers_bug():
    with pytest.raises(AssertionError, match="stored_mwh must be within"):
        solve(small_problem(battery=lossless_battery(), stored_mwh=21.0))


def test_every_random_clash_lacks_something_and_has_a_way_out_or_says_none():
    seen = 0
    for seed in range(300):
        answer = solve(random_problem(seed, 60))
        if isinstance(answer, Infeasible):
            seen += 1
            assert answer.clash.have_mw < answer.clash.need_mw, f"seed {seed}"
            assert all(way.energy_mwh is None or way.energy_mwh > 0.0 for way in answer.relaxations), f"seed {seed}"
    assert seen > 5
