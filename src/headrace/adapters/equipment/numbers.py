"""Numbers in 16-bit registers: types, word order, and the values by which a device says that it has none.

SunSpec marks a missing number by the type's extreme (0x8000, 0xFFFF, ...; NaN for a float), and gives decimal places as
a power of ten in a register of its own.
"""

import math
import struct
from collections.abc import Sequence
from typing import Final

__all__ = ["SIZES", "number_of", "scaled", "words_of"]

_FORMS: Final = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
}
_SAME_AS: Final = {
    "enum16": "uint16",
    "bitfield16": "uint16",
    "acc16": "uint16",
    "acc32": "uint32",
    "acc64": "uint64",
    "enum32": "uint32",
    "bitfield32": "uint32",
    "sunssf": "int16",
    "count": "uint16",
}
"""SunSpec's further names."""

SIZES: Final = {name: struct.calcsize(form) // 2 for name, form in _FORMS.items()}
"""Registers that a number of each type takes."""

SCALE_MAX: Final = 10
"""Greatest power of ten of a scale factor, either way, by the standard."""


def number_of(words: Sequence[int], kind: str, *, little: bool = False) -> float | int | None:
    """Number in registers; None if there are too few, or a float is not finite.

    Parameters
    ----------
    words
        Registers, 0..65535 each.
    kind
        Type, by its SunSpec name.
    little
        Is the least significant word first?
    """
    form = _FORMS[_SAME_AS.get(kind, kind)]
    size = struct.calcsize(form) // 2
    if len(words) < size:
        return None
    taken = list(words[:size])
    if little:
        taken.reverse()
    value: float | int = struct.unpack(form, struct.pack(f">{size}H", *taken))[0]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def words_of(value: float, kind: str, *, little: bool = False) -> list[int]:
    """Registers of a number.

    Raises
    ------
    ValueError
        If the type can't hold it.
    """
    form = _FORMS[_SAME_AS.get(kind, kind)]
    size = struct.calcsize(form) // 2
    try:
        packed = struct.pack(form, value if kind == "float32" else round(value))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{value:g} does not fit {kind}") from error
    words = list(struct.unpack(f">{size}H", packed))
    return words[::-1] if little else words


def scaled(value: float | int | None, factor: float | int | None, *, missing: int | None) -> float | None:
    """Number times ten to its scale factor; None if either is missing or the factor out of range.

    Parameters
    ----------
    value
        Raw number.
    factor
        Power of ten; 0 without a scale factor.
    missing
        Raw number that means none.
    """
    if value is None or factor is None or value == missing or not -SCALE_MAX <= factor <= SCALE_MAX:
        return None
    return float(value) * 10.0 ** int(factor)
