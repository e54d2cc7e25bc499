"""A SunSpec device's registers, laid out from the Alliance's model definitions: what a real device would show."""

import json
import struct
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["SunSpecImage"]

BASE: Final = 40_000
EMPTY: Final = {
    "int16": 0x8000,
    "sunssf": 0x8000,
    "uint16": 0xFFFF,
    "enum16": 0xFFFF,
    "bitfield16": 0xFFFF,
    "pad": 0x8000,
    "int32": 0x8000_0000,
    "uint32": 0xFFFF_FFFF,
    "enum32": 0xFFFF_FFFF,
    "bitfield32": 0xFFFF_FFFF,
    "uint64": 0xFFFF_FFFF_FFFF_FFFF,
    "int64": 0x8000_0000_0000_0000,
}
"""How a point says that the device has none; strings and accumulators by zeros."""


@cache
def _points(model: int) -> tuple[tuple[str, str, int], ...]:
    """Name, type and registers of each point of a model's fixed part, in order."""
    text = files("sunspec2").joinpath("models", "json", f"model_{model}.json").read_text(encoding="utf-8")
    return tuple((each["name"], each["type"], each["size"]) for each in json.loads(text)["group"]["points"])


class SunSpecImage:
    """Registers of one device, from address 40000 on.

    Parameters
    ----------
    models
        Models in order, after the common one, each with raw values of some points; the others say that there is none.
    """

    def __init__(self, models: Mapping[int, Mapping[str, int]]) -> None:
        self._words: list[int] = list(struct.unpack(">2H", b"SunS"))
        self._at: dict[tuple[int, str], tuple[int, int]] = {}
        for model, values in {1: _common(), **models}.items():
            start = len(self._words)
            for name, kind, size in _points(model):
                self._at[model, name] = (len(self._words), size)
                self._words += _split(EMPTY.get(kind, 0), size)
                if name in values:
                    self.put(model, name, values[name])
            self._words[start] = model
            self._words[start + 1] = len(self._words) - start - 2
        self._words += [0xFFFF, 0]

    def put(self, model: int, name: str, raw: int) -> None:
        """Set a point's raw value."""
        at, size = self._at[model, name]
        self._words[at : at + size] = _split(raw, size)

    def get(self, model: int, name: str, *, signed: bool = False) -> int:
        """A point's raw value."""
        at, size = self._at[model, name]
        raw = b"".join(struct.pack(">H", word) for word in self._words[at : at + size])
        return int.from_bytes(raw, "big", signed=signed)

    def read(self, address: int, count: int) -> list[int] | None:
        """Registers from an address on; None outside."""
        at = address - BASE
        return self._words[at : at + count] if at >= 0 and at + count <= len(self._words) else None

    def write(self, address: int, words: list[int], writable: Mapping[int, tuple[str, ...]]) -> set[str] | None:
        """Write registers if all of them are writable points; returns the names touched, None if one is not."""
        touched = set()
        for offset in range(len(words)):
            at = address + offset - BASE
            name = next(
                (
                    name
                    for model, names in writable.items()
                    for name in names
                    if self._at[model, name][0] <= at < sum(self._at[model, name])
                ),
                None,
            )
            if name is None:
                return None
            touched.add(name)
        self._words[address - BASE : address - BASE + len(words)] = words
        return touched


def _split(raw: int, size: int) -> list[int]:
    data = (raw & ((1 << 16 * size) - 1)).to_bytes(2 * size, "big")
    return list(struct.unpack(f">{size}H", data))


def _common() -> dict[str, int]:
    """Manufacturer and model, as text in its registers."""
    return {
        "Mn": int.from_bytes(b"Headrace sim".ljust(32, b"\0"), "big"),
        "Md": int.from_bytes(b"World".ljust(32, b"\0"), "big"),
        "DA": 1,
    }
