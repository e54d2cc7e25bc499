"""The rules compared in every replay, all on the same assets; each sees only what was known.

docs/reference/policies.md states them in words.
"""

from headrace.dispatch.policies.always_on import AlwaysOn
from headrace.dispatch.policies.bound import Bound
from headrace.dispatch.policies.desk import Desk
from headrace.dispatch.policies.proposal import Memory, Policy, Proposal, Sight
from headrace.dispatch.policies.rolling import Rolling
from headrace.dispatch.policies.stochastic import Stochastic

__all__ = ["AlwaysOn", "Bound", "Desk", "Memory", "Policy", "Proposal", "Rolling", "Sight", "Stochastic"]
