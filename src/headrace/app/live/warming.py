"""A planner that answers in time at its first question: compiled code is loaded before the site's clock asks."""

from typing import Final

from headrace.app.live.plan import LivePlan
from headrace.engine.live.moment import moment_of, sight_of
from headrace.engine.live.records import Arrived
from headrace.engine.live.solver import answer_of

__all__ = ["warm_up"]

DAYS: Final = 8
LEVEL: Final = 20.0
"""A value that is possible in every role: nobody acts on the answer."""


def warm_up(plan: LivePlan, now_s: int) -> None:
    """Ask a planner of the same kind once about made-up data, and forget what it says."""
    step_s, at_s = 3600, now_s // plan.model.site.control_step_s * plan.model.site.control_step_s
    state, start_s = plan.state(), at_s // 3600 * 3600 - DAYS * 86_400
    count = (DAYS + 2) * 24
    known_s = tuple(min(start_s + n * step_s, at_s) for n in range(count))
    for seq, role in enumerate(plan.loaded.feeds, start=1):
        state.absorb(
            seq,
            Arrived(
                at_us=at_s * 1_000_000,
                role=role,
                unit="",
                step_s=step_s,
                start_s=start_s,
                values=(LEVEL,) * count,
                known_s=known_s,
                source="made up",
            ),
        )
    answer_of(plan.planner(), plan.model, sight_of(state, moment_of(plan.model.site, at_s)))
