"""Units started and stopped by the dynamic programme, against the mixed-integer programme in HiGHS."""

import highspy
import msgspec
import numpy as np
import pytest

from dispatch_cases import random_price
from headrace.dispatch.asked import Asked
from headrace.dispatch.commitment import commit, fixed_ccy, relaxed
from headrace.dispatch.commitment_runs import best_runs
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.lp.reference import build_reference
from headrace.dispatch.outlook import Outlook
from headrace.dispatch.plan import Plan
from headrace.dispatch.plant_terms import fuel_prices
from headrace.dispatch.problem import Problem
from headrace.dispatch.solve import solve
from headrace.dispatch.uses import model_of
from headrace.energy import Battery, Generator
from headrace.energy.plant import Plant, Unit, UnitState
from headrace.energy.series import Series
from replays import demo_site

HOUR_S = 3600
OBJECTIVE_RATIO = 1e-7


def unit_of(rng, name: str) -> Unit:
    least = float(rng.uniform(2.0, 6.0))
    return Unit(
        generator=name,
        minimum_mw=least,
        maximum_mw=float(rng.uniform(8.0, 20.0)),
        fuel_gj_per_mwh=float(rng.uniform(7.0, 9.0)),
        no_load_gj_per_h=float(rng.uniform(0.0, 15.0)),
        fuel_ccy_per_gj=float(rng.uniform(2.0, 6.0)),
        fuel_price=None,
        start_ccy=float(rng.choice([0.0, 150.0, 600.0])),
        start_gj=float(rng.uniform(0.0, 20.0)),
        start_s=0,
        up_min_s=int(rng.integers(0, 5)) * HOUR_S,
        down_min_s=int(rng.integers(0, 4)) * HOUR_S,
        run_max_h=None,
        run_used_h=0.0,
    )


def asked_of(price, units: int) -> Asked:
    """The question on hourly steps of these prices."""
    steps = len(price)
    starts_s = np.arange(steps, dtype=np.int64) * HOUR_S + 1_700_000_000
    outlook = Outlook(
        starts_s=starts_s,
        step_h=np.ones(steps),
        price_ccy_per_mwh=price,
        temp_c=np.zeros(steps),
        hashprice_ccy_per_phs_day=np.zeros(steps),
        demand_per_s=np.zeros((0, steps)),
        available_ratio=np.ones((units, steps)),
    )
    series = Series(
        name="", unit="", step_s=HOUR_S, start_s=int(starts_s[0]), values=price, known_s=starts_s, source=""
    )
    inputs = Inputs(
        real_time=series,
        day_ahead=None,
        temperature=None,
        bitcoin_price=None,
        difficulty=None,
        block_reward=None,
        carbon=None,
        profiles={},
    )
    return Asked(
        now_s=int(starts_s[0]), inputs=inputs, outlook=outlook, memory=None, month_end_s=None, stocks=(), by_hand=False
    )


def case(seed: int, *, units: int, battery: bool):
    """A day in hours at a site with units beside two uses."""
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(6, 25))
    price = random_price(rng, steps)
    names = tuple(f"unit {u}" for u in range(units))
    plant = Plant(
        units=tuple(unit_of(rng, name) for name in names),
        transformers=(),
        is_n_minus_1=False,
        feeders=(),
        outages=(),
        non_firm=None,
        ups=(),
    )
    generators = tuple(
        Generator(
            name=unit.generator,
            kind="gas",
            capacity_mw=unit.maximum_mw,
            marginal_cost_ccy_per_mwh=0.0,
            must_run_ratio=0.0,
            profile=None,
        )
        for unit in plant.units
    )
    store = Battery(
        charge_max_mw=10.0,
        discharge_max_mw=10.0,
        stored_min_mwh=0.0,
        stored_max_mwh=20.0,
        stored_start_mwh=10.0,
        charge_efficiency_ratio=0.92,
        discharge_efficiency_ratio=0.92,
        wear_ccy_per_mwh=8.0,
    )
    site = msgspec.structs.replace(demo_site().site, plant=plant, generators=generators)
    cost = np.array([[unit.fuel_gj_per_mwh * unit.fuel_ccy_per_gj] * steps for unit in plant.units])
    problem = Problem(
        step_h=np.ones(steps),
        import_cost_ccy_per_mwh=price + 4.0,
        export_value_ccy_per_mwh=price - 2.0,
        import_max_mw=np.full(steps, float(rng.choice([25.0, 60.0]))),
        export_max_mw=np.full(steps, float(rng.choice([0.0, 5.0, 40.0]))),
        firm_mw=np.full(steps, 15.0),
        use_names=("a", "b"),
        use_value_ccy_per_mwh=np.array([[120.0] * steps, [60.0] * steps]) * rng.uniform(0.9, 1.1, (2, steps)),
        use_max_mw=np.full((2, steps), 12.0),
        source_names=names,
        source_cost_ccy_per_mwh=cost,
        source_min_mw=np.zeros((units, steps)),
        source_max_mw=np.array([[unit.maximum_mw] * steps for unit in plant.units]),
        battery=store if battery else None,
        stored_mwh=10.0 if battery else 0.0,
        end_value_ccy_per_mwh=float(price.mean()) if battery else 0.0,
        peak=None,
    )
    return model_of(site), problem, asked_of(price, units)


