"""How an event was met: instruction, metered trace, time to band, energy delivered against each baseline. Integers.

A trace is a series of meter readings of power; each holds until the next. Where two are further apart than the meter's
gap, the power between them is estimated on the straight line and the time is counted as estimated: it is shown, and
whoever pays decides whether it counts. The band of an instruction is its target plus a tolerance; it is met when the
draw has come into the band and stays there for as long as the programme says, at the time it came in.

    delivered_k = baseline_k − metered_k          (negative: the site drew more)
"""

import itertools
from collections.abc import Sequence

import msgspec

from headrace.control.orders import OrderKind
from headrace.core import divide_nearest, require
from headrace.settlement.baselines import Baseline, Method, NoBaseline

__all__ = ["Delivered", "EventPerformance", "Instruction", "Interval", "TracePoint", "energy_wh", "mean_w", "perform"]

US_PER_H = 3_600_000_000
US_PER_S = 1_000_000
PPM = 1_000_000


class TracePoint(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One reading of the meter."""

    at_us: int
    """When it was measured, epoch microseconds."""
    power_w: int
    """Net draw, load-positive, W."""


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, as the site took it."""

    id: str
    """Id of the order."""
    kind: OrderKind
    """Shed, limit or raise."""
    power_w: int
    """Power that it names, W."""
    received_us: int
    """When it came, epoch microseconds."""
    starts_us: int
    """Start, epoch microseconds."""
    ends_us: int
    """End, epoch microseconds."""
    within_us: int
    """Time in which it is to be met, microseconds."""
    tolerance_ppm: int = 50_000
    """Part of the power it names by which the draw may miss the target, millionths."""
    tolerance_least_w: int = 100_000
    """The same, at least, W."""
    hold_us: int = 30 * US_PER_S
    """How long the draw must stay in the band to have met it, microseconds."""
    issued_by: str = ""
    """Who asked."""
    reason: str = ""
    """In his words."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """One interval of the event."""

    start_us: int
    """Start, epoch microseconds."""
    length_us: int
    """Length, microseconds."""
    metered_wh: int | None
    """Energy drawn, Wh; None without a reading."""
    estimated_us: int
    """Of it, time between readings too far apart, microseconds."""


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What was delivered against one baseline."""

    method: Method
    """The baseline's."""
    baseline_wh: int
    """Energy that would have been drawn, Wh, in the intervals with a reading."""
    metered_wh: int
    """Energy that was, Wh."""
    delivered_wh: int
    """Difference, Wh."""
    by_interval_wh: tuple[int | None, ...]
    """The same by interval; None without a reading."""


class EventPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """How one event was met."""

    instruction: Instruction
    """What was asked."""
    before_w: int | None
    """Mean draw just before it, W; None without a reading."""
    target_w: int | None
    """Draw that it asks for, W; None for a shed whose draw before is not known."""
    band_w: int
    """Tolerance around the target, W."""
    met_us: int | None
    """When the draw came into the band to stay, epoch microseconds; None if it never did."""
    in_band_ppm: int | None
    """Share of the time after it was due that the draw was in the band, millionths; None if that can't be told."""
    worst_w: int | None
    """Furthest that the draw missed the target by after it was due, W; 0 inside the band."""
    intervals: tuple[Interval, ...]
    """The event by interval."""
    delivered: tuple[Delivered, ...]
    """Against each baseline that could be made."""
    baselines: tuple[Baseline | NoBaseline, ...]
    """Every baseline, with what it rests on."""
    resolution_us: int | None
    """Median time between readings, microseconds."""
    estimated_us: int
    """Time of the event between readings too far apart, microseconds."""
    trace: tuple[TracePoint, ...]
    """The metered trace at its own resolution, from before the event to after it."""


def perform(
    instruction: Instruction,
    trace: Sequence[TracePoint],
    baselines: Sequence[Baseline | NoBaseline],
    *,
    starts_us: Sequence[int],
    gap_us: int,
    before_us: int,
) -> EventPerformance:
    """Judge an event by the meter.

    Parameters
    ----------
    instruction
        What was asked.
    trace
        Readings by time, from before the event to after it.
    baselines
        Baselines over the intervals below.
    starts_us
        Start of each interval of the event; the last ends with the event.
    gap_us
        Readings further apart than this leave a gap.
    before_us
        How long before the instruction the draw before it is taken over.
    """
    require(all(a.at_us < b.at_us for a, b in itertools.pairwise(trace)), "a trace goes forward in time")
    ends_us = [*starts_us[1:], instruction.ends_us]
    intervals = tuple(
        _interval(trace, start_us, end_us, gap_us) for start_us, end_us in zip(starts_us, ends_us, strict=True)
    )
    before_w = mean_w(trace, instruction.received_us - before_us, instruction.received_us, gap_us)
    target_w = _target_w(instruction, before_w)
    band_w = max(instruction.power_w * instruction.tolerance_ppm // PPM, instruction.tolerance_least_w)
    misses = () if target_w is None else _misses(instruction, trace, target_w, band_w)
    return EventPerformance(
        instruction=instruction,
        before_w=before_w,
        target_w=target_w,
        band_w=band_w,
        met_us=_met_us(instruction, misses),
        in_band_ppm=_in_band_ppm(instruction, misses),
        worst_w=max((miss_w for _, end_us, miss_w in misses if end_us > _due_us(instruction)), default=None),
        intervals=intervals,
        delivered=tuple(_delivered(each, intervals) for each in baselines if isinstance(each, Baseline)),
        baselines=tuple(baselines),
        resolution_us=_median([b.at_us - a.at_us for a, b in itertools.pairwise(trace)]),
        estimated_us=sum(each.estimated_us for each in intervals),
        trace=tuple(trace),
    )


def energy_wh(trace: Sequence[TracePoint], start_us: int, end_us: int, gap_us: int) -> tuple[int | None, int]:
    """Energy drawn between two times, Wh, and how much of the time is estimated, microseconds.

    Before the first reading and, further than a gap, after the last there is no energy to tell: None.
    """
    if not trace or trace[0].at_us > start_us or end_us - trace[-1].at_us > gap_us:
        return None, end_us - start_us
    twice = estimated_us = 0
    for index, reading in enumerate(trace):
        follows = trace[index + 1] if index + 1 < len(trace) else None
        until_us = end_us if follows is None else follows.at_us
        low_us, high_us = max(reading.at_us, start_us), min(until_us, end_us)
        if low_us >= high_us:
            continue
        if follows is not None and until_us - reading.at_us > gap_us:
            estimated_us += high_us - low_us
            slope, span_us = follows.power_w - reading.power_w, until_us - reading.at_us
            ends_w = 2 * reading.power_w + divide_nearest(slope * (low_us + high_us - 2 * reading.at_us), span_us)
            twice += ends_w * (high_us - low_us)
        else:
            twice += 2 * reading.power_w * (high_us - low_us)
    return divide_nearest(twice, 2 * US_PER_H), estimated_us


def mean_w(trace: Sequence[TracePoint], start_us: int, end_us: int, gap_us: int) -> int | None:
    """Mean draw between two times, W; None without readings."""
    drawn_wh, _ = energy_wh(trace, start_us, end_us, gap_us)
    return None if drawn_wh is None or end_us <= start_us else divide_nearest(drawn_wh * US_PER_H, end_us - start_us)


def _interval(trace: Sequence[TracePoint], start_us: int, end_us: int, gap_us: int) -> Interval:
    metered_wh, estimated_us = energy_wh(trace, start_us, end_us, gap_us)
    return Interval(start_us=start_us, length_us=end_us - start_us, metered_wh=metered_wh, estimated_us=estimated_us)


def _target_w(instruction: Instruction, before_w: int | None) -> int | None:
    if instruction.kind is OrderKind.SHED:
        return None if before_w is None else before_w - instruction.power_w
    return instruction.power_w


def _due_us(instruction: Instruction) -> int:
    return instruction.starts_us + instruction.within_us


def _misses(
    instruction: Instruction, trace: Sequence[TracePoint], target_w: int, band_w: int
) -> tuple[tuple[int, int, int], ...]:
    """(start, end, W outside the band) of each reading within the event."""
    sign = -1 if instruction.kind is OrderKind.RAISE else 1
    found = []
    for index, reading in enumerate(trace):
        until_us = trace[index + 1].at_us if index + 1 < len(trace) else instruction.ends_us
        low_us, high_us = max(reading.at_us, instruction.starts_us), min(until_us, instruction.ends_us)
        if low_us < high_us:
            found.append((low_us, high_us, max(sign * (reading.power_w - target_w) - band_w, 0)))
    return tuple(found)


def _met_us(instruction: Instruction, misses: Sequence[tuple[int, int, int]]) -> int | None:
    """Start of the first stay in the band that lasts as long as it must, or to the event's end."""
    since_us: int | None = None
    for start_us, end_us, miss_w in misses:
        if miss_w > 0:
            since_us = None
            continue
        since_us = start_us if since_us is None else since_us
        if end_us - since_us >= instruction.hold_us or end_us >= instruction.ends_us:
            return since_us
    return None


def _in_band_ppm(instruction: Instruction, misses: Sequence[tuple[int, int, int]]) -> int | None:
    due_us = _due_us(instruction)
    spans = [(max(end_us - max(start_us, due_us), 0), miss_w) for start_us, end_us, miss_w in misses]
    total_us = sum(span_us for span_us, _ in spans)
    if total_us == 0:
        return None
    return divide_nearest(sum(span_us for span_us, miss_w in spans if miss_w == 0) * PPM, total_us)


def _delivered(baseline: Baseline, intervals: Sequence[Interval]) -> Delivered:
    pairs = list(zip(baseline.wh, (each.metered_wh for each in intervals), strict=True))
    by_interval = tuple(None if metered is None else base - metered for base, metered in pairs)
    base_wh = sum(base for base, metered in pairs if metered is not None)
    metered_wh = sum(metered for _, metered in pairs if metered is not None)
    return Delivered(
        method=baseline.method,
        baseline_wh=base_wh,
        metered_wh=metered_wh,
        delivered_wh=base_wh - metered_wh,
        by_interval_wh=by_interval,
    )


def _median(spans_us: list[int]) -> int | None:
    return sorted(spans_us)[len(spans_us) // 2] if spans_us else None
