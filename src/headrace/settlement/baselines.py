"""What a site would have drawn had nobody asked: baselines of an event, in integers.

10-in-10: the mean of the ten latest eligible days, interval by interval, times an adjustment that compares the same
hours before the event on the day itself with those of the ten days; it works both ways and is capped.

    base_k = Σ_d wh_dk / D            adjusted_k = base_k · clip(today / Σ_d before_d · D, 1 − cap, 1 + cap)

Meter before, meter after: what was drawn just before the instruction goes on.

    base_k = power before · length of k

Days with an event, of another kind (weekend, holiday) or with gaps are left out, each with its reason. Days, cap and
the adjustment's hours are the programme's and come as rules; the defaults (ten days, five at least, 20 %) are
assumptions after the day-matching baseline of California's market, whose present tariff was not at hand.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from headrace.core import divide_nearest

__all__ = ["Baseline", "DaySample", "LeftOut", "Method", "NoBaseline", "TenInTenRules", "meter_before", "ten_in_ten"]

PPM = 1_000_000
US_PER_H = 3_600_000_000


class Method(StrEnum):
    """How a baseline is made."""

    TEN_IN_TEN = "10-in-10 with same-day adjustment"
    UNADJUSTED = "10-in-10"
    METER_BEFORE = "meter before, meter after"


class DaySample(msgspec.Struct, frozen=True, kw_only=True):
    """One day at the local hours of the event and of the adjustment."""

    day: str
    """Local date, ISO."""
    event_wh: tuple[int | None, ...]
    """Energy drawn in each interval at the event's local hours, Wh; None where a meter was silent."""
    before_wh: tuple[int | None, ...]
    """The same at the adjustment's local hours."""
    left_out: str = ""
    """Why it is not eligible ("event", "weekend", "holiday"); empty if it is."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A day that was looked at and not used."""

    day: str
    """Local date, ISO."""
    reason: str
    """Why."""


class TenInTenRules(msgspec.Struct, frozen=True, kw_only=True):
    """A programme's rules."""

    days: int = 10
    """Days whose mean is taken."""
    days_least: int = 5
    """Fewer eligible days than this give no baseline."""
    cap_ppm: int = 200_000
    """Most that the adjustment moves the mean either way, millionths."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="baseline"):
    """What would have been drawn."""

    method: Method
    """How it was made."""
    wh: tuple[int, ...]
    """Energy of each interval of the event, Wh."""
    adjustment_ppm: int = PPM
    """Factor on the mean, millionths; one million for none."""
    is_capped: bool = False
    """Did the cap bind?"""
    days: tuple[str, ...] = ()
    """Days whose mean was taken, latest first."""
    left_out: tuple[LeftOut, ...] = ()
    """Days looked at and not used, latest first."""


class NoBaseline(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="none"):
    """A baseline that can't be made."""

    method: Method
    """Which."""
    reason: str
    """Why."""
    left_out: tuple[LeftOut, ...] = ()
    """Days looked at and not used, latest first."""


def ten_in_ten(
    history: Sequence[DaySample], today_before_wh: Sequence[int | None], rules: TenInTenRules
) -> tuple[Baseline | NoBaseline, Baseline | NoBaseline]:
    """Make the baseline with and without its same-day adjustment.

    Parameters
    ----------
    history
        Days before the event, latest first, as many as the programme looks back.
    today_before_wh
        What was drawn in the adjustment's hours on the day of the event, Wh.
    rules
        The programme's.

    Returns
    -------
    tuple
        Adjusted, unadjusted.
    """
    used, left_out = _eligible(history, rules.days)
    if len(used) < rules.days_least:
        reason = f"{len(used)} eligible days, at least {rules.days_least} are needed"
        return (
            NoBaseline(method=Method.TEN_IN_TEN, reason=reason, left_out=left_out),
            NoBaseline(method=Method.UNADJUSTED, reason=reason, left_out=left_out),
        )
    sums = [sum(wh or 0 for wh in column) for column in zip(*(day.event_wh for day in used), strict=True)]
    plain = Baseline(
        method=Method.UNADJUSTED,
        wh=tuple(divide_nearest(total, len(used)) for total in sums),
        days=tuple(day.day for day in used),
        left_out=left_out,
    )
    before = sum(wh or 0 for day in used for wh in day.before_wh)
    if before <= 0 or not today_before_wh or any(wh is None for wh in today_before_wh):
        why = "no draw in the hours before on the days used" if before <= 0 else "a gap in the hours before the event"
        return NoBaseline(method=Method.TEN_IN_TEN, reason=why, left_out=left_out), plain
    asked_ppm = divide_nearest(sum(wh or 0 for wh in today_before_wh) * len(used) * PPM, before)
    ppm = min(max(asked_ppm, PPM - rules.cap_ppm), PPM + rules.cap_ppm)
    adjusted = msgspec.structs.replace(
        plain,
        method=Method.TEN_IN_TEN,
        wh=tuple(divide_nearest(total * ppm, len(used) * PPM) for total in sums),
        adjustment_ppm=ppm,
        is_capped=ppm != asked_ppm,
    )
    return adjusted, plain


def meter_before(before_w: int | None, lengths_us: Sequence[int]) -> Baseline | NoBaseline:
    """Go on as it was: the power before the instruction through every interval.

    Parameters
    ----------
    before_w
        Mean draw just before the instruction, W; None if the meter was silent.
    lengths_us
        Length of each interval, microseconds.
    """
    if before_w is None:
        return NoBaseline(method=Method.METER_BEFORE, reason="the meter was silent before the instruction")
    wh = tuple(divide_nearest(before_w * length_us, US_PER_H) for length_us in lengths_us)
    return Baseline(method=Method.METER_BEFORE, wh=wh)


def _eligible(history: Sequence[DaySample], most: int) -> tuple[list[DaySample], tuple[LeftOut, ...]]:
    used: list[DaySample] = []
    left_out: list[LeftOut] = []
    for day in history:
        if len(used) == most:
            break
        is_whole = None not in day.event_wh and None not in day.before_wh
        reason = day.left_out or ("" if is_whole else "gap in its meter")
        if reason:
            left_out.append(LeftOut(day=day.day, reason=reason))
        else:
            used.append(day)
    return used, tuple(left_out)
