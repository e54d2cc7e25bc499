"""Reading a revenue meter's file: energy in and out of the site by interval, none left out, none twice."""

from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from headrace.adapters.statements.declaration import MeterDeclaration
from headrace.adapters.statements.table import refuse, table_rows
from headrace.adapters.statements.values import Unreadable, quantity_of, span_of
from headrace.core import BadInput, iso
from headrace.settlement.revenue_meter import MeterReading

__all__ = ["read_meter"]


def read_meter(path: Path, declaration: MeterDeclaration) -> tuple[MeterReading, ...]:
    """Read and check a meter's file.

    Returns
    -------
    tuple
        Readings in order of time, each where the one before ends.

    Raises
    ------
    BadInput
        If the file isn't of the declared form, or an interval is there twice or left out; it names file and line.
    """
    zone = ZoneInfo(declaration.time_zone)
    found: list[tuple[MeterReading, int]] = []
    for row in table_rows(path, declaration):
        try:
            start_s, end_s = span_of(
                row.get("start"), declaration, declaration.interval, zone, row.get("repeated_hour")
            )
            imported = quantity_of(row.get("imported"), declaration, end_s - start_s)
            exported = quantity_of(row.get("exported") or "0", declaration, end_s - start_s)
        except Unreadable as error:
            raise BadInput(f"{path} line {row.number}", error.found, error.do) from error
        reading = MeterReading(
            interval_start_s=start_s, duration_s=end_s - start_s, import_wh=imported, export_wh=exported
        )
        found.append((reading, row.number))
    if not found:
        raise BadInput(str(path), "holds no reading: no row below the column names", "Name the meter's whole file")
    found.sort(key=lambda each: each[0].interval_start_s)
    for (before, _), (after, number) in pairwise(found):
        reached = before.interval_start_s + before.duration_s
        if after.interval_start_s < reached:
            refuse(path, number, f"{iso(after.interval_start_s)} is read twice", "Keep one reading for each interval")
        if after.interval_start_s > reached:
            what = f"no reading for {iso(reached)} to {iso(after.interval_start_s)}"
            refuse(path, number, what, "Export the whole period")
    return tuple(reading for reading, _ in found)
