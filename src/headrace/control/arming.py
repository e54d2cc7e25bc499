"""Reserve that a relay trips: what software may say of it, and what it must not.

A reserve that answers within a quarter of a second to a fall of frequency is tripped by an under-frequency relay at the
feeder's breaker. No software takes part in that: it arms (keeps at least the sold power drawn behind the relay, and
knows that the relay is in service), proves (by readings that it was so, all the time it was sold), and restores
afterwards when the grid permits. When and how fast the relay tripped is the relay's own record, or unknown.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

__all__ = ["ArmedPower", "Arming", "ArmingReport", "ArmingState", "RelayTrip", "Shortfall", "proven"]

US_PER_S = 1_000_000


class ArmingState(StrEnum):
    """Where a reserve behind a relay stands."""

    ARMED = "armed"
    """The relay is in service and the power is there to be tripped."""
    SHORT = "short"
    """Less power is drawn behind the relay than was sold, or the relay is out of service."""
    TRIPPED = "tripped"
    """The relay has opened its breaker."""
    RESTORED = "restored"
    """The load is back, with the grid's permission."""
    UNKNOWN = "unknown"
    """No reading is young enough to tell."""


class Arming(msgspec.Struct, frozen=True, kw_only=True):
    """Reserve sold behind one relay for a time."""

    product: str
    """Name of the reserve ("RRS-UFR")."""
    relay: str
    """Name of the relay."""
    feeder: str
    """Feeder that its breaker takes off."""
    sold_w: int
    """Power sold, W."""
    trips_at_hz: float
    """Frequency at which the relay is set to trip, Hz: the setting as registered, which software only repeats."""
    starts_us: int
    """Start of what was sold, epoch microseconds."""
    ends_us: int
    """End of it, epoch microseconds."""


class ArmedPower(msgspec.Struct, frozen=True, kw_only=True):
    """What was there at one time."""

    at_us: int
    """When it was read, epoch microseconds."""
    power_w: int
    """Draw behind the relay, W."""
    is_in_service: bool | None
    """Does the relay report that it is in service? None if it did not say."""
    is_closed: bool | None = True
    """Is its breaker closed? None if it did not say."""


class RelayTrip(msgspec.Struct, frozen=True, kw_only=True):
    """What the relay itself recorded."""

    tripped_us: int
    """When it tripped by its own clock, epoch microseconds."""
    delay_us: int | None
    """Time from its threshold to its trip as it recorded it, microseconds; None if it keeps none."""
    frequency_hz: float | None
    """Frequency that it measured, Hz."""
    restored_us: int | None = None
    """When the load was back, epoch microseconds; None while it is not."""
    permitted_by: str = ""
    """Who permitted the restoration."""


