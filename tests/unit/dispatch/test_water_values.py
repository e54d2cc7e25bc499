"""Water values under an uncertain price, against a slow readable twin on value functions with their constants."""

import numpy as np
import pytest

from headrace.dispatch.arrays import battery_row
from headrace.dispatch.kernel.merit import sort_blocks
from headrace.dispatch.kernel.path import solve_path
from headrace.dispatch.kernel.stage import build_stages, stage
from headrace.dispatch.kernel.water import blend, state_weights, water_curves
from headrace.energy import Battery

BATTERY = battery_row(
    Battery(
        charge_max_mw=3.0,
        discharge_max_mw=4.0,
        stored_min_mwh=1.0,
        stored_max_mwh=9.0,
        stored_start_mwh=4.0,
        charge_efficiency_ratio=0.9,
        discharge_efficiency_ratio=0.92,
        wear_ccy_per_mwh=5.0,
    )
)
STATES, STEPS, END_VALUE = 3, 8, 31.0
SEEDS = range(12)


class Case:
    """A random site of two uses, export and import, and a chain of three states in two alternating hours."""

    def __init__(self, seed: int, spread: float = 60.0) -> None:
        generator = np.random.default_rng(seed)
        market = generator.normal(40.0, 35.0, STEPS)
        self.price = np.column_stack((generator.uniform(60, 300, (STEPS, 2)), market - 2.0, market + 4.0))
        self.width = np.column_stack((generator.uniform(0, 3, (STEPS, 2)), np.full(STEPS, 5.0), np.full(STEPS, 9.0)))
        self.need = generator.uniform(0.5, 4.0, STEPS) - 9.0
        self.step_h = generator.choice([0.25, 1.0], STEPS)
        self.hour = np.arange(STEPS) % 2
        self.deviation = np.sort(generator.normal(0.0, spread, (2, STATES)), axis=1)
        self.transition = generator.dirichlet(np.ones(STATES), (2, STATES))

    def curves(self, cells: int) -> np.ndarray:
        """Slopes of W from the compiled path, shape (T, N, M)."""
        curve = np.full((STEPS, STATES, cells), np.nan)
        stopped = water_curves(
            self.step_h, self.price, self.width, self.need, np.zeros(STEPS), 2, BATTERY, self.hour,
            self.deviation, self.transition, END_VALUE, curve,
        )  # fmt: skip
        assert stopped == -1
        return curve

    def stage(self, t: int, state: int) -> tuple[np.ndarray, np.ndarray]:
        """What releasing energy earns in a step: knots in MWh and values there."""
        price = self.price[[t]].copy()
        price[0, 2:] += self.deviation[self.hour[t], state]
        order = np.arange(4).reshape(1, 4)
        slope, piece, frame = np.empty((1, 8)), np.empty((1, 8)), np.empty((1, 5))
        sort_blocks(price, order, 0)
        # An import of full width costs its price; the base makes values comparable over states.
        base = -price[0, 3] * self.width[t, 3]
        count = stage(
            price, self.width[[t]], order, 0, self.need[t], base, self.step_h[t], BATTERY, slope, piece, frame
        )
        knots = frame[0, 0] + np.concatenate(([0.0], np.cumsum(piece[0, :count])))
        return knots, frame[0, 2] + np.concatenate(([0.0], np.cumsum(slope[0, :count] * piece[0, :count])))


