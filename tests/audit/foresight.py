"""The auditor's own perfect foresight: one linear programme of the whole period, written out row by row for HiGHS."""

import math
from collections import defaultdict

import highspy
import numpy as np

from audit.by_hand import H, Site, World, firm_mw


def foresight_margin(site: Site, world: World) -> float:
    """Best margin there is: statement lines plus the change in stored energy at the period's median price."""
    steps = len(world.grid)
    model = Rows()
    grid_in = model.columns(steps, 0, site.import_max, -(world.price + site.adder) * H)
    grid_out = model.columns(steps, 0, site.export_max, (world.price - site.deduction) * H)
    constant = 0.0
    # (column of each step, +1 draws from the bus or -1 feeds it)
    bus: list[tuple[np.ndarray, float]] = [(grid_in, -1.0), (grid_out, 1.0)]
    idle_it: dict[str, float] = defaultdict(float)
    it_parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
    for lease in site.leases:
        pue = world.pue(site.pue[lease["cooling"]])
        hours = lease["gpus"] * steps * H
        if lease["firm"]:
            constant += hours * lease["price"]
            idle_it[lease["name"]] += lease["it"]
            continue
        idle_it[lease["name"]] += lease["idle"] * lease["it"]
        full = (1 - lease["idle"]) * lease["it"]
        constant -= hours * lease["credit"]
        ran = model.columns(steps, 0, full * pue, (lease["price"] + lease["credit"]) * lease["gpus"] / full / pue * H)
        bus.append((ran, 1.0))
        it_parts[lease["name"]].append((ran, pue))
    for service in site.services:
        pue = world.pue(site.pue[service["cooling"]])
        idle_it[service["name"]] += service["idle"] * service["it"]
        asked = world.demand[service["demand"]] * service["scale"] * service["wh"] * 3600 / 1e6
        width = np.minimum(asked, (1 - service["idle"]) * service["it"])
        ran = model.columns(steps, 0, width * pue, service["value"] * 1e6 / service["wh"] / pue * H)
        bus.append((ran, 1.0))
        it_parts[service["name"]].append((ran, pue))
    hashes = 86_400 * 1e15 / (world.difficulty * 2**32)
    per_phs_day = hashes * world.reward * world.btc * site.usd if site.miners else np.zeros(steps)
    for miner in site.miners:
        pue = world.pue(site.pue[miner["cooling"]])
        for mw, slope in miner["pieces"]:
            worth = slope * per_phs_day / 24 * (1 - miner["fee"])
            ran = model.columns(steps, 0, mw * pue, worth / pue * H)
            bus.append((ran, 1.0))
            it_parts[miner["name"]].append((ran, pue))
    for generator in site.generators:
        factor = world.profile[generator["profile"]] if generator["profile"] else np.ones(steps)
        top = generator["mw"] * factor
        bus.append((model.columns(steps, top * generator["must"], top, -generator["cost"] * H), -1.0))
    for load, buyer in site.heat.items():
        taken = np.array([buyer["max"] if month in buyer["months"] else 0.0 for _, month in world.month])
        sold = model.columns(steps, 0, taken, buyer["price"] * H)
        for t in range(steps):
            row = [(int(sold[t]), 1.0)] + [(int(c[t]), -buyer["share"] / float(pue[t])) for c, pue in it_parts[load]]
            model.row(-math.inf, buyer["share"] * idle_it[load], row)
    for ppa in site.ppas:
        constant += float((ppa["mw"] * world.profile[ppa["profile"]] * (world.price - ppa["strike"])).sum()) * H
    if site.battery:
        constant += _battery(site, world, model, bus)
    if site.peak_charge:
        months = sorted(set(world.month))
        highest = dict(zip(months, model.columns(len(months), 0, site.import_max, -site.peak_charge), strict=True))
        for t in range(steps):
            model.row(-math.inf, 0.0, [(int(grid_in[t]), 1.0), (int(highest[world.month[t]]), -1.0)])
    firm = firm_mw(site, world)
    for t in range(steps):
        model.row(-firm[t], -firm[t], [(int(c[t]), sign) for c, sign in bus])
    return constant + model.best()


def _battery(site: Site, world: World, model: "Rows", bus: list[tuple[np.ndarray, float]]) -> float:
    battery, steps = site.battery, len(world.grid)
    median, size = float(np.median(world.price)), battery["capacity_mwh"]
    charge = model.columns(steps, 0, battery["charge_max_mw"], 0.0)
    discharge = model.columns(steps, 0, battery["discharge_max_mw"], -site.wear * H)
    worth = np.zeros(steps)
    worth[-1] = median
    stored = model.columns(steps, battery["soc_min_ratio"] * size, battery["soc_max_ratio"] * size, worth)
    start = battery["soc_start_ratio"] * size
    for t in range(steps):
        row = [
            (int(stored[t]), 1.0),
            (int(charge[t]), -H * battery["charge_efficiency_ratio"]),
            (int(discharge[t]), H / battery["discharge_efficiency_ratio"]),
        ]
        model.row(*((start, start, row) if t == 0 else (0.0, 0.0, [*row, (int(stored[t - 1]), -1.0)])))
    bus += [(charge, 1.0), (discharge, -1.0)]
    return -start * median


class Rows:
    """A linear programme being written down: columns with bounds and worth, rows of (column, coefficient)."""

    def __init__(self) -> None:
        self.low: list[float] = []
        self.high: list[float] = []
        self.worth: list[float] = []
        self.row_low: list[float] = []
        self.row_high: list[float] = []
        self.starts: list[int] = [0]
        self.index: list[int] = []
        self.value: list[float] = []

    def columns(self, count, low, high, worth) -> np.ndarray:
        """Add columns; scalars stand for all of them."""
        first = len(self.low)
        for store, what in ((self.low, low), (self.high, high), (self.worth, worth)):
            store.extend(np.broadcast_to(np.asarray(what, float), count).tolist())
        return np.arange(first, first + count)

    def row(self, low: float, high: float, entries: list[tuple[int, float]]) -> None:
        """Add one row."""
        self.row_low.append(float(low))
        self.row_high.append(float(high))
        self.index += [c for c, _ in entries]
        self.value += [v for _, v in entries]
        self.starts.append(len(self.index))

    def best(self) -> float:
        """Greatest worth; the programme must have one."""
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.low), len(self.row_low)
        lp.sense_ = highspy.ObjSense.kMaximize
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = (np.array(x) for x in (self.worth, self.low, self.high))
        lp.row_lower_, lp.row_upper_ = np.array(self.row_low), np.array(self.row_high)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.array(self.starts, np.int32)
        lp.a_matrix_.index_ = np.array(self.index, np.int32)
        lp.a_matrix_.value_ = np.array(self.value)
        solver = highspy.Highs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.passModel(lp)
        solver.run()
        assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
        return float(solver.getInfo().objective_function_value)


__all__ = ["foresight_margin"]
