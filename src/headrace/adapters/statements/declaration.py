"""How a sender's statement is declared: who sends it, which columns mean what, in which unit, sign and time.

People write it once per sender, beside the statements; unknown keys are refused and every error is named at once.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from headrace.adapters.sitefile.lines import KeyPath, key_lines, line_of
from headrace.core import BadInput
from headrace.settlement.billed import BOOKABLE, POOL_CREDIT, Source, Version

__all__ = [
    "Billing",
    "ChargeDeclaration",
    "Columns",
    "FileForm",
    "MeterColumns",
    "MeterDeclaration",
    "StatementDeclaration",
    "TimedColumns",
    "Total",
    "load_declaration",
]

FILE_MAX_BYTES: Final = 256 * 1024
"""Longest declaration read; a real one has a kilobyte."""

Billing = Literal["5min", "15min", "30min", "hour", "day", "month"]
"""What one row bills; days and months are local."""

_IN_SATS: Final = frozenset({POOL_CREDIT, "payment:pool"})
"""Lines that are counted in satoshis."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class TimedColumns(_Section):
    """Names of the columns that any file of intervals has."""

    start: str
    """Time of what a row is about."""
    repeated_hour: str | None = None
    """Y, yes, true or 1 in the hour that the clock shows again when daylight saving time ends."""
    ignored: tuple[str, ...] = Field(default=(), strict=False)
    """Columns that say nothing we need."""

    @property
    def named(self) -> dict[str, str]:
        """Column of each meaning that is declared."""
        return {key: name for key, name in self.model_dump(exclude={"ignored"}).items() if name is not None}


class FileForm(_Section):
    """How a CSV file of intervals is written."""

    time_zone: str
    """IANA zone of stamps without an offset, and of days and months."""
    interval: Billing
    """What one row is about."""
    stamp: Literal["start", "end"] = "start"
    """Which end of an interval shorter than a day its stamp names ("hour ending 01:00" is its end)."""
    time_format: str | None = None
    """strptime format of a stamp, such as "%m/%d/%Y %H:%M"; None means ISO-8601."""
    columns: TimedColumns
    """Which column means what; every column of the file is named."""
    quantity_unit: Literal["Wh", "kWh", "MWh", "PH", "EH", "TH/s", "PH/s", "EH/s"] = "MWh"
    """Unit of quantities; a hashrate is the mean over the row's interval."""
    decimal_mark: Literal[".", ","] = "."
    """Mark before the decimals; the other one may part thousands."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """Mark between cells."""
    header_line: int = Field(default=1, ge=1, le=1000)
    """Line of the column names."""

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"must be an IANA zone such as America/Chicago, was {name!r}") from error
        return name


class Columns(TimedColumns):
    """Names of a statement's columns."""

    amount: str
    """Money, or satoshis."""
    charge: str | None = None
    """What is billed; None where the statement bills one charge only."""
    quantity: str | None = None
    """Energy or work."""
    price: str | None = None
    """Price per unit of quantity."""
    statement: str | None = None
    """The sender's number of the statement."""
    version: str | None = None
    """Initial, final or true-up."""
    currency: str | None = None
    """Currency of the row, to be checked."""
    reference: str | None = None
    """The sender's number of the row, for payments."""


class ChargeDeclaration(_Section):
    """One charge of the sender."""

    line: str
    """Line of our books that it settles: a statement line, mining_sats, or payment:PARTY."""
    interval: Billing | None = None
    """What one row of it bills; None means the statement's own."""
    is_sparse: bool = False
    """It appears only when something happened; otherwise every interval of the statement must have its row."""

    @field_validator("line")
    @classmethod
    def _line_exists(cls, line: str) -> str:
        if line not in BOOKABLE:
            close = ", ".join(difflib.get_close_matches(line, BOOKABLE, n=3, cutoff=0.3))
            raise ValueError(f"our books have no line {line!r}{f' (close: {close})' if close else ''}")
        return line


class Total(_Section):
    """The row that adds up all others."""

    column: str
    """Column that tells it apart."""
    text: str
    """What stands there."""


