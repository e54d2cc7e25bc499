"""What a live site carries from moment to moment: all of it follows from its journal, line by line.

`absorb` is the only way it changes, whether a record was written just now or is read back after a crash; so an engine
that starts again stands where the one before it fell.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.fleet import FleetState, absorb, first_belief, note_commands
from headrace.control.layout import Layout
from headrace.control.locks import lock, release
from headrace.control.orders import OrderKind
from headrace.control.orders_in_force import Binding, HeldOrder, bind
from headrace.control.verify import Suspicion
from headrace.dispatch.uses import SiteModel
from headrace.energy.tariffs import MonthlyPeak
from headrace.engine.cycle import Decision, State
from headrace.engine.live.book import FeedBook
from headrace.engine.live.moment import decision_of, moment_of
from headrace.engine.live.records import (
    Alarmed,
    Arrived,
    Attested,
    Based,
    Believed,
    Closed,
    Commanded,
    Decided,
    Delivered,
    Followed,
    LiveRecord,
    Locked,
    Observed,
    Ordered,
    OrdersEnded,
    Outcomes,
    Released,
    Resettled,
    Started,
    Stopped,
    Suspected,
    Waking,
)
from headrace.engine.live.resettling import Provisional, forgotten, provisional_of
from headrace.engine.live.rules import LiveRules
from headrace.engine.live.shadowed import Beside
from headrace.engine.live.worth import worth_of_loads
from headrace.settlement import rates_of

__all__ = ["LiveState"]

SEEN_MOST: Final = 10_000
"""Orders remembered so that one that comes twice is taken once."""

DELIVERED_MOST: Final = 100
"""Results of orders kept for whoever asks."""


class LiveState:
    """A live site's state.

    Parameters
    ----------
    model, layout
        The site, and its assets.
    rules
        Limits of age, time and patience.
    keep_s
        History kept of each feed role beyond the usual, seconds.
    """

    def __init__(
        self, model: SiteModel, layout: Layout, rules: LiveRules, keep_s: Mapping[str, int] | None = None
    ) -> None:
        self.model = model
        self.layout = layout
        self.rules = rules
        self.rates = rates_of(model.site)
        battery = model.site.battery
        self.cycle = State(
            stored_mwh=battery.stored_start_mwh if battery else 0.0,
            monthly_peaks=tuple(each for each in model.site.charges if isinstance(each, MonthlyPeak)),
        )
        self.book = FeedBook(keep_s)
        self.fleet: FleetState = first_belief(layout)
        self.decision: Decision | None = None
        self.next_s = 0
        self.open_s: int | None = None
        self.last_plan_s: int | None = None
        self.booked: dict[str, int] = {}
        self.estimated: dict[str, int] = {}
        self.usual: dict[str, int] = {}
        self.orders: dict[str, HeldOrder] = {}
        self.seen: dict[str, str] = {}
        self.delivered: dict[str, Delivered] = {}
        self.provisional: dict[int, Provisional] = {}
        """Settled at a substitute price, by start."""
        self.shadowed = Beside()
        """In shadow: what the real site did beside the decisions."""
        self.suspicions: dict[str, tuple[Suspicion, ...]] = {}
        """Who may still draw, by feeder."""
        self.followed: Followed | None = None
        self.waking: str | None = None
        self.health: dict[str, str] = {}
        self.alarms: dict[str, Alarmed] = {}
        self.records = 0

    def absorb(self, seq: int, record: LiveRecord) -> None:
        """Take in one line of the journal."""
        self.records = seq
        match record:
            case Arrived():
                self.book.absorb(record)
            case Started():
                self._started(record)
            case Based():
                self.booked, self.open_s = record.counters, record.at_s
            case Decided():
                self._decided(record)
            case Closed():
                self._closed(record)
            case Ordered():
                self._ordered(record)
            case OrdersEnded():
                for order in record.orders:
                    self.orders.pop(order, None)
            case Commanded() | Outcomes() | Locked() | Released():
                self._acted(record)
            case Delivered() | Waking() | Believed() | Suspected() | Alarmed() | Followed() | Observed():
                self._noticed(record)
            case Resettled():
                self._resettled(record)
            case Attested() | Stopped():
                pass

    def is_seen(self, order: str) -> bool:
        """Did this order come before?"""
        return order in self.seen

    def binding(self, now_us: int, feeder: str = "") -> Binding:
        """What orders leave of the site's net import, or of one feeder's."""
        return bind(self.orders.values(), now_us=now_us, feeder=feeder, rules=self.rules.ladder)

    def kept_free_mw(self, now_us: int) -> NDArray[np.float64]:
        """Part of each feeder's rating that orders on it keep free, MW, shape (F,); everything where one holds."""
        kept_mw = np.zeros(len(self.layout.inventory.feeders))
        for name in {held.order.feeder for held in self.orders.values()} - {""}:
            f, binding = self.layout.feeder_position[name], self.binding(now_us, name)
            limit_mw = self.layout.inventory.feeders[f].limit_mw
            kept_mw[f] = np.inf if binding.is_held else max(0.0, limit_mw - binding.most_mw)
        return kept_mw

    def worth_ccy_per_mwh(self) -> dict[str, float]:
        """Worth of a MWh in each load, as last believed; by its contracts before the first plan."""
        last = self.cycle.last
        if last is None:
            return worth_of_loads(self.model, tuple(self.model.value_ccy_per_mwh[:, 0].tolist()), math.inf)
        charge = math.inf if last.ask_ccy_per_mwh is None else last.ask_ccy_per_mwh
        return worth_of_loads(self.model, last.use_worth_ccy_per_mwh, charge)

    def _started(self, record: Started) -> None:
        self.next_s = record.first_s
        if not self.cycle.pending and self.cycle.month_count < 0:
            self.cycle.stored_mwh = record.stored_mwh

    def _decided(self, record: Decided) -> None:
        answer = record.proposal if record.proposal is not None else record.infeasible
        moment = moment_of(self.model.site, record.at_s)
        self.decision = decision_of(self, moment, answer, missing=record.missing)
        self.next_s = record.at_s + self.model.site.control_step_s
        if record.proposal is not None:
            self.last_plan_s = record.at_s

    def _closed(self, record: Closed) -> None:
        moment = moment_of(self.model.site, record.cycle.at_s)
        kept = provisional_of(self.cycle, record.cycle, moment.month_count)
        if kept is not None:
            self.provisional[kept.statement.interval_start_s] = kept
        for start_s in forgotten(self, record.cycle.at_s):
            del self.provisional[start_s]
        self.cycle.absorb(record.cycle, moment.month_count)
        self.open_s = record.cycle.at_s + self.model.site.control_step_s
        self.usual = record.moved
        self.booked = record.counters
        self.estimated = record.estimated
        self.decision = None
        self.shadowed.absorb(record)

    def _resettled(self, record: Resettled) -> None:
        start_s = record.statement.interval_start_s
        kept = self.provisional.pop(start_s, None)
        if kept is not None and record.statement.is_estimated:
            again = msgspec.structs.replace(kept, statement=record.statement, version=record.version)
            self.provisional[start_s] = again

    def _ordered(self, record: Ordered) -> None:
        self.seen[record.order.id] = record.refused
        while len(self.seen) > SEEN_MOST:
            del self.seen[next(iter(self.seen))]
        if record.refused or record.order.kind is OrderKind.RESTORE:
            return
        self.orders[record.order.id] = HeldOrder(order=record.order, before_mw=record.load_mw)

    def _acted(self, record: Commanded | Outcomes | Locked | Released) -> None:
        layout, fleet = self.layout, self.fleet
        match record:
            case Commanded():
                self.fleet = note_commands(layout, fleet, record.commands)
            case Outcomes():
                self.fleet = absorb(layout, fleet, record.outcomes)
            case Locked():
                held = lock(layout, fleet, record.lock)
                self.fleet = held if isinstance(held, FleetState) else fleet
            case Released():
                freed = fleet if record.refused else release(layout, fleet, asset=record.asset, holder=record.by)
                self.fleet = freed if isinstance(freed, FleetState) else fleet

    def _noticed(self, record: Delivered | Waking | Believed | Suspected | Alarmed | Followed | Observed) -> None:
        match record:
            case Observed():
                self.shadowed.absorb(record)
            case Suspected():
                self.suspicions.pop(record.feeder, None)
                if record.suspicions:
                    self.suspicions[record.feeder] = record.suspicions
            case Followed():
                self.followed = record
            case Delivered():
                self.delivered[record.order] = record
                while len(self.delivered) > DELIVERED_MOST:
                    del self.delivered[next(iter(self.delivered))]
            case Waking():
                self.waking = record.record or None
            case Believed():
                self.health = {name: text for name, text in {**self.health, **record.changes}.items() if text}
            case Alarmed():
                self.alarms.pop(record.code, None)
                if record.is_up:
                    self.alarms[record.code] = record
