"""Perfect foresight: the plan of the whole period with everything that really came. No policy can beat it."""

import msgspec

from headrace.dispatch.assemble import problem_id
from headrace.dispatch.plan import Plan
from headrace.dispatch.policies.proposal import Proposal, Sight
from headrace.dispatch.policies.rolling import first_step
from headrace.dispatch.problem import Problem
from headrace.dispatch.uses import SiteModel

__all__ = ["Bound"]


class Bound:
    """Policy `bound`: reads off a plan made with hindsight."""

    name = "bound"

    def __init__(self, problem: Problem, plan: Plan, start_s: int) -> None:
        """Take the whole period's problem, its optimum and the period's start in epoch seconds."""
        self._problem = problem
        self._plan = plan
        self._start_s = start_s
        self._question = problem_id(problem)

    def propose(self, model: SiteModel, sight: Sight) -> Proposal:
        """Ask for exactly what the optimum does in this interval."""
        step = (sight.now_s - self._start_s) // model.site.control_step_s
        proposal = first_step(model, self._problem, self._plan, step, self._question)
        return msgspec.structs.replace(
            proposal,
            use_limit_mw=tuple(self._plan.use_mw[:, step].tolist()),
            source_limit_mw=tuple(self._plan.source_mw[:, step].tolist()),
            may_fill=(False,) * len(model.uses),
        )
