"""What others say they owe us or we owe them: a supplier's, market's, pool's or bank's statement in our own units.

Amounts carry the sign of our own statement, revenue plus and cost minus, whatever the sender's convention. Every row
names the line of our books that it settles: a statement line (`LINES`), the satoshis a pool credits (`POOL_CREDIT`), a
payment to or from one party (`PAYMENTS`), or none where the sender charges what we don't know.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from headrace.core import content_id
from headrace.settlement.statement import LINES

__all__ = [
    "BOOKABLE",
    "PAYMENTS",
    "POOL_CREDIT",
    "BilledRow",
    "BilledStatement",
    "Charge",
    "Source",
    "Version",
    "charges_of",
]

POOL_CREDIT: Final = "mining_sats"
"""Satoshis that a pool has credited for the work of an interval."""

PAYMENTS: Final = (
    "payment:pool",
    "payment:market",
    "payment:network",
    "payment:supplier",
    "payment:tenants",
    "payment:inference",
    "payment:heat",
    "payment:ppa",
    "payment:generation",
    "payment:reserve",
    "payment:jobs",
    "payment:hosting",
    "payment:shell",
)
"""Money, or from the pool satoshis, that came (plus) or went (minus), by the party it settles with."""

BOOKABLE: Final = (*(line for line in LINES if line not in {"mining", "pool_fees", "wear"}), POOL_CREDIT, *PAYMENTS)
"""Every line of our books that a statement can settle: pools credit satoshis, and wear is owed to nobody."""


class Source(StrEnum):
    """Who sends a statement."""

    SUPPLIER = "supplier"
    MARKET = "market"
    POOL = "pool"
    BANK = "bank"
    """A bank, or a wallet's list of transactions."""


class Version(StrEnum):
    """How final a statement is, in the order in which versions come."""

    INITIAL = "initial"
    FINAL = "final"
    TRUE_UP = "true-up"

    @property
    def rank(self) -> int:
        """Place in that order, from 0."""
        return tuple(Version).index(self)


class BilledRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One row of a statement."""

    row: int
    """Line in the file, from 1."""
    start_s: int
    """Start of what is billed, epoch seconds."""
    end_s: int
    """Its end."""
    charge: str
    """What the sender calls it."""
    line: str | None
    """Line of our books it settles, from `BOOKABLE`; None for a charge that the declaration doesn't know."""
    quantity: int | None
    """Wh, or petahashes from a pool; None where the statement bills no quantity."""
    price_micro_per_mwh: int | None
    """Smallest units of the statement's asset per million units of quantity; None where it states no price."""
    amount: int
    """Smallest units of the statement's asset; plus is owed to us."""
    reference: str = ""
    """The sender's own number of the row, which tells two equal payments of one day apart."""


class BilledStatement(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one statement, whole and checked: it foots, no row twice, no interval left out."""

    source: Source
    """Kind of sender."""
    counterparty: str
    """The sender."""
    statement_id: str
    """The sender's own number; "" where it gives none."""
    version: Version
    asset: str
    """Currency code, or SAT."""
    start_s: int
    """First start of any row, epoch seconds."""
    end_s: int
    """Last end of any row."""
    amount_unit: int
    """Smallest amount the sender writes (10,000 for cents), to which it rounds."""
    price_unit: int
    """Smallest step of its stated prices, in units of `BilledRow.price_micro_per_mwh`."""
    is_footed: bool
    """It came with a total, and the rows add up to it."""
    rows: tuple[BilledRow, ...]
    """In order of start, then as in the file."""

    @property
    def digest(self) -> str:
        """Id of what was billed: equal for two files that say the same."""
        return content_id(msgspec.json.encode(self))

    @property
    def total(self) -> int:
        """Sum of the rows, smallest units."""
        return sum(row.amount for row in self.rows)


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a statement bills on one line of our books for one interval."""

    start_s: int
    """Start, epoch seconds."""
    end_s: int
    """End."""
    line: str | None
    """As `BilledRow.line`."""
    name: str
    """What the sender calls it; several names are joined by " + "."""
    quantity: int | None
    """As `BilledRow.quantity`; None where several rows are billed together."""
    price_micro_per_mwh: int | None
    """As `BilledRow.price_micro_per_mwh`, likewise."""
    amount: int
    """Sum of the rows, smallest units."""


def charges_of(statement: BilledStatement) -> Mapping[tuple[int, int, str | None], Charge]:
    """Rows of one interval and one line of our books put together, by (start, end, line) in the order of the rows."""
    charges: dict[tuple[int, int, str | None], Charge] = {}
    for row in statement.rows:
        key = (row.start_s, row.end_s, row.line)
        before = charges.get(key)
        if before is None:
            charges[key] = Charge(
                start_s=row.start_s,
                end_s=row.end_s,
                line=row.line,
                name=row.charge,
                quantity=row.quantity,
                price_micro_per_mwh=row.price_micro_per_mwh,
                amount=row.amount,
            )
            continue
        name = before.name if row.charge in before.name.split(" + ") else f"{before.name} + {row.charge}"
        charges[key] = msgspec.structs.replace(
            before, name=name, quantity=None, price_micro_per_mwh=None, amount=before.amount + row.amount
        )
    return charges
