"""Sold reserve in one control interval: what must stay ready, and what a call takes.

It ranks above money: whatever the plan asks, a block that carries reserve stays on, and the battery keeps power and
energy, charging ahead of an hour in time. It ranks below the connection and firm load: `govern` gives it up last but
for firm load, and settlement charges what was missing.

On a call each carrier goes below the power it was metered at before the call, by the share called of what it carries.
"""

from typing import Final

import msgspec
import numpy as np

from headrace.control.setpoints import Obligation, Setpoints
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.reserve import BATTERY, HOUR_S, ReserveBook, battery_hold
from headrace.dispatch.uses import SiteModel
from headrace.energy import Battery
from headrace.energy.reserves import Reserve, product_at

__all__ = ["Before", "hold_reserve", "obligations"]

LEAD_RATIO: Final = 0.8
"""Share of the charging power that catching up before an hour counts on: the rest is for what comes between."""


class Before(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the carriers were metered at in the last interval without a call: what a call is measured from."""

    use_mw: tuple[float, ...]
    """Power of each block."""
    discharge_mw: float
    """Battery power fed, less power drawn."""


def obligations(model: SiteModel, book: ReserveBook, inputs: Inputs, now_s: int) -> tuple[Obligation, ...]:
    """What is owed of each reserve in the interval that begins now, in the site's order."""
    owed: list[Obligation] = []
    awards = book.at(now_s)
    for r in sorted({award.reserve for award in awards}):
        reserve = model.site.reserves[r]
        product = product_at(reserve, now_s)
        own = [award for award in awards if award.reserve == r]
        if product is None:
            continue
        use_mw = [0.0] * len(model.uses)
        for award in own:
            if award.carrier != BATTERY:
                use_mw[award.carrier] += award.mw
        owed.append(
            Obligation(
                reserve=r,
                use_mw=tuple(use_mw),
                battery_mw=sum(award.mw for award in own if award.carrier == BATTERY),
                duration_h=product.duration_h,
                called_ratio=_called(reserve, inputs, now_s),
                is_resting=_rests(model, inputs, _answers_since_s(reserve, inputs, now_s)),
                price_ccy_per_mw_h=own[0].price_ccy_per_mw_h,
            )
        )
    return tuple(owed)


def hold_reserve(
    model: SiteModel,
    setpoints: Setpoints,
    owed: tuple[Obligation, ...],
    *,
    book: ReserveBook,
    before: Before | None,
    stored_mwh: float,
    now_s: int,
) -> Setpoints:
    """Narrow setpoints to what sold reserve leaves, and carry out calls.

    Parameters
    ----------
    model, setpoints
        The site, and what money and the limits above asked for.
    owed
        What is owed now.
    book
        Hours sold, for what the battery must have in store when they begin.
    before
        What a call is measured from; None before anything was metered.
    stored_mwh
        Energy in store now.
    now_s
        Start of the interval, epoch seconds.
    """
    keep_mw, limit_mw = list(_zeros(model)), list(setpoints.use_limit_mw)
    may_fill = list(setpoints.may_fill)
    for i in range(len(keep_mw)):
        keep_mw[i] = sum(each.use_mw[i] * (1.0 - each.called_ratio) for each in owed)
        called_mw = sum(each.use_mw[i] * each.called_ratio for each in owed)
        if called_mw > 0.0 and before is not None:
            most_mw = max(before.use_mw[i] - called_mw, 0.0)
            own_mw = limit_mw[i]
            limit_mw[i] = most_mw if own_mw is None else min(own_mw, most_mw)
            keep_mw[i] = min(keep_mw[i], most_mw)
            may_fill[i] = False
    narrowed = msgspec.structs.replace(
        setpoints, use_limit_mw=tuple(limit_mw), use_min_mw=tuple(keep_mw), may_fill=tuple(may_fill), reserve=owed
    )
    battery = model.site.battery
    if battery is None or not any(award.carrier == BATTERY for award in book.awards):
        return narrowed
    return _hold_battery(model, battery, narrowed, owed, book, before, stored_mwh, now_s)


def _hold_battery(
    model: SiteModel,
    battery: Battery,
    setpoints: Setpoints,
    owed: tuple[Obligation, ...],
    book: ReserveBook,
    before: Before | None,
    stored_mwh: float,
    now_s: int,
) -> Setpoints:
    """Battery power within what is kept ready; on a call, what is called from the level before it."""
    step_h = model.site.control_step_s / 3600.0
    ready_mw = sum(each.battery_mw * (1.0 - each.called_ratio) for each in owed)
    called_mw = sum(each.battery_mw * each.called_ratio for each in owed)
    if called_mw > 0.0:
        feed_mw = called_mw + (0.0 if before is None else before.discharge_mw)
        return msgspec.structs.replace(
            setpoints,
            charge_mw=max(-feed_mw, 0.0),
            discharge_mw=min(max(feed_mw, 0.0), battery.discharge_max_mw),
            discharge_cap_mw=max(battery.discharge_max_mw - ready_mw, called_mw),
        )
    floor_mwh = _stored_needed_mwh(model, battery, book, now_s)
    cap_mw = max(battery.discharge_max_mw - ready_mw, 0.0)
    room_mw = (stored_mwh - floor_mwh) * battery.discharge_efficiency_ratio / step_h
    cap_mw = min(cap_mw, max(room_mw, 0.0))
    charge_min_mw = min(
        max((floor_mwh - stored_mwh) / (battery.charge_efficiency_ratio * step_h), 0.0), battery.charge_max_mw
    )
    discharge_mw = min(setpoints.discharge_mw, cap_mw)
    return msgspec.structs.replace(
        setpoints,
        charge_mw=max(setpoints.charge_mw, charge_min_mw),
        discharge_mw=0.0 if charge_min_mw > 0.0 else discharge_mw,
        discharge_cap_mw=cap_mw,
        charge_min_mw=charge_min_mw,
    )


def _stored_needed_mwh(model: SiteModel, battery: Battery, book: ReserveBook, now_s: int) -> float:
    """Energy that must be in store when this interval ends, for hours sold now and later."""
    end_s = now_s + model.site.control_step_s
    needed_mwh = battery.stored_min_mwh
    for start_s in sorted({award.start_s for award in book.awards if award.start_s + HOUR_S > now_s}):
        _, energy_mwh = battery_hold(model.site, book, start_s, start_s + 1)
        lead_h = max(start_s - end_s, 0) / 3600.0
        caught_up_mwh = LEAD_RATIO * battery.charge_max_mw * battery.charge_efficiency_ratio * lead_h
        needed_mwh = max(needed_mwh, battery.stored_min_mwh + energy_mwh - caught_up_mwh)
    return min(needed_mwh, battery.stored_max_mwh)


def _zeros(model: SiteModel) -> tuple[float, ...]:
    return (0.0,) * len(model.uses)


def _called(reserve: Reserve, inputs: Inputs, now_s: int) -> float:
    """Share called of a reserve now: an order, known as it comes."""
    if reserve.calls is None:
        return 0.0
    ratio = inputs.further[reserve.calls].at(now_s)
    return min(max(ratio, 0.0), 1.0) if ratio == ratio else 0.0  # noqa: PLR0124  NaN: no order on record


def _answers_since_s(reserve: Reserve, inputs: Inputs, now_s: int) -> int:
    """When the call under way began, which excuses nothing of itself in the hour it begins in; now without one.

    What is sold for the hours after is measured from before the call too, when their carriers may not have run.
    """
    if reserve.calls is None:
        return now_s
    series, since_s = inputs.further[reserve.calls], now_s
    hour_s = now_s - now_s % HOUR_S
    while since_s - series.step_s >= hour_s and series.at(since_s) > 0.0 and series.at(since_s - series.step_s) > 0.0:
        since_s -= series.step_s
    began_before = series.at(since_s) > 0.0 and series.at(since_s - series.step_s) > 0.0
    return now_s if began_before else since_s


def _rests(model: SiteModel, inputs: Inputs, now_s: int) -> bool:
    """Was any reserve called so lately that the site still restores it? Carriers and stored energy are shared."""
    for reserve in model.site.reserves:
        product = product_at(reserve, now_s)
        if reserve.calls is None or product is None:
            continue
        series = inputs.further[reserve.calls]
        first = max(series.index(now_s - product.rest_s), 0)
        if np.nanmax(series.values[first : max(series.index(now_s), first)], initial=0.0) > 0.0:
            return True
    return False
