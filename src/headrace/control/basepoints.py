"""Base points of a controllable load: what its draw is to be each five minutes, on which path, and how well it was.

The grid's dispatch names a power every few minutes. The load's registration says how fast it can move where it stands,
in pieces between break points, by a normal and an emergency curve. From a base point to the next it moves on a straight
line that ends when the dispatch expects it to (the updated desired base point), no faster than its curve:

    path(t) = from + (to − from) min((t − t₀) / T, 1)        |d path / dt| <= ramp(path)

What is off the path is accounted in integers: the metered draw less the path's, second by second, and how much of that
lies outside the tolerance, a share of the base point and at least a floor.
ERCOT's base points, updated desired base points and base point deviation (Nodal Protocols 6.5.7.4 and 6.6.5, whose
present text was not at hand) give the shape; figures are the registration's, none is the market's own.
"""

from collections.abc import Sequence

import msgspec

from headrace.control.orders import Authority, Order, OrderKind
from headrace.core import divide_nearest, require

__all__ = [
    "BasePoint",
    "Deviation",
    "RampCurve",
    "RampPiece",
    "Registration",
    "Trace",
    "desired_mw",
    "deviation",
    "fastest_s",
    "orders_of",
    "reachable_mw",
]

US_PER_S = 1_000_000
W_PER_MW = 1e6
PPM = 1_000_000


class RampPiece(msgspec.Struct, frozen=True, kw_only=True):
    """Ramp between two break points."""

    to_mw: float
    """Draw up to which it holds, MW; from the piece before."""
    up_mw_per_min: float
    """Fastest rise of draw, MW a minute > 0."""
    down_mw_per_min: float
    """Fastest fall, MW a minute > 0."""


class RampCurve(msgspec.Struct, frozen=True, kw_only=True):
    """A registered ramp rate curve."""

    pieces: tuple[RampPiece, ...]
    """By rising draw; the last holds above its own break point too."""

    def __post_init__(self) -> None:
        breaks = [piece.to_mw for piece in self.pieces]
        if not breaks or breaks != sorted(set(breaks)):
            raise ValueError(f"a ramp curve's break points rise, were {breaks}")
        if any(not (piece.up_mw_per_min > 0.0 and piece.down_mw_per_min > 0.0) for piece in self.pieces):
            raise ValueError("a ramp is above 0 MW a minute both ways")


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What the market knows of a controllable load."""

    name: str
    """The resource's name in the market."""
    least_mw: float
    """Draw below which it can't be dispatched, MW."""
    most_mw: float
    """Most it draws, MW."""
    normal: RampCurve
    """Ramps under normal dispatch."""
    emergency: RampCurve
    """Ramps under an emergency."""
    period_s: int = 300
    """Time between base points, seconds."""
    tolerance_ppm: int = 50_000
    """Part of a base point by which the draw may be off it, millionths."""
    tolerance_least_w: int = 3_000_000
    """The same, at least, W."""


class BasePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One base point."""

    at_us: int
    """When its path begins, epoch microseconds."""
    from_mw: float
    """Draw on the path there, MW."""
    to_mw: float
    """Draw that is asked for, MW."""
    within_s: float
    """Time in which it is to be reached, seconds."""
    is_emergency: bool = False
    """Does the emergency curve hold?"""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Metered draw at one time."""

    at_us: int
    """Epoch microseconds."""
    power_w: int
    """Draw, W."""


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """How well the path was followed, in integers."""

    metered_wh: int
    """Energy drawn."""
    path_wh: int
    """Energy on the path."""
    over_wh: int
    """Energy drawn above the tolerance."""
    under_wh: int
    """Energy not drawn below the tolerance."""
    longest_off_us: int
    """Longest time outside the tolerance in one go, microseconds."""
    worst_w: int
    """Largest distance from the path, W."""


def desired_mw(point: BasePoint, registration: Registration, at_us: int) -> float:
    """Draw on the path of a base point at a time: the straight line, no faster than the registered ramps, MW."""
    elapsed_s = max(at_us - point.at_us, 0) / US_PER_S
    line_mw = point.to_mw
    if 0.0 <= elapsed_s < point.within_s:
        line_mw = point.from_mw + (point.to_mw - point.from_mw) * elapsed_s / point.within_s
    reach_mw = reachable_mw(
        registration, from_mw=point.from_mw, to_mw=point.to_mw, elapsed_s=elapsed_s, is_emergency=point.is_emergency
    )
    return min(line_mw, reach_mw) if point.to_mw >= point.from_mw else max(line_mw, reach_mw)


