"""What a finished replay settled itself, line by line: the side of a shadow settlement that is ours."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from headrace.adapters.store.books import read_entries
from headrace.app.outputs import BOOKS_OF, read_result
from headrace.core import BadInput, Interval, divide_nearest, iso, micro
from headrace.engine.results import PolicyRun, ReplayResult
from headrace.settlement.billed import POOL_CREDIT
from headrace.settlement.revenue_meter import DeviceEnergy, MeterReading, MeterResidual, meter_residual
from headrace.settlement.shadow import OwnCharge
from headrace.treasury import POSTED, Account, EntryKind

__all__ = ["meter_energy", "own_charges", "replay_and_run", "telemetry_residuals"]

WH_PER_MWH: Final = 1_000_000
S_PER_H: Final = 3600

_QUANTITIES: Final = {"energy_bought": ("import_wh", -1), "energy_sold": ("export_wh", 1), "adders": ("import_wh", -1)}
"""Meter that a line follows, and the line's sign."""


def replay_and_run(out: Path) -> tuple[ReplayResult, PolicyRun]:
    """A finished replay and the run whose books it keeps.

    Raises
    ------
    BadInput
        If the folder holds no finished replay.
    """
    result = read_result(out)
    return result, next((run for run in result.runs if run.label == BOOKS_OF), result.runs[0])


def own_charges(
    out: Path, run: PolicyRun, lines: tuple[str, ...], span: Interval, meter: Sequence[MeterReading] = ()
) -> dict[str, list[OwnCharge]]:
    """Our own amounts of some lines within a span, with the quantity and price they follow from.

    Parameters
    ----------
    out
        Folder of the replay; its books must say the same as its settlements.
    run
        The run whose books they are.
    lines
        Statement lines, and `POOL_CREDIT`.
    span
        What a statement bills.
    meter
        The revenue meter's readings, whose energy outranks the replay's own where they cover an interval.

    Raises
    ------
    BadInput
        If books and settlements disagree.
    """
    frame = run.settlements.filter(
        (pl.col("interval_start") < span.end)
        & (pl.col("interval_start") + pl.duration(seconds=pl.col("duration_s")) > span.start)
    )
    starts = [round(at.timestamp()) for at in frame["interval_start"]]
    spans = list(zip(starts, (s + d for s, d in zip(starts, frame["duration_s"], strict=True)), strict=True))
    prices = dict(
        zip((round(at.timestamp()) for at in run.intervals["interval_start"]), run.intervals["price"], strict=True)
    )
    booked = _booked(out, lines, span)
    own: dict[str, list[OwnCharge]] = {}
    for line in lines:
        quantities, sign = _quantities(line, frame, spans, run)
        metered = meter_energy(meter, spans, _QUANTITIES[line][0]) if line in _QUANTITIES else {}
        charges: list[OwnCharge] = []
        for i, (start_s, end_s) in enumerate(spans):
            amount = int(frame[line][i])
            if booked[line, start_s] != amount:
                found = f"the books have {booked[line, start_s]} on {line} at {iso(start_s)}, the settlements {amount}"
                raise BadInput(str(out), found, "The folder was changed: run the replay again")
            quantity = quantities[i]
            price = None if quantity is None else _price(quantity, sign * micro(prices.get(start_s, 0.0)), amount)
            charges.append(
                OwnCharge(
                    start_s=start_s,
                    end_s=end_s,
                    quantity=quantity,
                    price_micro_per_mwh=price,
                    amount=amount,
                    is_estimated=bool(frame["is_estimated"][i]),
                    meter_quantity=metered.get(start_s),
                )
            )
        own[line] = charges
    return own


def meter_energy(meter: Sequence[MeterReading], spans: Iterable[tuple[int, int]], column: str) -> dict[int, int]:
    """Wh that the meter counted in each interval it covers whole, by the interval's start.

    Parameters
    ----------
    meter
        Readings in order of time, without gaps.
    spans
        Start and end of each interval, epoch seconds, in order of time.
    column
        `import_wh` or `export_wh`.
    """
    ends = [reading.interval_start_s + reading.duration_s for reading in meter]
    counted: dict[int, int] = {}
    for start_s, end_s in spans:
        inside = meter[bisect_right(ends, start_s) : bisect_right(ends, end_s)]
        if (
            inside
            and inside[0].interval_start_s == start_s
            and sum(each.duration_s for each in inside) == end_s - start_s
        ):
            counted[start_s] = sum(getattr(each, column) for each in inside)
    return counted


