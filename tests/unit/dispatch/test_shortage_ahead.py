"""A shortage later in the window doesn't stop the site now: the plan saves for it."""

import numpy as np

from dispatch_cases import lossless_battery, small_problem
from headrace.dispatch.plan import Infeasible, Plan
from headrace.dispatch.policies.rolling import plan_towards_shortage
from headrace.dispatch.solve import solve


def short_in_the_last_hour():
    """10 MW of import, 8 firm, then 14 firm; 4 MW mining worth 90; 3 MWh of room in the battery."""
    return small_problem(
        step_h=np.ones(3),
        import_cost_ccy_per_mwh=np.full(3, 30.0),
        export_value_ccy_per_mwh=np.full(3, 20.0),
        import_max_mw=np.full(3, 10.0),
        export_max_mw=np.zeros(3),
        firm_mw=np.array([8.0, 8.0, 14.0]),
        use_names=("mining",),
        use_value_ccy_per_mwh=np.full((1, 3), 90.0),
        use_max_mw=np.full((1, 3), 4.0),
        source_names=(),
        source_cost_ccy_per_mwh=np.zeros((0, 3)),
        source_min_mw=np.zeros((0, 3)),
        source_max_mw=np.zeros((0, 3)),
        battery=lossless_battery(stored_max_mwh=3.0, charge_max_mw=5.0, discharge_max_mw=5.0),
        stored_mwh=0.0,
        end_value_ccy_per_mwh=0.0,
        peak=None,
    )


def test_a_shortage_ahead_leaves_mining_on_and_fills_the_battery():
    problem = short_in_the_last_hour()
    infeasible = solve(problem)
    assert isinstance(infeasible, Infeasible)
    assert infeasible.clash.step == 2
    plan = plan_towards_shortage(problem, infeasible)
    assert isinstance(plan, Plan)
    assert plan.use_mw.shape == (1, 3)
    assert plan.stored_mwh[2] == 3.0  # all the battery holds goes to the firm load
    assert plan.discharge_mw[2] == 3.0
    assert plan.use_mw[0, 2] == 0.0
    assert plan.use_mw[0, :2].sum() == 1.0  # 2 MW to spare in two hours, less 3 MWh stored


def test_a_shortage_now_is_left_to_the_safe_rule():
    problem = short_in_the_last_hour()
    now = small_problem(
        **{name: getattr(problem, name) for name in problem.__struct_fields__ if name != "firm_mw"},
        firm_mw=np.array([14.0, 8.0, 8.0]),
    )
    infeasible = solve(now)
    assert isinstance(infeasible, Infeasible)
    assert plan_towards_shortage(now, infeasible) is infeasible
