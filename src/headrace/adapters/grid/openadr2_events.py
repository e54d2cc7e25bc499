"""Reads OpenADR 2.0b events as the openleadr package parses them; pure.

LOAD_DISPATCH in power (setpoint or delta) goes before SIMPLE, which a B-profile event carries beside it. A price or a
control signal names no power: it is refused as unsupported, and the event is opted out of.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from headrace.adapters.grid.book import Ask, GridEvent, Unreadable
from headrace.adapters.grid.programme import PositiveDelta, PowerUnit, Programme
from headrace.adapters.grid.refusals import Why
from headrace.control.orders import OrderKind

__all__ = ["asks_of_delta", "asks_of_level", "asks_of_setpoint", "read_event"]

Kinds = tuple[tuple[OrderKind, float], ...]
"""What one payload asks for: order kinds with power, MW; empty for nothing."""

MW_PER: Final = {PowerUnit.W: 1e-6, PowerUnit.KW: 1e-3, PowerUnit.MW: 1.0}
SCALES: Final = {"none": PowerUnit.W, "k": PowerUnit.KW, "M": PowerUnit.MW}
LEVEL_MAX: Final = 3


def read_event(raw: Mapping[str, Any], programme_of: Callable[[str, str], Programme]) -> GridEvent:
    """Make an event of openleadr's dictionaries.

    Parameters
    ----------
    raw
        One of the events of an oadrDistributeEvent.
    programme_of
        The programme of a market context, for an event id.

    Raises
    ------
    Unreadable
        If something is missing or means nothing here.
    """
    try:
        about = raw["event_descriptor"]
        event_id = str(about["event_id"])
        programme = programme_of(_context(about), event_id)
        modification = int(about["modification_number"])
        is_test = about.get("test_event") is True
        is_cancelled = about["event_status"] == "cancelled"
        is_over = about["event_status"] == "completed"
        asks = () if is_test or is_cancelled else _asks(raw, programme, event_id)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = f"{type(error).__name__} at {error}"
        raise Unreadable(Why.MALFORMED, "oadrEvent", f"an event without what it needs: {what}") from error
    return GridEvent(
        id=event_id,
        modification=modification,
        revision=f"m{modification}" if modification else "",
        context=programme.context,
        asks=asks,
        is_cancelled=is_cancelled,
        is_over=is_over,
        reason=str(about.get("vtn_comment") or ""),
    )


def asks_of_level(level: float, programme: Programme, what: str) -> Kinds:
    """What a SIMPLE level asks for: 0 nothing, 1 to 3 what the programme declares."""
    if level == 0.0:
        return ()
    if level not in range(1, LEVEL_MAX + 1):
        raise Unreadable(Why.ABSURD, what, f"level {level:g}, a SIMPLE signal has levels 0 to {LEVEL_MAX}")
    if level > len(programme.level_mw):
        raise Unreadable(Why.UNSUPPORTED, what, f"{programme.name} declares no level {level:g}")
    return ((OrderKind.SHED, programme.level_mw[int(level) - 1]),)


def asks_of_setpoint(power_mw: float, programme: Programme) -> Kinds:
    """What an absolute consumption asks for: a limit, and a floor too for a programme that is followed."""
    limit = ((OrderKind.LIMIT, power_mw),)
    return (*limit, (OrderKind.RAISE, power_mw)) if programme.follows else limit


def asks_of_delta(change_mw: float, programme: Programme, what: str) -> Kinds:
    """What a relative consumption asks for; more load than now has no absolute meaning and is refused."""
    shed_mw = change_mw if programme.positive_delta is PositiveDelta.SHEDS else -change_mw
    if shed_mw < 0.0:
        raise Unreadable(Why.UNSUPPORTED, what, f"asks for {-shed_mw:g} MW more than now: no setpoint says how much")
    return ((OrderKind.SHED, shed_mw),) if shed_mw > 0.0 else ()


def to_us(at: datetime) -> int:
    """Epoch microseconds of an aware time."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} carries no zone")
    whole_s = int(at.replace(microsecond=0).timestamp())
    return whole_s * 1_000_000 + at.microsecond


def _context(about: Mapping[str, Any]) -> str:
    context = about["market_context"]
    return str(context.get("market_context", "")) if isinstance(context, Mapping) else str(context)


def _asks(raw: Mapping[str, Any], programme: Programme, what: str) -> tuple[Ask, ...]:
    signal = _signal(raw["event_signals"], what)
    starts_us = to_us(raw["active_period"]["dtstart"])
    asks: list[Ask] = []
    for interval in _list(signal["intervals"]):
        own_start = interval.get("dtstart")
        begins_us = starts_us if own_start is None else to_us(own_start)
        duration: timedelta = interval.get("duration") or timedelta(0)
        ends_us = begins_us + duration // timedelta(microseconds=1) if duration else None
        asks += (
            Ask(starts_us=begins_us, ends_us=ends_us, kind=kind, mw=power_mw)
            for kind, power_mw in _kinds(signal, float(interval["signal_payload"]), programme, what)
        )
        if ends_us is None:
            break  # a part without an end is the last
        starts_us = ends_us
    return tuple(asks)


def _signal(signals: Sequence[Mapping[str, Any]], what: str) -> Mapping[str, Any]:
    by_name = {str(each["signal_name"]): each for each in _list(signals)}
    for name in ("LOAD_DISPATCH", "SIMPLE", "simple"):
        if name in by_name:
            return by_name[name]
    raise Unreadable(Why.UNSUPPORTED, what, f"signals {', '.join(sorted(by_name))}: none names power or a level")


def _kinds(signal: Mapping[str, Any], value: float, programme: Programme, what: str) -> Kinds:
    if not math.isfinite(value):
        raise Unreadable(Why.ABSURD, what, f"a payload of {value}")
    if str(signal["signal_name"]).upper() == "SIMPLE":
        return asks_of_level(value, programme, what)
    unit = SCALES[str((signal.get("measurement") or {}).get("scale") or "k")] if "measurement" in signal else None
    power_mw = value * MW_PER[unit or programme.unit]
    match str(signal["signal_type"]):
        case "setpoint":
            return asks_of_setpoint(power_mw, programme)
        case "delta":
            return asks_of_delta(power_mw, programme, what)
        case other:
            raise Unreadable(Why.UNSUPPORTED, what, f"LOAD_DISPATCH of type {other}: setpoint or delta is taken")


def _list(value: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401  openleadr's dictionaries
    return value if isinstance(value, list) else [value]
