"""The auditor's own arithmetic of the combined site: every settled line from journalled meters and raw files.

Not a line of Headrace: the journal is read as text, prices come from the raw tables, contracts and owners from TOML.
Amounts are exact fractions until they are rounded as the documents say: nearest for the market, down for what customers
pay, up for what they are owed.
"""

import json
import math
import tomllib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

M = 10**6


def nearest(x: Fraction) -> int:
    """To the nearest integer, halves away from zero."""
    return math.floor(x + Fraction(1, 2)) if x >= 0 else -math.floor(-x + Fraction(1, 2))


def exact(x: float) -> int:
    """A price in millionths, half to even, as contracts are read."""
    return round(Fraction(str(x)) * M)


class Journal:
    """Records of a run with every field by name."""

    def __init__(self, path: Path) -> None:
        lines = path.read_text().splitlines()
        self.names = json.loads(lines[0])["header"]["fields"]
        self.records = []
        memory = {}
        for line in lines[1:]:
            record = json.loads(line)["rec"]
            proposal = self._named("Proposal", record.get("proposal"))
            memory = (proposal or {}).get("memory") or memory
            reading = self._named("ControlReading", record["reading"])
            reading["meters"] = self._named("MeteredInterval", reading["meters"])
            statement = record.get("statement")
            self.records.append(
                {
                    "at": record["at_s"],
                    "mode": record["mode"],
                    "proposal": proposal,
                    "awards": (memory.get("reserve") or {}).get("awards", []),
                    "reading": reading,
                    "reserve": record.get("reserve", []),
                    "statement": self._named("Statement", statement) if isinstance(statement, list) else statement,
                }
            )

    def _named(self, kind: str, values: list | None) -> dict | None:
        return None if values is None else dict(zip(self.names[kind], values, strict=False))


