"""One cycle: see, decide, act, meter, settle, record. Every mode runs these same halves.

Between `decided` and `settled` lies the control interval. A replay's passes at once and `step` joins the halves; a live
site writes the decision to its journal before it acts on it, and settles when the interval is over.
"""

from typing import Protocol

import msgspec

from headrace.control.decide import decide
from headrace.control.in_force import InForce
from headrace.control.reserve import Before, hold_reserve, obligations
from headrace.control.setpoints import Mode, Obligation, Setpoints
from headrace.dispatch.allowance import StockState, advance
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Memory, Policy, Proposal, Sight
from headrace.dispatch.uses import SiteModel
from headrace.energy.plant import UnitState, advance_unit
from headrace.energy.tariffs import MonthlyPeak
from headrace.energy.tariffs_monthly import measured, monthly_peak_at
from headrace.engine.job_book import JobBook
from headrace.settlement import Rates, SettlementPrices, Statement, close
from headrace.settlement.metering import ControlReading, MeteredInterval, add_up
from headrace.settlement.reserve import ReserveMeter, before_of, meter_reserve, with_reserve

__all__ = ["CycleRecord", "Decision", "Devices", "State", "decided", "settled", "step"]


class Devices(Protocol):
    """The site's devices and meters: simulated, or real behind the same door."""

    def apply(self, setpoints: Setpoints, at_s: int) -> ControlReading:
        """Hold `setpoints` for the control interval that begins at `at_s` (epoch seconds) and read the meters."""
        ...


class CycleRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What one cycle decided, why, and what the meters said: one line of the journal."""

    at_s: int
    """Start of the control interval, epoch seconds."""
    proposal: Proposal | None
    """What the policy asked for; None if it had no plan."""
    infeasible: Infeasible | None = None
    """Why it had none."""
    mode: Mode
    """Rung of the safe ladder that the decision stands on."""
    reasons: tuple[str, ...] = ()
    """What narrowed the proposal; `control.decide` makes the setpoints from it again."""
    reading: ControlReading
    """What the meters said."""
    reserve: tuple[ReserveMeter, ...] = ()
    """What became of each reserve sold."""
    statement: Statement | None = None
    """The settlement interval that this cycle completes."""


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was decided for one control interval, and what settling it will need."""

    at_s: int
    """Start of the control interval, epoch seconds."""
    answer: Proposal | Infeasible | None
    """What the policy asked for, or why it asked for nothing; None if it did not answer in time."""
    setpoints: Setpoints
    owed: tuple[Obligation, ...] = ()
    """Reserve owed in the interval."""
    before: Before | None = None
    """The site as it ran without a call of reserve; None before the first interval."""


