"""The page that Prometheus scrapes, made from a live site's status each time it is asked for."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from headrace.engine.live.status import LiveStatus

__all__ = ["metrics_page"]

MODES = ("plan", "last_plan", "safe_rule", "shed")


def metrics_page(status: Callable[[], LiveStatus]) -> Callable[[], bytes]:
    """Make the function that writes the page.

    Parameters
    ----------
    status
        Where the site stands; asked anew for each page.
    """
    registry = CollectorRegistry()
    registry.register(_Site(status))
    return lambda: generate_latest(registry)


class _Site(Collector):
    def __init__(self, status: Callable[[], LiveStatus]) -> None:
        self._status = status

    def describe(self) -> Iterator[Metric]:
        """Nothing ahead: the site need not run yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """One page."""
        status = self._status()
        yield _one("headrace_time_seconds", "The site's clock", status.at_us / 1e6)
        yield _one("headrace_journal_records", "Lines of the journal", status.records)
        yield _one("headrace_site_megawatts", "Net import at the connection", status.site_mw)
        yield _one("headrace_stored_megawatt_hours", "Energy in the battery", status.stored_mwh)
        yield _one("headrace_bid_per_mwh", "Worth of one more MWh, site currency", status.bid_ccy_per_mwh)
        yield _one("headrace_ask_per_mwh", "Cost of giving a MWh up, site currency", status.ask_ccy_per_mwh)
        yield _one("headrace_orders", "Orders that have not ended", len(status.orders))
        yield _one("headrace_locks", "Lock-outs held", len(status.locks))
        yield _by("headrace_mode", "Rung of the safe ladder", "mode", {mode: status.mode == mode for mode in MODES})
        loads = {load.name: load for load in status.loads}
        yield _by("headrace_load_megawatts", "Power of a load", "load", {k: v.power_mw for k, v in loads.items()})
        yield _by(
            "headrace_load_target_megawatts", "What is asked of it", "load", {k: v.target_mw for k, v in loads.items()}
        )
        yield _by("headrace_load_running", "Assets that run", "load", {k: v.running for k, v in loads.items()})
        yield _by("headrace_load_assets", "Assets", "load", {k: v.assets for k, v in loads.items()})
        yield _by("headrace_load_lost", "Assets that are silent", "load", {k: v.lost for k, v in loads.items()})
        yield _by("headrace_load_doubted", "Assets mute or lying", "load", {k: v.doubted for k, v in loads.items()})
        feeders = {feeder.name: feeder for feeder in status.feeders}
        yield _by(
            "headrace_feeder_megawatts", "Power of a feeder", "feeder", {k: v.power_mw for k, v in feeders.items()}
        )
        yield _by(
            "headrace_feeder_limit_megawatts", "What it carries", "feeder", {k: v.limit_mw for k, v in feeders.items()}
        )
        yield _by(
            "headrace_feeder_age_seconds", "Age of its reading", "feeder", {k: v.age_s for k, v in feeders.items()}
        )
        yield _by("headrace_feed_age_seconds", "How far a feed is behind", "role", status.feed_age_s)
        yield _by("headrace_alarm", "Alarms that are up", "code", dict.fromkeys((a.code for a in status.alarms), 1))


def _one(name: str, told: str, value: float | None) -> GaugeMetricFamily:
    """A figure; absent, not zero, where it is not known."""
    family = GaugeMetricFamily(name, told)
    if value is not None:
        family.add_metric([], float(value))
    return family


def _by(name: str, told: str, label: str, values: Mapping[str, float | None]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=[label])
    for key, value in sorted(values.items()):
        if value is not None:
            family.add_metric([key], float(value))
    return family
