"""Cells of a statement as integers: exact decimals in, smallest units out; local stamps in, epoch seconds out.

A cell that isn't what it should be raises `Unreadable` with what was found and what to do; the reader adds file and
line.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from headrace.adapters.statements.declaration import Billing, FileForm, StatementDeclaration
from headrace.core import MICRO, SATS_PER_BTC, epoch_s, iso

__all__ = ["Unreadable", "amount_of", "price_of", "quantity_of", "span_of"]

INT64_MAX: Final = 2**63 - 1
DIGITS_MOST: Final = 24
"""More digits than any amount has; fewer than `decimal` begins to round at."""
S_PER_DAY: Final = 86_400

_SECONDS: Final = {"5min": 300, "15min": 900, "30min": 1800, "hour": 3600}
_QUANTITY: Final = {"Wh": 1, "kWh": 10**3, "MWh": 10**6, "PH": 1, "EH": 10**3}
_HASHRATE: Final = {"TH/s": Decimal("0.001"), "PH/s": Decimal(1), "EH/s": Decimal(1000)}
_PER: Final[dict[str, int | Decimal]] = {"per_mwh": 1, "per_kwh": 1000, "per_phs_day": Decimal(10**6) / S_PER_DAY}
"""Millions of Wh or PH that a price's unit is, inverted: what makes it a price per million."""
_NUMBER: Final = re.compile(r"([+-]?)(\d+|\d{1,3}(?:,\d{3})+)(\.\d+)?")
_YES: Final = frozenset({"y", "yes", "true", "1"})


class Unreadable(Exception):
    """A cell that can't be what its column says.

    Parameters
    ----------
    found
        What was found.
    do
        What to do about it.
    """

    def __init__(self, found: str, do: str) -> None:
        super().__init__(found)
        self.found = found
        self.do = do


def amount_of(text: str, declaration: StatementDeclaration) -> int:
    """Amount in smallest units, plus owed to us."""
    amount = _number(text, declaration) * _scale(declaration)
    if amount != amount.to_integral_value():
        unit = "a satoshi" if declaration.is_bitcoin else "a millionth"
        raise Unreadable(f"amount {text!r} is finer than {unit}", "Export amounts as they are invoiced")
    if abs(amount) > INT64_MAX:
        raise Unreadable(f"amount {text!r} is more than the books hold", "Check the declared currency and its unit")
    return int(amount) if declaration.plus_is == "owed_to_us" else -int(amount)


def quantity_of(text: str, declaration: FileForm, duration_s: int) -> int:
    """Quantity in Wh or petahashes, to the nearest, without sign: the line of our books says which way it went."""
    number = abs(_number(text, declaration))
    unit = declaration.quantity_unit
    quantity = number * (_HASHRATE[unit] * duration_s if unit in _HASHRATE else _QUANTITY[unit])
    if quantity > INT64_MAX:
        raise Unreadable(f"quantity {text!r} {unit} is more than the books hold", "Check the declared quantity_unit")
    return int(quantity.to_integral_value())


def price_of(text: str, declaration: StatementDeclaration) -> int:
    """Price in smallest units per million Wh or PH, to the nearest, with the sign that is written."""
    price = _number(text, declaration) * _scale(declaration) * _PER[declaration.price_unit]
    if abs(price) > INT64_MAX:
        raise Unreadable(f"price {text!r} is more than the books hold", "Check the declared price_unit")
    return int(price.to_integral_value())


def span_of(text: str, declaration: FileForm, billing: Billing, zone: ZoneInfo, repeated: str) -> tuple[int, int]:
    """Start and end of what a row bills, epoch seconds."""
    at = _stamp(text, declaration, zone, repeated)
    if billing in _SECONDS:
        step_s = _SECONDS[billing]
        start_s = epoch_s(at) - (step_s if declaration.stamp == "end" else 0)
        if start_s % step_s:
            raise Unreadable(f"time {text!r} is no border of its intervals ({billing})", "Check the declared interval")
        return start_s, start_s + step_s
    local = at.astimezone(zone)
    is_first = (local.hour, local.minute, local.second) == (0, 0, 0) and (billing == "day" or local.day == 1)
    if not is_first:
        raise Unreadable(f"time {text!r} is not where a {billing} begins in {zone.key}", "Check interval and time_zone")
    ahead = local.replace(tzinfo=None) + timedelta(days=1 if billing == "day" else 32)
    end = ahead if billing == "day" else ahead.replace(day=1)
    return epoch_s(at), epoch_s(end.replace(tzinfo=zone))


def _scale(declaration: StatementDeclaration) -> int:
    """Smallest units in one unit of what amounts are written in."""
    return {"BTC": SATS_PER_BTC, "SAT": 1}.get(declaration.currency, MICRO)


def _number(text: str, declaration: FileForm) -> Decimal:
    """Exact decimal; brackets are a minus, and the declared mark parts thousands."""
    plain = text.strip()
    is_negative = plain.startswith("(") and plain.endswith(")")
    plain = plain[1:-1] if is_negative else plain
    if declaration.decimal_mark == ",":
        plain = plain.translate(str.maketrans(".,", ",."))
    found = _NUMBER.fullmatch(plain)
    if found is None or sum(map(str.isdigit, plain)) > DIGITS_MOST or (is_negative and found[1]):
        raise Unreadable(
            f"{text[:40]!r} is no number with the decimal mark {declaration.decimal_mark!r}",
            "Write 1234.50, or declare decimal_mark",
        )
    number = Decimal(plain.replace(",", ""))
    return -number if is_negative else number


def _stamp(text: str, declaration: FileForm, zone: ZoneInfo, repeated: str) -> datetime:
    """A stamp in UTC; without an offset it is local, and told apart in the hour that the clock shows twice."""
    try:
        if declaration.time_format is None:
            at = datetime.fromisoformat(text.strip())
        else:
            at = datetime.strptime(text.strip(), declaration.time_format)  # noqa: DTZ007  the zone is declared
    except ValueError as error:
        form = "ISO-8601" if declaration.time_format is None else declaration.time_format
        raise Unreadable(f"{text[:40]!r} is no time in the form {form}", "Declare time_format") from error
    if at.tzinfo is None:
        at = _local(at, declaration, zone, repeated)
    try:
        at = at.astimezone(UTC)
    except OverflowError as error:
        raise Unreadable(f"time {text[:40]!r} is out of range", "Check the file") from error
    if at.microsecond or at.year < 2009 or at.year > 2200:
        raise Unreadable(f"time {text[:40]!r} is no whole second from 2009 on", "Check the file and time_format")
    return at


def _local(at: datetime, declaration: FileForm, zone: ZoneInfo, repeated: str) -> datetime:
    first, second = (at.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
        raise Unreadable(f"the clock in {zone.key} skips {at.isoformat()}", "Check the declared time_zone")
    if declaration.columns.repeated_hour is None:
        raise Unreadable(
            f"the clock in {zone.key} shows {at.isoformat()} twice: {iso(epoch_s(first))} or {iso(epoch_s(second))}",
            "Declare columns.repeated_hour, or export stamps with their offset",
        )
    return second if repeated.strip().lower() in _YES else first
