"""What a replay hands back: one run per policy as polars frames, and the figures of the board's page.

`PolicyRun.intervals`, a row per control interval (metered, mean power in MW at the bus unless said):
    interval_start (UTC), price, price_seen, is_estimated, bid, ask       money per MWh, site currency
    import_mw, export_mw, firm_mw, charge_mw, discharge_mw, stored_mwh, it_mw
    use:<name>_mw, want:<name>_mw, worth:<name>                           each block: got, could take, money per MWh
    source:<name>_mw, available:<name>_mw                                 each on-site generator
    hashrate_phs, requests_per_s, requests_asked_per_s, gpus_busy, heat_mw        useful work
    temp_c, carbon_kg_per_mwh (null where no series)
    mode                                                                  plan, last_plan, safe_rule, shed
    yielded_mw, absorbed_mw                                               mining giving way to AI; mining on surplus
    shed_mw, spilled_mw                                                   firm load not served; output lost
    peak_seen, peak_came (of a site with coincident peaks)                price of a peak, as planned; with hindsight
    import_max_mw, export_max_mw, uncurtailed_max_mw                      plant: limits in force; without curtailment
    jobs_mw, job_gpus_busy, jobs_gap_ratio                                batch jobs: power, GPUs at work, plan's gap
    cost:<name>, fuel:<name>_gj, starts:<name>, run:<name>_s              units: money per MWh, fuel, starts, seconds

`PolicyRun.settlements`, a row per settlement interval: interval_start, duration_s, import_wh, export_wh, is_estimated,
mining_sats, and one integer column per statement line (see `LINES`), micro-units, revenue plus, cost minus. A site with
supply contracts has besides what became of their volume (`POSITION_WH`, Wh) and its worth (`POSITION_MICRO`).
"""

from typing import Any, Final

import msgspec
import polars as pl

from headrace.core import Interval
from headrace.dispatch.site import Site
from headrace.settlement import LINES

__all__ = ["LINES", "POSITION_MICRO", "POSITION_WH", "DataGap", "PolicyRun", "ReplayResult"]

POSITION_WH: Final = ("scheduled_wh", "sold_back_wh", "lost_wh", "spot_wh")
"""Energy columns of `settlement.Position`."""

POSITION_MICRO: Final = ("scheduled_at_market", "scheduled_cost", "sold_back", "sold_back_cost")
"""Money columns of `settlement.Position`, micro-units."""


class DataGap(msgspec.Struct, frozen=True, kw_only=True):
    """A run of missing input data and what stood in for it."""

    role: str
    """Feed role, e.g. "real_time"."""
    start: str
    """ISO time of the first missing interval."""
    intervals: int
    """How many intervals of the series are missing in the run."""
    substitute: str
    """What was used instead, in words."""


class PolicyRun(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One policy over the whole period."""

    policy: str
    """always-on, desk, rolling, stochastic or bound."""
    label: str
    """Headline label, or what makes a sensitivity one ("rolling, price known", "rolling, no battery")."""
    is_headline: bool
    """False for sensitivities."""
    intervals: pl.DataFrame
    settlements: pl.DataFrame
    margin_ccy: float
    """Sum of all statement lines plus the change in stored energy's worth, site currency."""
    stored_change_ccy: float
    """Worth of the change in stored energy over the period, valued at the period's median price."""
    lines_ccy: dict[str, float]
    """Sum of each statement line over the period."""
    mining_sats: int
    """Bitcoin mined, satoshis."""
    owners: pl.DataFrame = msgspec.field(default_factory=pl.DataFrame)
    """A row per settlement interval and contract of hosting or powered shell: interval_start, contract, wh, short_wh,
    power, further, credits (micro-units), sats; see `settlement.owners.OwnerLine`. Empty at a site without any."""
    jobs: pl.DataFrame = msgspec.field(default_factory=pl.DataFrame)
    """A row per batch job, see `engine.job_frames`. Empty at a site without any."""


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Everything the report, the tables and the exports are made from."""

    site: Site
    window: Interval
    runs: tuple[PolicyRun, ...]
    """Headline policies in the order always-on, desk, rolling, stochastic, bound; then sensitivities."""
    gaps: tuple[DataGap, ...]
    notes: tuple[str, ...]
    """What a reader must know beside the headline: hub price, missing components, fees not included, rates ..."""
    sources: dict[str, str]
    """Feed role to source line."""
    meta: dict[str, Any]
    """Versions, config hash, input hash, seed: what reproduces it."""

    def run(self, label: str) -> PolicyRun:
        """The run of this label (headline runs are labelled with their policy)."""
        for run in self.runs:
            if run.label == label:
                return run
        raise KeyError(label)