def reachable_mw(
    registration: Registration, *, from_mw: float, to_mw: float, elapsed_s: float, is_emergency: bool = False
) -> float:
    """Draw that the ramps allow after a time on the way from one to another, MW."""
    curve = registration.emergency if is_emergency else registration.normal
    left_min, at_mw = elapsed_s / 60.0, from_mw
    for next_mw, ramp_mw_per_min in _stretches(curve, from_mw, to_mw):
        needs_min = abs(next_mw - at_mw) / ramp_mw_per_min
        if needs_min >= left_min:
            step_mw = ramp_mw_per_min * left_min
            return at_mw + step_mw if to_mw > from_mw else at_mw - step_mw
        left_min, at_mw = left_min - needs_min, next_mw
    return to_mw


def fastest_s(registration: Registration, *, from_mw: float, to_mw: float, is_emergency: bool = False) -> float:
    """Least time that the ramps allow from one draw to another, seconds."""
    curve = registration.emergency if is_emergency else registration.normal
    at_mw, total_s = from_mw, 0.0
    for next_mw, ramp_mw_per_min in _stretches(curve, from_mw, to_mw):
        total_s += abs(next_mw - at_mw) / ramp_mw_per_min * 60.0
        at_mw = next_mw
    return total_s


def orders_of(
    point: BasePoint, registration: Registration, *, id: str, authority: Authority, received_us: int, issued_by: str
) -> tuple[Order, Order]:
    """The orders that hold a load on a base point: at most and at least that draw, until the next one is late.

    A base point stands for two periods: the next replaces it after one, and if none comes the load is free again.
    """
    mw = min(max(point.to_mw, registration.least_mw), registration.most_mw)
    within_s = max(
        point.within_s,
        fastest_s(registration, from_mw=point.from_mw, to_mw=mw, is_emergency=point.is_emergency),
    )
    limit = Order(
        id=f"{id}.limit",
        kind=OrderKind.LIMIT,
        authority=authority,
        mw=mw,
        received_us=received_us,
        starts_us=point.at_us,
        ends_us=point.at_us + 2 * registration.period_s * US_PER_S,
        within_s=within_s,
        issued_by=issued_by,
        reason=f"base point {point.to_mw:g} MW from {point.from_mw:g} MW",
    )
    return limit, msgspec.structs.replace(limit, id=f"{id}.raise", kind=OrderKind.RAISE)


def deviation(
    points: Sequence[BasePoint], registration: Registration, trace: Sequence[Trace], end_us: int
) -> Deviation:
    """Account for what was drawn against the path.

    Parameters
    ----------
    points
        Base points by time.
    registration
        The load.
    trace
        Metered draw by time; each holds until the next.
    end_us
        End of the account, epoch microseconds.
    """
    require(bool(points) and bool(trace), "an account needs a base point and a reading")
    metered = path = over = under = 0
    worst_w = longest_us = off_us = 0
    for index, reading in enumerate(trace):
        until_us = trace[index + 1].at_us if index + 1 < len(trace) else end_us
        span_us = until_us - reading.at_us
        if span_us <= 0:
            continue
        point = _in_force(points, reading.at_us)
        path_w = round(desired_mw(point, registration, reading.at_us + span_us // 2) * W_PER_MW)
        band_w = max(path_w * registration.tolerance_ppm // PPM, registration.tolerance_least_w)
        off_w = reading.power_w - path_w
        metered += reading.power_w * span_us
        path += path_w * span_us
        over += max(off_w - band_w, 0) * span_us
        under += max(-off_w - band_w, 0) * span_us
        worst_w = max(worst_w, abs(off_w))
        off_us = off_us + span_us if abs(off_w) > band_w else 0
        longest_us = max(longest_us, off_us)
    us_per_h = 3600 * US_PER_S
    return Deviation(
        metered_wh=divide_nearest(metered, us_per_h),
        path_wh=divide_nearest(path, us_per_h),
        over_wh=divide_nearest(over, us_per_h),
        under_wh=divide_nearest(under, us_per_h),
        longest_off_us=longest_us,
        worst_w=worst_w,
    )


def _in_force(points: Sequence[BasePoint], at_us: int) -> BasePoint:
    """The last base point that has begun; the first before it has."""
    begun = [point for point in points if point.at_us <= at_us]
    return begun[-1] if begun else points[0]


def _stretches(curve: RampCurve, from_mw: float, to_mw: float) -> list[tuple[float, float]]:
    """(end, ramp) of each piece on the way from one draw to another, MW and MW a minute."""
    found: list[tuple[float, float]] = []
    low_mw = -1e12
    for index, piece in enumerate(curve.pieces):
        high_mw = piece.to_mw if index + 1 < len(curve.pieces) else 1e12
        if to_mw > from_mw and high_mw > from_mw and low_mw < to_mw:
            found.append((min(high_mw, to_mw), piece.up_mw_per_min))
        elif to_mw < from_mw and low_mw < from_mw and high_mw > to_mw:
            found.append((max(low_mw, to_mw), piece.down_mw_per_min))
        low_mw = piece.to_mw
    return found if to_mw > from_mw else found[::-1]
