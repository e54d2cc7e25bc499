"""The desk is the baseline of every headline, so it must not be made to buy what it could generate for less."""

from dataclasses import dataclass

import numpy as np
import pytest

from headrace.dispatch.policies.desk import _output


@dataclass
class _Now:
    """One interval's problem, as far as generation goes."""

    price: float
    costs: tuple[float, ...]
    must_run_mw: float = 0.0

    firm_mw = np.array([40.0])
    use_max_mw = np.array([[20.0], [30.0]])

    def __post_init__(self) -> None:
        self.import_cost_ccy_per_mwh = np.array([self.price + 5.0])
        self.export_value_ccy_per_mwh = np.array([self.price - 1.0])
        self.source_cost_ccy_per_mwh = np.array(self.costs).reshape(-1, 1)
        self.source_max_mw = np.full((len(self.costs), 1), 50.0)
        self.source_min_mw = np.full((len(self.costs), 1), self.must_run_mw)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (_Now(12.0, (10.0,)), (None,)),  # exporting pays
        (_Now(8.0, (10.0,)), (60.0,)),  # buying costs 13: generate for the load that is on, 40 + 20 MW
        (_Now(4.0, (10.0,)), (0.0,)),  # buying costs 9
        (_Now(8.0, (12.0, 10.0)), (10.0, 60.0)),  # the cheaper one first, up to its 50 MW
        (_Now(8.0, (20.0, 12.0), 15.0), (0.0, 60.0)),
    ],
)
def test_the_desk_generates_for_its_own_load_where_buying_costs_more(now, expected):
    assert _output(now, (True, False)) == pytest.approx(expected)
