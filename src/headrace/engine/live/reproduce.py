"""A live journal run again: its facts as they are written, its decisions made anew; both must give the same bytes.

Facts are taken from the journal in their order. At each decision the policy is asked again with what had arrived by
then, unless the journal says that its answer came too late or failed: that is a fact, no computer is late twice in the
same way. A policy begins afresh wherever the engine did.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Policy, Proposal
from headrace.engine.live.moment import decision_of, moment_of, setpoints_digest, settle_interval, sight_of, stale_roles
from headrace.engine.live.records import Closed, Decided, LiveRecord, Resettled, Started
from headrace.engine.live.resettling import resettled
from headrace.engine.live.solver import answer_of
from headrace.engine.live.state import LiveState

__all__ = ["reproduced"]

STALE = "feed.stale."
"""How the reason begins that this run finds itself; every other absence of an answer is a fact."""


def reproduced(state: LiveState, records: Iterable[LiveRecord], planner: Callable[[], Policy]) -> Iterator[LiveRecord]:
    """Run a journal again.

    Parameters
    ----------
    state
        A state that nothing has happened in yet.
    records
        The journal's records, in order.
    planner
        Makes a fresh policy.

    Yields
    ------
    LiveRecord
        What this run would have written in the place of each.
    """
    policy = planner()
    for seq, record in enumerate(records, start=1):
        match record:
            case Started():
                policy = planner()
            case Decided():
                record = _decided(state, record, policy)  # noqa: PLW2901  made anew, in its place
            case Closed():
                cycle = settle_interval(state, record.cycle.reading, record.cycle.at_s)
                record = msgspec.structs.replace(record, cycle=cycle)  # noqa: PLW2901  likewise
            case Resettled() if record.statement.interval_start_s in state.provisional:
                record = resettled(state, record.statement.interval_start_s, record.at_us)  # noqa: PLW2901  likewise
            case _:
                pass
        state.absorb(seq, record)
        yield record


def _decided(state: LiveState, was: Decided, policy: Policy) -> Decided:
    """The decision that follows from what had arrived."""
    moment = moment_of(state.model.site, was.at_s)
    sight = sight_of(state, moment, is_anew=was.is_anew)
    answer: Proposal | Infeasible | None = None
    stale = [role for role in stale_roles(state, sight.now_s) if role in state.rules.deciding_roles]
    if stale:
        missing = f"{STALE}{stale[0]}"
    elif was.missing and not was.missing.startswith(STALE):
        missing = was.missing
    else:
        found = answer_of(policy, state.model, sight)
        answer, missing = (None, found) if isinstance(found, str) else (found, "")
    decision = decision_of(state, moment, answer, missing=missing)
    return Decided(
        at_us=was.at_us,
        at_s=was.at_s,
        proposal=answer if isinstance(answer, Proposal) else None,
        infeasible=answer if isinstance(answer, Infeasible) else None,
        missing=missing,
        mode=decision.setpoints.mode,
        reasons=decision.setpoints.reasons,
        setpoints_digest=setpoints_digest(decision),
        is_anew=was.is_anew,
    )
