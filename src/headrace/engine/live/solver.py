"""Where a plan is made: beside the loop, so that nothing waits for it, and only as long as it may take."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Policy, Proposal, Sight
from headrace.dispatch.uses import SiteModel
from headrace.engine.clock import Clock

__all__ = ["LATE", "Answer", "InlineSolver", "Solver", "ThreadSolver", "answer_of"]

LATE = "plan.late"
"""Why there is no answer: it took longer than it may."""

Answer = Proposal | Infeasible | str
"""What a policy asks for, why it can't, or the reason code of no answer at all."""


class Solver(Protocol):
    """Asks a policy for an answer within a time."""

    async def solve(self, model: SiteModel, sight: Sight, until_s: float) -> Answer:
        """Answer by `until_s`, epoch seconds, or a reason why there is none."""
        ...


class InlineSolver:
    """Asks at once, in the loop: for simulated clocks, on which a plan takes no time.

    Parameters
    ----------
    policy
        Who answers.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    async def solve(self, model: SiteModel, sight: Sight, until_s: float) -> Answer:
        """Answer now."""
        return answer_of(self._policy, model, sight)


class ThreadSolver:
    """Asks in a thread of its own; one that is still at the last question is late with this one too.

    Parameters
    ----------
    policy
        Who answers.
    clock
        What the deadline is told by.
    """

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="headrace-solver")
        self._asked: asyncio.Future[Answer] | None = None

    async def solve(self, model: SiteModel, sight: Sight, until_s: float) -> Answer:
        """Answer by `until_s`, or say that it is late."""
        if self._asked is not None and not self._asked.done() and not await self._within(self._asked, until_s):
            return LATE
        loop = asyncio.get_running_loop()
        self._asked = loop.run_in_executor(self._pool, answer_of, self._policy, model, sight)
        return self._asked.result() if await self._within(self._asked, until_s) else LATE

    def close(self) -> None:
        """Let the thread go; it ends with its question."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _within(self, asked: "asyncio.Future[Answer]", until_s: float) -> bool:
        """Did it answer in time?"""
        bell = asyncio.ensure_future(self._clock.sleep_until(until_s))
        waiting: set[asyncio.Future[Any]] = {asked, bell}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            bell.cancel()
        return asked.done()


def answer_of(policy: Policy, model: SiteModel, sight: Sight) -> Answer:
    """Ask a policy; one that fails gives a reason code, and the ladder goes on below it."""
    try:
        return policy.propose(model, sight)
    except Exception as error:  # noqa: BLE001  whatever a planner does, the site is run: the journal says what it was
        return f"plan.failed.{type(error).__name__}"
