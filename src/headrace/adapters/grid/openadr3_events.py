"""Reads OpenADR 3 events, JSON as the standard has it; pure.

Power comes as IMPORT_CAPACITY_LIMIT or DISPATCH_SETPOINT (absolute consumption), DISPATCH_SETPOINT_RELATIVE (change of
it) or SIMPLE (a level); units from the payload descriptors, else the programme's. An event changes by its
modificationDateTime, which serves as its modification number, in microseconds.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from headrace.adapters.grid.book import Ask, GridEvent, Unreadable
from headrace.adapters.grid.openadr2_events import asks_of_delta, asks_of_level, asks_of_setpoint, to_us
from headrace.adapters.grid.programme import Programme
from headrace.adapters.grid.refusals import Why
from headrace.control.orders import OrderKind

__all__ = ["read_duration_us", "read_event"]

MW_PER: Final = {"W": 1e-6, "KW": 1e-3, "MW": 1.0}
POWER: Final = frozenset({"IMPORT_CAPACITY_LIMIT", "DISPATCH_SETPOINT", "DISPATCH_SETPOINT_RELATIVE"})
NOW: Final = ("0000-00-00", "0001-01-01")
"""Starts that mean "now"."""
FOR_EVER: Final = "P9999Y"
DURATION: Final = re.compile(
    r"P(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?"
)
DURATION_CHARS: Final = 40


def read_event(
    raw: Mapping[str, Any], context: str, programme_of: Callable[[str, str], Programme], now_us: int
) -> GridEvent:
    """Make an event of its JSON object.

    Parameters
    ----------
    raw
        The object.
    context
        Context of the programme that its programID stands for.
    programme_of
        The programme of a context, for an event id.
    now_us
        What a start of "now" means, epoch microseconds.

    Raises
    ------
    Unreadable
        If something is missing or means nothing here.
    """
    try:
        event_id = str(raw["id"])
        programme = programme_of(context, event_id)
        created_us = _stamp_us(raw.get("createdDateTime"))
        changed_us = _stamp_us(raw.get("modificationDateTime")) or created_us
        asks = _asks(raw, programme, event_id, changed_us or now_us)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = f"{type(error).__name__} at {error}"
        raise Unreadable(Why.MALFORMED, "event", f"an event without what it needs: {what}") from error
    return GridEvent(
        id=event_id,
        modification=changed_us,
        revision="" if changed_us == created_us else f"m{changed_us}",
        context=context,
        asks=asks,
        reason=str(raw.get("eventName") or ""),
    )


def read_duration_us(text: str) -> int | None:
    """Microseconds of an ISO 8601 duration without years and months; None for P9999Y, which never ends.

    Raises
    ------
    ValueError
        If it is none.
    """
    if text == FOR_EVER:
        return None
    match = DURATION.fullmatch(text) if len(text) <= DURATION_CHARS else None
    if match is None or not any(match.groups()):
        raise ValueError(f"a duration of {text[:DURATION_CHARS]!r}")
    weeks, days, hours, minutes = (int(match[name] or 0) for name in "wdhm")
    whole_s = ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60
    return whole_s * 1_000_000 + round(float(match["s"] or 0) * 1e6)


def _stamp_us(text: object) -> int:
    return to_us(datetime.fromisoformat(str(text))) if text else 0


def _asks(raw: Mapping[str, Any], programme: Programme, what: str, now_us: int) -> tuple[Ask, ...]:
    units = {each["payloadType"]: each.get("units") for each in raw.get("payloadDescriptors") or ()}
    period = raw.get("intervalPeriod") or {}
    starts_us = _start_us(period.get("start"), now_us)
    length_us = read_duration_us(str(period["duration"])) if period.get("duration") else None
    asks: list[Ask] = []
    is_understood = False
    for interval in sorted(raw["intervals"], key=lambda each: int(each["id"])):
        own = interval.get("intervalPeriod") or {}
        begins_us = _start_us(own["start"], now_us) if own.get("start") else starts_us
        lasts_us = read_duration_us(str(own["duration"])) if own.get("duration") else length_us
        ends_us = None if lasts_us is None else begins_us + lasts_us
        for payload in interval["payloads"]:
            kinds = _kinds(payload, units, programme, what)
            is_understood = is_understood or kinds is not None
            asks += (
                Ask(starts_us=begins_us, ends_us=ends_us, kind=kind, mw=power_mw) for kind, power_mw in kinds or ()
            )
        if ends_us is None:
            break  # a part without an end is the last
        starts_us = ends_us
    if not is_understood:
        raise Unreadable(Why.UNSUPPORTED, what, "none of its payloads names power or a level")
    return tuple(asks)


def _start_us(text: object, now_us: int) -> int:
    return now_us if text is None or str(text).startswith(NOW) else to_us(datetime.fromisoformat(str(text)))


def _kinds(
    payload: Mapping[str, Any], units: Mapping[str, Any], programme: Programme, what: str
) -> tuple[tuple[OrderKind, float], ...] | None:
    """What a payload asks for; None for one that is not about power."""
    kind = str(payload["type"])
    if kind not in POWER and kind != "SIMPLE":
        return None
    value = payload["values"][0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unreadable(Why.MALFORMED, what, f"{kind} of {value!r}: a number is expected")
    if kind == "SIMPLE":
        return asks_of_level(float(value), programme, what)
    unit = str(units.get(kind) or programme.unit).upper()
    if unit not in MW_PER:
        raise Unreadable(Why.UNSUPPORTED, what, f"{kind} in {unit}: power in W, KW or MW is taken")
    power_mw = float(value) * MW_PER[unit]
    match kind:
        case "IMPORT_CAPACITY_LIMIT":
            return ((OrderKind.LIMIT, power_mw),)
        case "DISPATCH_SETPOINT":
            return asks_of_setpoint(power_mw, programme)
        case _:
            return asks_of_delta(power_mw, programme, what)
