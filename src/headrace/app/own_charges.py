"""What a finished replay settled itself, line by line: the side of a shadow settlement that is ours."""

from collections import Counter
from pathlib import Path
from typing import Final

import polars as pl

from headrace.adapters.store.books import read_entries
from headrace.app.outputs import BOOKS_OF, read_result
from headrace.core import BadInput, Interval, divide_nearest, iso, micro
from headrace.engine.results import PolicyRun, ReplayResult
from headrace.settlement.billed import POOL_CREDIT
from headrace.settlement.shadow import OwnCharge
from headrace.treasury import POSTED, Account, EntryKind

__all__ = ["own_charges", "replay_and_run"]

WH_PER_MWH: Final = 1_000_000

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


def own_charges(out: Path, run: PolicyRun, lines: tuple[str, ...], span: Interval) -> dict[str, list[OwnCharge]]:
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
                )
            )
        own[line] = charges
    return own


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
