"""The auditor's own arithmetic: what a site earns, from its TOML and the raw data, without a line of Headrace.

Slow and plain on purpose. Every series is laid on the 5-minute grid; power is a float, and money is summed in floats
except where whole units are sold (requests, satoshis), which are counted as they would be invoiced.
"""

import itertools
import math
import tomllib
from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

STEP_S = 300
H = STEP_S / 3600.0


class Site:
    """A site file as written, with the loads flattened to what the arithmetic needs."""

    def __init__(self, path: Path, asics: dict[str, list[list[float]]]) -> None:
        raw = tomllib.loads(path.read_text())
        self.raw = raw
        code = raw["site"]["currency"].lower()
        self.zone = ZoneInfo(raw["site"]["time_zone"])
        self.settle_s = raw["market"]["settlement_step_min"] * 60
        tariff = raw.get("tariff", {})
        self.adder = tariff.get(f"import_adder_{code}_per_mwh", 0.0)
        self.deduction = tariff.get(f"export_deduction_{code}_per_mwh", 0.0)
        self.peak_charge = tariff.get(f"peak_charge_{code}_per_mw_month", 0.0)
        self.import_max = raw["connection"]["import_max_mw"]
        self.export_max = raw["connection"]["export_max_mw"]
        self.usd = raw.get("fx", {}).get("usd_rate_ratio", 1.0)
        self.pue = {c["name"]: c["pue"] for c in raw["cooling"]}
        self.battery = raw.get("battery")
        self.wear = (self.battery or {}).get(f"wear_{code}_per_mwh", 0.0)
        self._read_loads(asics, code)
        self._read_supply(code)

    def _read_loads(self, asics: dict[str, list[list[float]]], code: str) -> None:
        raw = self.raw
        self.leases, self.services, self.miners = [], [], []
        for cluster in raw.get("cluster", []):
            for lease in cluster["lease"]:
                self.leases.append(
                    {
                        "name": lease["name"],
                        "firm": lease["firmness"] == "firm",
                        "gpus": lease["gpus"],
                        "it": lease["gpus"] * cluster["kw_per_gpu"] / 1000,
                        "idle": cluster["idle_ratio"],
                        "price": lease[f"price_{code}_per_gpu_h"],
                        "credit": lease[f"credit_{code}_per_gpu_h"],
                        "cooling": cluster["cooling"],
                    }
                )
        for service in raw.get("inference", []):
            self.services.append(
                {
                    "name": service["name"],
                    "it": service["gpus"] * service["kw_per_gpu"] / 1000,
                    "idle": service["idle_ratio"],
                    "wh": service["wh_per_request"],
                    "value": service[f"value_{code}_per_request"],
                    "demand": service["demand"],
                    "scale": service["demand_scale_ratio"],
                    "cooling": service["cooling"],
                }
            )
        for miner in raw.get("miner", []):
            points = miner.get("curve") or asics[miner["model"]]
            hull = upper_hull(points)
            self.miners.append(
                {
                    "name": miner["name"],
                    "fee": miner["pool_fee_ratio"],
                    "cooling": miner["cooling"],
                    # (IT MW, PH/s per MW) of each straight piece
                    "pieces": [
                        ((b[0] - a[0]) * miner["machines"] / 1e6, (b[1] - a[1]) / (b[0] - a[0]) * 1000.0)
                        for a, b in itertools.pairwise(hull)
                    ],
                }
            )

    def _read_supply(self, code: str) -> None:
        raw = self.raw
        self.generators = [
            {
                "name": g["name"],
                "mw": g["capacity_mw"],
                "cost": g[f"marginal_cost_{code}_per_mwh"],
                "must": g.get("must_run_ratio", 0.0),
                "profile": g.get("profile"),
            }
            for g in raw.get("generator", [])
        ]
        self.ppas = [
            {"mw": p["capacity_mw"], "strike": p[f"strike_{code}_per_mwh"], "profile": p["profile"]}
            for p in raw.get("ppa", [])
        ]
        self.heat = {
            h["load"]: {
                "share": h["recovered_ratio"],
                "max": h["heat_max_mw"],
                "price": h[f"price_{code}_per_mwh"],
                "months": h["months"],
            }
            for h in raw.get("heat", [])
        }


