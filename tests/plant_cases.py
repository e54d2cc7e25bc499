"""The demo site with electrical plant declared, for tests."""

from pathlib import Path

from headrace.adapters.sitefile import LoadedSite, parse_site
from replays import SITES

ENGINE = """
[[generator]]
name = "engine hall"
kind = "gas"
capacity_mw = 8.0
marginal_cost_usd_per_mwh = 5.0         # upkeep

[generator.unit]
minimum_mw = 3.0
heat_rate_full_gj_per_mwh = 9.0
heat_rate_minimum_gj_per_mwh = 10.5
fuel_usd_per_gj = 2.5
cost_usd_per_start = 120.0
fuel_gj_per_start = 10.0
start_min = 10.0
least_up_min = 60.0
least_down_min = 30.0
"""

TRANSFORMERS = """
[[transformer]]
name = "T1"
rating_mva = 12.0

[[transformer]]
name = "T2"
rating_mva = 12.0

[[transformer]]
name = "T3"
rating_mva = 12.0
"""

FEEDERS = """
[[feeder]]
name = "F1"
rating_mva = 10.0
loads = ["S21 hall", "S19 hall"]

[[feeder]]
name = "F2"
rating_mva = 12.0
power_factor_ratio = 0.95
loads = ["firm lab", "batch lab", "chat"]
"""


BATTERY_END = "wear_usd_per_mwh = 8.0                  # assumption: per MWh fed to the bus"


def demo_with(tables: str, *, connection: str = "", battery: str = "") -> LoadedSite:
    """The demo site with further tables, and keys added to its connection and its battery."""
    text = (SITES / "demo.toml").read_text(encoding="utf-8")
    text = text.replace("export_max_mw = 5.0\n", f"export_max_mw = 5.0\n{connection}\n", 1)
    text = text.replace(BATTERY_END, f"{BATTERY_END}\n{battery}", 1)
    return parse_site(f"{text}\n{tables}", Path("demo.toml"))
