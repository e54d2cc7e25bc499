"""Why a horizon can't be served."""

from headrace.dispatch.plan import Clash, Infeasible
from headrace.dispatch.problem import Problem


def explain_infeasible(problem: Problem) -> Infeasible:
    """Stub."""
    return Infeasible(clash=Clash(step=0, need_mw=0.0, have_mw=0.0, limits=()), relaxations=())