def late(columns, count: int):
    """The columns `count` steps earlier; -1 where there is none."""
    return np.concatenate(([-1] * count, columns[: len(columns) - count])).astype(np.int64)


def mixed_integer(problem, units) -> float:
    """Optimum of the mixed-integer programme."""
    model = build_reference(problem)
    steps = problem.steps
    for u, unit in enumerate(units):
        fuel = unit.fuel_ccy_per_gj
        model.add_columns(f"on {u}", (steps,), value=-unit.no_load_gj_per_h * fuel, low=0.0, high=1.0)
        start = unit.start_ccy + unit.start_gj * fuel
        model.add_columns(f"start {u}", (steps,), value=-start, low=0.0, high=1.0)
        on, begin, output = model.columns[f"on {u}"], model.columns[f"start {u}"], model.columns["source"][u]
        before = np.concatenate(([-1], on[:-1]))
        model.add_rows(f"most {u}", steps, low=-np.inf, high=0.0, entries=[(output, 1.0), (on, -unit.maximum_mw)])
        model.add_rows(f"least {u}", steps, low=0.0, high=np.inf, entries=[(output, 1.0), (on, -unit.minimum_mw)])
        model.add_rows(f"starts {u}", steps, low=0.0, high=np.inf, entries=[(begin, 1.0), (on, -1.0), (before, 1.0)])
        up, down = unit.up_min_s // HOUR_S, unit.down_min_s // HOUR_S
        model.add_rows(
            f"up {u}", steps, low=-np.inf, high=0.0,
            entries=[(on, -1.0), *((late(begin, k), 1.0) for k in range(min(max(up, 1), steps)))],
        )  # fmt: skip
        for k in range(2, down + 1):
            # off at t after on at t-1 stays off: on_{t+k-1} <= 1 - (on_{t-1} - on_t)
            rows = np.arange(1, steps - k + 1)
            if rows.size:
                model.add_rows(
                    f"down {u} {k}", rows.size, low=-np.inf, high=1.0,
                    entries=[(on[rows - 1], 1.0), (on[rows], -1.0), (on[rows + k - 1], 1.0)],
                )  # fmt: skip
    highs = model.to_highs()
    highs.setOptionValue("mip_rel_gap", 1e-9)
    highs.setOptionValue("solver", "choose")
    for u in range(len(units)):
        for column in (*model.columns[f"on {u}"], *model.columns[f"start {u}"]):
            highs.changeColIntegrality(int(column), highspy.HighsVarType.kInteger)
    highs.run()
    return highs.getObjectiveValue() if highs.getModelStatus() == highspy.HighsModelStatus.kOptimal else -np.inf


