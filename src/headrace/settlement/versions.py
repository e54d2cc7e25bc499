"""Versions of a statement: what a later one changes, so that only the difference is booked and nothing is taken back.

The first statement about an interval stands against what we accrued ourselves, a later version against the one before.
The sum of all entries of an interval and line is then always what the latest version says; a charge that a later
version drops goes to zero.

Refused: two statements of one version about the same interval and line, a version older than one already booked, and
rows that cut what an earlier version billed as one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

import msgspec

from headrace.core import BadInput, iso
from headrace.settlement.billed import PAYMENTS, BilledStatement, Version, charges_of

__all__ = ["Accrual", "BookedCharge", "Change", "changes_of"]

_Key = tuple[int, int, str | None]
"""Start, end and line."""


class Accrual(msgspec.Struct, frozen=True, kw_only=True):
    """What our own settlement booked on one line for one interval."""

    start_s: int
    """Start, epoch seconds."""
    end_s: int
    """End."""
    line: str
    """Statement line, or `POOL_CREDIT`."""
    amount: int
    """Smallest units; plus is owed to us."""
    fair_value_micro: int = 0
    """Of satoshis: their fair value when they were mined, in the books' currency."""


class BookedCharge(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement that is already booked billed on one line for one interval."""

    number: int
    """Place of its statement among those booked."""
    counterparty: str
    """Its sender."""
    version: Version
    start_s: int
    """Start, epoch seconds."""
    end_s: int
    """End."""
    line: str | None
    """As `BilledRow.line`."""
    amount: int
    """Smallest units; plus is owed to us."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one statement changes on one line for one interval."""

    start_s: int
    """Start, epoch seconds."""
    end_s: int
    """End."""
    line: str | None
    """As `BilledRow.line`."""
    before: int
    """What the books hold so far: the version before, else our own accrual."""
    after: int
    """What this version says."""
    accrued: int
    """Our own accrual, 0 where there is none."""
    accrued_value_micro: int
    """Fair value of accrued satoshis, in the books' currency."""
    is_first: bool
    """No version was booked before: satoshis move from provisional to receivable."""


def changes_of(
    statement: BilledStatement, booked: Iterable[BookedCharge], accrued: Iterable[Accrual]
) -> tuple[Change, ...]:
    """What a statement changes, in order of time.

    Parameters
    ----------
    statement
        The new one.
    booked
        Charges of statements already booked that touch its span, in the order in which they were booked.
    accrued
        Our own accruals that touch its span.

    Raises
    ------
    BadInput
        If it overlaps a statement of the same or a later version, or its rows cut what is booked.
    """
    charges = charges_of(statement)
    latest = _version_before(statement, charges, booked)
    own: dict[str | None, list[Accrual]] = {}
    for accrual in sorted(accrued, key=lambda each: each.start_s):
        own.setdefault(accrual.line, []).append(accrual)
    starts = {line: [each.start_s for each in accruals] for line, accruals in own.items()}
    found: list[Change] = []
    for key in sorted({*charges, *latest}, key=lambda key: (key[0], key[1], key[2] or "")):
        start_s, end_s, line = key
        inside = _inside(statement, key, own.get(line, []), starts.get(line, []))
        amount = sum(each.amount for each in inside)
        found.append(
            Change(
                start_s=start_s,
                end_s=end_s,
                line=line,
                before=latest.get(key, amount),
                after=charges[key].amount if key in charges else 0,
                accrued=amount,
                accrued_value_micro=sum(each.fair_value_micro for each in inside),
                is_first=key not in latest,
            )
        )
    return tuple(found)


def _version_before(
    statement: BilledStatement, charges: Mapping[_Key, object], booked: Iterable[BookedCharge]
) -> dict[_Key, int]:
    """What earlier versions billed, the latest of each interval and line.

    An earlier version is a statement that bills one of the same lines in the same time; of payments and of charges that
    nobody knows, only the same sender's. All it billed in that time counts: what a later version drops goes to zero.
    """
    lines = {line for _, _, line in charges}
    touching = [b for b in booked if b.start_s < statement.end_s and b.end_s > statement.start_s]
    earlier = {
        b.number
        for b in touching
        if b.line in lines and (b.counterparty == statement.counterparty or not (b.line is None or b.line in PAYMENTS))
    }
    times: dict[str | None, list[tuple[int, int]]] = {}
    for start_s, end_s, line in sorted(charges, key=lambda key: key[0]):
        times.setdefault(line, []).append((start_s, end_s))
    latest: dict[_Key, int] = {}
    for each in touching:
        if each.number not in earlier:
            continue
        if each.version.rank >= statement.version.rank:
            raise _overlap(statement, each)
        key = (each.start_s, each.end_s, each.line)
        if key not in charges and _is_cut(statement, each, times.get(each.line, [])):
            raise _cut(statement, each.line, each.start_s, each.end_s, "the version before billed as one")
        latest[key] = each.amount
    return latest


def _is_cut(statement: BilledStatement, each: BookedCharge, times: list[tuple[int, int]]) -> bool:
    """A booked charge shares time with a row of the new statement that is not its own, or sticks out of its span."""
    at = bisect_left(times, (each.end_s, 0))
    overlaps = at > 0 and times[at - 1][1] > each.start_s
    return overlaps or each.start_s < statement.start_s or each.end_s > statement.end_s


def _inside(statement: BilledStatement, key: _Key, own: list[Accrual], starts: list[int]) -> list[Accrual]:
    """Our accruals inside one charge."""
    start_s, end_s, line = key
    first, last = bisect_left(starts, start_s), bisect_left(starts, end_s)
    if first and own[first - 1].end_s > start_s:
        raise _cut(statement, line, own[first - 1].start_s, own[first - 1].end_s, "we settled as one")
    if last > first and own[last - 1].end_s > end_s:
        raise _cut(statement, line, own[last - 1].start_s, own[last - 1].end_s, "we settled as one")
    return own[first:last]


def _name(statement: BilledStatement) -> str:
    number = f" {statement.statement_id}" if statement.statement_id else ""
    return f"{statement.counterparty}{number} ({statement.version.value})"


def _overlap(statement: BilledStatement, booked: BookedCharge) -> BadInput:
    return BadInput(
        f"{_name(statement)}, {booked.line or 'unknown charges'} {iso(booked.start_s)} to {iso(booked.end_s)}",
        f"the {booked.version.value} version from {booked.counterparty} is already booked",
        "Books are never rewritten: import a version that comes after it, initial then final then true-up",
    )


def _cut(statement: BilledStatement, line: str | None, start_s: int, end_s: int, what: str) -> BadInput:
    return BadInput(
        f"{_name(statement)}, {line or 'unknown charges'}",
        f"a row begins or ends inside {iso(start_s)} to {iso(end_s)}, which {what}",
        "Check the declaration's interval, stamp and time zone, or import rows of the same intervals",
    )
