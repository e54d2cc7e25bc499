"""The metered trace on disk: every reading of every meter, a CSV file a UTC day, from which events are reported.

A disk that is full or away costs readings, never control: what could not be written is counted.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from headrace.control.ports import Meters
from headrace.control.readings import CounterReading, MeterReading
from headrace.core import BadInput
from headrace.settlement.performance import TracePoint

__all__ = ["TracedMeters", "read_trace"]

DAY_US: Final = 86_400_000_000
HEADING: Final = "at_us,meter,power_w\n"


class TracedMeters:
    """Meters whose power readings are also written down.

    Parameters
    ----------
    meters
        The meters.
    folder
        Where the files go.
    keep_days
        Files of days further back are deleted when a new day begins; None keeps all.
    may_write
        Asked before every write: false leaves what is left of a full disk to others; None for always.
    """

    def __init__(
        self,
        meters: Meters,
        folder: Path,
        *,
        keep_days: int | None = None,
        may_write: Callable[[], bool] | None = None,
    ) -> None:
        self.unwritten = 0
        self._meters = meters
        self._folder = folder
        self._keep_days = keep_days
        self._may_write = may_write
        self._last_us: dict[str, int] = {}

    async def power(self) -> tuple[MeterReading, ...]:
        """Power of every meter that answered."""
        readings = await self._meters.power()
        fresh = [each for each in readings if each.at_us > self._last_us.get(each.meter, -1)]
        self._last_us |= {each.meter: each.at_us for each in fresh}
        if self._may_write is not None and not self._may_write():
            self.unwritten += len(fresh)
            return readings
        try:
            self._append(fresh)
        except OSError:
            self.unwritten += len(fresh)
        return readings

    async def counters(self) -> tuple[CounterReading, ...]:
        """Running totals of every counter that answered."""
        return await self._meters.counters()

    async def close(self) -> None:
        """Let go of the meters."""
        await self._meters.close()

    def _append(self, readings: list[MeterReading]) -> None:
        by_day: dict[str, list[str]] = {}
        for each in readings:
            by_day.setdefault(_day(each.at_us), []).append(f"{each.at_us},{each.meter},{each.power_w}\n")
        for day, lines in by_day.items():
            path = self._folder / f"{day}.csv"
            if not path.exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                self._prune(day)
                lines.insert(0, HEADING)
            with path.open("a", encoding="utf-8") as file:
                file.writelines(lines)

    def _prune(self, day: str) -> None:
        """Delete the files of days further back than is kept."""
        if self._keep_days is None:
            return
        least = (date.fromisoformat(day) - timedelta(days=self._keep_days)).isoformat()
        for path in self._folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].csv"):
            if path.stem < least:
                path.unlink()


def read_trace(folder: Path, meter: str, start_us: int, end_us: int) -> tuple[TracePoint, ...]:
    """Readings of one meter in a time, by time; none where no file is, or a line is torn.

    Raises
    ------
    headrace.core.BadInput
        If a file can't be read.
    """
    points: dict[int, TracePoint] = {}
    for day_us in range(start_us - start_us % DAY_US, end_us, DAY_US):
        path = folder / f"{_day(day_us)}.csv"
        if path.exists():
            points |= {each.at_us: each for each in _points(path, meter) if start_us <= each.at_us < end_us}
    return tuple(points[at_us] for at_us in sorted(points))


def _points(path: Path, meter: str) -> Iterator[TracePoint]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                parts = line.rstrip("\n").split(",")
                if len(parts) == 3 and parts[1] == meter and _is_whole(parts[0]) and _is_whole(parts[2]):
                    yield TracePoint(at_us=int(parts[0]), power_w=int(parts[2]))
    except OSError as error:
        raise BadInput(str(path), f"can't be read: {error.strerror}", "Check the file") from error


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) <= 20


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // 1_000_000, tz=UTC).date().isoformat()