def best(stored: np.ndarray, knots: np.ndarray, worth: np.ndarray, after: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Max over x of g(x) + V(s − x) for each s, by trying every kink of either: where a maximum of both must lie."""
    tried = np.concatenate((np.repeat(knots[None], len(stored), 0), stored[:, None] - after[None]), axis=1)
    left = stored[:, None] - tried
    total = np.interp(tried, knots, worth) + np.interp(left, after, value)
    fits = (tried >= knots[0] - 1e-9) & (tried <= knots[-1] + 1e-9)
    fits &= (left >= after[0] - 1e-9) & (left <= after[-1] + 1e-9)
    return np.where(fits, total, -np.inf).max(axis=1)


def slow_values(case: Case, grid: np.ndarray) -> tuple[np.ndarray, float]:
    """V_0 at the grid's points, with V interpolated between them after each step, and the most that can have lost."""
    value = np.tile(END_VALUE * grid, (STATES, 1))
    lost = 0.0
    fine = np.linspace(grid[0], grid[-1], 16 * (len(grid) - 1) + 1)
    for t in range(STEPS - 1, -1, -1):
        expected = case.transition[case.hour[t]] @ value
        parts = [case.stage(t, i) for i in range(STATES)]
        value = np.array([best(grid, *parts[i], grid, expected[i]) for i in range(STATES)])
        exact = np.array([best(fine, *parts[i], grid, expected[i]) for i in range(STATES)])
        lost += max((exact[i] - np.interp(fine, grid, value[i])).max() for i in range(STATES))
    return value, lost


@pytest.mark.parametrize("seed", SEEDS)
def test_the_compiled_curves_equal_the_slow_twin(seed):
    case, cells = Case(seed), 16
    grid = np.linspace(BATTERY[5], BATTERY[6], cells + 1)
    value, _ = slow_values(case, grid)
    expected = case.curves(cells)[0]
    ahead = case.transition[0] @ value  # one more step back, so that W of a case shifted by one is V of this one
    longer = Case(seed)
    for name in ("price", "width", "need", "step_h", "hour"):
        array = getattr(case, name)
        setattr(longer, name, np.concatenate((array[:1], array)))
    curve = np.empty((STEPS + 1, STATES, cells))
    water_curves(
        longer.step_h, longer.price, longer.width, longer.need, np.zeros(STEPS + 1), 2, BATTERY, longer.hour,
        case.deviation, case.transition, END_VALUE, curve,
    )  # fmt: skip
    np.testing.assert_allclose(curve[0] * np.diff(grid), np.diff(ahead, axis=1), atol=1e-6)
    np.testing.assert_allclose(curve[1], expected, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_cells_lower_the_value_by_no_more_than_the_bound(seed):
    case = Case(seed)
    coarse, fine = (np.linspace(BATTERY[5], BATTERY[6], cells + 1) for cells in (16, 256))
    (value, lost), (nearly, lost_fine) = slow_values(case, coarse), slow_values(case, fine)
    gap = nearly[:, ::16] - value
    assert gap.min() >= -1e-6
    assert gap.max() <= lost + 1e-6
    assert lost_fine < 0.1 * lost or lost < 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_water_values_never_rise_with_stored_energy(seed):
    assert (np.diff(Case(seed).curves(24), axis=2) <= 1e-9).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_without_deviations_every_state_has_the_plan_of_the_base_price(seed):
    case, cells = Case(seed, spread=0.0), 64
    alone = Case(seed, spread=0.0)
    alone.transition = np.tile(np.eye(STATES), (2, 1, 1))
    curve = case.curves(cells)
    np.testing.assert_allclose(curve, alone.curves(cells), atol=1e-9)
    np.testing.assert_allclose(curve[:, 1:], curve[:, :-1], atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_deviations_the_worth_is_that_of_the_exact_plan(seed):
    case = Case(seed, spread=0.0)
    grid = np.linspace(BATTERY[5], BATTERY[6], 33)
    value, lost = slow_values(case, grid)
    rows = [np.empty((STEPS, 8)), np.empty((STEPS, 8)), np.empty(STEPS, np.int64), np.empty((STEPS, 5))]
    order = np.tile(np.arange(4), (STEPS, 1))
    base = -case.price[:, 3] * case.width[:, 3]
    price = case.price.copy()
    price[:, 2:] += case.deviation[case.hour, :1]
    build_stages(0, STEPS, case.step_h, price, case.width, case.need, base, BATTERY, order, *rows)
    span = np.array([BATTERY[6] - BATTERY[5]])
    for k in range(0, len(grid), 4):
        feasible, exact = solve_path(
            *rows, BATTERY[5], BATTERY[6], grid[k], np.array([END_VALUE]), span, END_VALUE * BATTERY[5],
            np.empty(STEPS + 1),
        )  # fmt: skip
        assert feasible
        assert -1e-6 <= exact - value[0, k] <= lost + 1e-6


def test_a_step_that_needs_the_store_is_named():
    case = Case(0)
    case.need[3] = 1.0  # more than import can carry
    stopped = water_curves(
        case.step_h, case.price, case.width, case.need, np.zeros(STEPS), 2, BATTERY, case.hour,
        case.deviation, case.transition, END_VALUE, np.empty((STEPS, STATES, 8)),
    )  # fmt: skip
    assert stopped == 3


def test_a_deviation_between_two_states_belongs_to_both():
    deviation = np.array([[-10.0, 0.0, 30.0]])
    chain = np.eye(3)[None]
    for seen, chances in ((-50.0, [1, 0, 0]), (10.0, [0, 2 / 3, 1 / 3]), (30.0, [0, 0, 1]), (99.0, [0, 0, 1])):
        weight = state_weights(deviation, chain, seen, 0, np.empty(0, np.int64))
        assert weight == pytest.approx(chances)


def test_the_chain_runs_once_for_each_interval_since():
    deviation = np.array([[0.0, 100.0]] * 2)
    chain = np.array([[[0.9, 0.1], [0.5, 0.5]], [[1.0, 0.0], [0.2, 0.8]]])
    weight = state_weights(deviation, chain, 100.0, 0, np.array([0, 1]))
    assert weight == pytest.approx([0.0, 1.0] @ chain[0] @ chain[1])
    out = np.empty(2)
    blend(np.array([[8.0, 6.0], [4.0, 2.0]]), weight, out)
    assert out == pytest.approx(weight @ np.array([[8.0, 6.0], [4.0, 2.0]]))
