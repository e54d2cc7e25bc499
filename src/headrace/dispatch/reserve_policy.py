"""A policy that also sells reserve: it offers before the market's gate and keeps what the market answers.

Awards live in the policy's memory, so they are journalled and reach every plan through the terms in force. The bound
is given its awards by hindsight instead.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies.proposal import Policy, Proposal, Sight
from headrace.dispatch.reserve import HOUR_S, Award, Offer, ReserveBook
from headrace.dispatch.reserve_clearing import answered
from headrace.dispatch.uses import SiteModel
from headrace.energy.reserves import product_at

__all__ = ["Released", "Selling"]

RELEASE_S: Final = 24 * HOUR_S
"""How often hindsight hands over awards, seconds."""
RELEASE_AHEAD_S: Final = 36 * HOUR_S
"""How far ahead it does."""

Offering = Callable[[SiteModel, Sight], tuple[Offer, ...]]
"""Makes a policy's offers for the next local day."""


class Selling:
    """A policy with an offering rule."""

    def __init__(self, inner: Policy, offering: Offering) -> None:
        self.name = inner.name
        self._inner = inner
        self._offering = offering

    def propose(self, model: SiteModel, sight: Sight) -> Proposal | Infeasible:
        """Ask as the inner policy does, under what is sold."""
        book = sight.memory.reserve
        if book.offers:
            book = answered(model, sight, book)
        if _is_due(model, sight, book):
            book = msgspec.structs.replace(book, offered_until_s=sight.day_end_s, offers=self._offering(model, sight))
        return _propose_with(self._inner, model, sight, book)


class Released:
    """A policy whose awards are known beforehand: hindsight."""

    def __init__(self, inner: Policy, awards: tuple[Award, ...]) -> None:
        self.name = inner.name
        self._inner = inner
        self._awards = awards

    def propose(self, model: SiteModel, sight: Sight) -> Proposal | Infeasible:
        """Ask as the inner policy does, under what is sold."""
        book = sight.memory.reserve
        if sight.now_s >= book.offered_until_s:
            awards = tuple(a for a in self._awards if sight.now_s - HOUR_S < a.start_s < sight.now_s + RELEASE_AHEAD_S)
            book = ReserveBook(offered_until_s=sight.now_s + RELEASE_S, awards=awards)
        return _propose_with(self._inner, model, sight, book)


def _is_due(model: SiteModel, sight: Sight, book: ReserveBook) -> bool:
    """Is this the hour of the offers, and are they still to be made?"""
    if sight.day_end_s <= book.offered_until_s or sight.day_end_s >= sight.end_s:
        return False
    products = [product_at(reserve, sight.day_end_s) for reserve in model.site.reserves]
    return any(product is not None and product.offer_hour_local == sight.hour_local for product in products)


def _propose_with(inner: Policy, model: SiteModel, sight: Sight, book: ReserveBook) -> Proposal | Infeasible:
    if book is sight.memory.reserve:
        return inner.propose(model, sight)
    memory = msgspec.structs.replace(sight.memory, reserve=book)
    proposal = inner.propose(model, msgspec.structs.replace(sight, memory=memory))
    if isinstance(proposal, Proposal) and proposal.memory is None:
        return msgspec.structs.replace(proposal, memory=memory)
    return proposal