class Shortfall(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which the reserve was not there in full, or cannot be shown to have been."""

    start_us: int
    """Start, epoch microseconds."""
    end_us: int
    """End, epoch microseconds."""
    short_w: int
    """Most that was missing, W."""
    state: ArmingState
    """Short or unknown."""


class ArmingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What can be shown of a reserve behind a relay."""

    arming: Arming
    """What was sold."""
    armed_us: int
    """Time shown to be armed in full, microseconds."""
    shortfalls: tuple[Shortfall, ...]
    """Times that are not."""
    trips: tuple[RelayTrip, ...]
    """What the relay recorded."""
    sentences: tuple[str, ...]
    """The same for a person."""


def proven(
    arming: Arming, readings: Sequence[ArmedPower], trips: Sequence[RelayTrip], *, gap_us: int, now_us: int
) -> ArmingReport:
    """Show from readings what was armed, and tell the relay's own record of its trips.

    Parameters
    ----------
    arming
        What was sold.
    readings
        Power behind the relay, by time; each holds until the next, and no longer than a gap.
    trips
        The relay's record, by time.
    gap_us
        A reading older than this shows nothing.
    now_us
        End of the account if the sale has not ended, epoch microseconds.
    """
    end_us = min(arming.ends_us, now_us)
    spans = [span for span in _spans(arming, readings, gap_us, end_us) if not _is_tripped(span[0], trips)]
    armed_us = sum(stop - start for start, stop, _, state in spans if state is ArmingState.ARMED)
    shortfalls = _joined([span for span in spans if span[3] is not ArmingState.ARMED])
    return ArmingReport(
        arming=arming,
        armed_us=armed_us,
        shortfalls=shortfalls,
        trips=tuple(trips),
        sentences=_sentences(arming, armed_us, shortfalls, trips, end_us),
    )


_Span = tuple[int, int, int, ArmingState]


def _spans(arming: Arming, readings: Sequence[ArmedPower], gap_us: int, end_us: int) -> list[_Span]:
    """(start, end, W short, state) that together cover what was sold."""
    spans: list[_Span] = []
    reached_us = arming.starts_us
    for index, reading in enumerate(readings):
        until_us = readings[index + 1].at_us if index + 1 < len(readings) else end_us
        start_us = max(reading.at_us, arming.starts_us)
        stop_us = min(until_us, end_us, reading.at_us + gap_us)
        if stop_us <= start_us:
            continue
        if start_us > reached_us:
            spans.append((reached_us, start_us, arming.sold_w, ArmingState.UNKNOWN))
        spans.append((start_us, stop_us, *_at(arming, reading)))
        reached_us = stop_us
    if reached_us < end_us:
        spans.append((reached_us, end_us, arming.sold_w, ArmingState.UNKNOWN))
    return spans


def _at(arming: Arming, reading: ArmedPower) -> tuple[int, ArmingState]:
    if reading.is_in_service is None or reading.is_closed is None:
        return arming.sold_w, ArmingState.UNKNOWN
    if not (reading.is_in_service and reading.is_closed):
        return arming.sold_w, ArmingState.SHORT
    short_w = max(arming.sold_w - reading.power_w, 0)
    return short_w, ArmingState.SHORT if short_w else ArmingState.ARMED


def _is_tripped(at_us: int, trips: Sequence[RelayTrip]) -> bool:
    return any(t.tripped_us <= at_us and (t.restored_us is None or at_us < t.restored_us) for t in trips)


def _joined(spans: Sequence[_Span]) -> tuple[Shortfall, ...]:
    joined: list[Shortfall] = []
    for start_us, end_us, short_w, state in spans:
        if joined and joined[-1].end_us == start_us and joined[-1].state is state:
            last = joined[-1]
            joined[-1] = msgspec.structs.replace(last, end_us=end_us, short_w=max(last.short_w, short_w))
        else:
            joined.append(Shortfall(start_us=start_us, end_us=end_us, short_w=short_w, state=state))
    return tuple(joined)


def _sentences(
    arming: Arming, armed_us: int, shortfalls: Sequence[Shortfall], trips: Sequence[RelayTrip], end_us: int
) -> tuple[str, ...]:
    total_s = max(end_us - arming.starts_us, 0) / US_PER_S
    found = [
        f"{arming.sold_w / 1e6:,.3g} MW of {arming.product} behind relay {arming.relay}, "
        f"set to {arming.trips_at_hz:g} Hz.",
        f"Shown to be armed in full for {armed_us / US_PER_S:,.0f} of {total_s:,.0f} s.",
    ]
    unknown_us = sum(each.end_us - each.start_us for each in shortfalls if each.state is ArmingState.UNKNOWN)
    short_us = sum(each.end_us - each.start_us for each in shortfalls if each.state is ArmingState.SHORT)
    if short_us:
        found.append(f"Short for {short_us / US_PER_S:,.0f} s.")
    if unknown_us:
        found.append(f"No reading tells of {unknown_us / US_PER_S:,.0f} s: they are not claimed.")
    for trip in trips:
        delay = "keeps no record of how fast" if trip.delay_us is None else f"recorded {trip.delay_us / 1e3:,.0f} ms"
        found.append(f"The relay tripped by itself and {delay}; software had no part in it.")
        if trip.restored_us is not None:
            found.append(f"Restored after {(trip.restored_us - trip.tripped_us) / US_PER_S:,.0f} s, permitted by "
                         f"{trip.permitted_by or 'nobody on record'}.")  # fmt: skip
    return tuple(found)
