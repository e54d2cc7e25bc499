"""SunSpec over Modbus: which models a device has, and their points by name.

A device begins with "SunS" at one of three places, followed by models: an id, a length, and points at fixed places. The
places come from the model definitions of the SunSpec Alliance as packed in pysunspec2 (Apache-2.0).
"""

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from headrace.adapters.equipment.modbus import Failure, ModbusLink
from headrace.adapters.equipment.numbers import number_of, scaled, words_of
from headrace.control.commands import Result

__all__ = ["MISSING", "Point", "SunSpecDevice", "points_of"]

BASES: Final = (40_000, 0, 50_000)
"""Where a device may begin, by the standard; the first is usual."""
MARK: Final = [0x5375, 0x6E53]
"""SunS."""
END: Final = 0xFFFF
MODELS_MAX: Final = 100
"""More models than any device has: a longer list is none."""

MISSING: Final = {
    "int16": -0x8000,
    "uint16": 0xFFFF,
    "int32": -0x8000_0000,
    "uint32": 0xFFFF_FFFF,
    "int64": -0x8000_0000_0000_0000,
    "uint64": 0xFFFF_FFFF_FFFF_FFFF,
    "enum16": 0xFFFF,
    "bitfield32": 0xFFFF_FFFF,
    "sunssf": -0x8000,
}
"""Raw number by which each type says that there is none."""


class Point(NamedTuple):
    """One point of a model."""

    offset: int
    """Registers from the model's id."""
    kind: str
    """Type."""
    factor: str | int
    """Point that holds its scale factor, or the factor itself."""


@cache
def points_of(model: int) -> dict[str, Point]:
    """Points of a model's fixed part, by name."""
    text = files("sunspec2").joinpath("models", "json", f"model_{model}.json").read_text(encoding="utf-8")
    points, offset = {}, 0
    for each in json.loads(text)["group"]["points"]:
        points[each["name"]] = Point(offset, each["type"], each.get("sf", 0))
        offset += each["size"]
    return points


class SunSpecDevice:
    """One unit that speaks SunSpec.

    Parameters
    ----------
    link
        Its connection.
    unit
        Its Modbus unit id.
    """

    def __init__(self, link: ModbusLink, unit: int) -> None:
        self._link = link
        self._unit = unit
        self._at: dict[int, int] = {}
        self._factors: dict[tuple[int, str], int] = {}

    async def models(self) -> dict[int, int] | Failure:
        """Address of each model, by id; asked once."""
        if self._at:
            return self._at
        failure: Failure = Failure(result=Result.GARBLED, reason="is no SunSpec device")
        for base in BASES:
            mark = await self._link.read("holding", base, 2, unit=self._unit)
            if mark == MARK:
                found = await self._chain(base + 2)
                self._at = found if isinstance(found, dict) else {}
                return found
            if isinstance(mark, Failure) and mark.result is not Result.REFUSED:
                return mark
        return failure

    async def values(self, model: int, names: Iterable[str]) -> dict[str, float | None] | Failure:
        """Points of a model, in their unit; None where the device has none.

        One request reads all of them with their scale factors.
        """
        place = await self._place(model)
        if isinstance(place, Failure):
            return place
        points = points_of(model)
        wanted = {name: points[name] for name in names}
        needed = [*wanted.values(), *(points[p.factor] for p in wanted.values() if isinstance(p.factor, str))]
        first = min(each.offset for each in needed)
        last = max(each.offset + len(words_of(0, each.kind)) for each in needed)
        words = await self._link.read("holding", place + first, last - first, unit=self._unit)
        if isinstance(words, Failure):
            self._forget(words)
            return words

        def raw(point: Point) -> float | int | None:
            return number_of(words[point.offset - first :], point.kind)

        values: dict[str, float | None] = {}
        for name, point in wanted.items():
            factor = raw(points[point.factor]) if isinstance(point.factor, str) else point.factor
            values[name] = scaled(raw(point), factor, missing=MISSING.get(point.kind))
        return values

    async def write(self, model: int, values: dict[str, float]) -> Failure | None:
        """Write points that lie side by side, in their unit, in one request."""
        place = await self._place(model)
        if isinstance(place, Failure):
            return place
        points = points_of(model)
        words: list[int] = []
        for name, value in values.items():
            point = points[name]
            factor = await self._factor(model, place, point)
            if isinstance(factor, Failure):
                return factor
            try:
                words += words_of(value / 10.0**factor, point.kind)
            except ValueError as error:
                return Failure(result=Result.REFUSED, reason=f"{name}: {error}")
        failure = await self._link.write(place + points[next(iter(values))].offset, words, unit=self._unit)
        if failure is not None:
            self._forget(failure)
        return failure

    async def _place(self, model: int) -> int | Failure:
        models = await self.models()
        if isinstance(models, Failure):
            return models
        if model not in models:
            return Failure(result=Result.REFUSED, reason=f"has no SunSpec model {model}")
        return models[model]

    async def _factor(self, model: int, place: int, point: Point) -> int | Failure:
        """Scale factor of a point; asked once, as the standard holds it constant."""
        if isinstance(point.factor, int):
            return point.factor
        key = (model, point.factor)
        if key not in self._factors:
            at = points_of(model)[point.factor]
            words = await self._link.read("holding", place + at.offset, 1, unit=self._unit)
            if isinstance(words, Failure):
                return words
            factor = scaled(number_of(words, "sunssf"), 0, missing=MISSING["sunssf"])
            if factor is None or abs(factor) > 10:
                return Failure(result=Result.GARBLED, reason=f"{point.factor} is no scale factor")
            self._factors[key] = int(factor)
        return self._factors[key]

    async def _chain(self, address: int) -> dict[int, int] | Failure:
        found: dict[int, int] = {}
        for _ in range(MODELS_MAX):
            head = await self._link.read("holding", address, 2, unit=self._unit)
            if isinstance(head, Failure):
                return head
            model, length = head
            if model == END:
                return found
            found.setdefault(model, address)
            address += 2 + length
            if address > 0xFFFF:
                break
        return Failure(result=Result.GARBLED, reason="its list of SunSpec models has no end")

    def _forget(self, failure: Failure) -> None:
        """After a lost connection another device may answer: ask again what it has."""
        if failure.result in {Result.UNREACHABLE, Result.MUTE}:
            self._at = {}
            self._factors = {}
