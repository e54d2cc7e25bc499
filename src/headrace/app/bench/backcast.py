"""`headrace bench backcast`: a public miner's disclosed months, replayed from stated assumptions, with the error.

Riot Platforms, Rockdale, July and August 2023. Everything the replay rests on stands in `sites/rockdale_2023.toml`, and
nothing there was chosen to meet a disclosed figure. Two sensitivities look at the record: the share of the fleet that
July's coins imply, used on August (August's own figures are not used), and the two blocks to 2030 alone, added after
the error of the whole block was seen. Both are run on July too: what closes August's gap must not open July's.

Two conventions of the sell-back credit are told, as the company gives no formula: proceeds (volume at spot) and gain
(proceeds less what that volume cost), both over the intervals in which selling beat keeping.

Demand-response revenue is not replayed: ancillary prices are on record for 2024 only.
"""

from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl
from rich.console import Console
from rich.table import Table

from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.app.bench.machine import machine, versions
from headrace.app.replaying import replay
from headrace.core import MICRO, SATS_PER_BTC, Interval
from headrace.dispatch.site import Site
from headrace.energy.contracts import HOURS_PER_WEEK
from headrace.engine.results import PolicyRun
from headrace.loads import MinerClass

__all__ = ["bench_backcast", "print_backcast"]

POLICIES: Final = ("always-on", "desk", "rolling")

MONTHS: Final = {
    "2023-07": Interval.from_epoch(1_688_187_600, 1_690_866_000),
    "2023-08": Interval.from_epoch(1_690_866_000, 1_693_544_400),
}
"""Local months of America/Chicago (daylight saving, UTC-5)."""

DISCLOSED: Final = {
    "2023-07": {"coins_btc": 410.0, "curtailment_usd": 6.4e6, "demand_response_usd": 1.8e6, "credits_usd": 7.8e6},
    "2023-08": {"coins_btc": 333.0, "curtailment_usd": 24.2e6, "demand_response_usd": 7.4e6, "credits_usd": 31.7e6},
}
"""Riot's production updates for July and August 2023 (3 August and 6 September 2023), unaudited estimates. July's total
is the one of the August comparison (USD 7.8 million); its parts, as first announced, add up to 8.2. The update for
August 2024 restated August 2023 at 23.3 and 5.2, with a mean operating hash rate of 4.5 EH/s of 10.3 deployed."""

HELD_OUT: Final = "fleet share of July's coins"
OLDER_BLOCKS: Final = "blocks to 2030 alone"
POINTS: Final = ("hb_hubavg", "hb_south", "hb_houston", "lz_west")
"""Other settlement points on record."""
EFFICIENCIES_J_PER_TH: Final = (27.0, 33.0)
STRIKES_USD_PER_MWH: Final = (25.0, 35.0)
BASE_J_PER_TH: Final = 30.0
BLOCKS_TO_2030_MW: Final = 195.0
"""The blocks of May 2020 and March 2022, without the one of November 2022."""


def bench_backcast(data: Path) -> dict[str, Any]:
    """Replay the disclosed months.

    Parameters
    ----------
    data
        Folder of recorded data.

    Returns
    -------
    dict
        `months.<month>.<policy>.coins_btc`, `.sold_back_mwh`, `.proceeds_usd`, `.gain_usd` and their errors against
        what was disclosed; `sensitivity.<name>` likewise for August under the headline policy;
        `sensitivity_july.<name>` for July.
    """
    with resources.as_file(resources.files("headrace.app") / "sites" / "rockdale_2023.toml") as path:
        loaded = load_site(path)
    months = {month: _month(loaded, data, month, POLICIES) for month in MONTHS}
    share = months["2023-07"]["rolling"]["coins_btc"]
    july_share_ratio = DISCLOSED["2023-07"]["coins_btc"] / share
    return {
        "disclosed": DISCLOSED,
        "months": months,
        "july_share_ratio": july_share_ratio,
        "sensitivity": _sensitivities(loaded, data, july_share_ratio),
        "sensitivity_july": _checked_on_july(loaded, data, july_share_ratio),
        "not_replayed": "demand response: no ancillary prices on record before 2024",
        "assumptions": "sites/rockdale_2023.toml",
        "versions": versions(),
        "machine": machine(),
    }


def _sensitivities(loaded: LoadedSite, data: Path, july_share_ratio: float) -> dict[str, Any]:
    """August under one changed assumption at a time."""

    def august(changed: LoadedSite) -> dict[str, Any]:
        return dict(_month(changed, data, "2023-08", ("rolling",))["rolling"])

    found = {HELD_OUT: august(_with_site(loaded, _fleet(loaded.site, machines_ratio=july_share_ratio)))}
    for point in POINTS:
        feeds = loaded.feeds | {"real_time": f"ercot.real_time.{point}"}
        found[f"settled at {point}"] = august(msgspec.structs.replace(loaded, feeds=feeds))
    for efficiency in EFFICIENCIES_J_PER_TH:
        thirsty = _fleet(loaded.site, power_ratio=efficiency / BASE_J_PER_TH)
        found[f"fleet at {efficiency:g} J/TH"] = august(_with_site(loaded, thirsty))
    for strike in STRIKES_USD_PER_MWH:
        found[f"strike {strike:g} USD/MWh"] = august(_with_site(loaded, _block(loaded.site, strike_ccy_per_mwh=strike)))
    found[OLDER_BLOCKS] = august(_with_site(loaded, _older_blocks(loaded.site)))
    return found


