"""The ladder: every use of power best first, every source cheapest first, and the price at which they meet.

Decides nothing: it puts one interval into the order that explains it. Power is MW at the bus, all >= 0; worth and cost
are site currency per MWh at the bus. Uses fall, sources rise; where the power taken cuts the uses is the price of power
here. At a kink that price is an interval, bid (worth of one more MWh) to ask (cost of giving one up); where one figure
is wanted it is their midpoint, and the sentences say so.
"""

import math
from enum import StrEnum
from typing import Final, Literal

import msgspec

from headrace.core import Currency
from headrace.dispatch.binding import BindingLimit, binding_limits
from headrace.dispatch.moment import TOLERANCE_CCY_PER_MWH, TOLERANCE_MW, BatteryNow, Moment, power_text

__all__ = ["Ladder", "Rung", "RungKind", "RungState", "build_ladder"]


LEFT_OVER_RATIO: Final = 0.05
"""Part of a rung's width below which what is missing is a forecast that came out otherwise, not a use that waits."""


class RungKind(StrEnum):
    """What a rung is."""

    FIRM = "firm"
    USE = "use"
    CHARGE = "charge"
    EXPORT = "export"
    IMPORT = "import"
    GENERATION = "generation"
    DISCHARGE = "discharge"


class RungState(StrEnum):
    """How much of a rung runs."""

    RUNNING = "running"
    """All of it."""
    AT_THE_MARGIN = "at the margin"
    """Part of it: the next MW goes here."""
    WAITING = "waiting"
    """None of it."""


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One step of either staircase."""

    name: str
    """Use or source, as the site names it."""
    kind: RungKind
    """What it is."""
    ccy_per_mwh: float | None
    """Worth of a use, cost of a source, per MWh; None for firm load, which no price cuts."""
    bound: Literal["", "at least", "at most"]
    """Not empty where `ccy_per_mwh` is only a bound: a battery at its limit shows no more than that."""
    max_mw: float
    """Width: power it could take or give."""
    mw: float
    """Power it takes or gives now."""
    state: RungState
    """How much of it runs."""
    why: str
    """Reason in words, without a full stop."""


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """Both staircases of one interval, the price where they meet, and what binds."""

    currency: Currency
    """Currency of the prices."""
    rungs: tuple[Rung, ...]
    """Uses, best first: firm load, then by worth."""
    sources: tuple[Rung, ...]
    """Sources, cheapest first."""
    taken_mw: float
    """Power here now: what the sources give together."""
    available_mw: float
    """Most they could give."""
    bid_ccy_per_mwh: float
    """Worth of one more MWh at the bus."""
    ask_ccy_per_mwh: float
    """Cost of giving one up; +inf where nothing could give."""
    cut_ccy_per_mwh: float
    """Midpoint of bid and ask; the bid alone where nothing could give (ask infinite)."""
    residual_mw: float
    """Given less taken; a few watts of meter rounding, or a fault to look at."""
    binding: tuple[BindingLimit, ...]
    """Dearest first; limits without a price last."""
    sentences: tuple[str, ...]
    """The answer to "why", for a person."""


def build_ladder(moment: Moment) -> Ladder:
    """Order one interval into its ladder and say what binds.

    Parameters
    ----------
    moment
        Plain values of the interval.

    Returns
    -------
    Ladder
        Staircases, price and sentences.
    """
    bid, ask = moment.bid_ccy_per_mwh, moment.ask_ccy_per_mwh
    cut = (bid + ask) / 2.0 if math.isfinite(ask) else bid
    rungs = _use_rungs(moment, cut)
    sources = _source_rungs(moment, cut)
    taken_mw = math.fsum(rung.mw for rung in sources)
    waiting = _next_waiting(rungs)
    binding = binding_limits(moment, waiting.name if waiting is not None else None)
    residual_mw = taken_mw - math.fsum(rung.mw for rung in rungs)
    sentences = (
        _price_sentence(moment, cut),
        *(limit.sentence for limit in binding),
        *_unbound_sentence(moment, binding),
        *_next_sentences(moment, rungs, waiting),
        *_battery_sentence(moment),
        *_residual_sentence(residual_mw),
        *_mode_sentence(moment),
    )
    return Ladder(
        currency=moment.currency,
        rungs=rungs,
        sources=sources,
        taken_mw=taken_mw,
        available_mw=math.fsum(rung.max_mw for rung in sources),
        bid_ccy_per_mwh=bid,
        ask_ccy_per_mwh=ask,
        cut_ccy_per_mwh=cut,
        residual_mw=residual_mw,
        binding=binding,
        sentences=sentences,
    )


def _state(mw: float, max_mw: float) -> RungState:
    if mw >= max_mw - TOLERANCE_MW:
        return RungState.RUNNING
    return RungState.AT_THE_MARGIN if mw > TOLERANCE_MW else RungState.WAITING


def _use_rungs(moment: Moment, cut_ccy_per_mwh: float) -> tuple[Rung, ...]:
    grid, battery = moment.grid, moment.battery
    rungs = [
        _use_rung(moment, RungKind.USE, use.name, use.worth_ccy_per_mwh, use.want_mw, use.got_mw) for use in moment.uses
    ]
    rungs.append(
        _use_rung(
            moment,
            RungKind.EXPORT,
            "sell to grid",
            grid.export_value_ccy_per_mwh,
            grid.export_max_mw,
            grid.export_mw,
        )
    )
    if battery is not None and battery.discharge_mw <= TOLERANCE_MW:
        rungs.append(_charge_rung(moment, battery, cut_ccy_per_mwh))
    rungs = [rung for rung in rungs if rung.max_mw > TOLERANCE_MW]
    rungs.sort(key=lambda rung: (-(rung.ccy_per_mwh or 0.0), rung.name))
    if moment.firm_mw > TOLERANCE_MW:
        rungs.insert(0, _firm_rung(moment.firm_mw))
    return tuple(rungs)


def _firm_rung(firm_mw: float) -> Rung:
    return Rung(
        name="firm load",
        kind=RungKind.FIRM,
        ccy_per_mwh=None,
        bound="",
        max_mw=firm_mw,
        mw=firm_mw,
        state=RungState.RUNNING,
        why="served first, never cut for price",
    )


def _use_rung(
    moment: Moment, kind: RungKind, name: str, worth_ccy_per_mwh: float, want_mw: float, got_mw: float
) -> Rung:
    width_mw = max(want_mw, got_mw)
    state = _state(got_mw, width_mw)
    return Rung(
        name=name,
        kind=kind,
        ccy_per_mwh=worth_ccy_per_mwh,
        bound="",
        max_mw=width_mw,
        mw=got_mw,
        state=state,
        why=_use_why(moment, worth_ccy_per_mwh, width_mw - got_mw, state),
    )


def _use_why(moment: Moment, worth_ccy_per_mwh: float, missing_mw: float, state: RungState) -> str:
    over = worth_ccy_per_mwh - moment.bid_ccy_per_mwh
    under = moment.ask_ccy_per_mwh - worth_ccy_per_mwh
    if state is RungState.RUNNING:
        if over < -TOLERANCE_CCY_PER_MWH:
            return f"earns {-over:,.2f} less than power is worth here: kept on by the plan or rule in force"
        return (
            "earns what power is worth here"
            if over < TOLERANCE_CCY_PER_MWH
            else f"earns {over:,.2f} more than the line"
        )
    if under < -TOLERANCE_CCY_PER_MWH:
        return f"{power_text(missing_mw)} held back by the plan or rule in force: it would earn {-under:,.2f} more"
    if state is RungState.WAITING:
        return (
            "waits: it would earn what power costs" if over > -TOLERANCE_CCY_PER_MWH else f"waits: {-over:,.2f} short"
        )
    return f"{power_text(missing_mw)} more could run"


def _charge_rung(moment: Moment, battery: BatteryNow, cut_ccy_per_mwh: float) -> Rung:
    state = _state(battery.charge_mw, battery.charge_max_mw)
    worth, bound, why = battery.charge_worth_ccy_per_mwh, "", "stores for dearer hours"
    if worth is None:
        worth, bound = cut_ccy_per_mwh, "at least" if state is RungState.RUNNING else ""
        if state is RungState.WAITING:
            worth, bound = moment.bid_ccy_per_mwh, "at most"
    if state is RungState.WAITING:
        why = "power is worth more now than stored"
    return Rung(
        name="battery charge",
        kind=RungKind.CHARGE,
        ccy_per_mwh=worth,
        bound=bound,  # type: ignore[arg-type]  # mypy widens the literals of a tuple assignment to str
        max_mw=max(battery.charge_max_mw, battery.charge_mw),
        mw=battery.charge_mw,
        state=state,
        why=why,
    )


def _source_rungs(moment: Moment, cut_ccy_per_mwh: float) -> tuple[Rung, ...]:
    grid, battery = moment.grid, moment.battery
    rungs = [
        _source_rung(RungKind.GENERATION, s.name, s.cost_ccy_per_mwh, s.max_mw, s.mw, moment) for s in moment.sources
    ]
    rungs.append(
        _source_rung(RungKind.IMPORT, "grid", grid.import_cost_ccy_per_mwh, grid.import_max_mw, grid.import_mw, moment)
    )
    if battery is not None and battery.charge_mw <= TOLERANCE_MW:
        rungs.append(_discharge_rung(moment, battery, cut_ccy_per_mwh))
    rungs = [rung for rung in rungs if rung.max_mw > TOLERANCE_MW]
    rungs.sort(key=lambda rung: (rung.ccy_per_mwh or 0.0, rung.name))
    return tuple(rungs)


def _source_rung(kind: RungKind, name: str, cost_ccy_per_mwh: float, max_mw: float, mw: float, moment: Moment) -> Rung:
    width_mw = max(max_mw, mw)
    state = _state(mw, width_mw)
    margin = moment.bid_ccy_per_mwh - cost_ccy_per_mwh
    if state is RungState.RUNNING:
        why = f"all of it; one MWh more would earn {margin:,.2f}" if margin > TOLERANCE_CCY_PER_MWH else "all of it"
    elif state is RungState.WAITING:
        why = f"costs {-margin:,.2f} more than power is worth here" if margin < 0.0 else "not taken"
    else:
        why = f"{power_text(width_mw - mw)} more could be taken"
    return Rung(
        name=name, kind=kind, ccy_per_mwh=cost_ccy_per_mwh, bound="", max_mw=width_mw, mw=mw, state=state, why=why
    )


def _discharge_rung(moment: Moment, battery: BatteryNow, cut_ccy_per_mwh: float) -> Rung:
    state = _state(battery.discharge_mw, battery.discharge_max_mw)
    cost, bound, why = battery.discharge_cost_ccy_per_mwh, "", "power is worth more now than later"
    if cost is None:
        cost, bound = cut_ccy_per_mwh, "at most" if state is RungState.RUNNING else ""
        if state is RungState.WAITING:
            cost = moment.ask_ccy_per_mwh if math.isfinite(moment.ask_ccy_per_mwh) else cut_ccy_per_mwh
            bound = "at least"
    if state is RungState.WAITING:
        why = "kept for dearer hours"
    return Rung(
        name="battery",
        kind=RungKind.DISCHARGE,
        ccy_per_mwh=cost,
        bound=bound,  # type: ignore[arg-type]  # mypy widens the literals of a tuple assignment to str
        max_mw=max(battery.discharge_max_mw, battery.discharge_mw),
        mw=battery.discharge_mw,
        state=state,
        why=why,
    )


def _next_waiting(rungs: tuple[Rung, ...]) -> Rung | None:
    """Best use that could still take power; one whose worth is only bounded, or that all but runs, does not wait."""
    for rung in rungs:
        missing_mw = rung.max_mw - rung.mw
        if missing_mw > max(TOLERANCE_MW, LEFT_OVER_RATIO * rung.max_mw) and not rung.bound:
            return rung
    return None


def _price_sentence(moment: Moment, cut_ccy_per_mwh: float) -> str:
    bid, ask, unit = moment.bid_ccy_per_mwh, moment.ask_ccy_per_mwh, f"{moment.currency}/MWh"
    if not math.isfinite(ask):
        return f"One more MWh here is worth {bid:,.2f} {unit}; nothing that runs could give one up."
    if ask - bid <= TOLERANCE_CCY_PER_MWH:
        return f"Power here is worth {cut_ccy_per_mwh:,.2f} {unit}, one MWh more or less."
    return (
        f"One more MWh here is worth {bid:,.2f} {unit}, giving one up costs {ask:,.2f}; "
        f"the ladder is cut at their midpoint, {cut_ccy_per_mwh:,.2f}."
    )


def _unbound_sentence(moment: Moment, binding: tuple[BindingLimit, ...]) -> tuple[str, ...]:
    grid = moment.grid
    buy_price, sell_price = f"{grid.import_cost_ccy_per_mwh:,.2f}", f"{grid.export_value_ccy_per_mwh:,.2f}"
    is_bound = any(limit.limit in {"import limit", "export limit", "monthly peak so far"} for limit in binding)
    if is_bound or moment.mode == "shed":
        return ()
    if TOLERANCE_MW < grid.import_mw < grid.import_max_mw - TOLERANCE_MW:
        return (f"No limit of the connection binds: the grid sells the next MWh at {buy_price}.",)
    if TOLERANCE_MW < grid.export_mw < grid.export_max_mw - TOLERANCE_MW:
        return (f"No limit of the connection binds: the grid buys the next MWh at {sell_price}.",)
    return (f"No limit of the connection binds: the grid sells at {buy_price} and buys at {sell_price}.",)


def _next_sentences(moment: Moment, rungs: tuple[Rung, ...], waiting: Rung | None) -> tuple[str, ...]:
    sentences = []
    if waiting is not None:
        told = f"{power_text(waiting.max_mw - waiting.mw)} at {waiting.ccy_per_mwh:,.2f}"
        sentences.append(f"Next use waiting: {waiting.name} ({told}).")
    else:
        sentences.append("No use waits: everything that could take power has it.")
    running = [rung for rung in rungs if rung.kind is not RungKind.FIRM and rung.mw > TOLERANCE_MW]
    priced = [rung for rung in running if not rung.bound]
    if priced:
        last = priced[-1]
        sentences.append(f"First to give way: {last.name} ({power_text(last.mw)} at {last.ccy_per_mwh:,.2f}).")
    elif not running and moment.firm_mw > TOLERANCE_MW:
        sentences.append("Only firm load runs.")
    return tuple(sentences)


def _battery_sentence(moment: Moment) -> tuple[str, ...]:
    battery = moment.battery
    if battery is None:
        return ()
    held = f"{battery.stored_mwh:,.1f} of {battery.stored_max_mwh:,.1f} MWh held"
    if battery.charge_mw > TOLERANCE_MW:
        return (f"Battery draws {power_text(battery.charge_mw)}; {held}.",)
    if battery.discharge_mw > TOLERANCE_MW:
        return (f"Battery feeds {power_text(battery.discharge_mw)}; {held}.",)
    return (f"Battery rests; {held}.",)


def _residual_sentence(residual_mw: float) -> tuple[str, ...]:
    if abs(residual_mw) <= TOLERANCE_MW:
        return ()
    more, less = ("given", "taken") if residual_mw > 0.0 else ("taken", "given")
    return (f"{power_text(abs(residual_mw))} more {more} than {less} at the bus: a residual, shown as it is.",)


def _mode_sentence(moment: Moment) -> tuple[str, ...]:
    return () if moment.mode == "plan" else (f"Set by {moment.mode.replace('_', ' ')}, not by a fresh plan.",)
