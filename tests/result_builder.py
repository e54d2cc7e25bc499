"""Makes a small, consistent `ReplayResult` from a seed: books that add up and a bus that balances, without the engine.

The rule inside is no dispatch: a use runs when its worth beats the price of power, less so under weaker policies.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from headrace.core import Currency, Interval
from headrace.dispatch.site import DeskRules, Site
from headrace.energy import Battery, Connection, Generator, Market, Ppa, Tariff
from headrace.engine.results import LINES, DataGap, PolicyRun, ReplayResult
from headrace.loads import AiLease, Cooling, Firmness, HeatOfftake, InferenceService, MinerClass

STEP_S, SETTLE_S = 300, 900
H = STEP_S / 3600.0
SLACK = {"always-on": 1e9, "desk": 9.0, "rolling": 3.0, "bound": 0.0}
"""How far above break-even, per MWh, each policy lets a use run on: the weaker, the further."""


BATTERY = Battery(
    charge_max_mw=10.0,
    discharge_max_mw=10.0,
    stored_min_mwh=0.0,
    stored_max_mwh=20.0,
    stored_start_mwh=10.0,
    charge_efficiency_ratio=0.92,
    discharge_efficiency_ratio=0.92,
    wear_ccy_per_mwh=8.0,
)
WIND = Generator(
    name="wind", kind="wind", capacity_mw=20.0, marginal_cost_ccy_per_mwh=0.0, must_run_ratio=0.0, profile="wind_cf"
)
MINERS = (
    MinerClass(
        name="s21",
        power_mw=(0.0, 12.0, 18.0),
        hashrate_phs=(0.0, 780.0, 1080.0),
        pool_fee_ratio=0.02,
        cooling="air",
    ),
    MinerClass(name="s19j", power_mw=(0.0, 12.0), hashrate_phs=(0.0, 400.0), pool_fee_ratio=0.02, cooling="air"),
)
LEASES = (
    AiLease(
        name="trainer",
        firmness=Firmness.FIRM,
        gpus=28000,
        it_mw=34.0,
        idle_ratio=0.25,
        price_ccy_per_gpu_h=2.1,
        credit_ccy_per_gpu_h=4.2,
        cooling="air",
    ),
    AiLease(
        name="batch",
        firmness=Firmness.CURTAILABLE,
        gpus=8000,
        it_mw=10.0,
        idle_ratio=0.2,
        price_ccy_per_gpu_h=1.2,
        credit_ccy_per_gpu_h=0.2,
        cooling="air",
    ),
)
CHAT = InferenceService(
    name="chat",
    it_max_mw=10.0,
    idle_ratio=0.3,
    wh_per_request=1.2,
    value_ccy_per_request=0.002,
    demand="chat_demand",
    demand_scale_ratio=1.0,
    cooling="air",
)


def build_site(*, name="Cedar Bend", currency=Currency.USD, battery=True, mining=True, wind=True, is_hub=True):
    """A campus with one of everything; each part can be left out."""
    return Site(
        name=name,
        currency=currency,
        time_zone="America/Chicago",
        control_step_s=STEP_S,
        market=Market(
            name="ERCOT",
            settlement_point="HB_SOUTH" if is_hub else "LZ_WEST",
            settlement_step_s=SETTLE_S,
            is_hub=is_hub,
        ),
        connection=Connection(import_max_mw=100.0, export_max_mw=30.0),
        tariff=Tariff(
            import_adder_ccy_per_mwh=4.0, export_deduction_ccy_per_mwh=2.0, peak_charge_ccy_per_mw_month=1500.0
        ),
        battery=BATTERY if battery else None,
        generators=(WIND,) if wind else (),
        ppas=(Ppa(name="west wind", capacity_mw=10.0, strike_ccy_per_mwh=22.0, profile="wind_cf"),),
        coolings=(Cooling(name="air", temp_c=(0.0, 40.0), pue_ratio=(1.05, 1.3)),),
        miners=MINERS if mining else (),
        leases=LEASES,
        inference=(CHAT,),
        heat=(
            HeatOfftake(
                load="trainer",
                recovered_ratio=0.3,
                heat_max_mw=8.0,
                price_ccy_per_mwh=18.0,
                months=(1, 2, 3, 10, 11, 12),
            ),
        ),
        desk=DeskRules(hold_s=1800, peak_hours_local=(16, 17)),
        usd_rate_ratio=1.0,
    )


def build_result(
    *,
    days=3,
    seed=7,
    start=datetime(2022, 2, 11, 6, tzinfo=UTC),
    site=None,
    carbon=True,
    loss_per_mwh=0.0,
    sensitivities=True,
    gaps=True,
):
    """Four policies over `days` days; `loss_per_mwh` is added to every price to drive the margin below zero."""
    site = site or build_site()
    world = _world(np.random.default_rng(seed), start, days, loss_per_mwh)
    runs = [_run(site, world, policy, carbon=carbon) for policy in SLACK]
    if sensitivities:
        runs.append(_run(site, world, "rolling", label="rolling, price known", carbon=carbon, slack=1.0))
        runs.append(_run(site, world, "rolling", label="rolling, no battery", carbon=carbon, with_battery=False))
    return ReplayResult(
        site=site,
        window=Interval(start=start, end=start + timedelta(days=days)),
        runs=tuple(runs),
        gaps=(
            DataGap(
                role="real_time", start="2022-02-12T03:15:00Z", intervals=3, substitute="day-ahead price of the hour"
            ),
        )
        if gaps
        else (),
        notes=("Transmission four-coincident-peak charges are not in these figures.",),
        sources={
            "real_time": "synthetic 15 min price, for tests",
            "bitcoin_price": "synthetic daily price, for tests",
            **({"carbon": "synthetic hourly intensity, for tests"} if carbon else {}),
        },
        meta={
            "config_digest": "9f2c" * 8,
            "input_digest": "51ab" * 8,
            "versions": {"headrace": "0.1.0", "numpy": "2.4.6"},
            "site_file": "cedar-bend.toml",
        },
    )


def _world(rng, start, days, loss_per_mwh):
    n = days * 288
    t_h = np.arange(n) * H
    slow = np.repeat(rng.normal(0.0, 8.0, days * 24 + 1), 12)[:n]
    price = 34.0 + 18.0 * np.sin((t_h - 9.0) / 24.0 * 2 * np.pi) + slow
    spikes = rng.random(n // 3) < 0.004
    price = np.repeat((price.reshape(-1, 3).mean(axis=1) + spikes * rng.uniform(300, 4000, n // 3)).round(2), 3)
    price[rng.integers(0, n - 12) :][:12] -= 60.0
    return {
        "start": start,
        "n": n,
        "price": price + loss_per_mwh,
        "temp": 14.0 + 9.0 * np.sin((t_h - 9.0) / 24.0 * 2 * np.pi) + rng.normal(0, 0.5, n),
        "wind": np.clip(0.4 + 0.4 * np.sin(t_h / 31.0) + rng.normal(0, 0.05, n), 0, 1),
        "asked": np.clip(700.0 + 500.0 * np.sin((t_h - 8.0) / 24.0 * 2 * np.pi) + rng.normal(0, 60, n), 0, 1600),
        "carbon": np.clip(380.0 + 90.0 * np.sin((t_h - 6.0) / 24.0 * 2 * np.pi), 0, None),
        "hashprice": 22.0 + 4.0 * np.sin(t_h / 500.0),
    }


def _run(site, world, policy, *, label=None, carbon, slack=None, with_battery=True):
    pue = 1.05 + 0.25 * np.clip(world["temp"], 0, 40) / 40.0
    price = world["price"]
    seen = price if policy == "bound" or "known" in (label or "") else np.concatenate([price[:1].repeat(3), price[:-3]])
    frame = _intervals(
        site,
        world,
        pue,
        seen,
        slack=SLACK[policy] if slack is None else slack,
        has_battery=with_battery and policy != "always-on",
        carbon=carbon,
    )
    settled = _settle(site, world, frame, pue)
    lines = {line: settled[line].sum() / 1e6 for line in LINES}
    held = frame["stored_mwh"][-1] - 10.0
    change = float(held * np.median(price)) if site.battery and policy != "always-on" else 0.0
    return PolicyRun(
        policy=policy,
        label=label or policy,
        is_headline=label is None,
        intervals=frame,
        settlements=settled,
        margin_ccy=sum(lines.values()) + change,
        stored_change_ccy=change,
        lines_ccy=lines,
        mining_sats=int(settled["mining_sats"].sum()),
    )


def _intervals(site, world, pue, seen, *, slack, has_battery, carbon):
    n = world["n"]
    cost = seen + site.tariff.import_adder_ccy_per_mwh
    columns = {}
    it_mw = np.full(n, 34.0 + 0.2 * 10.0 + 0.3 * 10.0)
    firm = it_mw * pue
    uses, hashrate = np.zeros(n), np.zeros(n)

    def use(name, it_max, worth_it, *, want_it=None):
        nonlocal uses, it_mw
        want = (np.full(n, it_max) if want_it is None else want_it) * pue
        worth = np.broadcast_to(worth_it, n) / pue
        on = worth >= cost - slack
        got = np.where(on, want, 0.0)
        columns[f"use:{name}_mw"], columns[f"want:{name}_mw"], columns[f"worth:{name}"] = got, want, worth
        uses = uses + got
        it_mw = it_mw + got / pue
        return got / pue

    batch = use("batch", 8.0, 8000 * 1.4 / 8.0)
    asked_it = np.minimum(world["asked"] * 1.2 * 3600e-6, 7.0)
    chat = use("chat", 7.0, 0.002 / 1.2e-6, want_it=asked_it)
    if site.miners:
        per_mw_day = world["hashprice"] / 24.0 * 0.98
        hashrate = hashrate + 65.0 * use("s21.1", 12.0, 65.0 * per_mw_day)
        hashrate = hashrate + 50.0 * use("s21.2", 6.0, 50.0 * per_mw_day)
        hashrate = hashrate + 33.3 * use("s19j", 12.0, 33.3 * per_mw_day)
    charge, discharge, stored = _battery(site, world, has_battery)
    available = 20.0 * world["wind"] if site.generators else np.zeros(n)
    net = firm + uses + charge - discharge - available
    imported, exported = np.clip(net, 0, None), np.clip(-net, 0, None)
    mined = [name for name in columns if name.startswith("use:s") and not name.startswith("use:s0")]
    missing_mining = sum((columns[c.replace("use:", "want:")] - columns[c] for c in mined), np.zeros(n))
    surplus = sum((columns[c] for c in mined), np.zeros(n)) * (seen < 5.0)
    kink = np.round(np.abs(np.sin(np.arange(n))) * 4.0, 2)
    return pl.DataFrame(
        {
            "interval_start": _times(world, n, STEP_S),
            "price": world["price"],
            "price_seen": seen,
            "is_estimated": np.zeros(n, bool),
            "bid": cost,
            "ask": cost + np.where(imported >= 99.0, kink, 0.0),
            "import_mw": imported,
            "export_mw": exported,
            "firm_mw": firm,
            "charge_mw": charge,
            "discharge_mw": discharge,
            "stored_mwh": stored,
            "it_mw": it_mw,
            **columns,
            **({"source:wind_mw": available, "available:wind_mw": available} if site.generators else {}),
            "hashrate_phs": hashrate,
            "requests_per_s": chat / 1.2 / 3600e-6,
            "requests_asked_per_s": world["asked"],
            "gpus_busy": 28000.0 + 8000.0 * batch / 8.0,
            "heat_mw": np.full(n, 8.0),
            "temp_c": world["temp"],
            "carbon_kg_per_mwh": world["carbon"] if carbon else pl.Series([None] * n, dtype=pl.Float64),
            "mode": ["plan"] * n,
            "yielded_mw": np.minimum(missing_mining, asked_it * (world["asked"] > 1000.0)),
            "absorbed_mw": surplus,
            "shed_mw": np.zeros(n),
            "spilled_mw": np.zeros(n),
        }
    )


def _battery(site, world, is_used):
    n = world["n"]
    charge, discharge, stored = np.zeros(n), np.zeros(n), np.full(n, 10.0 if site.battery else 0.0)
    if not (site.battery and is_used):
        return charge, discharge, stored
    hour = (np.arange(n) // 12) % 24
    level = 10.0
    for i in range(n):
        if hour[i] in (1, 2, 3) and level < 19.0:
            charge[i] = 8.0
        elif hour[i] in (12, 13) and level > 1.0:
            discharge[i] = 8.0
        level += H * (0.92 * charge[i] - discharge[i] / 0.92)
        stored[i] = level
    return charge, discharge, stored


def _times(world, n, step_s):
    first = world["start"]
    return pl.datetime_range(
        first, first + timedelta(seconds=step_s * (n - 1)), interval=f"{step_s}s", time_zone="UTC", eager=True
    )


def _settle(site, world, frame, pue):
    def summed(values):
        return np.asarray(values, float).reshape(-1, 3).sum(axis=1) * H

    def micro(values):
        return np.round(values * 1e6).astype(np.int64)

    price = world["price"].reshape(-1, 3)[:, 0]
    bought, sold = summed(frame["import_mw"]), summed(frame["export_mw"])
    hash_h = summed(frame["hashrate_phs"]) / 24.0 * world["hashprice"].reshape(-1, 3)[:, 0] / 0.98
    peak = np.maximum.accumulate(frame["import_mw"].to_numpy().reshape(-1, 3).max(axis=1))
    batch = summed(frame["gpus_busy"] - 28000.0)
    n = len(price)
    amounts = {
        "energy_bought": -bought * price,
        "energy_sold": sold * price,
        "adders": -bought * 4.0 - sold * 2.0,
        "mining": hash_h,
        "pool_fees": -0.02 * hash_h,
        "ai_firm": np.full(n, 28000 * 2.1 * 0.25),
        "ai_curtailable": batch * 1.2,
        "inference": summed(frame["requests_per_s"]) * 3600.0 * 0.002,
        "heat": np.full(n, 8.0 * 18.0 * 0.25),
        "service_credits": -(8000.0 * 0.25 - batch) * 0.2,
        "ppa": 10.0 * summed(world["wind"]) * (price - 22.0),
        "peak": -1500.0 * np.diff(peak, prepend=0.0),
        "generation": np.zeros(n),
        "wear": -8.0 * summed(frame["discharge_mw"]),
    }
    return pl.DataFrame(
        {
            "interval_start": _times(world, n, SETTLE_S),
            "import_wh": micro(bought),
            "export_wh": micro(sold),
            "is_estimated": np.zeros(n, bool),
            **{line: micro(amounts.get(line, np.zeros(n))) for line in LINES},
            "mining_sats": np.round(hash_h * 0.98 / 40000.0 * 1e8).astype(np.int64),
        }
    )
