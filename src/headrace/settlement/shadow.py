"""Shadow settlement: why a statement says something else than our own books, to the last unit.

For each line and interval the difference D = billed − own is cut where quantity and price change one after the other,

    meter       V(Q_meter, P_own) − own               the revenue meter outranks the telemetry we settled on
    quantity    V(Q_billed, P_own) − V(Q_meter, P_own)    what our own price makes of the billed quantity
    price       V(Q_billed, P_billed) − V(Q_billed, P_own)
    rounding    billed − V(Q_billed, P_billed)        up to the sender's own rounding of amount and price

with V(Q, P) = Q × P / 10⁶ to the nearest, P signed like the line. The parts telescope, so they add up to D in integers;
what no rule explains is the residual, reported beside them and never spread over them. Our own price is the settlement
price where it gives our amount exactly, else our amount over our quantity (as for a whole day's row).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from headrace.core import BadInput, divide_nearest, divide_up, iso
from headrace.settlement.billed import BilledStatement, Charge, charges_of

__all__ = ["Cause", "Difference", "OwnCharge", "Reconciliation", "shadow_settle"]

PER_MILLION: Final = 1_000_000


class Cause(StrEnum):
    """Why a statement differs from our books."""

    METER = "meter"
    """The revenue meter counted something else than the telemetry that our books rest on."""
    QUANTITY = "quantity"
    """It bills another quantity than we metered."""
    PRICE = "price"
    """It bills another price than we settled at."""
    ESTIMATE_REPLACED = "estimate_replaced"
    """It bills a price where we had only an estimate."""
    ROUNDING = "rounding"
    """The sender's rounding of amounts and prices."""
    NOT_BILLED = "not_billed"
    """Our books have it, the statement has not."""
    NOT_IN_BOOKS = "not_in_books"
    """The statement bills an interval that our books don't hold."""
    UNKNOWN_CHARGE = "unknown_charge"
    """The statement bills a charge that its declaration doesn't know."""


class OwnCharge(msgspec.Struct, frozen=True, kw_only=True):
    """What we settled ourselves on one line for one interval, and from what."""

    start_s: int
    """Start, epoch seconds."""
    end_s: int
    """End."""
    quantity: int | None
    """Metered Wh, or petahashes; None for a line that follows no single quantity."""
    price_micro_per_mwh: int | None
    """Price that makes `amount` of `quantity`, per million units, signed like the line; None if there is none such."""
    amount: int
    """Smallest units; plus is owed to us."""
    is_estimated: bool
    """It rests on an estimated price."""
    meter_quantity: int | None = None
    """What the revenue meter counted, which outranks `quantity`; None where there is none."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One line and interval of a statement against our own."""

    start_s: int
    """Start, epoch seconds."""
    end_s: int
    """End."""
    line: str | None
    """Line of our books; None for an unknown charge."""
    name: str
    """What the sender calls it; "" where it bills nothing."""
    own: int
    """Our amount, smallest units; plus is owed to us."""
    billed: int
    """The statement's."""
    own_quantity: int | None
    """Ours, Wh or petahashes."""
    billed_quantity: int | None
    """The statement's."""
    parts: Mapping[Cause, int]
    """Explained, by cause; zeros left out."""
    residual: int
    """Not explained: the parts and the residual add up to `billed` − `own`."""

    @property
    def amount(self) -> int:
        """Billed less own."""
        return self.billed - self.own


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """A statement against our books over its span."""

    statement: BilledStatement
    """The statement."""
    differences: tuple[Difference, ...]
    """Every line and interval of either, those without difference among them, in order of time."""

    @property
    def own(self) -> int:
        """Sum of our amounts."""
        return sum(each.own for each in self.differences)

    @property
    def billed(self) -> int:
        """Sum of the statement's amounts: its total."""
        return sum(each.billed for each in self.differences)

    @property
    def residual(self) -> int:
        """Sum of what is not explained."""
        return sum(each.residual for each in self.differences)

    @property
    def unexplained(self) -> int:
        """Sum of the residuals' sizes, in which plus and minus do not cancel."""
        return sum(abs(each.residual) for each in self.differences)

    @property
    def parts(self) -> dict[Cause, int]:
        """Sum of what is explained, by cause, in the order of `Cause`."""
        sums: Counter[Cause] = Counter()
        for each in self.differences:
            sums.update(each.parts)
        return {cause: sums[cause] for cause in Cause if cause in sums}


def shadow_settle(
    statement: BilledStatement, own: Mapping[str, Iterable[OwnCharge]], lines: Iterable[str]
) -> Reconciliation:
    """Compare a statement with what we settled ourselves over its span.

    Parameters
    ----------
    statement
        The sender's.
    own
        Our own by line, each in order of time; those outside the statement's span are left aside.
    lines
        Lines that this sender bills at all: one of them that it leaves out is a difference.

    Raises
    ------
    BadInput
        If a row begins or ends inside one of our own settlement intervals.
    """
    charges = charges_of(statement)
    found: list[Difference] = []
    for line in dict.fromkeys([*lines, *(line for _, _, line in charges if line is not None)]):
        within = [o for o in own.get(line, ()) if o.end_s > statement.start_s and o.start_s < statement.end_s]
        found += _line(line, [c for c in charges.values() if c.line == line], within, statement)
    found += [
        _difference(charge, None, {Cause.UNKNOWN_CHARGE: charge.amount})
        for charge in charges.values()
        if charge.line is None
    ]
    found.sort(key=lambda each: (each.start_s, each.end_s))
    return Reconciliation(statement=statement, differences=tuple(found))