def committed_ccy(model, problem, asked) -> float:
    """Objective under the chosen commitment, fixed costs off."""
    units = model.site.plant.units
    under = commit(model, problem, asked)
    plan = solve(under, explain=False)
    if not isinstance(plan, Plan):
        return -np.inf
    fuel = fuel_prices(model, asked.inputs, asked.now_s, asked.outlook.starts_s)
    fixed = 0.0
    for u, unit in enumerate(units):
        on = under.unit_is_on[u].astype(int)
        starts = int((np.diff(np.concatenate(([0], on))) > 0).sum())
        fixed += starts * (unit.start_ccy + unit.start_gj * fuel[u, 0]) + on.sum() * unit.no_load_gj_per_h * fuel[u, 0]
    return plan.objective_ccy - fixed


@pytest.mark.parametrize("batch", range(4))
def test_one_unit_without_storage_is_committed_optimally(batch):
    for seed in range(batch * 12, batch * 12 + 12):
        model, problem, asked = case(seed, units=1, battery=False)
        best = mixed_integer(problem, model.site.plant.units)
        found = committed_ccy(model, problem, asked)
        assert abs(found - best) <= OBJECTIVE_RATIO * max(1.0, abs(best)), f"seed {seed}: {found} against {best}"


def test_units_beside_a_battery_stay_close_to_the_mixed_integer_optimum(capsys):
    gaps = []
    for seed in range(60):
        model, problem, asked = case(seed, units=1 + seed % 3, battery=True)
        units = model.site.plant.units
        best = mixed_integer(problem, units)
        found = committed_ccy(model, problem, asked)
        free = relaxed(model, problem, fuel_prices(model, asked.inputs, None, asked.outlook.starts_s))
        bound = solve(free, explain=False)
        assert isinstance(bound, Plan)
        assert found <= best + OBJECTIVE_RATIO * abs(best), f"seed {seed}"
        assert best <= bound.objective_ccy + OBJECTIVE_RATIO * abs(bound.objective_ccy), f"seed {seed}"
        alone = solve(
            msgspec.structs.replace(problem, source_max_mw=np.zeros_like(problem.source_max_mw)), explain=False
        )
        floor = alone.objective_ccy if isinstance(alone, Plan) else found
        assert found >= floor - 1e-6 * abs(floor), f"seed {seed}: worse than without units"
        gain = best - floor
        gaps.append((best - found) / gain if gain > 1.0 else 0.0)
    gaps = np.array(gaps)
    with capsys.disabled():
        print(f"\ncommitment: gap of the units' gain, mean {gaps.mean():.2%}, worst {gaps.max():.2%}")
    assert gaps.mean() < 0.02


def test_a_run_keeps_minimum_times_from_where_it_stands():
    rng = np.random.default_rng(3)
    unit = msgspec.structs.replace(unit_of(rng, "u"), up_min_s=3 * HOUR_S, down_min_s=2 * HOUR_S, start_s=1800)
    bounds = np.arange(49, dtype=np.int64) * 1800 + 1_700_000_000
    for trial in range(50):
        gain = np.random.default_rng(trial).normal(0.0, 100.0, 48)
        since = int(bounds[0]) - int(rng.integers(0, 6)) * 1800
        state = UnitState(is_on=bool(trial % 2), since_s=since)
        runs = best_runs(gain, np.full(48, 30.0), bounds, unit, state)
        switched, is_on = since, state.is_on
        for t, on in enumerate(runs.is_on):
            if on != is_on:
                least = unit.up_min_s if is_on else unit.down_min_s
                assert bounds[t] - switched >= least
                switched, is_on = bounds[t], on
            assert not runs.is_ready[t] or (on and bounds[t] >= switched + unit.start_s)


def test_fixed_costs_count_starts_and_hours_at_work():
    model, problem, asked = case(1, units=1, battery=False)
    unit = model.site.plant.units[0]
    steps = problem.steps
    bounds = np.append(asked.outlook.starts_s, asked.outlook.starts_s[-1] + HOUR_S)
    runs = best_runs(np.ones(steps) * 1e4, np.zeros(steps), bounds, unit, UnitState())
    fuel = np.full((1, steps), unit.fuel_ccy_per_gj)
    expected = unit.start_ccy + fuel[0, 0] * (unit.start_gj + unit.no_load_gj_per_h * steps)
    assert fixed_ccy((unit,), [runs], fuel, problem.step_h) == pytest.approx(expected)
