"""Statements as counterparties would send them: SYNTHETIC, made from a replay, never from a real bill.

The first line of each file says so; its declaration begins at the second.
"""

from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from headrace.engine.results import PolicyRun

LABEL = "SYNTHETIC: made by a test from a replay of the demo site; no real bill"
ZONE = ZoneInfo("America/Chicago")

MARKET = """
source = "market"
counterparty = "Synthetic market"
currency = "USD"
time_zone = "America/Chicago"
interval = "15min"
plus_is = "owed_by_us"
price_decimals = 2
header_line = 2

[columns]
statement = "settlement"
version = "run"
start = "interval"
charge = "charge"
quantity = "mwh"
price = "usd_per_mwh"
amount = "usd"

[charges]
"RT energy" = "energy_bought"
"RT injection" = "energy_sold"

[total]
column = "charge"
text = "TOTAL"
"""

POOL = """
source = "pool"
counterparty = "Synthetic pool"
currency = "BTC"
time_zone = "America/Chicago"
interval = "day"
plus_is = "owed_to_us"
amount_decimals = 8
quantity_unit = "PH/s"
version = "final"
header_line = 2

[columns]
start = "day"
quantity = "mean_phs"
amount = "btc"

[charges]
"FPPS" = "mining_sats"
"""

WALLET = """
source = "bank"
counterparty = "Synthetic wallet"
currency = "SAT"
time_zone = "UTC"
interval = "day"
plus_is = "owed_to_us"
version = "final"
header_line = 2

[columns]
start = "day"
reference = "txid"
amount = "sats"

[charges]
"in" = "payment:pool"
"""


def declared(folder: Path, text: str, name: str = "declaration.toml") -> Path:
    """A declaration on disk."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def written(folder: Path, name: str, header: str, rows: list[str]) -> Path:
    """A statement on disk, labelled."""
    path = folder / name
    path.write_text("\n".join([LABEL, header, *rows]) + "\n", encoding="utf-8")
    return path


def market_rows(run: PolicyRun, version: str = "initial", *, change=lambda _i, cells: cells) -> list[str]:
    """Energy bought and sold of a run at its own prices, amounts to cents, with the total that foots.

    `change` gets each row's place and its cells (settlement, run, interval, charge, MWh, price, amount) and gives back
    the cells to write, or None to leave the row out.
    """
    prices = dict(zip(run.intervals["interval_start"], run.intervals["price"], strict=True))
    rows, total = [], Decimal(0)
    for row in run.settlements.iter_rows(named=True):
        at = row["interval_start"]
        local = at.astimezone(ZONE).isoformat()
        price = Decimal(str(prices[at])).quantize(Decimal("0.01"))
        for charge, wh, micro in (
            ("RT energy", row["import_wh"], -row["energy_bought"]),
            ("RT injection", row["export_wh"], -row["energy_sold"]),
        ):
            amount = (Decimal(micro) / 10**6).quantize(Decimal("0.01"))
            cells = ["S-1", version, local, charge, f"{Decimal(wh) / 10**6:f}", f"{price}", f"{amount}"]
            changed = change(len(rows), cells)
            if changed is not None:
                total += Decimal(changed[6])
                rows.append(",".join(changed))
    return [*rows, f"S-1,{version},,TOTAL,,,{total}"]


MARKET_HEADER = "settlement,run,interval,charge,mwh,usd_per_mwh,usd"


def pool_rows(run: PolicyRun, *, paid_ratio=Decimal(1)) -> list[str]:
    """Satoshis credited for each local day, a share of what was expected, with the day's mean hashrate."""
    days = run.settlements.with_columns(day=pl.col("interval_start").dt.convert_time_zone(ZONE.key).dt.date())
    sats = days.group_by("day", maintain_order=True).agg(pl.col("mining_sats").sum())
    means = (
        run.intervals.with_columns(day=pl.col("interval_start").dt.convert_time_zone(ZONE.key).dt.date())
        .group_by("day", maintain_order=True)
        .agg(pl.col("hashrate_phs").mean())
    )
    return [
        f"{day},{mean:.6f},{(Decimal(total) * paid_ratio).quantize(Decimal(1)) / 10**8:.8f}"
        for (day, total), (_, mean) in zip(sats.iter_rows(), means.iter_rows(), strict=True)
    ]


METER = """
time_zone = "UTC"
interval = "15min"
quantity_unit = "kWh"
tolerance_ppm = 2000
header_line = 2

[columns]
start = "start"
imported = "kwh_in"
exported = "kwh_out"
"""


def meter_rows(run: PolicyRun, *, more_wh=lambda _i: 0) -> list[str]:
    """The revenue meter of a run: what the devices drew, and a little that no device owns up to."""
    return [
        f"{row['interval_start'].isoformat()},{(row['import_wh'] + more_wh(i)) / 1000:f},{row['export_wh'] / 1000:f}"
        for i, row in enumerate(run.settlements.iter_rows(named=True))
    ]