class Raw:
    """Raw tables by epoch second of their interval."""

    def __init__(self, data: Path) -> None:
        energy = data / "energy"
        self.real = self._table(energy / "ercot_rt_spp_15min_2024.parquet")
        self.ahead = self._table(energy / "ercot_dam_spp_hourly_2024.parquet")
        self.capacity = self._table(energy / "ercot_as_mcpc_hourly_2024.parquet")
        network = pl.read_parquet(data / "bitcoin" / "btc_network_daily.parquet")
        self.network = {str(row["date_utc"])[:10]: row for row in network.iter_rows(named=True)}

    def _table(self, path: Path) -> dict[int, dict[str, float]]:
        frame = pl.read_parquet(path)
        return {int(row["interval_start"].timestamp()): row for row in frame.iter_rows(named=True)}

    def price(self, at_s: int, point: str) -> float | None:
        return self.real.get(at_s // 900 * 900, {}).get(f"{point}_usd_per_mwh")

    def day_ahead(self, at_s: int, point: str) -> float | None:
        return self.ahead.get(at_s // 3600 * 3600, {}).get(f"{point}_usd_per_mwh")

    def day(self, at_s: int, back: int = 0) -> dict:
        return self.network[str((datetime.fromtimestamp(at_s, UTC) - timedelta(days=back)).date())]


class Books:
    """What each settlement interval of a run should be."""

    def __init__(self, site: Path, journal: Journal, raw: Raw) -> None:
        self.site = tomllib.loads(site.read_text())
        self.zone = ZoneInfo(self.site["site"]["time_zone"])
        self.raw, self.journal = raw, journal
        self.contract = {each["kind"]: each for each in self.site["contract"]}
        self.peak: dict[tuple[int, int], int] = defaultdict(int)
        self.taken: dict[tuple[int, int], int] = defaultdict(int)
        self.short: dict[tuple[str, int, int], int] = defaultdict(int)
        self.swing = self._swing()

    def local(self, at_s: int) -> datetime:
        return datetime.fromtimestamp(at_s, self.zone)

    def month_of(self, at_s: int) -> tuple[int, int]:
        return self.local(at_s).year, self.local(at_s).month

    def month_s(self, at_s: int) -> tuple[int, int]:
        """Start and length of the local month, seconds."""
        first = self.local(at_s).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
        after = (first + timedelta(days=32)).replace(day=1)
        return int(first.timestamp()), int(after.timestamp() - first.timestamp())

    def compare(self) -> dict[str, int]:
        """Largest difference of each line, micro-units; and every total that owners' rows must meet."""
        worst: dict[str, int] = defaultdict(int)
        pending: list[dict] = []
        for record in self.journal.records:
            pending.append(record)
            if record["statement"] is None:
                continue
            booked = record["statement"]
            for line, amount in self.settle(pending, is_last=record is self.journal.records[-1]).items():
                worst[line] = max(worst[line], abs(amount - booked.get(line, 0)))
            pending = []
        assert not pending
        return dict(worst)

    def settle(self, parts: list[dict], *, is_last: bool) -> dict[str, int]:
        """Every line of the interval these control intervals make up."""
        start, last = parts[0]["at"], parts[-1]["at"]
        meters = [part["reading"]["meters"] for part in parts]
        length = sum(m["duration_s"] for m in meters)
        bought, sold = (sum(m[way] for m in meters) for way in ("import_wh", "export_wh"))
        market = exact(self.market(last))
        line = {
            "energy_bought": -nearest(Fraction(bought * market, M)),
            "energy_sold": nearest(Fraction(sold * market, M)),
            "wear": -nearest(
                Fraction(sum(m["discharge_wh"] for m in meters) * exact(self.site["battery"]["wear_usd_per_mwh"]), M)
            ),
        }
        dated = self.dated_adder(last)
        tariff = self.site["tariff"]
        own = exact(tariff["import_adder_usd_per_mwh"])
        line["adders"] = -nearest(
            Fraction(bought * (own + dated) + sold * exact(tariff["export_deduction_usd_per_mwh"]), M)
        )
        line |= self._month(start, length, max(m["import_peak_w"] for m in meters))
        line |= self._position(start, last, length, bought, sold, market, is_last=is_last)
        line |= self._loads(meters, last)
        line |= self._owners(meters, start, last, length, market + own + dated)
        line |= self._plant(meters)
        return line | self._reserve(parts)

    def market(self, at_s: int) -> float:
        """Settled price: real time, else the day-ahead price of the hour."""
        came = self.raw.price(at_s, "lz_west")
        value = came if came is not None else self.raw.day_ahead(at_s, "lz_west")
        assert value is not None
        return value

    def dated_adder(self, at_s: int) -> int:
        total = Fraction(0)
        for each in self.site.get("charge", []):
            if each["kind"] == "energy" and self.local(at_s).hour in each["hours_local"]:
                total += Fraction(str(each["adder_usd_per_mwh"]))
            elif each["kind"] == "losses":
                total += Fraction(str(each["loss_ratio"])) * Fraction(str(self.market(at_s)))
        return round(total * M)

    def _month(self, start: int, length: int, peak_w: int) -> dict[str, int]:
        month, rate = self.month_of(start), exact(self.site["tariff"]["peak_charge_usd_per_mw_month"])
        before = self.peak[month]
        self.peak[month] = max(before, peak_w)
        month_start, month_s = self.month_s(start)
        fixed = [exact(c["fixed_usd_per_month"]) for c in self.site.get("charge", []) if c["kind"] == "fixed"]
        upto = lambda at: sum(nearest(Fraction(each * (at - month_start), month_s)) for each in fixed)  # noqa: E731
        return {
            "peak": nearest(Fraction(before * rate, M)) - nearest(Fraction(self.peak[month] * rate, M)),
            "fixed_charges": upto(start) - upto(start + length),
        }

    def volume_mw(self, each: dict, at_s: int) -> Fraction:
        local = self.local(at_s)
        if each["kind"] == "block":
            assert each["hours"] == "peak"
            on = local.weekday() < 5 and 6 <= local.hour < 22
            return Fraction(str(each["power_mw"])) * on
        if each["kind"] == "shaped":
            return Fraction(str(each["profile_mw"][local.hour]))
        if each["kind"] == "day-ahead":
            return Fraction(str(each["power_mw"])) * (self.raw.day_ahead(at_s, "lz_west") is not None)
        return self.swing[at_s]

    def _swing(self) -> dict[int, Fraction]:
        """Dearest hours first while the price is above the strike, at least the day's least; by control step."""
        each = self.contract["swing"]
        days = defaultdict(list)
        for record in self.journal.records:
            days[self.local(record["at"]).date()].append(record["at"])
        out = {}
        step = Fraction(str(each["power_max_mw"])) / 12
        for starts in days.values():
            prices = {at: self.raw.day_ahead(at, "lz_west") for at in starts}
            if any(price is None for price in prices.values()):
                out |= dict.fromkeys(starts, Fraction(str(each["day_min_mwh"])) * 12 / len(starts))
                continue
            pays = step * sum(price > each["strike_usd_per_mwh"] for price in prices.values())
            left = max(Fraction(str(each["day_min_mwh"])), min(Fraction(str(each["day_max_mwh"])), pays))
            for at in sorted(starts, key=lambda at: (-prices[at], at)):
                out[at] = min(step, left) * 12
                left -= out[at] / 12
        return out

    def _position(self, start, last, length, bought, sold, market, *, is_last: bool) -> dict[str, int]:
        hub = self.raw.price(last, "hb_west")
        hub = market if hub is None else exact(hub)
        line = dict.fromkeys(("hedge", "day_ahead", "basis"), 0)
        scheduled = 0
        for each in self.site["contract"]:
            if each["kind"] not in {"block", "shaped", "day-ahead", "swing"}:
                continue
            watts = [round(self.volume_mw(each, at) * M) for at in range(start, start + length, 300)]
            wh = nearest(Fraction(sum(watts) * 300, 3600))
            scheduled += wh
            own = each.get("strike_usd_per_mwh", self.raw.day_ahead(last, "lz_west"))
            gain = nearest(Fraction(wh * market, M)) - nearest(Fraction(wh * exact(own or 0.0), M))
            line["day_ahead" if each["kind"] == "day-ahead" else "hedge"] += gain
            if each.get("at_hub"):
                line["basis"] += nearest(Fraction(wh * hub, M)) - nearest(Fraction(wh * market, M))
        fees, least = self.contract["supply-fees"], self.contract["take-or-pay"]
        beyond = max(0, abs(bought - sold - scheduled) - math.floor(scheduled * Fraction(str(fees["tolerance_ratio"]))))
        line["supply_fees"] = -nearest(Fraction(bought * exact(fees["fee_usd_per_mwh"]), M))
        line["supply_fees"] -= nearest(Fraction(beyond * exact(fees["imbalance_fee_usd_per_mwh"]), M))
        month = self.month_of(start)
        self.taken[month] += bought
        month_start, month_s = self.month_s(start)
        end = start + length
        if is_last or end == month_start + month_s:
            covered = end - max(month_start, self.journal.records[0]["at"])
            due = nearest(Fraction(str(least["month_min_mwh"])) * M * covered / month_s)
            missing = max(0, due - self.taken[month])
            line["supply_fees"] -= nearest(Fraction(missing * exact(least["shortfall_usd_per_mwh"]), M))
        return line

    def _loads(self, meters: list[dict], last: int) -> dict[str, int]:
        line = dict.fromkeys(("mining", "pool_fees", "ai_firm", "ai_curtailable", "service_credits"), 0)
        leases = [lease for cluster in self.site["cluster"] for lease in cluster["lease"]]
        for i, lease in enumerate(leases):
            got = sum(m["lease_delivered_gpu_s"][i] for m in meters)
            short = sum(m["lease_short_gpu_s"][i] for m in meters)
            name = "ai_firm" if lease["firmness"] == "firm" else "ai_curtailable"
            line[name] += got * exact(lease["price_usd_per_gpu_h"]) // 3600
            line["service_credits"] -= -(-short * exact(lease["credit_usd_per_gpu_h"]) // 3600)
        hosted = {host["miner"] for host in self.site["hosting"]}
        gross = net = 0
        for i, miner in enumerate(self.site["miner"]):
            if miner["name"] not in hosted:
                before, after = self.sats(i, meters, last)
                gross, net = gross + before, net + after
        value, kept = (nearest(Fraction(sats * self.coin(last), 10**8)) for sats in (gross, net))
        return line | {"mining": value, "pool_fees": kept - value, "mining_sats": net}

    def coin(self, at_s: int) -> int:
        """Close of the last UTC day that had ended."""
        return exact(self.raw.day(at_s, back=1)["price_usd"])

    def sats(self, miner: int, meters: list[dict], at_s: int) -> tuple[int, int]:
        row = self.raw.day(at_s)
        reward = round((row["subsidy_btc"] + row["fees_btc"]) / row["blocks"] * 1e8)
        work = sum(m["work_ph"][miner] for m in meters) * 10**15
        gross = work * reward // (round(row["difficulty_mean"]) * 2**32)
        return gross, gross - -(-gross * exact(self.site["miner"][miner]["pool_fee_ratio"]) // M)

    def _owners(self, meters: list[dict], start: int, last: int, length: int, cost: int) -> dict[str, int]:
        paid = owed = 0
        miners = [miner["name"] for miner in self.site["miner"]]
        _, month_s = self.month_s(start)
        for i, host in enumerate(self.site["hosting"]):
            it, bus, short_it, short_bus = (sum(m["hosted"][i][k] for m in meters) for k in range(4))
            price = exact(host["price_usd_per_mwh"])
            fixed = host["power_price"] == "fixed"
            bill = it * price // M if fixed else (bus * cost + it * price) // M
            earned = self.sats(miners.index(host["miner"]), meters, last)[1] * self.coin(last) // 10**8
            paid += bill + max(0, earned - bill) * exact(host.get("profit_share_ratio", 0.0)) // M
            saved = max(0, short_bus * cost - short_it * price) if fixed else 0
            owed += -(-saved * exact(host.get("curtailment_share_ratio", 0.0)) // M**2)
            full_w = self._full_w(host["miner"])
            seconds = (
                round(host.get("free_curtailment_h", 0.0) * 3600)
                + month_s * (M - exact(host["guaranteed_uptime_ratio"])) // M
            )
            used = self.short[host["name"], *self.month_of(start)]
            left = max(0, full_w * seconds // 3600 - used)
            self.short[host["name"], *self.month_of(start)] += short_it
            owed += -(-max(0, short_it - left) * exact(host["credit_usd_per_mwh"]) // M)
        hall = 0
        for i, tenant in enumerate(self.site["tenant"]):
            wh, short = (sum(m["shell"][i][k] for m in meters) for k in range(2))
            own = exact(tenant["price_usd_per_mwh"])
            watts = round(tenant["contracted_mw"] * M)
            hall += wh * (cost + own) // M
            hall += watts * length * exact(tenant["rent_usd_per_mw_h"]) // (M * 3600)
            least = watts * length // 3600 * exact(tenant["take_or_pay_ratio"]) // M
            hall += max(0, least - wh - short) * own // M
            hall -= -(-short * exact(tenant["availability_credit_usd_per_mwh"]) // M)
        return {"hosting": paid, "hosting_payouts": -owed, "shell": hall}

    def _full_w(self, name: str) -> int:
        """IT power of a class at full work: model's highest useful power times machines."""
        miner = next(each for each in self.site["miner"] if each["name"] == name)
        watts = {"Antminer S21": 3500.0, "Antminer S19 VNish": 3350.0}[miner["model"]]
        return round(watts * miner["machines"])

    def _plant(self, meters: list[dict]) -> dict[str, int]:
        unit = self.site["generator"][0]
        fuel = sum(m["units"][0][0] for m in meters)
        wh = sum(m["generated_wh"][0] for m in meters)
        cost = nearest(Fraction(fuel * exact(unit["unit"]["fuel_usd_per_gj"]), 1000))
        upkeep = nearest(Fraction(wh * exact(unit["marginal_cost_usd_per_mwh"]), M))
        starts = sum(m["units"][0][1] for m in meters) * exact(unit["unit"]["cost_usd_per_start"])
        return {"generation": -cost - upkeep, "starts": -starts}

    def _reserve(self, parts: list[dict]) -> dict[str, int]:
        paid = owed = 0
        for r, column in enumerate(("rrs_mcpc_usd_per_mw_h", "ecrs_mcpc_usd_per_mw_h")):
            worth = short = 0
            for part in parts:
                hour = part["at"] // 3600 * 3600
                mw = sum(a[3] for a in part["awards"] if a[0] == hour and a[1] == r)
                if mw:
                    price = exact(self.raw.capacity[hour][column])
                    worth += round(mw * M / 12) * price
                    short += sum(row[5] for row in part["reserve"] if row[0] == r) * price
            paid += nearest(Fraction(worth, M))
            owed += -(-short // M)
        return {"reserve": paid, "reserve_penalties": -owed}