def _quantities(
    line: str, frame: pl.DataFrame, spans: list[tuple[int, int]], run: PolicyRun
) -> tuple[list[int | None], int]:
    """Metered quantity of each interval, and the line's sign."""
    if line == POOL_CREDIT:
        return _work_ph(spans, run), 1
    if line not in _QUANTITIES:
        return [None] * len(spans), 1
    column, sign = _QUANTITIES[line]
    return [int(wh) for wh in frame[column]], sign


def _work_ph(spans: list[tuple[int, int]], run: PolicyRun) -> list[int | None]:
    """Petahashes of each settlement interval, from the hashrate of its control intervals."""
    times = [round(at.timestamp()) for at in run.intervals["interval_start"]]
    step_s = times[1] - times[0] if len(times) > 1 else spans[0][1] - spans[0][0]
    hashrates = dict(zip(times, run.intervals["hashrate_phs"], strict=True))
    return [sum(round(hashrates.get(at, 0.0) * step_s) for at in range(start, end, step_s)) for start, end in spans]


def telemetry_residuals(
    run: PolicyRun, meter: Sequence[MeterReading], *, tolerance_ppm: int
) -> tuple[MeterResidual, ...]:
    """The revenue meter against the devices' own telemetry, for every settlement interval the meter covers whole."""
    frame = run.settlements
    starts = [round(at.timestamp()) for at in frame["interval_start"]]
    spans = list(zip(starts, (s + d for s, d in zip(starts, frame["duration_s"], strict=True)), strict=True))
    imported, exported = (meter_energy(meter, spans, column) for column in ("import_wh", "export_wh"))
    devices, step_s = _devices(run)
    return tuple(
        meter_residual(
            MeterReading(
                interval_start_s=start_s,
                duration_s=end_s - start_s,
                import_wh=imported[start_s],
                export_wh=exported[start_s],
            ),
            [each for at in range(start_s, end_s, step_s) for each in devices.get(at, ())],
            tolerance_ppm=tolerance_ppm,
        )
        for start_s, end_s in spans
        if start_s in imported
    )


def _devices(run: PolicyRun) -> tuple[dict[int, list[DeviceEnergy]], int]:
    """Net energy of every device and use by control interval, and that interval's seconds."""
    frame = run.intervals
    times = [round(at.timestamp()) for at in frame["interval_start"]]
    step_s = times[1] - times[0] if len(times) > 1 else int(run.settlements["duration_s"][0])
    signs = {"firm_mw": 1, "charge_mw": 1, "discharge_mw": -1}
    signs |= {name: 1 for name in frame.columns if name.startswith("use:") or name == "jobs_mw"}
    signs |= {name: -1 for name in frame.columns if name.startswith("source:")}
    found: dict[int, list[DeviceEnergy]] = {at: [] for at in times}
    for name, sign in signs.items():
        for at, power_mw in zip(times, frame[name], strict=True):
            net_wh = sign * round(power_mw * step_s / S_PER_H * WH_PER_MWH)
            found[at].append(DeviceEnergy(device=name.removesuffix("_mw"), interval_start_s=at, net_wh=net_wh))
    return found, step_s


def _price(quantity: int, price_micro_per_mwh: int, amount: int) -> int | None:
    """The settlement price if it is what makes the amount."""
    return price_micro_per_mwh if divide_nearest(quantity * price_micro_per_mwh, WH_PER_MWH) == amount else None


def _booked(out: Path, lines: tuple[str, ...], span: Interval) -> Counter[tuple[str, int]]:
    """What the folder's books accrued, by line and start; satoshis as they stood before any pool credited them."""
    accounts = {POSTED[line][0]: line for line in lines if line in POSTED}
    found: Counter[tuple[str, int]] = Counter()
    for entry in read_entries(out / "books.sqlite"):
        is_inside = entry.interval_start_s < span.end_s and entry.interval_end_s > span.start_s
        if entry.kind is not EntryKind.SETTLEMENT or not is_inside:
            continue
        for posting in entry.postings:
            if posting.account in accounts:
                found[accounts[posting.account], entry.interval_start_s] += posting.credit - posting.debit
            elif posting.account is Account.BITCOIN_PROVISIONAL and POOL_CREDIT in lines:
                found[POOL_CREDIT, entry.interval_start_s] += posting.debit - posting.credit
    return found