def _checked_on_july(loaded: LoadedSite, data: Path, july_share_ratio: float) -> dict[str, Any]:
    """What the two sensitivities that move August most do to July's credit."""
    changed = {
        HELD_OUT: _fleet(loaded.site, machines_ratio=july_share_ratio),
        OLDER_BLOCKS: _older_blocks(loaded.site),
    }
    return {
        name: _month(_with_site(loaded, site), data, "2023-07", ("rolling",))["rolling"]
        for name, site in changed.items()
    }


def _month(loaded: LoadedSite, data: Path, month: str, policies: tuple[str, ...]) -> dict[str, Any]:
    result = replay(
        loaded,
        data_dir=data,
        window=MONTHS[month],
        labels=policies,
        journals=None,
        resume=False,
        progress=lambda _label: lambda _done, _of: None,
    )
    return {run.label: _figures(run, month) for run in result.runs}


def _figures(run: PolicyRun, month: str) -> dict[str, Any]:
    """Credit and coins of a run beside what was disclosed."""
    worth = run.settlements.filter(pl.col("sold_back") > pl.col("sold_back_cost"))
    told = DISCLOSED[month]
    coins = run.mining_sats / SATS_PER_BTC
    proceeds = int(worth["sold_back"].sum()) / MICRO
    gain = proceeds - int(worth["sold_back_cost"].sum()) / MICRO
    return {
        "coins_btc": coins,
        "coins_error_ratio": coins / told["coins_btc"] - 1.0,
        "sold_back_mwh": int(worth["sold_back_wh"].sum()) / 1e6,
        "sold_back_h": float(worth["duration_s"].sum()) / 3600.0,
        "proceeds_usd": proceeds,
        "proceeds_error_ratio": proceeds / told["curtailment_usd"] - 1.0,
        "gain_usd": gain,
        "gain_error_ratio": gain / told["curtailment_usd"] - 1.0,
        "margin_usd": run.margin_ccy,
    }


def _with_site(loaded: LoadedSite, site: Site) -> LoadedSite:
    return msgspec.structs.replace(loaded, site=site)


def _fleet(site: Site, *, machines_ratio: float = 1.0, power_ratio: float = 1.0) -> Site:
    """The same site with more or fewer machines, or machines that draw more or less for the same work."""

    def scaled(miner: MinerClass) -> MinerClass:
        return msgspec.structs.replace(
            miner,
            power_mw=tuple(mw * machines_ratio * power_ratio for mw in miner.power_mw),
            hashrate_phs=tuple(phs * machines_ratio for phs in miner.hashrate_phs),
        )

    return msgspec.structs.replace(site, miners=tuple(scaled(miner) for miner in site.miners))


def _block(site: Site, **changes: Any) -> Site:  # noqa: ANN401  fields of a `FixedPrice`
    """The same site with another block."""
    (block,) = site.contracts
    return msgspec.structs.replace(site, contracts=(msgspec.structs.replace(block, **changes),))


def _older_blocks(site: Site) -> Site:
    """The same site without the block of November 2022."""
    return _block(site, hour_mw=(BLOCKS_TO_2030_MW,) * HOURS_PER_WEEK)


def print_backcast(found: dict[str, Any], console: Console) -> None:
    """Print the months, then August's sensitivities."""
    table = Table(title="Back-cast of a disclosed miner: Riot, Rockdale", title_justify="left", box=None)
    for column in ("Month, run", "Coins", "Disclosed", "Proceeds, M USD", "Gain, M USD", "Disclosed, M USD", "Hours"):
        table.add_column(column, justify="left" if column == "Month, run" else "right")
    rows = [
        (month, f"{month} {policy}", row) for month, runs in found["months"].items() for policy, row in runs.items()
    ]
    rows += [("2023-08", f"2023-08 rolling, {name}", row) for name, row in found["sensitivity"].items()]
    rows += [("2023-07", f"2023-07 rolling, {name}", row) for name, row in found["sensitivity_july"].items()]
    for month, name, row in rows:
        told = DISCLOSED[month]
        table.add_row(
            name,
            f"{row['coins_btc']:.0f}",
            f"{told['coins_btc']:.0f}",
            f"{row['proceeds_usd'] / 1e6:.1f} ({row['proceeds_error_ratio']:+.0%})",
            f"{row['gain_usd'] / 1e6:.1f} ({row['gain_error_ratio']:+.0%})",
            f"{told['curtailment_usd'] / 1e6:.1f}",
            f"{row['sold_back_h']:.0f}",
        )
    console.print(table)
    console.print(f"Not replayed: {found['not_replayed']}.", highlight=False)