def _line(line: str, charges: list[Charge], own: list[OwnCharge], statement: BilledStatement) -> list[Difference]:
    """Walk the charges and our own intervals of one line side by side."""
    found: list[Difference] = []
    at = 0
    for charge in sorted(charges, key=lambda each: each.start_s):
        while at < len(own) and own[at].end_s <= charge.start_s:
            found.append(_not_billed(line, own[at]))
            at += 1
        inside: list[OwnCharge] = []
        while at < len(own) and own[at].start_s < charge.end_s:
            if own[at].start_s < charge.start_s or own[at].end_s > charge.end_s:
                raise BadInput(
                    f"{statement.counterparty} {charge.name!r} {iso(charge.start_s)} to {iso(charge.end_s)}",
                    f"cuts our settlement interval {iso(own[at].start_s)} to {iso(own[at].end_s)}",
                    "Check the declaration's interval, stamp and time zone",
                )
            inside.append(own[at])
            at += 1
        found.append(_explained(charge, _together(inside), statement))
    return found + [_not_billed(line, each) for each in own[at:]]


def _together(own: list[OwnCharge]) -> OwnCharge | None:
    """Our own intervals inside one charge as one, which has a mean price only."""
    if len(own) < 2:
        return own[0] if own else None
    return OwnCharge(
        start_s=own[0].start_s,
        end_s=own[-1].end_s,
        quantity=_sum(each.quantity for each in own),
        meter_quantity=_sum(each.meter_quantity for each in own),
        price_micro_per_mwh=None,
        amount=sum(each.amount for each in own),
        is_estimated=any(each.is_estimated for each in own),
    )


def _sum(quantities: Iterable[int | None]) -> int | None:
    """Sum of quantities; None if one of them is not known."""
    total = 0
    for quantity in quantities:
        if quantity is None:
            return None
        total += quantity
    return total


def _explained(charge: Charge, own: OwnCharge | None, statement: BilledStatement) -> Difference:
    """Cut one difference into its parts; see the module."""
    if own is None:
        return _difference(charge, None, {Cause.NOT_IN_BOOKS: charge.amount})
    parts: Counter[Cause] = Counter()
    reached, allowance = own.amount, statement.amount_unit
    if own.meter_quantity is not None and (metered := _at_own_price(own.meter_quantity, own)) is not None:
        parts[Cause.METER] = metered - own.amount
        reached = metered
    if (quantity := charge.quantity) is not None:
        price = charge.price_micro_per_mwh
        at_own_price = _at_own_price(quantity, own)
        at_stated = None if price is None else divide_nearest(quantity * price, PER_MILLION)
        if at_own_price is None and own.quantity == 0:
            at_own_price = at_stated
        if at_own_price is not None:
            parts[Cause.QUANTITY] = at_own_price - reached
            reached = at_own_price
            as_stated = divide_up(quantity * statement.price_unit, 2 * PER_MILLION)
            allowance += as_stated
            if at_stated is not None and abs(at_stated - at_own_price) > as_stated:
                parts[Cause.ESTIMATE_REPLACED if own.is_estimated else Cause.PRICE] = at_stated - at_own_price
                reached = at_stated
    if abs(charge.amount - reached) <= allowance:
        parts[Cause.ROUNDING] = charge.amount - reached
    return _difference(charge, own, parts)


def _at_own_price(quantity: int, own: OwnCharge) -> int | None:
    """What our own price makes of a quantity; None where we have no price."""
    if own.price_micro_per_mwh is not None:
        return divide_nearest(quantity * own.price_micro_per_mwh, PER_MILLION)
    return divide_nearest(own.amount * quantity, own.quantity) if own.quantity else None


def _difference(charge: Charge, own: OwnCharge | None, parts: Mapping[Cause, int]) -> Difference:
    own_amount = 0 if own is None else own.amount
    return Difference(
        start_s=charge.start_s,
        end_s=charge.end_s,
        line=charge.line,
        name=charge.name,
        own=own_amount,
        billed=charge.amount,
        own_quantity=None if own is None else own.quantity,
        billed_quantity=charge.quantity,
        parts={cause: amount for cause, amount in parts.items() if amount},
        residual=charge.amount - own_amount - sum(parts.values()),
    )


def _not_billed(line: str, own: OwnCharge) -> Difference:
    return Difference(
        start_s=own.start_s,
        end_s=own.end_s,
        line=line,
        name="",
        own=own.amount,
        billed=0,
        own_quantity=own.quantity,
        billed_quantity=None,
        parts={Cause.NOT_BILLED: -own.amount} if own.amount else {},
        residual=0,
    )
