"""What a contributor to the terms in force is told: when, on which steps, and what is known."""

from typing import TYPE_CHECKING

import msgspec

from headrace.dispatch.allowance import StockState
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.outlook import Outlook
from headrace.energy.plant import UnitState

if TYPE_CHECKING:
    from headrace.dispatch.policies.proposal import Memory

__all__ = ["Asked", "hindsight"]


class Asked(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What terms are asked for."""

    now_s: int | None
    """Decision time, epoch seconds; None with hindsight."""
    inputs: Inputs
    """Every series of the site."""
    outlook: Outlook
    """Steps, and what is expected (or came) on them."""
    memory: "Memory | None"
    """What the policy keeps: reserve sold, alarms given; None with hindsight."""
    month_end_s: int | None
    """End of the local month that holds `now_s`, epoch seconds; None with hindsight."""
    stocks: tuple[StockState, ...]
    """What is used of each allowance of the site, in the order of `stocks_of`."""
    by_hand: bool
    """Asked by a rule of thumb, which sees only what binds today and no forecast of charges."""
    units: tuple[UnitState, ...] = ()
    """What each unit of the plant is doing; empty with hindsight."""


def hindsight(inputs: Inputs, outlook: Outlook) -> Asked:
    """Ask with everything that came in view."""
    return Asked(now_s=None, inputs=inputs, outlook=outlook, memory=None, month_end_s=None, stocks=(), by_hand=False)
