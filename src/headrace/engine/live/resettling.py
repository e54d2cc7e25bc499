"""Settling again: an interval whose price was missing when it ended, once the price has arrived.

What its statement was made of is kept with the state until then, for as long as the book keeps prices. The new
statement is a new version of the same interval, by the same `settlement.close`; nothing else of the site's state rests
on prices that were missing.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from headrace.core import Interval
from headrace.engine.cycle import CycleRecord, State
from headrace.engine.live.book import KEEP_S
from headrace.engine.live.records import Resettled
from headrace.engine.truth import truth_of
from headrace.settlement import Statement, close
from headrace.settlement.metering import MeteredInterval, add_up
from headrace.settlement.reserve import ReserveMeter, with_reserve

if TYPE_CHECKING:
    from headrace.engine.live.state import LiveState

__all__ = ["Provisional", "due", "forgotten", "provisional_of", "resettled"]

AT_ONCE_MOST: Final = 288
"""Intervals settled again at one boundary; the next ones follow at the next."""


class Provisional(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An estimated statement, and what it was made of."""

    statement: Statement
    """As settled last."""
    version: int
    """Of it, from 1."""
    parts: tuple[MeteredInterval, ...]
    """Its control intervals."""
    reserve: tuple[ReserveMeter, ...]
    """Reserve in them."""
    peak_before_w: int
    """Highest import of the month before it, W."""
    taken_before_wh: int
    """Import of the month before it, Wh."""


def provisional_of(before: State, record: CycleRecord, month_count: int) -> Provisional | None:
    """What to keep of a cycle's statement; None if it has none or its price was there.

    Parameters
    ----------
    before
        The loop's state before the cycle.
    record
        The cycle.
    month_count
        Its local month.
    """
    if record.statement is None or not record.statement.is_estimated:
        return None
    is_same_month = month_count == before.month_count
    return Provisional(
        statement=record.statement,
        version=1,
        parts=(*before.pending, record.reading.meters),
        reserve=(*before.pending_reserve, *record.reserve),
        peak_before_w=before.settled_peak_w if is_same_month else 0,
        taken_before_wh=before.taken_wh if is_same_month else 0,
    )


def due(state: "LiveState") -> Iterator[int]:
    """Starts of intervals whose price has arrived since they were settled, epoch seconds, oldest first."""
    price = state.book.series("real_time")
    if price is None:
        return
    step_s, count = state.model.site.control_step_s, 0
    for start_s, each in state.provisional.items():
        ends_s = np.arange(start_s, start_s + each.statement.duration_s, step_s, dtype=np.int64)
        if count < AT_ONCE_MOST and not np.isnan(price.onto(ends_s)).any():
            count += 1
            yield start_s


def resettled(state: "LiveState", start_s: int, at_us: int) -> Resettled:
    """Settle an interval again with what is known now."""
    kept = state.provisional[start_s]
    step_s = state.model.site.control_step_s
    window = Interval.from_epoch(start_s, start_s + kept.statement.duration_s)
    truth = truth_of(state.model, state.book.inputs(state.model.site), window)
    statement = close(
        state.rates,
        add_up(list(kept.parts)),
        truth.prices(kept.statement.duration_s // step_s - 1, first=0),
        peak_before_w=kept.peak_before_w,
        taken_before_wh=kept.taken_before_wh,
    )
    if kept.reserve:
        statement = with_reserve(statement, list(kept.reserve))
    return Resettled(at_us=at_us, version=kept.version + 1, statement=statement)


def forgotten(state: "LiveState", now_s: int) -> list[int]:
    """Intervals whose price comes too late for the book, epoch seconds."""
    return [start_s for start_s in state.provisional if start_s < now_s - KEEP_S]