def upper_hull(points: list[list[float]]) -> list[tuple[float, float]]:
    """Points no chord between two others (or the origin) lies above, up to the most work: by trying every pair."""
    everything = sorted([(0.0, 0.0)] + [(float(a), float(b)) for a, b in points])
    everything = [point for point in everything if point[0] <= max(everything, key=lambda p: (p[1], -p[0]))[0]]
    keep = []
    for x, y in everything:
        beaten = any(
            a[0] < x < b[0] and a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0]) >= y - 1e-12
            for a in everything
            for b in everything
        )
        if not beaten:
            keep.append((x, y))
    return keep


def epoch(at: datetime) -> int:
    """Whole seconds since 1970."""
    return int(at.timestamp())


def read(path: Path, time: str, column: str, where: dict[str, str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Times (epoch seconds, or the trace's own) and values of one column."""
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    for key, text in (where or {}).items():
        frame = frame.filter(pl.col(key) == text)
    stamps = frame[time]
    if stamps.dtype == pl.String:
        seconds = [epoch(datetime.fromisoformat(text.replace("Z", "+00:00"))) for text in stamps]
    elif stamps.dtype in (pl.Int64, pl.Int32, pl.Float64):
        seconds = stamps.to_list()
    else:
        seconds = [epoch(at if at.tzinfo else at.replace(tzinfo=UTC)) for at in stamps.to_list()]
    return np.array(seconds, np.int64), frame[column].cast(pl.Float64).fill_null(math.nan).to_numpy()


def laid(times: np.ndarray, values: np.ndarray, step: int, grid: np.ndarray) -> np.ndarray:
    """Value of the interval that holds each grid instant; a missing one repeats the last there was."""
    by_start = {int(t): float(v) for t, v in zip(times, values, strict=True) if not math.isnan(v)}
    out, last, phase = [], None, int(times[0]) % step
    earlier = [t for t in by_start if t < grid[0]]
    if earlier:
        last = by_start[max(earlier)]
    for at in grid.tolist():
        last = by_start.get((at - phase) // step * step + phase, last)
        out.append(math.nan if last is None else last)
    return np.array(out)


def laid_from_monday(offsets: np.ndarray, rates: np.ndarray, zone: ZoneInfo, grid: np.ndarray) -> np.ndarray:
    """Two weeks without dates, repeated from a Monday 00:00 on the site's wall clock."""
    fortnight = {int(o): float(v) for o, v in zip(offsets, rates, strict=True)}
    length = 14 * 86_400
    monday = date(1970, 1, 5)
    out = []
    for at in grid.tolist():
        wall = datetime.fromtimestamp(at, zone)
        since = (wall.date() - monday).days * 86_400 + wall.hour * 3600 + wall.minute * 60
        out.append(fortnight[since % length // 600 * 600])
    return np.array(out)


def btc_known(times: np.ndarray, closes: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Close of the last UTC day that had ended."""
    by_day = {int(t) // 86_400: float(v) for t, v in zip(times, closes, strict=True)}
    return np.array([by_day[at // 86_400 - 1] if at // 86_400 - 1 in by_day else by_day[at // 86_400] for at in grid])


class World:
    """Everything that came, on the 5-minute grid."""

    def __init__(self, start: datetime, end: datetime, zone: ZoneInfo) -> None:
        self.grid = np.arange(epoch(start), epoch(end), STEP_S)
        local = [datetime.fromtimestamp(at, zone) for at in self.grid.tolist()]
        self.month = [(d.year, d.month) for d in local]
        self.price = self.temp = self.btc = self.difficulty = self.reward = np.full(len(self.grid), math.nan)
        self.demand: dict[str, np.ndarray] = {}
        self.profile: dict[str, np.ndarray] = {}

    def pue(self, points: list[list[float]]) -> np.ndarray:
        """Linear between the points, flat outside."""
        if len(points) == 1:
            return np.full(len(self.grid), points[0][1])
        out = []
        for t in self.temp.tolist():
            if t <= points[0][0]:
                out.append(points[0][1])
            elif t >= points[-1][0]:
                out.append(points[-1][1])
            else:
                i = next(k for k in range(len(points)) if points[k][0] > t)
                (x0, y0), (x1, y1) = points[i - 1], points[i]
                out.append(y0 + (y1 - y0) * (t - x0) / (x1 - x0))
        return np.array(out)


def firm_mw(site: Site, world: World) -> np.ndarray:
    """Firm leases and the idle draw of everything that may pause, at the bus."""
    total = np.zeros(len(world.grid))
    for lease in site.leases:
        total += (1.0 if lease["firm"] else lease["idle"]) * lease["it"] * world.pue(site.pue[lease["cooling"]])
    for service in site.services:
        total += service["idle"] * service["it"] * world.pue(site.pue[service["cooling"]])
    return total


def always_on(site: Site, world: World) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Statement lines of every load at full power with an idle battery, and the powers behind them."""
    steps = len(world.grid)
    blocks = []  # (give-way order, kind, index, IT MW wanted, PUE, PH/s per MW)
    for i, miner in enumerate(site.miners):
        for mw, slope in miner["pieces"]:
            worth = slope * (1 - miner["fee"])
            blocks.append((0, worth, "mine", i, np.full(steps, mw), world.pue(site.pue[miner["cooling"]]), slope))
    for i, lease in enumerate(site.leases):
        if not lease["firm"]:
            mw = (1 - lease["idle"]) * lease["it"]
            worth = lease["gpus"] * (lease["price"] + lease["credit"]) / mw
            blocks.append((1, worth, "lease", i, np.full(steps, mw), world.pue(site.pue[lease["cooling"]]), 0.0))
    for i, service in enumerate(site.services):
        asked = world.demand[service["demand"]] * service["scale"] * service["wh"] * 3600 / 1e6
        width = np.minimum(asked, (1 - service["idle"]) * service["it"])
        worth = service["value"] / service["wh"] * 1e6
        blocks.append((1, worth, "infer", i, width, world.pue(site.pue[service["cooling"]]), 0.0))
    firm = firm_mw(site, world)
    given = np.zeros(steps)
    source = []
    for generator in site.generators:
        factor = world.profile[generator["profile"]] if generator["profile"] else np.ones(steps)
        source.append(generator["mw"] * factor)
        given += source[-1]
    net = firm + sum(b[4] * b[5] for b in blocks) - given
    got = [b[4] * b[5] for b in blocks]
    for k in sorted(range(len(blocks)), key=lambda k: (blocks[k][0], blocks[k][1])):
        less = np.clip(net - site.import_max, 0.0, got[k])
        got[k] = got[k] - less
        net = net - less
    for j in sorted(range(len(source)), key=lambda j: -site.generators[j]["cost"]):
        room = source[j] * (1 - site.generators[j]["must"])
        less = np.clip(-net - site.export_max, 0.0, room)
        source[j] = source[j] - less
        net = net + less
    assert (net <= site.import_max + 1e-6).all()
    powers = {"import": np.maximum(net, 0), "export": np.maximum(-net, 0), "firm": firm}
    powers |= {f"{b[2]}:{b[3]}:{n}": got[n] for n, b in enumerate(blocks)}
    return lines_of(site, world, powers, blocks, got, source), powers


def of_powers(site: Site, world: World, frame: pl.DataFrame) -> dict[str, float]:
    """Statement lines of the powers that a run metered (its intervals file)."""
    steps = len(world.grid)
    blocks, got = [], []
    for column in frame.columns:
        if not column.startswith("use:"):
            continue
        stem = column.removeprefix("use:").removesuffix("_mw").removesuffix("+heat")
        for kind, loads in (("mine", site.miners), ("lease", site.leases), ("infer", site.services)):
            for i, load in enumerate(loads):
                name, _, number = stem.rpartition(".") if stem != load["name"] else (stem, "", "1")
                if name == load["name"]:
                    slope = load["pieces"][int(number) - 1][1] if kind == "mine" else 0.0
                    blocks.append((0, 0.0, kind, i, np.zeros(steps), world.pue(site.pue[load["cooling"]]), slope))
                    got.append(frame[column].to_numpy())
    powers = {name: frame[f"{name}_mw"].to_numpy() for name in ("import", "export", "firm")}
    source = [frame[f"source:{g['name']}_mw"].to_numpy() for g in site.generators]
    lines = lines_of(site, world, powers, blocks, got, source)
    lines["wear"] = -float(frame["discharge_mw"].sum()) * H * site.wear
    if site.battery:
        start = site.battery["soc_start_ratio"] * site.battery["capacity_mwh"]
        lines["stored_change"] = (float(frame["stored_mwh"][-1]) - start) * float(np.median(world.price))
    return lines


def lines_of(site, world, powers, blocks, got, source) -> dict[str, float]:
    """Money of given powers, line by line."""
    steps = len(world.grid)
    line: dict[str, float] = defaultdict(float)
    line["energy_bought"] = -float((powers["import"] * world.price).sum()) * H
    line["energy_sold"] = float((powers["export"] * world.price).sum()) * H
    line["adders"] = -float((powers["import"] * site.adder + powers["export"] * site.deduction).sum()) * H
    it = [power / b[5] for b, power in zip(blocks, got, strict=True)]
    for i, lease in enumerate(site.leases):
        hours = lease["gpus"] * steps * H
        if lease["firm"]:
            line["ai_firm"] += hours * lease["price"]
            continue
        full = (1 - lease["idle"]) * lease["it"]
        ran = sum(float((x / full).sum()) for b, x in zip(blocks, it, strict=True) if b[2:4] == ("lease", i))
        delivered = lease["gpus"] * ran * H
        line["ai_curtailable"] += delivered * lease["price"]
        line["service_credits"] -= (hours - delivered) * lease["credit"]
    for i, service in enumerate(site.services):
        ran = sum(x for b, x in zip(blocks, it, strict=True) if b[2:4] == ("infer", i))
        came = world.demand[service["demand"]] * service["scale"] * STEP_S
        could = ran * 1e6 / service["wh"] / 3600 * STEP_S
        line["inference"] += (
            sum(min(round(a), round(b)) for a, b in zip(came.tolist(), could.tolist(), strict=True)) * service["value"]
        )
    _mine(site, world, line, blocks, it)
    it_of = _sell_heat(site, world, line, blocks, it)
    for ppa in site.ppas:
        line["ppa"] += float((ppa["mw"] * world.profile[ppa["profile"]] * (world.price - ppa["strike"])).sum()) * H
    for generator, mw in zip(site.generators, source, strict=True):
        line["generation"] -= float(mw.sum()) * H * generator["cost"]
    if site.peak_charge:
        highest: dict[tuple[int, int], float] = {}
        for month, mw in zip(world.month, powers["import"].tolist(), strict=True):
            highest[month] = max(highest.get(month, 0.0), mw)
        line["peak"] = -site.peak_charge * sum(highest.values())
    line["it_mwh"] = float(sum(x.sum() for x in it_of.values())) * H
    line["dc_mwh"] = float(powers["firm"].sum() + sum(g.sum() for g in got)) * H
    return dict(line)


def _mine(site, world, line, blocks, it) -> None:
    """Satoshis by miner and settlement interval: what the pool owes, down; its fee, up."""
    steps = len(world.grid)
    per = site.settle_s // STEP_S
    sats_total = 0
    for i, miner in enumerate(site.miners):
        phs = sum(b[6] * x for b, x in zip(blocks, it, strict=True) if b[2:4] == ("mine", i))
        for s in range(0, steps, per):
            work = sum(round(p * STEP_S) for p in phs[s : s + per].tolist()) * 10**15
            reward = round(world.reward[s] * 1e8)
            gross = work * reward // (round(world.difficulty[s]) * 2**32)
            fee = -(-gross * round(miner["fee"] * 1e6) // 10**6)
            sats_total += gross - fee
            line["mining"] += gross / 1e8 * world.btc[s] * site.usd
            line["pool_fees"] -= fee / 1e8 * world.btc[s] * site.usd
    line["mining_sats"] = sats_total


def _sell_heat(site, world, line, blocks, it) -> dict[str, np.ndarray]:
    """Heat of each load's whole IT power up to its buyer's limit; hands back that IT power."""
    steps = len(world.grid)
    it_of = defaultdict(lambda: np.zeros(steps))
    for lease in site.leases:
        it_of[lease["name"]] += (1.0 if lease["firm"] else lease["idle"]) * lease["it"]
    for service in site.services:
        it_of[service["name"]] += service["idle"] * service["it"]
    names = {"lease": site.leases, "infer": site.services, "mine": site.miners}
    for b, x in zip(blocks, it, strict=True):
        it_of[names[b[2]][b[3]]["name"]] = it_of[names[b[2]][b[3]]["name"]] + x
    for load, buyer in site.heat.items():
        taken = np.array([month in buyer["months"] for _, month in world.month])
        sold = np.minimum(buyer["max"], buyer["share"] * it_of[load]) * taken
        line["heat"] += float(sold.sum()) * H * buyer["price"]
    return it_of
