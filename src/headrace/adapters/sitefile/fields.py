"""Field types of the site file: numbers with ranges, never coerced from text and never NaN or infinite.

Inside the models money is `_ccy_`, the site's own currency; in a file the same field carries the currency's code
(`import_adder_usd_per_mwh`), see `currency`.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, Strict

__all__ = [
    "Count",
    "Flag",
    "Fraction",
    "Magnitude",
    "Money",
    "Name",
    "PositiveFraction",
    "PositiveMagnitude",
    "Pue",
    "Section",
    "Temperature",
]

LARGEST: Final = 1e12
"""No figure of a site is larger in any unit used here; products of a few stay far from overflow."""

_Real = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]

Magnitude = Annotated[_Real, Field(ge=0.0)]
"""A number of at least 0."""
PositiveMagnitude = Annotated[_Real, Field(gt=0.0)]
"""A number above 0."""
Fraction = Annotated[_Real, Field(ge=0.0, le=1.0)]
"""A number from 0 to 1."""
PositiveFraction = Annotated[_Real, Field(gt=0.0, le=1.0)]
"""A number above 0, at most 1."""
Money = _Real
"""An amount or price of either sign."""
Temperature = Annotated[_Real, Field(ge=-80.0, le=70.0)]
"""Outdoor temperature, degrees C."""
Pue = Annotated[_Real, Field(ge=1.0, le=5.0)]
"""Facility power over IT power."""
Count = Annotated[int, Strict(), Field(gt=0, le=1_000_000_000)]
"""A whole number above 0, of machines or minutes."""
Flag = Annotated[bool, Strict()]
"""true or false."""
Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]*$")]
"""A name shown in tables and used in column names: letters, digits, spaces, _ and -, a letter or digit first."""


class Section(BaseModel):
    """A table of the site file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