class State(msgspec.Struct, kw_only=True):
    """What the loop carries from cycle to cycle; every part of it can be read back from the journal."""

    stored_mwh: float
    """Energy in store, as last metered."""
    memory: Memory = Memory()
    """What the policy keeps."""
    last: Proposal | None = None
    """The last proposal."""
    month_count: int = -1
    """Local month of the last cycle."""
    peak_w: int = 0
    """Highest import of that month, W: of a control interval, or of a measuring interval where a charge has one."""
    settled_peak_w: int = 0
    """The same when the running settlement interval began, W."""
    monthly_peaks: tuple[MonthlyPeak, ...] = ()
    """Dated charges on the month's peak, which say how it is measured; empty for none."""
    measured_wh: int = 0
    """Import of the measuring interval that runs, Wh."""
    stocks: tuple[StockState, ...] = ()
    """What is used of each allowance of the site."""
    hosted_short_wh: tuple[int, ...] = ()
    """IT energy short of each hosting contract in that month, in settled intervals."""
    taken_wh: int = 0
    """Import of that month, in settled intervals."""
    units: tuple[UnitState, ...] = ()
    """What each unit of the plant is doing."""
    pending: list[MeteredInterval] = msgspec.field(default_factory=list)
    """Control intervals of the settlement interval that runs."""
    pending_reserve: list[ReserveMeter] = msgspec.field(default_factory=list)
    """Reserve of those."""
    uncalled: ControlReading | None = None
    """The last interval without a call of reserve: what a call is measured from."""
    jobs: JobBook = msgspec.field(default_factory=JobBook)
    """Batch jobs, and where they stand."""

    def stocks_in(self, month_count: int) -> tuple[StockState, ...]:
        """What is used of each allowance when an interval of this local month begins."""
        if month_count == self.month_count:
            return self.stocks
        return tuple(msgspec.structs.replace(each, used_s=0) for each in self.stocks)

    def units_in(self, month_count: int) -> tuple[UnitState, ...]:
        """What each unit is doing when an interval of this local month begins; a new year opens a new permit."""
        if month_count // 12 == self.month_count // 12:
            return self.units
        return tuple(msgspec.structs.replace(each, run_s=0) for each in self.units)

    def measure(self, meters: MeteredInterval, month_count: int) -> tuple[int, int]:
        """Highest import that a control interval completes, W, and the import carried on, Wh, by the dated charge."""
        return measured(
            monthly_peak_at(self.monthly_peaks, meters.interval_start_s, month_count % 12 + 1),
            before_wh=self.measured_wh,
            import_wh=meters.import_wh,
            start_s=meters.interval_start_s,
            duration_s=meters.duration_s,
        )

    def absorb(self, record: CycleRecord, month_count: int) -> None:
        """Take in what a cycle recorded: the same whether it just ran or is read back."""
        if month_count != self.month_count:
            self.stocks = self.stocks_in(month_count)
            self.units = self.units_in(month_count)
            self.month_count, self.peak_w, self.settled_peak_w = month_count, 0, 0
            self.hosted_short_wh, self.taken_wh = (), 0
        self.stored_mwh = record.reading.stored_mwh
        self.jobs.absorb(record.reading.jobs)
        if record.proposal is not None:
            self.last = record.proposal
            self.memory = record.proposal.memory or self.memory
        meters, short_s = record.reading.meters, record.reading.short_s
        if short_s:
            before = self.stocks or (StockState(),) * len(short_s)
            self.stocks = tuple(
                advance(state, seconds, record.at_s, meters.duration_s)
                for state, seconds in zip(before, short_s, strict=True)
            )
        if meters.units:
            before_now = self.units or (UnitState(),) * len(meters.units)
            self.units = tuple(
                advance_unit(state, unit.run_s, record.at_s)
                for state, unit in zip(before_now, meters.units, strict=True)
            )
        self.peak_w = max(self.peak_w, meters.import_peak_w)
        if self.monthly_peaks:
            self.measured_wh = self.measure(meters, month_count)[1]
        if not any(line.called_wh for line in record.reserve):
            self.uncalled = record.reading
        if record.statement is None:
            self.pending.append(meters)
            self.pending_reserve += record.reserve
        else:
            self.pending_reserve = []
            self.hosted_short_wh = _hosted_short(self.hosted_short_wh, [*self.pending, meters])
            self.taken_wh += record.statement.import_wh
            self.pending = []
            self.settled_peak_w = self.peak_w


def _hosted_short(before_wh: tuple[int, ...], parts: list[MeteredInterval]) -> tuple[int, ...]:
    """IT energy short of each hosting contract after these control intervals, Wh."""
    short_wh = [sum(part.hosted[i].short_it_wh for part in parts) for i in range(len(parts[0].hosted))]
    return tuple(map(sum, zip(before_wh or (0,) * len(short_wh), short_wh, strict=True)))


