"""Which assets give up power, and in which order: the least worth first, feeder by feeder, no more than is asked.

    gives_mw = drawn - standby of an asset that runs, is heard, is not locked and has not been caught refusing or lying

The order is worth, then feeder (the one that gives most first, so that few meters have to judge), then name. A load is
taken only by an authority that the ladder lets take it; firm leases come after everything else. The last asset is
capped where it can be, and whatever turns out not to be needed after it is spared, best first, so that without any one
of the assets commanded the target would be missed.

Only power that is believed to follow is counted. In an emergency that falls short, assets in doubt are told too, and
counted for nothing.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.authority import NO_EXCEPTIONS, LadderRules, is_emergency, may_take
from headrace.control.command_book import CommandBook
from headrace.control.commands import Action, Command
from headrace.control.fleet import FleetState
from headrace.control.layout import Layout
from headrace.control.orders import Order

__all__ = ["SLACK_MW", "Shedding", "flexible_mw", "shed"]

SLACK_MW: Final = 1e-9
"""Power below this is rounding: a thousandth of a watt."""


class Shedding(msgspec.Struct, frozen=True, kw_only=True):
    """What is told to whom, and what it is expected to bring."""

    commands: tuple[Command, ...]
    """In the order they are to be sent."""
    expected_mw: float
    """Power that the commands take off if everything believed holds, MW."""
    short_mw: float
    """What could not be found, MW."""
    reasons: tuple[str, ...]
    """Why it falls short, and what was done about it."""


def shed(
    layout: Layout,
    fleet: FleetState,
    worth_ccy_per_mwh_of_load: dict[str, float],
    mw: float,
    *,
    order: Order,
    record: str,
    now_us: int,
    rules: LadderRules = NO_EXCEPTIONS,
) -> Shedding:
    """Choose what gives up power.

    Parameters
    ----------
    layout, fleet
        The assets, and what is believed of them.
    worth_ccy_per_mwh_of_load
        What a MWh at the bus is worth in each load now, by its name; a battery's by its own load's name.
    mw
        Power to take off, MW; infinite for all that there is.
    order
        Who asks, with what authority, on which feeder.
    record
        Id of the record that this decision is, which the commands' ids are made from.
    now_us
        Now, epoch microseconds.
    rules
        What the site declares of its ladder.
    """
    emergency = is_emergency(order.authority)
    is_asked = _is_asked(layout, order, rules)
    give_mw = np.where(is_asked, flexible_mw(layout, fleet, rules), 0.0)
    worths = layout.worth_ccy_per_mwh(worth_ccy_per_mwh_of_load)
    if emergency:
        worths[list(layout.batteries)] = -np.inf  # faster than anything, and it interrupts nobody
    reason = f"order.{order.authority.name.lower()}.shed"
    chosen, last_gives_mw = _choose(give_mw, _in_order(layout, give_mw, worths, rules), mw)
    book = CommandBook(record, reason, now_us=now_us, life_s=rules.command_life_s)
    expected_mw = _tell(layout, fleet, book, give_mw, chosen, last_gives_mw)
    if expected_mw > mw + SLACK_MW:
        expected_mw -= _spare(book, give_mw, chosen, expected_mw - mw)

    short_mw = 0.0 if mw == np.inf else max(0.0, mw - expected_mw)
    reasons = (f"{reason}.short",) if short_mw > SLACK_MW else ()
    if mw > expected_mw + SLACK_MW:
        is_doubted = is_asked & layout.is_load & ~fleet.is_locked & (fleet.runs != 0) & (give_mw <= SLACK_MW)
        doubted = np.flatnonzero(is_doubted)
        if emergency and doubted.size:
            reasons = (*reasons, f"{reason}.uncounted")
            book.tell_all(layout, doubted.tolist(), Action.STOP)
    return Shedding(commands=book.commands, expected_mw=expected_mw, short_mw=short_mw, reasons=reasons)


def flexible_mw(layout: Layout, fleet: FleetState, rules: LadderRules = NO_EXCEPTIONS) -> NDArray[np.float64]:
    """Power that each asset is believed to give up when told, MW, shape (N,): what it draws above standby.

    A battery gives what it charges and what it could feed, unless its state of charge is low or unknown.
    """
    can_give = layout.is_load & (fleet.runs == 1) & fleet.is_trusted()
    give_mw = np.where(can_give, np.maximum(fleet.drawn_mw - layout.standby_mw, 0.0), 0.0)
    soc_ratio = None if fleet.battery is None else fleet.battery.soc_ratio
    if soc_ratio is not None:
        for i in layout.batteries:
            feeds_mw = float(layout.full_mw[i]) if soc_ratio > rules.soc_min_ratio else 0.0
            if fleet.is_trusted()[i]:
                give_mw[i] = max(float(fleet.drawn_mw[i]) + feeds_mw, 0.0)
    give_mw[give_mw <= SLACK_MW] = 0.0
    return np.asarray(give_mw, np.float64)


def _is_asked(layout: Layout, order: Order, rules: LadderRules) -> NDArray[np.bool_]:
    """Which assets this authority may take, and the order is about; shape (N,)."""
    takes = np.array([may_take(rules, order.authority, load) for load in layout.load_names], np.bool_)
    is_asked = takes[layout.load_of]
    if order.feeder:
        is_asked &= layout.feeder_of == layout.feeder_position[order.feeder]
    return np.asarray(is_asked, np.bool_)


def _in_order(
    layout: Layout, give_mw: NDArray[np.float64], worth_ccy_per_mwh: NDArray[np.float64], rules: LadderRules
) -> NDArray[np.int64]:
    """Positions of what gives anything: firm leases last, then by worth, then feeder by feeder."""
    firm_rank = np.array([rules.firm.index(load) + 1 if load in rules.firm else 0 for load in layout.load_names])
    own = np.flatnonzero(give_mw > 0.0)
    _, worth_class = np.unique(worth_ccy_per_mwh[own], return_inverse=True)
    group = worth_class * len(layout.base_mw) + layout.feeder_of[own]
    group_gives_mw = np.round(np.bincount(group, give_mw[own]), 9)[group] if own.size else give_mw[own]
    keys = (own, layout.feeder_of[own], -group_gives_mw, worth_class, firm_rank[layout.load_of[own]])
    return np.asarray(own[np.lexsort(keys)], np.int64)


def _choose(give_mw: NDArray[np.float64], by_order: NDArray[np.int64], mw: float) -> tuple[list[int], float]:
    """Assets in order until the target is met, and what is still needed of the last of them."""
    if mw <= SLACK_MW or not by_order.size:
        return [], 0.0
    together_mw = np.cumsum(give_mw[by_order])
    last = int(np.searchsorted(together_mw, mw - SLACK_MW))
    if last >= by_order.size:
        return by_order.tolist(), float(give_mw[by_order[-1]])
    before_mw = float(together_mw[last - 1]) if last else 0.0
    return by_order[: last + 1].tolist(), mw - before_mw


def _tell(
    layout: Layout,
    fleet: FleetState,
    book: CommandBook,
    give_mw: NDArray[np.float64],
    chosen: list[int],
    last_gives_mw: float,
) -> float:
    """Tell every chosen asset to give what it can, the last what is needed of it; what they give together, MW."""
    if not chosen:
        return 0.0
    *others, last = chosen
    batteries = frozenset(layout.batteries)
    told = 0
    for k in [k for k, i in enumerate(others) if i in batteries] if batteries else ():
        book.tell_all(layout, others[told:k], Action.STOP)
        _tell_partly(layout, fleet, book, others[k], float(give_mw[others[k]]))
        told = k + 1
    book.tell_all(layout, others[told:], Action.STOP)
    return float(give_mw[others].sum()) + _tell_partly(layout, fleet, book, last, last_gives_mw)


def _tell_partly(layout: Layout, fleet: FleetState, book: CommandBook, i: int, needed_mw: float) -> float:
    """Tell one asset to give at least what is needed of it, and say what it will give."""
    drawn_mw = float(fleet.drawn_mw[i])
    left_mw = drawn_mw - needed_mw
    if i in layout.batteries:
        book.tell(layout, i, Action.CHARGE if left_mw >= 0.0 else Action.DISCHARGE, abs(left_mw))
        return needed_mw
    if left_mw > layout.standby_mw[i] + SLACK_MW and left_mw >= layout.least_mw[i]:
        book.tell(layout, i, Action.CAP, left_mw)
        return needed_mw
    book.tell(layout, i, Action.STOP)
    return drawn_mw - float(layout.standby_mw[i])


def _spare(book: CommandBook, give_mw: NDArray[np.float64], chosen: list[int], over_mw: float) -> float:
    """Take back, best first, what the target is met without; say how much that was."""
    spared_mw = 0.0
    gives_mw = give_mw[chosen]
    for k in np.flatnonzero(gives_mw <= over_mw + SLACK_MW).tolist()[::-1]:
        if gives_mw[k] <= over_mw - spared_mw + SLACK_MW:
            book.take_back(k)
            spared_mw += float(gives_mw[k])
    return spared_mw