class StatementDeclaration(FileForm):
    """One sender's statements."""

    source: Source = Field(strict=False)
    """supplier, market, pool or bank."""
    counterparty: str = Field(min_length=1, max_length=100)
    """The sender's name."""
    currency: Literal["USD", "EUR", "CAD", "BTC", "SAT"]
    """What amounts are written in; BTC and SAT are both booked in satoshis."""
    plus_is: Literal["owed_to_us", "owed_by_us"]
    """Whose gain an amount without a minus is."""
    columns: Columns
    """Which column means what."""
    charges: dict[str, ChargeDeclaration] = Field(min_length=1)
    """The sender's charges by the text in the charge column; a plain text is the line."""
    total: Total | None = None
    """Row that adds up all others; None where the sender gives none, and the statement cannot be footed."""
    version: Version | None = Field(default=None, strict=False)
    """Version of every statement, where no column tells it."""
    versions: dict[str, Annotated[Version, Field(strict=False)]] = Field(default_factory=dict)
    """The sender's words for the versions, besides initial, final and true-up."""
    price_unit: Literal["per_mwh", "per_kwh", "per_phs_day"] = "per_mwh"
    """What the price column's price is for, in the statement's currency."""
    amount_decimals: int = Field(default=2, ge=0, le=8)
    """Decimals to which the sender rounds amounts."""
    price_decimals: int = Field(default=6, ge=0, le=12)
    """Decimals to which it rounds stated prices."""

    @property
    def asset(self) -> str:
        """Currency code, or SAT."""
        return "SAT" if self.is_bitcoin else self.currency

    @property
    def is_bitcoin(self) -> bool:
        """Amounts are bitcoin."""
        return self.currency in {"BTC", "SAT"}

    @property
    def lines(self) -> tuple[str, ...]:
        """Lines of our books that the sender bills."""
        return tuple(dict.fromkeys(charge.line for charge in self.charges.values()))

    @field_validator("charges", mode="before")
    @classmethod
    def _plain_text_is_the_line(cls, charges: object) -> object:
        if not isinstance(charges, dict):
            return charges
        return {name: {"line": charge} if isinstance(charge, str) else charge for name, charge in charges.items()}

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.columns.charge is None and len(self.charges) > 1:
            raise ValueError("columns.charge must name the column that tells the charges apart, there are several")
        if (self.version is None) == (self.columns.version is None):
            raise ValueError("exactly one of version and columns.version must be given")
        if self.total is not None and self.total.column not in self.columns.named.values():
            raise ValueError(f"total.column {self.total.column!r} must be one of the columns with a meaning")
        for name, charge in self.charges.items():
            if (charge.line in _IN_SATS) != self.is_bitcoin:
                raise ValueError(f"charge {name!r} settles {charge.line}, which is not counted in {self.currency}")
            if charge.line.startswith("payment:") != (self.source is Source.BANK):
                raise ValueError(f"charge {name!r} settles {charge.line}: payments, and only they, come from a bank")
        for line in self.lines:
            if len({charge.interval for charge in self.charges.values() if charge.line == line}) > 1:
                raise ValueError(f"charges of the line {line} must be billed in one interval")
        return self


class MeterColumns(TimedColumns):
    """Names of a revenue meter's columns."""

    imported: str
    """Energy drawn from the grid."""
    exported: str | None = None
    """Energy fed to the grid; None where the meter counts one way only."""


class MeterDeclaration(FileForm):
    """A revenue meter's file."""

    columns: MeterColumns
    """Which column means what; every column of the file is named."""
    tolerance_ppm: int = Field(default=2000, ge=0, le=1_000_000)
    """How far telemetry may be from the meter, parts per million of its energy; an accuracy class 0.2 meter is good
    for 2,000."""


_Form = TypeVar("_Form", bound=FileForm)


def load_declaration(path: Path, kind: type[_Form]) -> _Form:
    """Read and check a declaration of a statement or of a meter's file.

    Raises
    ------
    BadInput
        If it can't be read or isn't one; it names every problem with its line and key.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
        if len(content) > FILE_MAX_BYTES:
            raise BadInput(str(path), f"is longer than {FILE_MAX_BYTES} bytes", "Name a statement's declaration")
        text = content.decode("utf-8-sig")
        document = tomllib.loads(text)
    except OSError as error:
        raise BadInput(
            str(path), f"can't be read: {error.strerror}", "Name a statement's declaration (TOML)"
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(str(path), f"is no TOML: {error}", "Correct the TOML there") from error
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        lines = key_lines(text)
        errors = sorted(error.errors(include_url=False), key=lambda each: line_of(each["loc"], lines) or len(text))
        problems = [_problem(path, dict(each), lines) for each in errors]
        refused = BadInput(*problems[0])
        refused.args = ("\n".join(f"{where}: {found}. {do}" for where, found, do in problems),)
        raise refused from error


def _problem(path: Path, error: dict[str, Any], lines: dict[KeyPath, int]) -> tuple[str, str, str]:
    """Where, what was found, and what to do."""
    loc: KeyPath = error["loc"]
    line = line_of(loc, lines)
    key = ".".join(str(part) for part in loc)
    where = f"{path}{'' if line is None else f' line {line}'}{f', {key}' if key else ''}"
    match error["type"]:
        case "missing":
            return where, "is missing", "Add it; docs/statements.md says what each key means"
        case "extra_forbidden":
            return where, "unknown key", "Take it out; docs/statements.md lists the keys"
        case "value_error":
            return where, str(error["ctx"]["error"]), "Correct it; docs/statements.md lists the keys"
    found = error["msg"][0].lower() + error["msg"][1:]
    return where, f"{found}, was {str(error['input'])[:60]!r}", "Correct it; docs/statements.md lists the keys"