def step(
    model: SiteModel,
    rates: Rates,
    policy: Policy,
    sight: Sight,
    state: State,
    devices: Devices,
    *,
    month_count: int,
    prices: SettlementPrices | None,
    month_s: int,
    in_force: InForce | None = None,
) -> CycleRecord:
    """Run one control interval.

    Parameters
    ----------
    model, rates
        The site, and its prices as integers.
    policy, sight
        Who decides, and all it may see.
    state
        What the loop carries; only read here, `State.absorb` moves it on.
    devices
        The door to the site.
    month_count
        Local month that the interval belongs to; its peak starts afresh.
    prices
        Given when the interval completes a settlement interval.
    month_s
        Length of that month, seconds.
    in_force
        Limits of plant as they are now, and what its units are doing; None without plant.
    """
    decision = decided(model, policy.propose(model, sight), sight, state, in_force, last=state.last)
    reading = devices.apply(decision.setpoints, sight.now_s)
    return settled(model, rates, decision, reading, state, month_count=month_count, prices=prices, month_s=month_s)


def decided(
    model: SiteModel,
    answer: Proposal | Infeasible | None,
    sight: Sight,
    state: State,
    in_force: InForce | None = None,
    *,
    last: Proposal | None,
) -> Decision:
    """Decide one control interval: the half before it.

    Parameters
    ----------
    model
        The site.
    answer
        What the policy asks for, why it asks for nothing, or None if it did not answer in time.
    sight, state
        All that the policy saw, and what the loop carries.
    in_force
        Limits of plant as they are now, and what its units are doing; None without plant.
    last
        The last proposal, if it may still stand in for one that did not come.
    """
    setpoints = decide(model, answer, last, in_force)
    owed: tuple[Obligation, ...] = ()
    before = None
    if model.site.reserves:
        book = ((answer.memory if isinstance(answer, Proposal) else None) or state.memory).reserve
        before = None if state.uncalled is None else before_of(state.uncalled)
        owed = obligations(model, book, sight.inputs, sight.now_s)
        setpoints = hold_reserve(
            model, setpoints, owed, book=book, before=before, stored_mwh=sight.stored_mwh, now_s=sight.now_s
        )
    return Decision(at_s=sight.now_s, answer=answer, setpoints=setpoints, owed=owed, before=before)


def settled(
    model: SiteModel,
    rates: Rates,
    decision: Decision,
    reading: ControlReading,
    state: State,
    *,
    month_count: int,
    prices: SettlementPrices | None,
    month_s: int,
) -> CycleRecord:
    """Settle one control interval: the half after it. Parameters are those of `step`, and what the meters said."""
    answer, owed, before = decision.answer, decision.owed, decision.before
    if state.monthly_peaks:
        peak_w, _ = state.measure(reading.meters, month_count)
        reading = msgspec.structs.replace(reading, meters=msgspec.structs.replace(reading.meters, import_peak_w=peak_w))
    reserve = meter_reserve(model.site, owed, reading, before) if owed else ()
    statement = None
    if prices is not None:
        is_same_month = month_count == state.month_count
        statement = close(
            rates,
            add_up([*state.pending, reading.meters]),
            prices,
            peak_before_w=state.settled_peak_w if is_same_month else 0,
            hosted_left_wh=_hosted_left(rates, state.hosted_short_wh if is_same_month else (), month_s),
            taken_before_wh=state.taken_wh if is_same_month else 0,
        )
        if state.pending_reserve or reserve:
            statement = with_reserve(statement, [*state.pending_reserve, *reserve])
    return CycleRecord(
        at_s=decision.at_s,
        proposal=answer if isinstance(answer, Proposal) else None,
        infeasible=answer if isinstance(answer, Infeasible) else None,
        mode=Mode.SHED if reading.shed_wh else decision.setpoints.mode,
        reasons=decision.setpoints.reasons,
        reading=reading,
        reserve=reserve,
        statement=statement,
    )


def _hosted_left(rates: Rates, short_wh: tuple[int, ...], month_s: int) -> tuple[int | None, ...]:
    """What is left of each hosting contract's allowance, IT Wh."""
    before = short_wh or (0,) * len(rates.hosting)
    allowed = [rate.allowed_wh(month_s) for rate in rates.hosting]
    return tuple(None if most is None else most - used for most, used in zip(allowed, before, strict=True))
